//! Where a client is: where its newest message came from, and what of that is proven.
//!
//! # Invariants
//! - Only an authenticated message changes anything, and only the newest of its session moves the client.
//! - An address is proven by what came back from it: a handshake's response, or a path challenge. Until then at most
//!   three bytes go there per byte that came (RFC 9000 §8).
//! - The last proven address stays known until another one is proven, so that a copied datagram, raced ahead of
//!   its original from elsewhere, cuts nothing off.

use core::net::{IpAddr, SocketAddr};

use stead_noise::allowance::Allowance;
use stead_wire::datagram::Arrival;
use stead_wire::options::ChallengeToken;
use stead_wire::time::{Duration, Instant};

/// Where to send.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Reach {
    /// Where to.
    pub(crate) remote: SocketAddr,
    /// From which of our addresses: the one that the client spoke to.
    pub(crate) local: Option<IpAddr>,
}

impl From<Arrival> for Reach {
    fn from(arrival: Arrival) -> Self {
        Self { remote: arrival.source, local: arrival.local }
    }
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub(crate) struct Whereabouts {
    newest: Option<Reach>,
    proven: Option<Reach>,
    claimed: Option<SocketAddr>,
    allowance: Allowance,
    /// The challenge that was sent to the newest address.
    challenge: Option<(ChallengeToken, Instant)>,
    round_trip: Option<Duration>,
}

impl Whereabouts {
    /// A message of `bytes` authenticated; `newest` if none with a higher counter did before. Returns where the
    /// client was if this moved it.
    pub(crate) fn on_message(&mut self, arrival: Arrival, bytes: usize, newest: bool) -> Option<SocketAddr> {
        let before = self.newest.map(|reach| reach.remote);
        if before == Some(arrival.source) {
            self.allowance.credit(bytes);
            if newest {
                self.newest = Some(arrival.into());
            }
            return None;
        }
        if !newest {
            return None;
        }
        self.newest = Some(arrival.into());
        self.allowance = Allowance::default();
        self.allowance.credit(bytes);
        self.challenge = None;
        before
    }

    /// The client received our handshake's response at `reach`.
    pub(crate) fn on_handshake(&mut self, reach: Reach, round_trip: Duration) {
        self.proven = Some(reach);
        self.round_trip = Some(round_trip);
    }

    /// The client's attachment point as it knows it itself.
    pub(crate) fn on_claim(&mut self, claimed: SocketAddr) {
        self.claimed = Some(claimed);
    }

    /// An echo came from `source`; whether it proves the newest address.
    pub(crate) fn on_response(&mut self, token: ChallengeToken, source: SocketAddr, now: Instant) -> bool {
        let Some((sent, at)) = self.challenge else { return false };
        let Some(reach) = self.newest.filter(|reach| reach.remote == source) else { return false };
        if sent != token {
            return false;
        }
        self.challenge = None;
        self.proven = Some(reach);
        self.round_trip = Some(now - at);
        true
    }

    /// What to challenge the newest address with; `None` if it is proven. The same until it is answered.
    pub(crate) fn challenge(
        &mut self,
        fresh: impl FnOnce() -> ChallengeToken,
        now: Instant,
    ) -> Option<ChallengeToken> {
        if self.is_proven() {
            return None;
        }
        Some(self.challenge.get_or_insert_with(|| (fresh(), now)).0)
    }

    /// Whether `bytes` may go to the newest address; if so they are spent.
    pub(crate) fn spend(&mut self, bytes: usize) -> bool {
        self.is_proven() || self.allowance.spend(bytes)
    }

    /// Where the newest message came from.
    pub(crate) const fn newest(&self) -> Option<Reach> {
        self.newest
    }

    /// The last address that was proven.
    pub(crate) const fn proven(&self) -> Option<Reach> {
        self.proven
    }

    /// Whether there is a NAT between (figure 19). A client that claims nothing counts as behind one: telling it
    /// too much does no harm, too little does.
    pub(crate) fn is_private(&self) -> bool {
        self.claimed.is_none() || self.claimed != self.newest.map(|reach| reach.remote)
    }

    /// The last round trip measured to this client.
    pub(crate) const fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }

    fn is_proven(&self) -> bool {
        let remote = |reach: Option<Reach>| reach.map(|reach| reach.remote);
        self.proven.is_some() && remote(self.proven) == remote(self.newest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: ChallengeToken = ChallengeToken([7; 8]);
    const NOW: Instant = Instant::from_micros(5);

    fn from(text: &str) -> Arrival {
        Arrival { source: text.parse().unwrap(), local: None }
    }

    fn proven_at(text: &str) -> Whereabouts {
        let mut places = Whereabouts::default();
        places.on_message(from(text), 100, true);
        places.on_handshake(from(text).into(), Duration::from_millis(30));
        places
    }

    #[test]
    fn an_unproven_address_gets_three_bytes_per_byte_and_a_challenge_until_it_echoes() {
        let mut places = proven_at("192.0.2.1:1");
        assert_eq!(places.challenge(|| TOKEN, NOW), None);

        assert!(places.on_message(from("192.0.2.2:1"), 100, true).is_some());

        assert_eq!(places.challenge(|| TOKEN, NOW), Some(TOKEN));
        assert_eq!(places.challenge(|| ChallengeToken([1; 8]), NOW), Some(TOKEN), "the same until answered");
        assert!(places.spend(300) && !places.spend(1));
        assert_eq!(places.proven().unwrap().remote, from("192.0.2.1:1").source, "the old one stays known");

        assert!(!places.on_response(ChallengeToken([8; 8]), from("192.0.2.2:1").source, NOW));
        assert!(!places.on_response(TOKEN, from("192.0.2.1:1").source, NOW), "not from where it was sent");
        assert!(places.on_response(TOKEN, from("192.0.2.2:1").source, NOW));
        assert!(places.spend(10_000));
        assert_eq!(places.proven().unwrap().remote, from("192.0.2.2:1").source);
    }

    #[test]
    fn a_late_message_from_the_old_address_moves_nothing_back() {
        let mut places = proven_at("192.0.2.1:1");
        places.on_message(from("192.0.2.2:1"), 100, true);

        assert_eq!(places.on_message(from("192.0.2.1:1"), 100, false), None);

        assert_eq!(places.newest().unwrap().remote, from("192.0.2.2:1").source);
    }

    #[test]
    fn who_claims_another_address_than_it_comes_from_is_private_and_so_is_who_claims_none() {
        let mut places = proven_at("192.0.2.1:1");
        assert!(places.is_private());
        places.on_claim("192.0.2.1:1".parse().unwrap());
        assert!(!places.is_private());
        places.on_message(from("192.0.2.1:2"), 100, true);
        assert!(places.is_private(), "another port is another attachment point");
    }
}
