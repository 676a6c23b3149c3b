//! Hosts of a scenario, and what they know of each other.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Acquaintances;
use super::section::Section;

/// A host.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Host {
    /// The networks it is in at the beginning, the preferred one first; none: it is nowhere.
    pub at: Vec<String>,
    /// What it runs.
    pub role: Role,
    /// The line of the file that names it.
    pub line: usize,
}

/// What a host runs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Role {
    /// A node of this project.
    Node,
    /// A subscribe-notify service.
    Sns {
        /// How far apart two moves may be and still count as simultaneous.
        window: Duration,
        /// Whether it relays between peers that find no direct path.
        relay: bool,
    },
    /// A plain WireGuard peer.
    WireGuard,
    /// Nothing: its traffic goes without a tunnel.
    Bare,
}

impl Role {
    /// Whether it is an end of tunnels: it has a key and virtual addresses.
    #[must_use]
    pub const fn has_tunnel(self) -> bool {
        matches!(self, Self::Node | Self::WireGuard)
    }

    /// Whether it runs a program that can be killed.
    #[must_use]
    pub const fn has_program(self) -> bool {
        !matches!(self, Self::Bare)
    }
}

/// What one host knows of another before the scenario begins.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Knowledge {
    /// Its public key.
    Key,
    /// Its public key, and the addresses it has in the beginning.
    Endpoint,
}

impl Host {
    pub(super) fn read(section: &Section<'_>) -> Option<Self> {
        let at =
            section.list("at", "a network, a list of networks, or nowhere", |text| Some(text.to_owned()));
        if !section.has("at") {
            let problem = "the host is in no network".to_owned();
            section.found.plain(section.place, problem, "`at: NETWORK`, or `at: nowhere` if that is meant");
        }
        let kinds =
            [("node", Role::Node), ("sns", SNS), ("wireguard", Role::WireGuard), ("bare", Role::Bare)];
        let role = match section.choice("role", &kinds).unwrap_or(Role::Node) {
            Role::Sns { window, relay } => Role::Sns {
                window: section.duration("window").unwrap_or(window),
                relay: section.switch("relay").unwrap_or(relay),
            },
            other @ (Role::Node | Role::WireGuard | Role::Bare) => other,
        };
        section.finish();
        let at = at.unwrap_or_default().into_iter().filter(|network| network != NOWHERE).collect();
        Some(Self { at, role, line: section.place.line })
    }
}

/// Whom each host with a tunnel knows: what its row under `peers` says, or everybody.
pub(super) fn acquaintances(
    hosts: &BTreeMap<String, Host>,
    said: &[(String, Section<'_>)],
) -> BTreeMap<String, Acquaintances> {
    let mut peers: BTreeMap<String, Acquaintances> = hosts
        .iter()
        .filter(|(_, host)| host.role.has_tunnel())
        .map(|(name, host)| (name.clone(), everybody(hosts, name, host.role)))
        .collect();
    for (name, section) in said {
        let Some(known) = peers.get_mut(name) else {
            let nodes = hosts.iter().filter(|(_, host)| host.role.has_tunnel());
            section.found.unknown(
                section.place,
                "host with a tunnel",
                name,
                nodes.map(|(name, _)| name.as_str()),
            );
            continue;
        };
        *known = Acquaintances::new();
        for (other, place, word) in section.words() {
            let knowledge = match word {
                "key" => Knowledge::Key,
                "endpoint" => Knowledge::Endpoint,
                _ => {
                    let problem = format!("what {name} knows of {other} cannot be `{word}`");
                    section.found.plain(place, problem, "`key` or `endpoint`");
                    continue;
                }
            };
            let candidates =
                || hosts.iter().filter(|(other, host)| *other != name && host.role != Role::Bare);
            if candidates().any(|(candidate, _)| candidate == other) {
                known.insert(other.to_owned(), knowledge);
            } else {
                section.found.unknown(
                    place,
                    "host to be known",
                    other,
                    candidates().map(|(name, _)| name.as_str()),
                );
            }
        }
    }
    peers
}

fn everybody(hosts: &BTreeMap<String, Host>, own: &str, role: Role) -> Acquaintances {
    let others = hosts.iter().filter(|(name, _)| *name != own);
    let known = |(name, other): (&String, &Host)| match (other.role, role) {
        // A plain peer cannot speak to a service, and gains nothing from another plain peer.
        (Role::Sns { .. }, Role::Node) => Some((name.clone(), Knowledge::Endpoint)),
        (Role::Node, _) | (Role::WireGuard, Role::Node) => Some((name.clone(), Knowledge::Key)),
        (Role::Sns { .. } | Role::WireGuard | Role::Bare, _) => None,
    };
    others.filter_map(known).collect()
}

const NOWHERE: &str = "nowhere";
/// What a service does unless told: seed 001's figure 10 leaves the window open; a second is the default.
const SNS: Role = Role::Sns { window: Duration::from_secs(1), relay: true };
