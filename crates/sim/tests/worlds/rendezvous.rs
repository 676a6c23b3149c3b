//! Nodes that find each other by a subscribe-notify service.

use crate::ground::{ms, prefix, secs};
use stead_sim::{
    Action, HostId, HostPlan, NatPlan, NetworkId, NetworkPlan, PeerPath, Role, TrafficKind, TrafficPlan,
    World,
};

/// Three networks for two nodes, and an office with a service.
struct Meeting {
    world: World,
    a: HostId,
    b: HostId,
    s: HostId,
    train: NetworkId,
    shells: [usize; 2],
}

/// `a` at home behind one NAT, `b` in a cafe behind another. Both tick to each other from the first second on.
fn meeting(seed: u64, nats: [Option<NatPlan>; 2]) -> Meeting {
    let mut world = World::new(seed);
    let mut network = |name: &str, v4: &str, nat| {
        world.network(NetworkPlan { nat, ..NetworkPlan::new(name, prefix(v4), None) })
    };
    let home = network("home", "10.1.0.0/24", nats[0]);
    let cafe = network("cafe", "10.2.0.0/24", nats[1]);
    let office = network("office", "10.3.0.0/24", None);
    let train = network("train", "10.4.0.0/24", None);
    let a = world.host(HostPlan::node("a", home));
    let b = world.host(HostPlan::node("b", cafe));
    let s = world.host(HostPlan::node("s", office).with_role(Role::SNS));
    let kind = TrafficKind::TcpTicker { every: ms(20), lasts: secs(12) };
    let shells = [(a, b), (b, a)].map(|(from, to)| {
        let (name, start, over) = ("shell".to_owned(), secs(1), None);
        world.traffic(TrafficPlan { name, kind, from, to, start, over })
    });
    Meeting { world, a, b, s, train, shells }
}

impl Meeting {
    /// Both connections are whole, and nothing happened that must not; the longest gap of either.
    fn whole(&mut self, told: &str) -> stead_wire::time::Duration {
        let outcomes = self.shells.map(|shell| self.world.outcome(shell));
        let names = self.world.names();
        let log = || self.world.trace().diagram(&names, 100).join("\n");
        assert!(outcomes.iter().all(|outcome| outcome.is_whole()), "{told}:\n{}", log());
        assert_eq!(self.world.findings(), [], "{told}");
        let gaps = outcomes.iter().filter_map(|outcome| outcome.longest_gap());
        gaps.map(|(_, gap)| gap).max().unwrap_or_default()
    }
}

#[test]
fn hosts_behind_nats_of_all_sixteen_pairs_of_kinds_connect() {
    let kinds = [
        NatPlan::full_cone(),
        NatPlan::address_restricted(),
        NatPlan::port_restricted(),
        NatPlan::symmetric(),
    ];
    for (seed, (one, other)) in
        (0..).zip(kinds.iter().flat_map(|one| kinds.iter().map(move |other| (one, other))))
    {
        let mut meeting = meeting(seed, [Some(*one), Some(*other)]);
        meeting.world.run_until(secs(30));

        let told = format!("{one:?} and {other:?}");
        meeting.whole(&told);
        let seen = meeting.world.peer(meeting.a, meeting.b).unwrap();
        assert!(seen.path.is_some(), "{told}");
        assert_eq!(seen.enhanced, Some(true), "{told}");
    }
}

#[test]
fn behind_symmetric_nats_the_service_relays_and_once_a_direct_path_is_possible_it_is_taken() {
    let mut meeting = meeting(20, [Some(NatPlan::symmetric()), Some(NatPlan::symmetric())]);
    let (a, b) = (meeting.a, meeting.b);
    meeting.world.run_until(secs(4));
    let path = |world: &World| world.peer(a, b).unwrap().path;
    assert!(matches!(path(&meeting.world), Some(PeerPath::Relayed(_))), "{:?}", path(&meeting.world));

    meeting.world.act(Action::Move { host: b, to: meeting.train, dark: ms(0), takes: None });
    meeting.world.run_until(secs(8));
    assert!(matches!(path(&meeting.world), Some(PeerPath::Direct(_))), "{:?}", path(&meeting.world));
    meeting.world.run_until(secs(30));
    meeting.whole("then b is public");
}

#[test]
fn the_service_may_come_and_go_while_nobody_needs_it() {
    let mut meeting = meeting(21, [None, Some(NatPlan::port_restricted())]);
    let s = meeting.s;
    meeting.world.plan(secs(3), Action::Kill { host: s });
    meeting.world.plan(secs(8), Action::Start { host: s });
    meeting.world.run_until(secs(30));

    let gap = meeting.whole("without the service");
    assert!(gap < ms(100), "{gap:?}");
    assert!(meeting.world.service_on(s).is_some());
}

#[test]
fn a_relay_that_restarts_and_knows_nobody_is_told_everything_anew() {
    let mut meeting = meeting(22, [Some(NatPlan::symmetric()), Some(NatPlan::symmetric())]);
    let s = meeting.s;
    meeting.world.plan(secs(5), Action::Kill { host: s });
    meeting.world.plan(secs(5) + ms(200), Action::Start { host: s });
    meeting.world.run_until(secs(40));

    let gap = meeting.whole("relayed all the time");
    assert!(gap < secs(4), "{gap:?}: what TCP waits for is in it");
}
