//! Where everything stands at one moment of a timeline, and what the two hosts of a pair know of each other.

use std::time::Duration;

use super::SETTLED;
use crate::scenario::measured::Dark;
use crate::scenario::{Deed, Event, Nat, Role, Scenario};
use crate::soak::places::Places;

/// The world at one moment.
pub(super) struct Standing<'s> {
    scenario: &'s Scenario,
    dark: &'s [Dark],
    pair: [&'s str; 2],
    now: Duration,
    /// Events of the timeline that have happened.
    past: usize,
    places: Places<'s>,
    ends: [End; 2],
    /// Since when a usable path has existed without a change of what the ends know.
    steady_since: Option<Duration>,
}

/// What holds of one end of the pair.
#[derive(Clone, Copy, Debug, Default)]
struct End {
    /// It knows where the other end is.
    knows: bool,
    /// Its NAT lets in what the other end sends to where the two last spoke.
    mapped: bool,
}

impl<'s> Standing<'s> {
    pub(super) fn new(scenario: &'s Scenario, dark: &'s [Dark], pair: [&'s str; 2]) -> Self {
        Self {
            scenario,
            dark,
            pair,
            now: Duration::ZERO,
            past: 0,
            places: Places::new(scenario),
            ends: [End::default(); 2],
            steady_since: None,
        }
    }

    /// Lets everything happen up to `now`.
    pub(super) fn move_to(&mut self, now: Duration) {
        if self.steady_since.is_some_and(|since| now >= since + SETTLED) {
            self.ends = [End { knows: true, mapped: true }; 2];
        }
        self.now = now;
        while let Some(event) = self.scenario.timeline.get(self.past).filter(|event| event.at <= now) {
            self.past += 1;
            self.happen(event);
        }
        self.steady_since = self.is_usable().then(|| self.steady_since.unwrap_or(now));
    }

    /// When the ends will know where the other is, if nothing happens.
    pub(super) fn settles_at(&self) -> Option<Duration> {
        self.steady_since.map(|since| since + SETTLED).filter(|at| *at > self.now)
    }

    fn happen(&mut self, event: &'s Event) {
        let before: Vec<Option<&str>> = self.pair.iter().map(|host| self.preferred(host)).collect();
        self.places.follow(&event.deed);
        for (end, before) in before.into_iter().enumerate() {
            if self.preferred(self.pair[end]) != before {
                self.moved(end);
            }
        }
        match &event.deed {
            Deed::Kill { host } | Deed::Stop { host } => {
                if let Some(end) = self.pair.iter().position(|other| other == host) {
                    self.ends[end].knows = false;
                    self.steady_since = None;
                }
            }
            Deed::RebootNat { network } | Deed::RebindNat { network } => {
                let inside = self.pair.map(|host| self.places.is_in(host, network));
                for end in [0, 1] {
                    // Between two hosts of one network nothing is translated.
                    if inside[end] && !inside[1 - end] {
                        self.moved(end);
                    }
                }
            }
            _ => {}
        }
    }

    fn preferred(&self, host: &str) -> Option<&'s str> {
        self.places.of(host).next().map(|(name, _)| name)
    }

    /// An end is elsewhere, or seen elsewhere: the other end does not know where, and its NAT lets nothing in from
    /// there unless it lets in everything.
    fn moved(&mut self, end: usize) {
        let other = &mut self.ends[1 - end];
        other.knows = false;
        let open = self.places.of(self.pair[1 - end]).any(|(_, network)| network.nat == Nat::FullCone);
        other.mapped &= open;
        self.ends[end].mapped = false;
        self.steady_since = None;
    }

    /// Whether a usable path exists.
    pub(super) fn is_usable(&self) -> bool {
        self.pair.iter().all(|host| self.is_up(host)) && (self.is_served() || self.is_located())
    }

    fn is_served(&self) -> bool {
        let [one, other] = self.pair;
        self.scenario.hosts.iter().any(|(name, host)| match host.role {
            Role::Sns { relay, .. } => {
                let served = |end: &str| {
                    let known = self.scenario.peers.get(end).is_some_and(|knows| knows.contains_key(name));
                    known && self.places.have_family_in_common(name, end)
                };
                self.is_up(name)
                    && served(one)
                    && served(other)
                    && (relay || self.places.is_direct_possible(one, other))
            }
            Role::Node | Role::WireGuard | Role::Bare => false,
        })
    }

    /// Whether a direct path is possible that one end knows how to begin.
    pub(super) fn is_located(&self) -> bool {
        let [one, other] = self.pair;
        let heard =
            |end: usize| self.ends[end].mapped || self.places.is_public(self.pair[end], self.pair[1 - end]);
        self.places.is_direct_possible(one, other)
            && [0, 1].into_iter().any(|end| self.ends[end].knows && heard(1 - end))
    }

    /// Whether a host is in a network whose line carries packets, and is not dark.
    fn is_up(&self, host: &str) -> bool {
        let dark = |dark: &Dark| dark.host == host && dark.from <= self.now && self.now < dark.to;
        self.places.is_attached(host) && !self.dark.iter().any(dark)
    }
}
