//! Does what a scenario's timeline says: an actor per host, so that two hosts can move in the same instant,
//! and one for the networks.

use std::collections::BTreeMap;
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use crate::error::RigError;
use crate::host::WLAN;
use crate::network::Network;
use crate::scenario::measured::Dark;
use crate::scenario::{Deed, Scenario};

use super::Clock;
use super::program::Program;
use super::stage::{FIRST_METRIC, Place};

/// Whoever does what happens to one host.
pub(super) struct Actor<'a> {
    place: &'a Place,
    networks: &'a BTreeMap<String, Network>,
    steps: Vec<(Duration, Step<'a>)>,
    clock: Clock,
    scenes: Scenes,
}

/// One thing to do.
enum Step<'a> {
    Do(&'a Deed),
    /// The end of a freeze; in between the host may move.
    Thaw,
}

/// When a host was dark.
#[derive(Debug, Default)]
pub(super) struct Scenes {
    host: String,
    past: Vec<Dark>,
    nowhere_since: Option<Duration>,
    down_since: Option<Duration>,
    frozen_since: Option<Duration>,
}

impl Scenes {
    /// All dark times; those that have not ended end at `until`.
    pub(super) fn dark(mut self, until: Duration) -> Vec<Dark> {
        for since in [self.nowhere_since, self.down_since, self.frozen_since].into_iter().flatten() {
            self.past.push(Dark { host: self.host.clone(), from: since, to: until });
        }
        self.past
    }

    fn light(&mut self, since: Option<Duration>, now: Duration) {
        self.past.extend(since.map(|from| Dark { host: self.host.clone(), from, to: now }));
    }
}

impl<'a> Actor<'a> {
    pub(super) fn new(
        name: &str,
        place: &'a Place,
        networks: &'a BTreeMap<String, Network>,
        scenario: &'a Scenario,
        clock: Clock,
    ) -> Self {
        let mut steps = Vec::new();
        for event in scenario.timeline.iter().filter(|event| event.deed.host() == Some(name)) {
            steps.push((event.at, Step::Do(&event.deed)));
            if let Deed::Freeze { lasts, .. } = event.deed {
                steps.push((event.at + lasts, Step::Thaw));
            }
        }
        steps.sort_by_key(|(at, _)| *at);
        let nowhere = scenario.hosts.get(name).is_some_and(|host| host.at.is_empty());
        let nowhere_since = nowhere.then_some(Duration::ZERO);
        let scenes = Scenes { host: name.to_owned(), nowhere_since, ..Scenes::default() };
        Self { place, networks, steps, clock, scenes }
    }

    /// Does everything at its time.
    pub(super) fn perform(mut self) -> Result<Scenes, RigError> {
        for (at, step) in std::mem::take(&mut self.steps) {
            self.clock.sleep_until(at);
            match step {
                Step::Do(deed) => self.act(deed)?,
                Step::Thaw => {
                    self.program().thaw();
                    let since = self.scenes.frozen_since.take();
                    self.scenes.light(since, self.clock.now());
                }
            }
        }
        Ok(self.scenes)
    }

    fn act(&mut self, deed: &Deed) -> Result<(), RigError> {
        let now = self.clock.now();
        match deed {
            Deed::Move { host, to, dark, takes } => {
                self.leave_all_but_the_first()?;
                self.move_to(host, to, *dark, takes.as_deref())?;
            }
            Deed::Attach { network, .. } => self.attach(network)?,
            Deed::Detach { network, .. } => {
                self.detach(network)?;
                if self.attachments().is_empty() {
                    self.scenes.nowhere_since = Some(now);
                }
            }
            Deed::Unplug { .. } => {
                self.scenes.nowhere_since = Some(now);
                self.unplug()?;
            }
            Deed::Plug { network, host } => self.move_to(host, network, Duration::ZERO, None)?,
            Deed::Kill { .. } | Deed::Stop { .. } => {
                self.scenes.down_since = Some(now);
                match deed {
                    Deed::Stop { .. } => self.program().stop()?,
                    _ => self.program().kill()?,
                }
            }
            Deed::Start { .. } => {
                self.program().start()?;
                let since = self.scenes.down_since.take();
                self.scenes.light(since, self.clock.now());
            }
            Deed::Freeze { .. } => {
                self.scenes.frozen_since = Some(now);
                self.program().freeze();
            }
            Deed::RebootNat { .. }
            | Deed::RebindNat { .. }
            | Deed::ChangeLink { .. }
            | Deed::Attack { .. } => {}
        }
        Ok(())
    }

