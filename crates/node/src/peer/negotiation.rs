//! Peer negotiation: is the peer VC enhanced? (seed 001 par. 71, 114, figure 21)
//!
//! A probe option rides on the first packet that has room for it. A peer that sends any option of its own is
//! VC enhanced; one that answers packets but never an option is plain, and nothing more is ever sent to it.
//!
//! # Life-cycle
//! `Unknown` → (an option came) → `Enhanced`; `Unknown` → (every probe ignored while packets came) → `Plain`.
//! A contact that begins anew, with no session alive, asks anew: the peer may run other software by now.

use stead_wire::options::{Capabilities, Probe, VcOption};
use stead_wire::time::{Duration, Instant};

use crate::lane::Flow;

/// Version of the virtual connectivity options that we speak.
const VERSION: u8 = 1;

/// Probes to a peer that does not answer them. Five: where every third datagram is lost, both of a pair take each
/// other for plain once in a thousand times.
const PROBES: u8 = 5;

/// Time between probes, and from the last one to the verdict: longer than any round trip that matters.
const PROBE_INTERVAL: Duration = Duration::from_secs(1);

/// What is known of the peer's software.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum PeerKind {
    /// Not known yet.
    #[default]
    Unknown,
    /// A plain WireGuard peer: seed 001's "not VC enhanced".
    Plain,
    /// Answers virtual connectivity options.
    Enhanced,
}

/// One peer's negotiation.
#[derive(Debug, Default)]
pub(crate) struct Negotiation {
    kind: PeerKind,
    /// What the peer told of itself; `None` until then.
    capabilities: Option<Capabilities>,
    asked: u8,
    first_asked: Option<Instant>,
    /// When the time given to the last probe is over; `None` while the next probe may go.
    patience_ends: Option<Instant>,
}

impl Negotiation {
    pub(crate) const fn kind(&self) -> PeerKind {
        self.kind
    }

    pub(crate) const fn enhanced(&self) -> bool {
        matches!(self.kind, PeerKind::Enhanced)
    }

    /// A contact begins anew.
    pub(crate) fn restart(&mut self) {
        *self = Self::default();
    }

    /// Whether packets may pass by the node, or should come by to take the probe along.
    pub(crate) fn flow(&self) -> Flow {
        if self.due() { Flow::Probing { room: probe_len() } } else { Flow::Flowing }
    }

    /// The probe, if it is time for one; the caller has room for it and sends it.
    pub(crate) fn probe(
        &mut self,
        claimed: Option<core::net::SocketAddr>,
        able: Capabilities,
        now: Instant,
    ) -> Option<VcOption> {
        if !self.due() {
            return None;
        }
        self.asked += 1;
        self.first_asked.get_or_insert(now);
        self.patience_ends = Some(now + PROBE_INTERVAL);
        Some(VcOption::Probe(ours(claimed, able)))
    }

    /// Our answer to the peer's probe.
    pub(crate) fn reply(claimed: Option<core::net::SocketAddr>, able: Capabilities) -> VcOption {
        VcOption::ProbeReply(ours(claimed, able))
    }

    /// The peer sent an option: true if that is news.
    pub(crate) fn on_option(&mut self) -> bool {
        !core::mem::replace(&mut self.kind, PeerKind::Enhanced).eq(&PeerKind::Enhanced)
    }

    /// The peer told of itself.
    pub(crate) const fn on_probe(&mut self, probe: &Probe) {
        self.capabilities = Some(probe.capabilities);
    }

    /// What of `able` the peer says to be able to as well.
    pub(crate) fn shares(&self, able: Capabilities) -> Capabilities {
        self.capabilities.unwrap_or_default().intersection(able)
    }

    /// Whether the peer says that it will not be attached elsewhere.
    pub(crate) fn stays(&self) -> bool {
        self.capabilities.is_some_and(|told| !told.contains(Capabilities::MOBILE))
    }

