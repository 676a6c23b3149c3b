//! Networks and hosts of an episode.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use crate::address::Prefix;
use crate::scenario::{Host, Link, Nat, Network, Role, Way};
use crate::soak::dice::Dice;

/// Where the service is.
pub(super) const CORE: &str = "core";
/// Where the bare hosts are whose flow nothing disturbs.
pub(super) const QUIET: &str = "quiet";
/// The network whose line loses whenever a node's line does.
pub(super) const MIRROR: &str = "mirror";

/// The networks that nodes go to, and three that they do not.
pub(super) fn networks(dice: &mut Dice) -> BTreeMap<String, Network> {
    let mut networks = BTreeMap::new();
    for number in 1..=4 + dice.below(2) {
        networks.insert(format!("net{number}"), access(number, dice));
    }
    networks.insert(CORE.to_owned(), network(200, true, true));
    networks.insert(QUIET.to_owned(), network(201, true, false));
    let line = Way { delay: Duration::from_millis(10), ..Way::default() };
    let mirror = Network { link: Link { up: line, down: line }, ..network(202, true, false) };
    networks.insert(MIRROR.to_owned(), mirror);
    networks
}

/// A network for nodes: the first is public and has both families.
fn access(number: u64, dice: &mut Dice) -> Network {
    let plain = match (number, dice.below(10)) {
        (1, _) | (_, 0..2) => network(number, true, true),
        (_, 2) => network(number, false, true),
        (_, 3..5) => network(number, true, false),
        (_, _) => {
            let nat = *dice.pick(&Nat::KINDS);
            Network { nat, ..network(number, true, dice.percent(20)) }
        }
    };
    let way = Way { delay: dice.millis(2, 25), jitter: dice.millis(0, 3), ..Way::default() };
    Network { link: Link { up: way, down: way }, ..plain }
}

fn network(number: u64, v4: bool, v6: bool) -> Network {
    let number = u8::try_from(number).unwrap_or(u8::MAX);
    let prefix = |address: IpAddr, length| Prefix { address, length };
    Network {
        v4: v4.then(|| prefix(Ipv4Addr::new(10, number, 0, 0).into(), 24)),
        v6: v6.then(|| prefix(Ipv6Addr::new(0x2001, 0xdb8, number.into(), 0, 0, 0, 0, 0).into(), 64)),
        nat: Nat::None,
        expiry: Duration::from_secs(300),
        mtu: 1500,
        link: Link::default(),
    }
}

/// Two nodes, a service, three bare hosts.
pub(super) fn hosts(networks: &BTreeMap<String, Network>, dice: &mut Dice) -> BTreeMap<String, Host> {
    let homes: Vec<&String> = networks.keys().filter(|name| is_access(name)).collect();
    let host = |at: &str, role| Host { at: vec![at.to_owned()], role, line: 0 };
    let service = Role::Sns { window: Duration::from_secs(1), relay: true };
    let home = |dice: &mut Dice| host(dice.pick::<&String>(&homes), Role::Node);
    BTreeMap::from([
        ("a".to_owned(), home(dice)),
        ("b".to_owned(), home(dice)),
        ("s".to_owned(), host(CORE, service)),
        ("x".to_owned(), host(QUIET, Role::Bare)),
        ("y".to_owned(), host(QUIET, Role::Bare)),
        ("z".to_owned(), host(MIRROR, Role::Bare)),
    ])
}

/// Whether nodes go to a network.
pub(super) fn is_access(name: &str) -> bool {
    ![CORE, QUIET, MIRROR].contains(&name)
}
