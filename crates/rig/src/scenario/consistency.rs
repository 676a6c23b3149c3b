//! Whether the parts of a scenario fit together: names that exist, deeds that are possible, rows that ask
//! what can be told.

use std::collections::{BTreeMap, BTreeSet};

use super::expect::{AtHost, Between, OfTraffic};
use super::mistake::{Found, Place};
use super::{Beside, Deed, Event, Expectation, Role, Scenario};

pub(super) fn check(scenario: &Scenario, found: &Found) {
    let check = Check { scenario, found };
    check.hosts();
    check.traffic();
    check.timeline();
    check.expectations();
}

struct Check<'a> {
    scenario: &'a Scenario,
    found: &'a Found,
}

impl Check<'_> {
    fn hosts(&self) {
        for host in self.scenario.hosts.values() {
            for network in &host.at {
                self.network(line(host.line), network);
            }
        }
    }

    fn traffic(&self) {
        let mut names = BTreeSet::new();
        for traffic in &self.scenario.traffic {
            let place = line(traffic.line);
            let ends = [&traffic.from, &traffic.to];
            if !names.insert(&traffic.name) {
                let problem = format!("there is traffic called {} above", traffic.name);
                self.found.plain(place, problem, "another name");
            }
            if !ends.iter().all(|name| self.host(place, name)) {
                continue;
            }
            if traffic.from == traffic.to {
                let problem = format!("{} speaks to itself", traffic.from);
                self.found.plain(place, problem, "two different hosts");
            }
            if traffic.start > self.scenario.ends {
                let problem = format!("{} starts after the scenario's end", traffic.name);
                self.found.plain(place, problem, "an earlier `start`, or a later `ends`");
            }
            if let Some(service) = ends.iter().find(|name| self.is_service(name)) {
                let problem = format!("{service} is a service and carries no traffic");
                self.found.plain(place, problem, "hosts with role node, wireguard or bare");
            }
        }
    }

    fn timeline(&self) {
        let mut states: BTreeMap<&str, State> = BTreeMap::new();
        for (name, host) in &self.scenario.hosts {
            let state = State { at: host.at.clone(), runs: true, unplugged: false };
            states.insert(name, state);
        }
        for event in &self.scenario.timeline {
            let known = event.deed.network().is_none_or(|network| self.network(event.place, network));
            if let Deed::Move { takes: Some(other), .. } = &event.deed {
                self.host(event.place, other);
            }
            match event.deed.host() {
                Some(host) if self.host(event.place, host) && known => {
                    if let Some(state) = states.get_mut(host) {
                        self.deed(host, state, event);
                    }
                }
                None if known => self.nat(event),
                Some(_) | None => {}
            }
        }
    }

    /// Does a deed and says what stands against it.
    fn deed(&self, host: &str, state: &mut State, event: &Event) {
        let program = self.scenario.hosts.get(host).is_some_and(|host| host.role.has_program());
        let against = match &event.deed {
            _ if event.deed.is_of_program() && !program => Some("has no program".to_owned()),
            Deed::Move { .. } if state.unplugged => Some("is unplugged: only `plug` ends that".to_owned()),
            Deed::Attach { .. } if state.unplugged => Some("is unplugged: only `plug` ends that".to_owned()),
            Deed::Attach { network, .. } if state.at.contains(network) => {
                Some(format!("is in {network} already"))
            }
            Deed::Detach { network, .. } if !state.at.contains(network) => {
                Some(format!("is not in {network}"))
            }
            Deed::Unplug { .. } if state.at.is_empty() => Some("is in no network".to_owned()),
            Deed::Plug { .. } if !state.at.is_empty() => Some("is not unplugged".to_owned()),
            Deed::Kill { .. } | Deed::Stop { .. } | Deed::Freeze { .. } if !state.runs => {
                Some("does not run".to_owned())
            }
            Deed::Start { .. } if state.runs => Some("runs already".to_owned()),
            Deed::Move { takes: Some(other), .. } if other == host => {
                Some("takes its own address".to_owned())
            }
            _ => None,
        };
        if let Some(against) = against {
            self.found.plain(event.place, format!("{host} {against}"), "something that is possible then");
        }
        state.follow(&event.deed);
    }

    fn nat(&self, event: &Event) {
        let about_nat = matches!(event.deed, Deed::RebootNat { .. } | Deed::RebindNat { .. });
        let network = event.deed.network().and_then(|name| self.scenario.networks.get(name));
        if about_nat && network.is_some_and(|network| !network.nat.translates()) {
            let problem = "the network has no NAT".to_owned();
            self.found.plain(event.place, problem, "a network with a `nat`");
        }
    }

    fn expectations(&self) {
        for row in &self.scenario.expect {
            let place = line(row.line());
            match row {
                Expectation::Traffic(row) => self.of_traffic(place, row),
                Expectation::Beside(row) => self.beside(place, row),
                Expectation::Between(row) => self.between(place, row),
                Expectation::Host(AtHost { host, .. }) => {
                    if self.host(place, host) {
                        self.node(place, host);
                    }
                }
            }
        }
    }

    fn of_traffic(&self, place: Place, row: &OfTraffic) {
        let Some(traffic) = self.scenario.traffic.iter().find(|traffic| traffic.name == row.traffic) else {
            let names = self.scenario.traffic.iter().map(|traffic| traffic.name.as_str());
            self.found.unknown(place, "traffic", &row.traffic, names);
            return;
        };
        if row.intact.is_some() && !traffic.kind.is_tcp() {
            let problem = "datagrams are lost or not; they have no checksum over all".to_owned();
            self.found.plain(place, problem, "`lost`");
        }
        if (row.lost.is_some() || row.duplicated.is_some()) && traffic.kind.is_tcp() {
            let problem = "TCP loses and doubles nothing that an application could count".to_owned();
            self.found.plain(place, problem, "`intact` or `survives`");
        }
    }

    fn beside(&self, place: Place, row: &Beside) {
        let Some(traffic) = self.scenario.traffic.iter().find(|traffic| traffic.name == row.traffic) else {
            let names = self.scenario.traffic.iter().map(|traffic| traffic.name.as_str());
            self.found.unknown(place, "traffic", &row.traffic, names);
            return;
        };
        let say = |problem: String, expected| self.found.plain(place, problem, expected);
        if row.lost.is_some() && traffic.kind.is_tcp() {
            say("TCP loses nothing that an application could count".to_owned(), "`stall` or `rate`");
        }
        if row.rate.is_some() && !traffic.kind.fills_the_line() {
            say(format!("{} sends at a rate of its own", row.traffic), "`rate` of a tcp-bulk");
        }
        if row.stall.is_none() && (row.seeds.is_some() || !row.settles.is_zero()) {
            say("`seeds` and `settles` are about a stall".to_owned(), "`stall` besides");
        }
        for name in [&traffic.from, &traffic.to] {
            if self.role(name) == Some(Role::Bare) {
                say(format!("{name} is bare already"), "traffic between hosts with a tunnel");
            }
            if self.scenario.hosts.get(name).is_some_and(|host| host.at.is_empty()) {
                say(
                    format!("bare hosts stay where they are, and {name} is nowhere"),
                    "a network in the beginning",
                );
            }
        }
        let mut prefixes = BTreeSet::new();
        for network in self.scenario.networks.values() {
            if network.v4.is_some_and(|prefix| !prefixes.insert(prefix.to_string())) {
                say(
                    "bare hosts are without NAT, and two networks have the same prefix".to_owned(),
                    "networks with prefixes of their own",
                );
            }
        }
    }

    fn between(&self, place: Place, row: &Between) {
        let [first, second] = &row.hosts;
        if self.host(place, first) && self.host(place, second) {
            let node = |name: &str| self.role(name) == Some(Role::Node);
            if !node(first) && !node(second) {
                let problem = "neither of the two is a node, so neither can tell".to_owned();
                self.found.plain(place, problem, "at least one host with role node");
            }
        }
    }

    fn node(&self, place: Place, name: &str) {
        if self.role(name) != Some(Role::Node) {
            self.found.plain(
                place,
                format!("{name} is no node, so it counts nothing"),
                "a host with role node",
            );
        }
    }

    fn role(&self, name: &str) -> Option<Role> {
        self.scenario.hosts.get(name).map(|host| host.role)
    }

    fn is_service(&self, name: &str) -> bool {
        matches!(self.role(name), Some(Role::Sns { .. }))
    }

    fn host(&self, place: Place, name: &str) -> bool {
        let known = self.scenario.hosts.contains_key(name);
        if !known {
            self.found.unknown(place, "host", name, self.scenario.hosts.keys().map(String::as_str));
        }
        known
    }

    fn network(&self, place: Place, name: &str) -> bool {
        let known = self.scenario.networks.contains_key(name);
        if !known {
            self.found.unknown(place, "network", name, self.scenario.networks.keys().map(String::as_str));
        }
        known
    }
}

