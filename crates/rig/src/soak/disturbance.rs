//! What happened to a pair of hosts, and by when its traffic must flow again.
//!
//! Each deed of a timeline that can interrupt the pair is a [`Disturbance`]. Traffic must flow within the deed's
//! *allowance* after a usable path exists ([`Reach`]): [`RESUMES`], or 1/128 of the outage if that is longer;
//! [`NARROWED`] after an MTU drop; [`KILLED`] after a daemon, or a service that the pair needed, was killed. A NAT
//! that forgot its mappings tells no host. If the other end cannot be heard by a new mapping, silence has to be
//! noticed first, which may take [`NOTICED`] and two round trips more.

use std::time::Duration;

use super::places::Places;
use super::reach::Reach;
use crate::scenario::measured::Dark;
use crate::scenario::{Deed, Event, Role, Scenario, Way};

/// After a usable path exists.
pub const RESUMES: Duration = Duration::from_millis(500);
/// After the path carries shorter packets only.
pub const NARROWED: Duration = Duration::from_millis(1200);
/// After a killed program runs again.
pub const KILLED: Duration = Duration::from_secs(1);
/// How long silence may go unnoticed, besides two round trips.
pub const NOTICED: Duration = Duration::from_millis(450);
/// An outage may delay traffic by this part of its length.
pub const PART_OF_OUTAGE: u32 = 128;

/// Something that can interrupt the traffic of a pair.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Disturbance {
    /// When it really happened.
    pub at: Duration,
    /// What.
    pub what: String,
    /// When a usable path exists again; `None` if none does before the end.
    pub ready: Option<Duration>,
    /// When traffic must flow; `None` as above.
    pub deadline: Option<Duration>,
}

/// One pair's troubles.
#[derive(Clone, Debug)]
pub struct Course {
    /// When the pair had a usable path.
    pub reach: Reach,
    /// In the order of the timeline.
    pub disturbances: Vec<Disturbance>,
    /// Times without a usable path; those with too short a path between them are one.
    pub outages: Vec<(Duration, Duration)>,
    /// The longest round trip that any place of the two hosts made.
    pub round_trip: Duration,
}

impl Course {
    /// Follows the timeline for one pair, with the hosts dark when they really were.
    #[must_use]
    pub fn of(scenario: &Scenario, dark: &[Dark], pair: [&str; 2], ended: Duration) -> Self {
        let reach = Reach::of(scenario, dark, pair, ended);
        let outages = merged(reach.outages());
        let mut walk = Walk { scenario, pair, places: Places::new(scenario), round_trip: Duration::ZERO };
        walk.measure();
        let felt: Vec<(&Event, Duration)> = scenario
            .timeline
            .iter()
            .filter_map(|event| Some((event, walk.allowance(event, &reach)?)))
            .collect();
        let round_trip = walk.round_trip;
        let disturbance = |(event, allowance): (&Event, Duration)| {
            let at = executed(event, dark);
            let ready = reach.ready(at);
            let outage = outages.iter().find(|(from, to)| *from <= at && at < *to);
            let part = outage.map_or(Duration::ZERO, |(from, to)| (*to - *from) / PART_OF_OUTAGE);
            let deadline = ready.map(|ready| ready + allowance.max(part));
            Disturbance { at, what: format!("{:?}", event.deed), ready, deadline }
        };
        let disturbances = felt.into_iter().map(disturbance).collect();
        Self { reach, disturbances, outages, round_trip }
    }
}

/// A walk along the timeline.
struct Walk<'s> {
    scenario: &'s Scenario,
    pair: [&'s str; 2],
    places: Places<'s>,
    round_trip: Duration,
}

impl<'s> Walk<'s> {
    /// Lets an event happen, and returns the allowance that it has if it can interrupt the pair.
    fn allowance(&mut self, event: &'s Event, reach: &Reach) -> Option<Duration> {
        let [one, other] = self.pair;
        let (before, needed) = (self.narrowest(), reach.needs_service(event.at));
        let touched = self.touched(&event.deed) || (needed && self.is_of_service(&event.deed));
        self.places.follow(&event.deed);
        self.measure();
        let touched = touched || self.touched(&event.deed);
        if !touched {
            return None;
        }
        Some(match &event.deed {
            Deed::Kill { .. } | Deed::Stop { .. } | Deed::Start { .. } => KILLED,
            Deed::RebootNat { network } | Deed::RebindNat { network } => {
                let heard = |end: &str, other: &str| {
                    !self.places.is_in(end, network) || self.places.is_public(other, end)
                };
                let told = heard(one, other) && heard(other, one);
                if told { RESUMES } else { RESUMES + NOTICED + 2 * self.round_trip }
            }
            _ if self.narrowest() < before => NARROWED,
            _ => RESUMES,
        })
    }

    /// Whether a deed is done to an end of the pair or to a network that an end is in.
    fn touched(&self, deed: &Deed) -> bool {
        match (deed.host(), deed.network()) {
            (Some(host), _) => self.pair.contains(&host),
            (None, Some(network)) => self.pair.iter().any(|end| self.places.is_in(end, network)),
            (None, None) => false,
        }
    }

    /// Whether a deed is done to a service or to a network that a service is in.
    fn is_of_service(&self, deed: &Deed) -> bool {
        let mut services =
            self.scenario.hosts.iter().filter(|(_, host)| matches!(host.role, Role::Sns { .. }));
        services.any(|(name, _)| match (deed.host(), deed.network()) {
            (Some(host), _) => host == name,
            (None, Some(network)) => self.places.is_in(name, network),
            (None, None) => false,
        })
    }

    fn narrowest(&self) -> u32 {
        self.pair.iter().map(|host| self.places.mtu_of(host)).min().unwrap_or(u32::MAX)
    }

    fn measure(&mut self) {
        let slowest = |way: Way| way.delay + way.jitter;
        let there = self.pair.iter().map(|host| {
            let link = self.places.link_of(host);
            slowest(link.up) + slowest(link.down)
        });
        self.round_trip = self.round_trip.max(there.sum::<Duration>() + 2 * BETWEEN);
    }
}

/// When a deed was really done: a host is dark from then on, if the deed makes it so.
fn executed(event: &Event, dark: &[Dark]) -> Duration {
    let own = dark.iter().filter(|dark| event.deed.host() == Some(dark.host.as_str()));
    let begun = own.map(|dark| dark.from).filter(|from| *from >= event.at && *from < event.at + LATE);
    begun.min().unwrap_or(event.at)
}

/// Outages as traffic feels them: a path that was usable for less than [`RESUMES`] ended none.
fn merged(outages: &[(Duration, Duration)]) -> Vec<(Duration, Duration)> {
    let mut merged: Vec<(Duration, Duration)> = Vec::new();
    for (from, to) in outages.iter().copied() {
        match merged.last_mut() {
            Some(last) if from < last.1 + RESUMES => last.1 = to,
            Some(_) | None => merged.push((from, to)),
        }
    }
    merged
}

/// From one network to another, one way, without their own lines; the simulator's, and more than a kernel takes.
const BETWEEN: Duration = Duration::from_micros(5_400);
/// How late a deed may be done on a busy machine.
const LATE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;
