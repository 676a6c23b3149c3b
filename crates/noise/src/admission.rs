//! Who may start a handshake while too many try (WireGuard paper §5.3).
//!
//! Counts initiations; above a rate the receiver is under load for a while, asks for cookies, and lets each source
//! have only so many. Holds a bounded number of sources; when it is full of active ones, new sources wait.

use core::net::{IpAddr, Ipv6Addr};
use std::collections::BTreeMap;

use stead_wire::time::{Duration, Instant};

/// Initiations within one second above which the receiver is under load. Each costs about 0.2 ms, so this is a
/// twentieth of one core.
const LOAD: u32 = 250;

/// How long load is presumed to last after it was seen.
const LOAD_LASTS: Duration = Duration::from_secs(1);

/// The window in which initiations are counted.
const WINDOW: Duration = Duration::from_secs(1);

/// Initiations per second that one source may send, and how many at once (as WireGuard: 20, burst 5).
const PER_SECOND: u64 = 20;
const BURST: u64 = 5;

/// Most sources remembered.
const SOURCES: usize = 4096;

/// Microseconds that one initiation costs a source.
const COST: u64 = 1_000_000 / PER_SECOND;

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct Admission {
    window_began: Instant,
    counted: u32,
    loaded_until: Option<Instant>,
    /// For each source the moment at which its bucket is full again.
    sources: BTreeMap<IpAddr, Instant>,
}

impl Admission {
    /// Counts a handshake message; says whether the receiver is under load.
    #[must_use]
    pub fn on_handshake(&mut self, now: Instant) -> bool {
        if now >= self.window_began + WINDOW {
            self.window_began = now;
            self.counted = 0;
        }
        self.counted += 1;
        if self.counted > LOAD {
            self.loaded_until = Some(now + LOAD_LASTS);
        }
        self.loaded_until.is_some_and(|until| now < until)
    }

    /// Takes one initiation out of the source's bucket; false if it is empty.
    #[must_use]
    pub fn admit(&mut self, source: IpAddr, now: Instant) -> bool {
        let source = network(source);
        if !self.sources.contains_key(&source) && self.sources.len() >= SOURCES {
            self.sources.retain(|_, full_at| *full_at > now);
            if self.sources.len() >= SOURCES {
                return false;
            }
        }
        let full_at = self.sources.entry(source).or_insert(now);
        let next = (*full_at).max(now) + Duration::from_micros(COST);
        if next - now > Duration::from_micros(COST * BURST) {
            return false;
        }
        *full_at = next;
        true
    }
}

/// What counts as one source: an IPv4 address, or the /64 that every IPv6 host has for itself.
///
/// IPv4 addresses mapped into IPv6, as a dual-stack socket shows them, count as IPv4.
#[must_use]
pub fn network(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: u64) -> Instant {
        Instant::from_micros(millis * 1000)
    }

    #[test]
    fn a_burst_is_load_and_load_passes() {
        let mut admission = Admission::default();
        assert!(!(0..LOAD).any(|_| admission.on_handshake(at(5000))));
        assert!(admission.on_handshake(at(5000)));
        assert!(admission.on_handshake(at(5900)));
        assert!(!admission.on_handshake(at(7500)));
    }

    #[test]
    fn each_source_has_a_burst_and_then_a_rate_of_its_own() {
        let mut admission = Admission::default();
        let one = "192.0.2.1".parse().unwrap();
        let granted = (0..100).filter(|_| admission.admit(one, at(1000))).count();
        assert_eq!(granted as u64, BURST);
        assert!(admission.admit("192.0.2.2".parse().unwrap(), at(1000)), "another source is not touched");
        let granted = (1..=1000).filter(|ms| admission.admit(one, at(1000 + ms))).count();
        assert_eq!(granted as u64, PER_SECOND);
    }

    #[test]
    fn one_ipv6_network_is_one_source() {
        let mut admission = Admission::default();
        let granted = (0..100_u128)
            .filter(|host| {
                admission.admit(IpAddr::V6(Ipv6Addr::from_bits((0x2001_0db8 << 96) | host)), at(1))
            })
            .count();
        assert_eq!(granted as u64, BURST);
    }

    #[test]
    fn memory_is_bounded_and_quiet_sources_make_room() {
        let mut admission = Admission::default();
        for host in 0..SOURCES as u32 {
            assert!(admission.admit(IpAddr::V4(host.into()), at(1)));
        }
        assert!(!admission.admit("203.0.113.1".parse().unwrap(), at(1)));
        assert!(admission.admit("203.0.113.1".parse().unwrap(), at(1000)));
        assert!(admission.sources.len() <= SOURCES);
    }
}