/// Where a host is, and whether its program runs, as far as the rows above say.
struct State {
    at: Vec<String>,
    runs: bool,
    unplugged: bool,
}

impl State {
    fn follow(&mut self, deed: &Deed) {
        match deed {
            Deed::Move { to, .. } => self.at = vec![to.clone()],
            Deed::Attach { network, .. } => self.at.push(network.clone()),
            Deed::Detach { network, .. } => self.at.retain(|at| at != network),
            Deed::Unplug { .. } => (self.at, self.unplugged) = (Vec::new(), true),
            Deed::Plug { network, .. } => (self.at, self.unplugged) = (vec![network.clone()], false),
            Deed::Kill { .. } | Deed::Stop { .. } => self.runs = false,
            Deed::Start { .. } => self.runs = true,
            Deed::Freeze { .. }
            | Deed::RebootNat { .. }
            | Deed::RebindNat { .. }
            | Deed::ChangeLink { .. }
            | Deed::Attack { .. } => {}
        }
    }
}

impl Deed {
    /// Whether it is done to a host's program, and not to the host.
    const fn is_of_program(&self) -> bool {
        matches!(self, Self::Kill { .. } | Self::Stop { .. } | Self::Start { .. } | Self::Freeze { .. })
    }
}

const fn line(line: usize) -> Place {
    Place { line, column: 1 }
}
