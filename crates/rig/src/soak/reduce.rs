//! Takes away from an episode what a breach does not need: delta debugging over its events and its traffic.
//!
//! Events that belong together (a kill and its start, a line that gets worse and better again) go together. What is
//! tried is asked of a closure, so that this is a pure function, and every try costs one playing.

use std::collections::BTreeSet;
use std::time::Duration;

use super::disturbance::RESUMES;
use super::judge::{BESIDE, Breach, STILL};
use crate::scenario::{Deed, Event, Link, Nat, Scenario};

/// What is left of an episode.
#[derive(Clone, Debug)]
pub struct Reduced {
    /// The smallest scenario found that still shows the breach.
    pub scenario: Scenario,
    /// The breach there.
    pub breach: Breach,
    /// How many scenarios were tried.
    pub tries: usize,
}

/// Reduces `scenario` while `shows` finds a breach of the same promise in what is left, with at most `most` tries.
pub fn reduce(
    scenario: &Scenario,
    breach: &Breach,
    most: usize,
    shows: impl FnMut(&Scenario) -> Option<Breach>,
) -> Reduced {
    let found = Reduced { scenario: scenario.clone(), breach: breach.clone(), tries: 0 };
    let mut reducer = Reducer { found, most, shows };
    reducer.cut_off_the_end();
    reducer.leave_out(|scenario| groups(&scenario.timeline), without_events);
    reducer.leave_out(|scenario| (0..scenario.traffic.len()).map(|one| vec![one]).collect(), without_traffic);
    reducer.leave_out(|scenario| groups(&scenario.timeline), without_events);
    reducer.plainer_networks();
    reducer.cut_off_the_end();
    reducer.leave_out_unused();
    reducer.found
}

struct Reducer<F> {
    found: Reduced,
    most: usize,
    shows: F,
}

impl<F: FnMut(&Scenario) -> Option<Breach>> Reducer<F> {
    /// Keeps a smaller scenario if it still shows the breach.
    fn keep(&mut self, smaller: Scenario) -> bool {
        if self.found.tries >= self.most || !is_possible(&smaller) {
            return false;
        }
        self.found.tries += 1;
        let breach = (self.shows)(&smaller).filter(|breach| breach.kind == self.found.breach.kind);
        if let Some(breach) = breach {
            (self.found.scenario, self.found.breach) = (smaller, breach);
            return true;
        }
        false
    }

    /// Leaves out halves, quarters, … and at last single parts, until none can go (Zeller and Hildebrandt's ddmin).
    fn leave_out(
        &mut self,
        parts: impl Fn(&Scenario) -> Vec<Vec<usize>>,
        without: impl Fn(&Scenario, &BTreeSet<usize>) -> Scenario,
    ) {
        let mut size = parts(&self.found.scenario).len().div_ceil(2);
        while size > 0 {
            let mut from = 0;
            let mut went = false;
            loop {
                let all = parts(&self.found.scenario);
                let Some(rest) = all.get(from..).filter(|rest| !rest.is_empty()) else { break };
                let gone: BTreeSet<usize> = rest.iter().take(size).flatten().copied().collect();
                if self.keep(without(&self.found.scenario, &gone)) {
                    went = true;
                } else {
                    from += size;
                }
            }
            if size == 1 && !went {
                return;
            }
            size = if size == 1 { 1 } else { size.div_ceil(2) };
            if self.found.tries >= self.most {
                return;
            }
        }
    }

    /// What happens long after the breach, and traffic that goes on long after it, is not needed.
    fn cut_off_the_end(&mut self) {
        let at = Duration::from_millis(u64::try_from(self.found.breach.at_millis).unwrap_or(u64::MAX));
        for after in [5, 20, 60].map(Duration::from_secs) {
            let mut shorter = self.found.scenario.clone();
            let until = at.saturating_add(after);
            if until >= shorter.ends {
                return;
            }
            shorter.timeline.retain(|event| event.at <= until);
            for traffic in &mut shorter.traffic {
                traffic.kind.end_by(until.saturating_sub(traffic.start));
            }
            shorter.ends = until + RESUMES * 10;
            if self.keep(shorter) {
                return;
            }
        }
    }

