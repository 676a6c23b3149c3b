//! What the tests of whole worlds have in common.

use stead_node::Prefix;
use stead_sim::{
    Action, HostId, HostPlan, NatPlan, NetworkId, NetworkPlan, Outcome, Role, TrafficKind, TrafficPlan, World,
};
use stead_wire::time::Duration;

pub(crate) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(crate) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A prefix from its usual notation.
pub(crate) fn prefix(text: &str) -> Option<Prefix> {
    let (ip, len) = text.split_once('/')?;
    Prefix::new(ip.parse().ok()?, len.parse().ok()?)
}

/// Three public networks, and two hosts that know where the other begins.
pub(crate) struct Pair {
    pub(crate) world: World,
    pub(crate) a: HostId,
    pub(crate) b: HostId,
    pub(crate) home: NetworkId,
    pub(crate) cafe: NetworkId,
    pub(crate) office: NetworkId,
}

impl Pair {
    /// `a` at home, `b` in the office, both nodes.
    pub(crate) fn new(seed: u64) -> Self {
        Self::with(seed, Role::Node, None)
    }

    /// With another role for `b`, or with a NAT before the cafe.
    pub(crate) fn with(seed: u64, role: Role, nat: Option<NatPlan>) -> Self {
        let mut world = World::new(seed);
        let home = world.network(NetworkPlan::new("home", prefix("10.1.0.0/24"), prefix("2001:db8:1::/64")));
        let cafe = NetworkPlan { nat, ..NetworkPlan::new("cafe", prefix("10.2.0.0/24"), None) };
        let cafe = world.network(cafe);
        let office =
            world.network(NetworkPlan::new("office", prefix("10.3.0.0/24"), prefix("2001:db8:3::/64")));
        let a = world.host(HostPlan::node("a", home).finding(&["b"]));
        let b = world.host(HostPlan::node("b", office).finding(&["a"]).with_role(role));
        Self { world, a, b, home, cafe, office }
    }

    /// `from` ticks to `to` over TCP every 20 ms, from the first second on.
    pub(crate) fn shell(&mut self, from: HostId, to: HostId, lasts: Duration) -> usize {
        self.traffic("shell", from, to, TrafficKind::TcpTicker { every: ms(20), lasts })
    }

    pub(crate) fn call(&mut self, from: HostId, to: HostId, lasts: Duration) -> usize {
        self.traffic("call", from, to, TrafficKind::udp_ticker(ms(20), lasts))
    }

    pub(crate) fn download(&mut self, from: HostId, to: HostId, bytes: u64, rate: u64) -> usize {
        self.traffic("download", from, to, TrafficKind::TcpBulk { bytes, rate: Some(rate) })
    }

    fn traffic(&mut self, name: &str, from: HostId, to: HostId, kind: TrafficKind) -> usize {
        let name = name.to_owned();
        self.world.traffic(TrafficPlan { name, kind, from, to, start: secs(1), over: None })
    }

    pub(crate) fn move_at(&mut self, at: Duration, host: HostId, to: NetworkId, dark: Duration) {
        self.world.plan(at, Action::Move { host, to, dark, takes: None });
    }

    /// The outcome, which is whole; its longest gap.
    pub(crate) fn whole(&self, traffic: usize) -> Duration {
        let outcome: &Outcome = self.world.outcome(traffic);
        assert!(outcome.is_whole(), "{}", self.story(outcome));
        outcome.longest_gap().map(|(_, gap)| gap).unwrap_or_default()
    }

    /// Nothing happened that must never happen.
    pub(crate) fn sound(&self) {
        let findings = self.world.findings();
        assert!(findings.is_empty(), "{findings:?}");
    }

    fn story(&self, outcome: &Outcome) -> String {
        let short = Outcome { arrivals: Vec::new(), ..outcome.clone() };
        let trace = self.world.trace().diagram(&self.world.names(), 60).join("\n");
        format!("{short:?}, longest gap {:?}\n{trace}", outcome.longest_gap())
    }
}
