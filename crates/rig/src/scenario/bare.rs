//! The same scenario without a tunnel: what `beside: bare` compares with.
//!
//! Its hosts are bare, there is no service and no NAT (a NAT would decide who may open, not how good a line is), and
//! nobody moves: what happens to the lines happens all the same. Networks, lines, traffic and times are the scenario's.

use super::{Deed, Expectation, Host, Nat, Network, Role, Scenario};

impl Scenario {
    /// Whether a row compares with bare hosts.
    #[must_use]
    pub fn has_bare_twin(&self) -> bool {
        self.besides().next().is_some()
    }

    /// The seeds that bare hosts are played with for the sake of their worst: from 1 to this one; none if none is asked.
    #[must_use]
    pub fn bare_seeds(&self) -> u64 {
        self.besides().filter_map(|row| row.seeds).max().unwrap_or(0)
    }

    /// The scenario as bare hosts play it. Draw it first, so that times are the same.
    #[must_use]
    pub fn bare_twin(&self) -> Self {
        let plain = |(name, network): (&String, &Network)| {
            (name.clone(), Network { nat: Nat::None, ..network.clone() })
        };
        let bare = |(name, host): (&String, &Host)| (name.clone(), Host { role: Role::Bare, ..host.clone() });
        let hosts = self.hosts.iter().filter(|(_, host)| !matches!(host.role, Role::Sns { .. }));
        let lines = self.timeline.iter().filter(|event| matches!(event.deed, Deed::ChangeLink { .. }));
        Self {
            networks: self.networks.iter().map(plain).collect(),
            hosts: hosts.map(bare).collect(),
            peers: super::BTreeMap::new(),
            timeline: lines.cloned().collect(),
            expect: Vec::new(),
            ..self.clone()
        }
    }

    pub(super) fn besides(&self) -> impl Iterator<Item = &super::Beside> {
        self.expect.iter().filter_map(|row| match row {
            Expectation::Beside(row) => Some(row),
            Expectation::Traffic(_) | Expectation::Between(_) | Expectation::Host(_) => None,
        })
    }
}
