//! Decides which of two sides renews first, where both began a session at once.
//!
//! Each side renews the session that it began itself (WireGuard paper §6.2). After two crossed handshakes both sides seal
//! in sessions of the same age, would renew them at the same moment, and so cross again, for ever. So one of them waits a
//! little: the other's handshake then gives both sides one session, with one initiator.

use std::sync::Arc;

use stead_noise::handshake::Role;
use stead_noise::keys::PublicKey;
use stead_noise::schedule::{REKEY_AFTER_TIME, REKEY_AFTER_TIME_RECEIVING, REKEY_TIMEOUT};
use stead_noise::session::Session;
use stead_wire::time::{Duration, Instant};

use super::Handshaking;

/// Sessions that were begun closer together than this are renewed at once: a handshake takes a round trip, or, if its
/// first initiation is lost, the time until its first retry.
const BEGUN_AT_ONCE: Duration = REKEY_TIMEOUT;

/// How long the side that waits does so: longer than a handshake's round trip, and short beside the minute for which the
/// session is still good.
const YIELDS_FOR: Duration = Duration::from_secs(2);

impl Handshaking {
    /// Whether the renewal of our session, which is due, is left to the peer for now: it seals in a session of its own
    /// that is due too. The side with the lesser public key does not wait; `ours` is ours.
    pub(crate) fn leaves_renewal(&self, ours: PublicKey, now: Instant) -> bool {
        let Some(session) = self.sealing(now).filter(|_| ours.0 > self.remote.0) else { return false };
        let age = now - session.created();
        let yields = |due: Duration| (due..due + YIELDS_FOR).contains(&age);
        let begun_at_once = |other: &Session| {
            let (one, two) = (session.created(), other.created());
            one.max(two) - one.min(two) < BEGUN_AT_ONCE
        };
        let crosses = |other: &Arc<Session>| {
            other.role() == Role::Responder && other.received_highest().is_some() && begun_at_once(other)
        };
        let by_age = yields(REKEY_AFTER_TIME) || yields(REKEY_AFTER_TIME_RECEIVING);
        by_age && session.role() == Role::Initiator && self.keypairs.iter().any(crosses)
    }
}
