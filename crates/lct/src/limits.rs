//! How many entries a table holds and how long silence may last, by class of connection.

use core::time::Duration;

use crate::entry::{Entry, Kind};
use crate::tcp::Progress;

/// A table's bounds.
///
/// Silence is counted from the last packet either way. While a peer is held ([`Table::hold_peer`]) its
/// established TCP connections do not expire at all: an outage of any length is survived.
///
/// [`Table::hold_peer`]: crate::Table::hold_peer
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// The most entries at any time; at least 1 is kept.
    pub entries: usize,
    /// TCP whose handshake is not complete. Default 3 min: a system gives up its SYNs after about 2.
    pub tcp_opening: Duration,
    /// Established TCP, half-closed included. Default 5 days, as long as stateful firewalls wait: an entry
    /// that is missing at the time of a move would leave its peer untold.
    pub tcp_open: Duration,
    /// TCP closed by both sides, without the last acknowledgement. Default 60 s, some retransmissions.
    pub tcp_closing: Duration,
    /// TCP that has ended. Default 10 s: long enough for stragglers to find their entry, and to be listed.
    pub tcp_closed: Duration,
    /// UDP. Default 180 s; RFC 4787 §4.3 asks NATs for no less than 120 s.
    pub udp: Duration,
    /// ICMP echo. Default 30 s.
    pub icmp: Duration,
    /// Anything else, by address pair. Default 10 min.
    pub other: Duration,
    /// Whether entries remember TCP's numbers, without which nobody can be answered in a suspended peer's name. Default
    /// yes.
    pub tcp_numbers: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            entries: 65_536,
            tcp_opening: Duration::from_secs(180),
            tcp_open: Duration::from_secs(5 * 24 * 3600),
            tcp_closing: Duration::from_secs(60),
            tcp_closed: Duration::from_secs(10),
            udp: Duration::from_secs(180),
            icmp: Duration::from_secs(30),
            other: Duration::from_secs(600),
            tcp_numbers: true,
        }
    }
}

impl Limits {
    /// How long an entry of `class` may be silent; `None` for ever.
    pub(crate) const fn silence(&self, class: Class) -> Option<Duration> {
        match class {
            Class::TcpClosed => Some(self.tcp_closed),
            Class::TcpOpening => Some(self.tcp_opening),
            Class::Udp => Some(self.udp),
            Class::Icmp => Some(self.icmp),
            Class::Other => Some(self.other),
            Class::TcpClosing => Some(self.tcp_closing),
            Class::TcpOpen => Some(self.tcp_open),
            Class::TcpHeld => None,
        }
    }
}

/// Entries that expire after the same silence.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Class {
    TcpClosed,
    TcpOpening,
    Udp,
    Icmp,
    Other,
    TcpClosing,
    TcpOpen,
    /// Established TCP of a peer that is held.
    TcpHeld,
}

impl Class {
    pub(crate) const ALL: [Self; 8] = [
        Self::TcpClosed,
        Self::TcpOpening,
        Self::Udp,
        Self::Icmp,
        Self::Other,
        Self::TcpClosing,
        Self::TcpOpen,
        Self::TcpHeld,
    ];

    /// Which classes are evicted first when the table is full. Inside a tier the longest idle goes first,
    /// whatever its class: connections nobody can resume before those an application would miss.
    pub(crate) const EVICTION_TIERS: [&'static [Self]; 4] = [
        &[Self::TcpClosed],
        &[Self::TcpOpening, Self::Udp, Self::Icmp, Self::Other],
        &[Self::TcpClosing, Self::TcpOpen],
        &[Self::TcpHeld],
    ];

    /// The class `entry` belongs to now.
    pub(crate) fn of(entry: &Entry, peer_held: bool) -> Self {
        match entry.kind() {
            Kind::Udp => Self::Udp,
            Kind::Icmp => Self::Icmp,
            Kind::Other => Self::Other,
            Kind::Tcp => match entry.progress() {
                Progress::Unseen | Progress::Asked | Progress::Answered => Self::TcpOpening,
                Progress::Established | Progress::HalfClosed(_) if peer_held => Self::TcpHeld,
                Progress::Established | Progress::HalfClosed(_) => Self::TcpOpen,
                Progress::LastAcknowledge(_) => Self::TcpClosing,
                Progress::Ended => Self::TcpClosed,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_has_its_tier_and_its_own_place() {
        for (place, class) in Class::ALL.into_iter().enumerate() {
            assert_eq!(class as usize, place);
            let tiers = Class::EVICTION_TIERS.iter().filter(|tier| tier.contains(&class)).count();
            assert_eq!(tiers, 1, "{class:?}");
        }
    }

    #[test]
    fn only_held_connections_outlive_any_silence() {
        let limits = Limits::default();
        for class in Class::ALL {
            assert_eq!(limits.silence(class).is_none(), class == Class::TcpHeld, "{class:?}");
        }
    }
}
