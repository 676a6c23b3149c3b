//! Whether the services are asked for a peer, since when, and for how much.
//!
//! The [peer](super) says what it waits for; the [proxy](crate::proxy) asks. An ordinary move costs the services
//! nothing but its publication: the two ends find each other within two round trips, and only then are asked for.
//!
//! # Life-cycle
//! not looked for → ([wanted](Lookup::follow), at once or later) → looked for → relay wanted → (found) → not looked for.

use stead_wire::time::{Duration, Instant};

/// How long a direct path is looked for before a relay is wanted: some round trips.
const RELAY_AFTER: Duration = Duration::from_millis(250);

/// Bounds of the two round trips that an ordinary move may take before the services are asked. The lower one allows
/// for a new path that is slower than the old one; within the upper one nobody notices a stall yet.
const ORDINARY: (Duration, Duration) = (Duration::from_millis(200), Duration::from_millis(500));

/// The same where no round-trip time is known: a phone network's.
const ORDINARY_UNMEASURED: Duration = Duration::from_millis(300);

/// How much the services should do to find a peer.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Help {
    /// Nothing: the node knows where the peer is.
    #[default]
    None,
    /// Tell at once where it is.
    Watch,
    /// As [`Watch`](Self::Watch), and relay until a direct path is proven.
    Relay,
}

/// What the services are asked to do for a peer.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Sought {
    pub(crate) help: Help,
    /// Since when the peer is looked for. Until it is found, no earlier word of a service is trusted.
    pub(crate) since: Option<Instant>,
}

/// Whether the peer has to be looked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Want {
    /// It is found, or nothing needs it.
    Nothing,
    /// If it is not found by then.
    After(Instant),
    /// Now.
    Now,
}

/// One peer's search by the services.
#[derive(Debug, Default)]
pub(super) struct Lookup {
    since: Option<Instant>,
    relay_at: Option<Instant>,
    next: Option<Instant>,
}

/// How long the two ends of an ordinary move may take to find each other.
pub(super) fn two_round_trips(rtt: Option<Duration>) -> Duration {
    rtt.map_or(ORDINARY_UNMEASURED, |rtt| (rtt * 2).clamp(ORDINARY.0, ORDINARY.1))
}

impl Lookup {
    /// Takes what the peer needs now. `stranded` tells that no place where the peer was shares an address family with
    /// this host's networks: then only a relay is left.
    pub(super) fn follow(&mut self, want: Want, stranded: bool, now: Instant) {
        let (wanted, later) = match want {
            Want::Nothing => (false, None),
            Want::After(at) => (now >= at, Some(at)),
            Want::Now => (true, None),
        };
        if !wanted {
            *self = Self { next: later, ..Self::default() };
            return;
        }
        let since = *self.since.get_or_insert(now);
        let patient = self.relay_at.unwrap_or(since + RELAY_AFTER);
        self.relay_at = Some(if stranded { patient.min(now) } else { patient });
        self.next = self.relay_at.filter(|at| now < *at);
    }

    /// Since when the peer is looked for.
    pub(super) const fn since(&self) -> Option<Instant> {
        self.since
    }

    /// Whether a relay is wanted too.
    pub(super) fn wants_relay(&self, now: Instant) -> bool {
        self.relay_at.is_some_and(|at| now >= at)
    }

    /// When [`follow`](Self::follow) will ask for more than before.
    pub(super) const fn poll_timeout(&self) -> Option<Instant> {
        self.next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: u64) -> Instant {
        Instant::from_micros(millis * 1000)
    }

    #[test]
    fn a_relay_is_wanted_after_some_round_trips_and_at_once_where_no_family_is_common() {
        let mut lookup = Lookup::default();
        lookup.follow(Want::Now, false, at(1000));
        assert_eq!((lookup.since(), lookup.poll_timeout()), (Some(at(1000)), Some(at(1250))));
        assert!(!lookup.wants_relay(at(1249)) && lookup.wants_relay(at(1250)));
        lookup.follow(Want::Now, true, at(1100));
        assert!(lookup.wants_relay(at(1100)), "the peer's last direct place is out of reach");
        assert_eq!(lookup.since(), Some(at(1000)), "the same search");
        lookup.follow(Want::Nothing, false, at(1200));
        assert_eq!((lookup.since(), lookup.wants_relay(at(9000))), (None, false));
    }

    #[test]
    fn an_ordinary_move_that_is_confirmed_in_time_is_no_search() {
        let mut lookup = Lookup::default();
        lookup.follow(Want::After(at(1200)), false, at(1000));
        assert_eq!((lookup.since(), lookup.poll_timeout()), (None, Some(at(1200))));
        lookup.follow(Want::Nothing, false, at(1100));
        assert_eq!((lookup.since(), lookup.poll_timeout()), (None, None));
        lookup.follow(Want::After(at(1200)), false, at(1200));
        assert_eq!(lookup.since(), Some(at(1200)));
    }

    #[test]
    fn two_round_trips_are_bounded() {
        let of = |millis| two_round_trips(Some(Duration::from_millis(millis))).as_millis();
        assert_eq!((of(10), of(150), of(900)), (200, 300, 500));
        assert_eq!(two_round_trips(None).as_millis(), 300);
    }
}