    /// No NAT, no delay, no jitter, both families: network by network.
    fn plainer_networks(&mut self) {
        for name in self.found.scenario.networks.keys().cloned().collect::<Vec<_>>() {
            let changes: [fn(&mut crate::scenario::Network); 3] = [
                |network| network.nat = Nat::None,
                |network| network.link = Link::default(),
                |network| network.v6 = None,
            ];
            for change in changes {
                let mut plainer = self.found.scenario.clone();
                if let Some(network) = plainer.networks.get_mut(&name) {
                    change(network);
                }
                if plainer != self.found.scenario {
                    self.keep(plainer);
                }
            }
        }
    }

    /// Networks that no host is ever in, and bare hosts without traffic.
    fn leave_out_unused(&mut self) {
        let mut smaller = self.found.scenario.clone();
        let speaks = |name: &String| {
            smaller.traffic.iter().any(|traffic| traffic.from == *name || traffic.to == *name)
        };
        let silent: Vec<String> = smaller
            .hosts
            .iter()
            .filter(|(name, host)| !host.role.has_program() && !speaks(name))
            .map(|(name, _)| name.clone())
            .collect();
        silent.iter().for_each(|name| drop(smaller.hosts.remove(name)));
        let mut used: BTreeSet<String> = smaller.hosts.values().flat_map(|host| host.at.clone()).collect();
        let gone_to = smaller.timeline.iter().filter(|event| event.deed.host().is_some());
        used.extend(gone_to.filter_map(|event| event.deed.network()).map(str::to_owned));
        smaller.networks.retain(|name, _| used.contains(name));
        smaller.timeline.retain(|event| match (event.deed.host(), event.deed.network()) {
            (None, Some(network)) => used.contains(network),
            _ => true,
        });
        if smaller != self.found.scenario {
            self.keep(smaller);
        }
    }
}

/// Whether it would be read without mistakes.
fn is_possible(scenario: &Scenario) -> bool {
    !scenario.traffic.is_empty() && Scenario::parse(&scenario.file, &scenario.to_yaml()).is_ok()
}

fn without_events(scenario: &Scenario, gone: &BTreeSet<usize>) -> Scenario {
    let mut smaller = scenario.clone();
    smaller.timeline = kept(&scenario.timeline, gone);
    smaller
}

/// The judge's own flows stay as long as there is any other.
fn without_traffic(scenario: &Scenario, gone: &BTreeSet<usize>) -> Scenario {
    let mut smaller = scenario.clone();
    smaller.traffic = kept(&scenario.traffic, gone);
    if smaller.traffic.iter().all(|traffic| [STILL, BESIDE].contains(&traffic.name.as_str())) {
        smaller.traffic.clear();
    }
    smaller
}

fn kept<T: Clone>(all: &[T], gone: &BTreeSet<usize>) -> Vec<T> {
    let kept = all.iter().enumerate().filter(|(number, _)| !gone.contains(number));
    kept.map(|(_, one)| one.clone()).collect()
}

/// The numbers of events that only make sense together, in the order of time.
fn groups(timeline: &[Event]) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (number, event) in timeline.iter().enumerate() {
        let begun = groups.iter_mut().rev().find(|group| {
            group.last().is_some_and(|last| ends(&event.deed, &timeline[*last].deed)) && group.len() == 1
        });
        match begun {
            Some(group) => group.push(number),
            None => groups.push(vec![number]),
        }
    }
    groups
}

/// Whether a deed undoes an earlier one.
fn ends(deed: &Deed, earlier: &Deed) -> bool {
    match (earlier, deed) {
        (Deed::Kill { host } | Deed::Stop { host }, Deed::Start { host: other })
        | (Deed::Unplug { host }, Deed::Plug { host: other, .. })
        | (Deed::Attach { host, .. }, Deed::Detach { host: other, .. }) => host == other,
        (Deed::ChangeLink { network, .. }, Deed::ChangeLink { network: other, .. }) => network == other,
        _ => false,
    }
}

#[cfg(test)]
mod tests;
