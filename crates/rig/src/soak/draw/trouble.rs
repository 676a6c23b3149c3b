//! What goes wrong in an episode: one trouble after another, each over before the next that touches the same.

use std::collections::BTreeMap;
use std::time::Duration;

use super::ground::{MIRROR, is_access};
use crate::scenario::network::{LinkChange, WayChange};
use crate::scenario::unit::Share;
use crate::scenario::{Deed, Host, Network};
use crate::soak::dice::Dice;

/// What happens, and when.
pub(super) type Timeline = Vec<(Duration, Deed)>;

/// Draws troubles, and follows where the nodes are.
pub(super) struct Troubles<'a> {
    networks: &'a BTreeMap<String, Network>,
    homes: Vec<&'a String>,
    at: BTreeMap<&'static str, String>,
    dice: &'a mut Dice,
    timeline: Timeline,
}

const NODES: [&str; 2] = ["a", "b"];

impl<'a> Troubles<'a> {
    pub(super) fn new(
        networks: &'a BTreeMap<String, Network>,
        hosts: &BTreeMap<String, Host>,
        dice: &'a mut Dice,
    ) -> Self {
        let homes = networks.keys().filter(|name| is_access(name)).collect();
        let home = |name: &'static str| (name, hosts.get(name).and_then(|host| host.at.first()).cloned());
        let at = NODES.map(home).into_iter().filter_map(|(name, at)| Some((name, at?))).collect();
        Self { networks, homes, at, dice, timeline: Vec::new() }
    }

    /// Draws from `from` until `until`, in the order of time.
    pub(super) fn fill(mut self, from: Duration, until: Duration) -> Timeline {
        let mut now = from;
        while now < until {
            let over = self.trouble(now, until);
            now = over + self.pause();
        }
        self.timeline.sort_by_key(|(at, _)| *at);
        self.timeline
    }

    /// Mostly long enough for all to be well again, sometimes not.
    fn pause(&mut self) -> Duration {
        if self.dice.percent(25) { self.dice.millis(50, 1_500) } else { self.dice.millis(2_500, 8_000) }
    }

    /// Adds one trouble that begins at `now`, and returns when it is over.
    fn trouble(&mut self, now: Duration, until: Duration) -> Duration {
        let room = u64::try_from((until - now).as_millis()).unwrap_or(u64::MAX);
        let node = *self.dice.pick(&NODES);
        match self.dice.below(100) {
            0..22 => self.go(now, node),
            22..34 => self.both_go(now),
            34..46 => self.silence(now, node, room),
            46..54 => self.unplug(now, node, room),
            54..62 => self.loss(now, node),
            62..70 => self.forget(now, node),
            70..78 => self.kill(now, node),
            78..82 => self.kill(now, "s"),
            82..90 => self.freeze(now, node),
            90..93 => self.flap(now, node),
            93..97 => self.amid_an_outage(now, node, room),
            _ => self.narrow(now, node, room),
        }
    }

    fn add(&mut self, at: Duration, deed: Deed) {
        self.timeline.push((at, deed));
    }

    /// A node moves to another network.
    fn go(&mut self, now: Duration, node: &'static str) -> Duration {
        let others: Vec<&String> =
            self.homes.iter().copied().filter(|name| Some(*name) != self.at.get(node)).collect();
        let to = (*self.dice.pick(&others)).clone();
        let dark = if self.dice.percent(30) { Duration::ZERO } else { self.dice.doubling_millis(20, 8_000) };
        self.at.insert(node, to.clone());
        self.add(now, Deed::Move { host: node.to_owned(), to, dark, takes: None });
        now + dark
    }

    fn both_go(&mut self, now: Duration) -> Duration {
        let apart = if self.dice.percent(50) { Duration::ZERO } else { self.dice.millis(1, 900) };
        let first = self.go(now, "a");
        self.go(now + apart, "b").max(first)
    }

    /// The line of a node's network loses everything for a while, and no host is told.
    fn silence(&mut self, now: Duration, node: &'static str, room: u64) -> Duration {
        let lasts = self.outage(room);
        let network = self.at.get(node).cloned().unwrap_or_default();
        let everything = WayChange { loss: Some(Share(1_000_000)), ..WayChange::default() };
        let change = match self.dice.below(6) {
            0 => LinkChange { up: everything, down: WayChange::default() },
            1 => LinkChange { up: WayChange::default(), down: everything },
            _ => LinkChange::both(everything),
        };
        self.add(now, Deed::ChangeLink { network: network.clone(), change });
        let nothing = WayChange { loss: Some(Share(0)), ..WayChange::default() };
        self.add(now + lasts, Deed::ChangeLink { network, change: LinkChange::both(nothing) });
        now + lasts
    }

