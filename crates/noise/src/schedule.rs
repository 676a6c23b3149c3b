//! When sessions are renewed, and how one follows another (WireGuard paper §6).
//!
//! Constants, the questions that a [`Session`] answers about its age, and [`Keypairs`], which holds a peer's
//! sessions. Timers are the node's: nothing here counts retries or sends anything.

mod keypairs;

use stead_wire::time::{Duration, Instant};

use crate::handshake::Role;
use crate::session::Session;
pub use keypairs::Keypairs;

/// After this many messages under ChaCha20-Poly1305 either side renews the session; for others see
/// [`Cipher::rekey_after_messages`](crate::cipher::Cipher::rekey_after_messages).
pub const REKEY_AFTER_MESSAGES: u64 = 1 << 60;

/// Counters from here on are not used by any cipher: 2^64 - 2^13 - 1, so that the window never meets the end of the
/// numbers.
pub const REJECT_AFTER_MESSAGES: u64 = u64::MAX - (1 << 13);

/// Sending in a session this old makes its initiator renew it.
pub const REKEY_AFTER_TIME: Duration = Duration::from_secs(120);

/// A session this old neither sends nor receives.
pub const REJECT_AFTER_TIME: Duration = Duration::from_secs(180);

/// How long an unanswered handshake is tried again before it is given up, until there is something to send
/// again.
pub const REKEY_ATTEMPT_TIME: Duration = Duration::from_secs(90);

/// How long a response is awaited before the handshake is begun anew.
pub const REKEY_TIMEOUT: Duration = Duration::from_secs(5);

/// Random addition to [`REKEY_TIMEOUT`] at most, so that two peers do not keep beginning at the same moment
/// (§6.1).
pub const REKEY_TIMEOUT_JITTER: Duration = Duration::from_millis(333);

/// Who received and had nothing to send for this long sends an empty message.
pub const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// Who sent and received nothing for this long, though the peer should have sent a keepalive, begins a
/// handshake (§6.5).
pub const SILENCE_TIMEOUT: Duration = Duration::from_secs(15);

/// Without a new session for this long, every key of the peer is forgotten (§6.3).
pub const FORGET_AFTER_TIME: Duration = Duration::from_secs(540);

/// Receiving in a session this old makes its initiator renew it: late enough that sending usually did before,
/// early enough for a keepalive and a retried handshake to fit before [`REJECT_AFTER_TIME`].
pub const REKEY_AFTER_TIME_RECEIVING: Duration = Duration::from_secs(165);

impl Session {
    /// Whether having sent a message at `now` is a reason to begin a handshake (§6.2).
    #[must_use]
    pub fn wants_rekey_on_send(&self, now: Instant) -> bool {
        let many = self.sent().0 >= self.cipher().rekey_after_messages();
        many || self.is_ours_to_renew() && self.age(now) >= REKEY_AFTER_TIME
    }

    /// Whether having received a message at `now` is a reason to begin a handshake (§6.2).
    #[must_use]
    pub fn wants_rekey_on_receive(&self, now: Instant) -> bool {
        self.is_ours_to_renew() && self.age(now) >= REKEY_AFTER_TIME_RECEIVING
    }

    /// Whether the session is too old to send or to receive in.
    #[must_use]
    pub fn expired(&self, now: Instant) -> bool {
        self.age(now) >= REJECT_AFTER_TIME
    }

    /// Only the initiator renews by age, so that both sides do not at once (§6.2).
    fn is_ours_to_renew(&self) -> bool {
        self.role() == Role::Initiator
    }

    fn age(&self, now: Instant) -> Duration {
        now - self.created()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::tests::session_of;

    const T0: Instant = Instant::from_micros(7_000_000);
    const TICK: Duration = Duration::from_micros(1);

    #[test]
    fn the_initiator_renews_by_age_and_the_responder_does_not() {
        let initiated = session_of(Role::Initiator, T0);
        let responded = session_of(Role::Responder, T0);

        let before = |age: Duration| T0 + (age - TICK);
        assert!(!initiated.wants_rekey_on_send(before(REKEY_AFTER_TIME)));
        assert!(initiated.wants_rekey_on_send(T0 + REKEY_AFTER_TIME));
        assert!(!initiated.wants_rekey_on_receive(before(Duration::from_secs(165))));
        assert!(initiated.wants_rekey_on_receive(T0 + Duration::from_secs(165)));
        assert!(!responded.wants_rekey_on_send(T0 + REJECT_AFTER_TIME));
        assert!(!responded.wants_rekey_on_receive(T0 + REJECT_AFTER_TIME));
    }

    #[test]
    fn either_side_renews_after_very_many_messages() {
        for role in [Role::Initiator, Role::Responder] {
            let session = session_of(role, T0);
            assert!(session.reserve(REKEY_AFTER_MESSAGES - 1).is_some());
            assert!(!session.wants_rekey_on_send(T0));

            assert!(session.reserve(1).is_some());

            assert!(session.wants_rekey_on_send(T0), "{role:?}");
        }
    }

    #[test]
    fn a_session_expires_by_age_for_both_and_a_clock_before_its_birth_counts_as_its_birth() {
        for role in [Role::Initiator, Role::Responder] {
            let session = session_of(role, T0);

            assert!(!session.expired(T0 + (REJECT_AFTER_TIME - TICK)));
            assert!(session.expired(T0 + REJECT_AFTER_TIME));
            assert!(!session.expired(Instant::ZERO));
        }
    }

    #[test]
    fn the_last_counter_leaves_room_for_a_window_below_the_end_of_the_numbers() {
        assert_eq!(u128::from(REJECT_AFTER_MESSAGES), (1_u128 << 64) - (1 << 13) - 1);
        assert_eq!(REKEY_AFTER_TIME_RECEIVING, REJECT_AFTER_TIME - KEEPALIVE_TIMEOUT - REKEY_TIMEOUT);
        assert_eq!(SILENCE_TIMEOUT, KEEPALIVE_TIMEOUT + REKEY_TIMEOUT);
        assert_eq!(FORGET_AFTER_TIME, 3 * REJECT_AFTER_TIME);
    }
}