    /// When to probe again or to judge.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.patience_ends.filter(|_| self.asks())
    }

    /// Lets the next probe go, or judges when all were ignored; true if the peer is now known to be plain.
    ///
    /// Only a peer that answered our packets, by `last_received`, is judged; a silent one is asked anew.
    pub(crate) fn handle_timeout(&mut self, last_received: Option<Instant>, now: Instant) -> bool {
        if self.poll_timeout().is_none_or(|ends| now < ends) {
            return false;
        }
        self.patience_ends = None;
        if self.asked < PROBES || self.kind == PeerKind::Enhanced {
            return false;
        }
        if last_received > self.first_asked {
            self.kind = PeerKind::Plain;
            return true;
        }
        self.restart();
        false
    }

    fn due(&self) -> bool {
        self.asks() && self.asked < PROBES && self.patience_ends.is_none()
    }

    /// Whether there is something to ask: what the peer speaks, or what it is able to.
    const fn asks(&self) -> bool {
        match self.kind {
            PeerKind::Unknown => true,
            PeerKind::Enhanced => self.capabilities.is_none(),
            PeerKind::Plain => false,
        }
    }
}

fn ours(claimed: Option<core::net::SocketAddr>, able: Capabilities) -> Probe {
    Probe { version: VERSION, capabilities: able, claimed }
}

/// Bytes that a probe may need: an IPv6 attachment point is the longest.
fn probe_len() -> usize {
    let longest = core::net::SocketAddr::from((core::net::Ipv6Addr::UNSPECIFIED, 0));
    VcOption::Probe(ours(Some(longest), Capabilities::NONE)).encoded_len()
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Instant {
        Instant::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn the_first_packet_takes_the_probe_along_and_the_next_ones_pass() {
        let mut negotiation = Negotiation::default();
        assert!(matches!(negotiation.flow(), Flow::Probing { room } if room >= 20));
        assert!(negotiation.probe(None, Capabilities::NONE, at(1)).is_some());
        assert_eq!(negotiation.flow(), Flow::Flowing);
        assert!(negotiation.probe(None, Capabilities::NONE, at(1)).is_none());
    }

    #[test]
    fn an_option_makes_the_peer_enhanced_and_ends_the_probing() {
        let mut negotiation = Negotiation::default();
        negotiation.probe(None, Capabilities::NONE, at(1));
        assert!(negotiation.on_option());
        assert!(!negotiation.on_option(), "no news the second time");
        negotiation.on_probe(&ours(None, Capabilities::NONE));
        assert_eq!(negotiation.flow(), Flow::Flowing);
        assert_eq!(negotiation.poll_timeout(), None);
    }

    #[test]
    fn a_peer_that_shows_itself_enhanced_is_still_asked_what_it_is_able_to() {
        let mut negotiation = Negotiation::default();
        negotiation.probe(None, Capabilities::NONE, at(1));
        negotiation.on_option();
        assert!(!negotiation.handle_timeout(Some(at(2)), at(2)), "its reply was lost");
        assert!(negotiation.probe(None, Capabilities::NONE, at(2)).is_some());
        (3..20).for_each(|second| {
            assert!(!negotiation.handle_timeout(Some(at(second)), at(second)), "never plain");
            negotiation.probe(None, Capabilities::NONE, at(second));
        });
        assert_eq!((negotiation.asked, negotiation.flow()), (PROBES, Flow::Flowing), "and not for ever");
    }

    #[test]
    fn a_peer_that_answers_packets_but_no_probe_is_plain() {
        let mut negotiation = Negotiation::default();
        let heard = Some(at(1) + Duration::from_millis(1));
        for second in 1..=u64::from(PROBES) {
            assert!(negotiation.probe(None, Capabilities::NONE, at(second)).is_some());
            assert!(!negotiation.handle_timeout(heard, at(second)), "give the probe its time");
            let judged = negotiation.handle_timeout(heard, at(second + 1));
            assert_eq!(judged, second == u64::from(PROBES));
        }
        assert_eq!(negotiation.kind(), PeerKind::Plain);
        assert!(
            negotiation.probe(None, Capabilities::NONE, at(100)).is_none(),
            "nothing VC is sent to a plain peer"
        );
    }

    #[test]
    fn a_silent_peer_is_not_judged_but_asked_anew() {
        let mut negotiation = Negotiation::default();
        for second in 1..=u64::from(PROBES) {
            assert!(negotiation.probe(None, Capabilities::NONE, at(second)).is_some());
            assert!(!negotiation.handle_timeout(Some(at(0)), at(second + 1)));
        }
        assert_eq!(negotiation.kind(), PeerKind::Unknown);
        assert!(negotiation.probe(None, Capabilities::NONE, at(9)).is_some());
    }
}