    /// The first attachment is the one that moves, as a laptop's own does.
    fn leave_all_but_the_first(&self) -> Result<(), RigError> {
        let others: Vec<String> =
            self.attachments().iter().skip(1).map(|(_, network)| network.clone()).collect();
        others.iter().try_for_each(|network| self.detach(network))
    }

    fn move_to(&mut self, host: &str, to: &str, dark: Duration, takes: Option<&str>) -> Result<(), RigError> {
        let network = self.network(to)?;
        if let Some(other) = takes {
            network.hand_over(other, host);
        }
        let first = self.attachments().first().cloned();
        let cut = self.clock.now();
        match first {
            // Only the ordinary interface can be carried; another one is pulled out.
            Some((interface, from)) if interface != WLAN => {
                self.detach(&from)?;
                self.clock.sleep_until(cut + dark);
                self.place.host.attach(network)?;
            }
            Some(_) | None => drop(self.place.host.move_to(network, dark)?),
        }
        *self.attachments() = vec![(WLAN.to_owned(), to.to_owned())];
        let since = self.scenes.nowhere_since.take().unwrap_or(cut);
        self.scenes.light(Some(since), self.clock.now());
        Ok(())
    }

    fn attach(&mut self, to: &str) -> Result<(), RigError> {
        let network = self.network(to)?;
        let taken: Vec<String> = self.attachments().iter().map(|(interface, _)| interface.clone()).collect();
        let mut names = std::iter::once(WLAN.to_owned()).chain((1..).map(|number| format!("eth{number}")));
        let interface = names.find(|name| !taken.contains(name)).unwrap_or_default();
        let metric = (0..).map(|number| FIRST_METRIC + number).nth(taken.len()).unwrap_or(FIRST_METRIC);
        self.place.host.attach_as(&interface, network, metric)?;
        self.attachments().push((interface, to.to_owned()));
        let since = self.scenes.nowhere_since.take();
        self.scenes.light(since, self.clock.now());
        Ok(())
    }

    fn detach(&self, from: &str) -> Result<(), RigError> {
        let mut attachments = self.attachments();
        let Some(place) = attachments.iter().position(|(_, network)| network == from) else { return Ok(()) };
        let (interface, _) = attachments.remove(place);
        self.place.host.detach_as(&interface)
    }

    /// The ordinary interface loses its carrier and keeps its addresses, the others go.
    fn unplug(&self) -> Result<(), RigError> {
        for (interface, network) in self.attachments().clone() {
            if interface == WLAN {
                self.place.host.unplug()?;
            } else {
                self.detach(&network)?;
            }
        }
        Ok(())
    }

    fn network(&self, name: &str) -> Result<&'a Network, RigError> {
        self.networks.get(name).ok_or_else(|| RigError::Tunnel(format!("there is no network {name}")))
    }

    fn attachments(&self) -> MutexGuard<'a, Vec<(String, String)>> {
        self.place.attachments.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn program(&self) -> MutexGuard<'a, Program> {
        self.place.program.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whoever does what happens to networks.
pub(super) struct NetworkActor<'a> {
    networks: &'a BTreeMap<String, Network>,
    scenario: &'a Scenario,
    clock: Clock,
}

impl<'a> NetworkActor<'a> {
    pub(super) const fn new(
        networks: &'a BTreeMap<String, Network>,
        scenario: &'a Scenario,
        clock: Clock,
    ) -> Self {
        Self { networks, scenario, clock }
    }

    /// Does everything at its time.
    pub(super) fn perform(self) -> Result<(), RigError> {
        for event in self.scenario.timeline.iter().filter(|event| event.deed.host().is_none()) {
            let Some(network) = event.deed.network().and_then(|name| self.networks.get(name)) else {
                continue;
            };
            self.clock.sleep_until(event.at);
            match &event.deed {
                Deed::RebootNat { .. } => network.reboot_nat()?,
                Deed::RebindNat { .. } => network.rebind_nat()?,
                Deed::ChangeLink { change, .. } => {
                    let mut link = network.link()?;
                    change.apply(&mut link);
                    network.set_link(link)?;
                }
                Deed::Attack { attack, lasts, .. } => network.attack(*attack, *lasts)?,
                _ => {}
            }
        }
        Ok(())
    }
}