    /// A node loses its carrier for a while.
    fn unplug(&mut self, now: Duration, node: &'static str, room: u64) -> Duration {
        let lasts = self.outage(room);
        let network = self.at.get(node).cloned().unwrap_or_default();
        self.add(now, Deed::Unplug { host: node.to_owned() });
        self.add(now + lasts, Deed::Plug { host: node.to_owned(), network });
        now + lasts
    }

    /// The other node moves, dies or freezes while a node cannot be reached.
    fn amid_an_outage(&mut self, now: Duration, node: &'static str, room: u64) -> Duration {
        let other = if node == NODES[0] { NODES[1] } else { NODES[0] };
        let over =
            if self.dice.percent(50) { self.silence(now, node, room) } else { self.unplug(now, node, room) };
        let into = self.dice.millis(0, u64::try_from((over - now).as_millis()).unwrap_or(0));
        let also = match self.dice.below(3) {
            0 => self.go(now + into, other),
            1 => self.kill(now + into, other),
            _ => self.freeze(now + into, other),
        };
        over.max(also)
    }

    /// From a tenth of a second to half of what is left of a short episode, or minutes of a long one.
    fn outage(&mut self, room: u64) -> Duration {
        self.dice.doubling_millis(100, (room / 2).clamp(200, 150_000))
    }

    /// A node's line loses some datagrams for a while, and so does the bare connection's.
    fn loss(&mut self, now: Duration, node: &'static str) -> Duration {
        let lasts = self.dice.millis(2_000, 12_000);
        let network = self.at.get(node).cloned().unwrap_or_default();
        let share = Share(u32::try_from(self.dice.doubling_millis(1, 300).as_millis()).unwrap_or(1) * 1_000);
        for (at, share) in [(now, share), (now + lasts, Share(0))] {
            let change = LinkChange::both(WayChange { loss: Some(share), ..WayChange::default() });
            for network in [network.clone(), MIRROR.to_owned()] {
                self.add(at, Deed::ChangeLink { network, change });
            }
        }
        now + lasts
    }

    /// The NAT in front of a node, if there is one, forgets its mappings.
    fn forget(&mut self, now: Duration, node: &'static str) -> Duration {
        let network = self.at.get(node).cloned().unwrap_or_default();
        let translates = self.networks.get(&network).is_some_and(|network| network.nat.translates());
        if !translates {
            return self.go(now, node);
        }
        let deed =
            if self.dice.percent(50) { Deed::RebootNat { network } } else { Deed::RebindNat { network } };
        self.add(now, deed);
        now
    }

    /// A program ends without a word and is started again.
    fn kill(&mut self, now: Duration, host: &str) -> Duration {
        let lasts = self.dice.doubling_millis(50, 6_000);
        self.add(now, Deed::Kill { host: host.to_owned() });
        self.add(now + lasts, Deed::Start { host: host.to_owned() });
        now + lasts
    }

    /// A program does not get the processor for a while.
    fn freeze(&mut self, now: Duration, node: &str) -> Duration {
        let lasts = self.dice.doubling_millis(100, 8_000);
        self.add(now, Deed::Freeze { host: node.to_owned(), lasts });
        now + lasts
    }

    /// A link comes and goes a few times.
    fn flap(&mut self, now: Duration, node: &'static str) -> Duration {
        let network = self.at.get(node).cloned().unwrap_or_default();
        let mut at = now;
        for _ in 0..2 + self.dice.below(3) {
            self.add(at, Deed::Unplug { host: node.to_owned() });
            at += self.dice.millis(50, 700);
            self.add(at, Deed::Plug { host: node.to_owned(), network: network.clone() });
            at += self.dice.millis(50, 700);
        }
        at
    }

    /// The line of a node's network takes shorter packets from now on.
    fn narrow(&mut self, now: Duration, node: &'static str, room: u64) -> Duration {
        let network = self.at.get(node).cloned().unwrap_or_default();
        let lasts = self.dice.millis(4_000, (room / 2).clamp(5_000, 20_000));
        let mtu = *self.dice.pick(&[1280, 1320, 1400]);
        for (at, mtu) in [(now, mtu), (now + lasts, 1500)] {
            let change = LinkChange::both(WayChange { mtu: Some(mtu), ..WayChange::default() });
            self.add(at, Deed::ChangeLink { network: network.clone(), change });
        }
        now + lasts
    }
}
