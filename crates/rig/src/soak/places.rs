//! Which networks each host is in, and what their lines are like, as a timeline goes on.

use std::collections::BTreeMap;

use crate::scenario::unit::Share;
use crate::scenario::{Deed, Link, Nat, Network, Scenario};

/// Every host's networks, the preferred one first, and every network's line.
#[derive(Clone, Debug)]
pub(super) struct Places<'s> {
    scenario: &'s Scenario,
    at: BTreeMap<&'s str, Vec<&'s str>>,
    links: BTreeMap<&'s str, Link>,
}

impl<'s> Places<'s> {
    /// As it is in the beginning.
    pub(super) fn new(scenario: &'s Scenario) -> Self {
        let at = scenario.hosts.iter().map(|(name, host)| {
            let networks: Vec<&str> = host.at.iter().map(String::as_str).collect();
            (name.as_str(), networks)
        });
        let links = scenario.networks.iter().map(|(name, network)| (name.as_str(), network.link));
        Self { scenario, at: at.collect(), links: links.collect() }
    }

    /// Lets a deed happen.
    pub(super) fn follow(&mut self, deed: &'s Deed) {
        match deed {
            Deed::Move { host, to, .. } | Deed::Plug { host, network: to } => {
                self.at.insert(host, vec![to]);
            }
            Deed::Attach { host, network } => self.at.entry(host).or_default().push(network),
            Deed::Detach { host, network } => {
                self.at.entry(host).or_default().retain(|other| other != network);
            }
            Deed::Unplug { host } => {
                self.at.insert(host, Vec::new());
            }
            Deed::ChangeLink { network, change } => {
                if let Some(link) = self.links.get_mut(network.as_str()) {
                    change.apply(link);
                }
            }
            Deed::Kill { .. }
            | Deed::Stop { .. }
            | Deed::Start { .. }
            | Deed::Freeze { .. }
            | Deed::RebootNat { .. }
            | Deed::RebindNat { .. }
            | Deed::Attack { .. } => {}
        }
    }

    /// The networks that a host is in, the preferred one first.
    pub(super) fn of(&self, host: &str) -> impl Iterator<Item = (&'s str, &'s Network)> + '_ {
        let names = self.at.get(host).into_iter().flatten();
        names.filter_map(|name| {
            let (name, network) = self.scenario.networks.get_key_value(*name)?;
            Some((name.as_str(), network))
        })
    }

    /// Whether a host is in a network.
    pub(super) fn is_in(&self, host: &str, network: &str) -> bool {
        self.of(host).any(|(name, _)| name == network)
    }

    /// The line of a network.
    pub(super) fn link(&self, network: &str) -> Link {
        self.links.get(network).copied().unwrap_or_default()
    }

    /// The line of a host's preferred network.
    pub(super) fn link_of(&self, host: &str) -> Link {
        self.of(host).next().map(|(name, _)| self.link(name)).unwrap_or_default()
    }

    /// The longest packet that a host's preferred network carries, in bytes.
    pub(super) fn mtu_of(&self, host: &str) -> u32 {
        let Some((name, network)) = self.of(host).next() else { return u32::MAX };
        let Link { up, down } = self.link(name);
        [up, down].into_iter().filter_map(|way| way.mtu).fold(network.mtu, u32::min)
    }

    /// Whether a network's line loses everything, in either direction.
    pub(super) fn is_silent(&self, network: &str) -> bool {
        let Link { up, down } = self.link(network);
        [up, down].iter().any(|way| way.loss == EVERYTHING)
    }

    /// Whether `host` can be heard where it is by `other` though it never spoke to it.
    pub(super) fn is_public(&self, host: &str, other: &str) -> bool {
        self.pairs(host, other).any(|((name, network), (same, ours))| {
            let v4 = ours.v4.is_some() && network.v4.is_some();
            let v6 = ours.v6.is_some() && network.v6.is_some();
            same == name || v6 || v4 && !network.nat.translates()
        })
    }

    /// Whether the two can reach each other without a relay, once each knows where the other is.
    pub(super) fn is_direct_possible(&self, one: &str, other: &str) -> bool {
        self.pairs(one, other).any(|((name, ours), (same, theirs))| {
            let v4 = ours.v4.is_some() && theirs.v4.is_some() && can_be_traversed(ours.nat, theirs.nat);
            let v6 = ours.v6.is_some() && theirs.v6.is_some();
            same == name || v4 || v6
        })
    }

    pub(super) fn have_family_in_common(&self, one: &str, other: &str) -> bool {
        self.pairs(one, other).any(|((_, ours), (_, theirs))| {
            ours.v4.is_some() && theirs.v4.is_some() || ours.v6.is_some() && theirs.v6.is_some()
        })
    }

    /// Whether a host is in a network whose line carries packets.
    pub(super) fn is_attached(&self, host: &str) -> bool {
        self.of(host).any(|(name, _)| !self.is_silent(name))
    }

    /// Networks of the one and of the other whose lines carry packets.
    fn pairs(&self, one: &str, other: &str) -> impl Iterator<Item = (Named<'s>, Named<'s>)> + '_ {
        let (one, other) = (one.to_owned(), other.to_owned());
        let lit = |host: &str| -> Vec<Named<'s>> {
            self.of(host).filter(|(name, _)| !self.is_silent(name)).collect()
        };
        let theirs = lit(&other);
        lit(&one)
            .into_iter()
            .flat_map(move |ours| theirs.clone().into_iter().map(move |theirs| (ours, theirs)))
    }
}

type Named<'s> = (&'s str, &'s Network);

fn can_be_traversed(one: Nat, other: Nat) -> bool {
    let strict = |nat| matches!(nat, Nat::Symmetric | Nat::PortRestricted);
    !(strict(one) && strict(other) && (one == Nat::Symmetric || other == Nat::Symmetric))
}

/// A line that loses everything.
pub(super) const EVERYTHING: Share = Share(1_000_000);
