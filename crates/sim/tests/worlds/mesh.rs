//! A mesh of hosts that know only keys and a service, and all move within ten seconds.

use crate::ground::{ms, prefix, secs};
use stead_sim::{
    Action, HostId, HostPlan, LinkPlan, NatPlan, NetworkId, NetworkPlan, Role, TrafficKind, TrafficPlan,
    World,
};
use stead_wire::time::Duration;

/// When hosts begin to move, in what time all have, and how long nowhere each is.
const MOVES: Duration = secs(10);
const WITHIN: Duration = secs(10);
const DARK: Duration = ms(100);

/// When everything ends, and how long before that every pair must have been heard.
const END: Duration = secs(30);
const HEARD: Duration = secs(1);

/// What came of it: for every pair that talks, how long it was silent at most after the first move began.
struct Mesh {
    stalls: Vec<(Duration, String)>,
    silent: Vec<String>,
}

/// Six networks: both families, either alone, and NATs of three kinds.
fn networks(world: &mut World) -> Vec<NetworkId> {
    let link = |delay: u64| LinkPlan { delay: ms(delay), ..LinkPlan::default() };
    let kinds = [
        (Some("10.1.0.0/16"), Some("2001:db8:1::/64"), None, 5),
        (Some("10.2.0.0/16"), None, None, 10),
        (Some("10.3.0.0/16"), Some("2001:db8:3::/64"), Some(NatPlan::port_restricted()), 15),
        (None, Some("2001:db8:4::/64"), None, 20),
        (Some("10.5.0.0/16"), None, Some(NatPlan::symmetric()), 10),
        (Some("10.6.0.0/16"), None, Some(NatPlan::full_cone()), 25),
    ];
    let mut made = Vec::new();
    for (number, (v4, v6, nat, delay)) in kinds.into_iter().enumerate() {
        let plan = NetworkPlan::new(&format!("net{number}"), v4.and_then(prefix), v6.and_then(prefix));
        made.push(world.network(NetworkPlan { nat, ..plan }.over(link(delay))));
    }
    made
}

fn mesh(seed: u64, hosts: usize, every: Duration) -> Mesh {
    let mut world = World::new(seed);
    let told = std::env::var("STEAD_MESH_PAIR").ok();
    if told.is_some() {
        world.keep_trace(usize::MAX);
    }
    let networks = networks(&mut world);
    let at = |number: usize| networks[number % networks.len()];
    world.host(HostPlan::node("sns", networks[0]).with_role(Role::SNS));
    let nodes: Vec<HostId> =
        (0..hosts).map(|number| world.host(HostPlan::node(&format!("n{number}"), at(number)))).collect();
    let mut pairs = Vec::new();
    for (number, one) in nodes.iter().enumerate() {
        for (other, two) in nodes.iter().enumerate().skip(number + 1) {
            // Half of them talk the other way.
            let (from, to) = if (number + other) % 2 == 0 { (*one, *two) } else { (*two, *one) };
            let name = format!("n{number}-n{other}");
            let kind = TrafficKind::udp_ticker(every, END - secs(2));
            let start = secs(1) + ms(((number * hosts + other) % 997) as u64);
            let plan = TrafficPlan { name: name.clone(), kind, from, to, start, over: None };
            pairs.push((name, world.traffic(plan)));
        }
    }
    for (number, host) in nodes.iter().enumerate() {
        let at_moment = MOVES + WITHIN * u32::try_from(number).unwrap() / u32::try_from(hosts).unwrap();
        let to = at(number + 1 + number / networks.len() % (networks.len() - 1));
        world.plan(at_moment, Action::Move { host: *host, to, dark: DARK, takes: None });
    }
    world.run_until(END);
    if let Some((one, two)) = told.as_deref().and_then(|pair| pair.split_once('-')) {
        let names = world.names();
        for line in world.trace().story(&names, usize::MAX) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let of = |who: &str| words.get(1) == Some(&who);
            let about = |who: &str| line.contains(&format!("tells     {who}:"));
            if line.contains("***") && (words.contains(&one) || words.contains(&two))
                || of(one) && about(two)
                || of(two) && about(one)
            {
                eprintln!("{line}");
            }
        }
    }
    assert!(world.findings().is_empty(), "{:?}", world.findings());
    let mut mesh = Mesh { stalls: Vec::new(), silent: Vec::new() };
    for (name, traffic) in pairs {
        let outcome = world.outcome(traffic);
        if outcome.arrivals.last().is_none_or(|last| *last < END - secs(1) - HEARD) {
            mesh.silent.push(name.clone());
        }
        let late = |moment: &&Duration| **moment >= MOVES - every;
        let moments: Vec<Duration> = outcome.arrivals.iter().filter(late).copied().collect();
        let gap = moments.windows(2).map(|two| two[1] - two[0]).max().unwrap_or(END);
        mesh.stalls.push((gap.saturating_sub(every), name));
    }
    mesh.stalls.sort();
    mesh
}

impl Mesh {
    fn quantile(&self, percent: usize) -> Duration {
        self.stalls[(self.stalls.len() - 1) * percent / 100].0
    }

    /// The figures, in words.
    fn told(&self) -> String {
        let (worst, name) = self.stalls.last().expect("there are pairs");
        format!(
            "{} pairs: p50 {:?}, p95 {:?}, p99 {:?}, longest {worst:?} ({name}); silent: {:?}; worst {:?}",
            self.stalls.len(),
            self.quantile(50),
            self.quantile(95),
            self.quantile(99),
            self.silent,
            &self.stalls[self.stalls.len().saturating_sub(12)..],
        )
    }
}

#[test]
fn twelve_hosts_that_all_move_within_ten_seconds_lose_no_pair() {
    for seed in 1..=3 {
        let mesh = mesh(seed, 12, ms(50));
        eprintln!("{}", mesh.told());
        assert!(mesh.silent.is_empty(), "seed {seed}: {}", mesh.told());
        assert!(mesh.quantile(99) < secs(1), "seed {seed}: {}", mesh.told());
    }
}

#[test]
#[ignore = "most of a minute of processor: `cargo test -p stead-sim --test worlds -- --ignored forty`"]
fn forty_hosts_that_all_move_within_ten_seconds_lose_no_pair() {
    let mesh = mesh(1, 40, ms(100));
    eprintln!("{}", mesh.told());
    assert!(mesh.silent.is_empty(), "{}", mesh.told());
    assert!(mesh.quantile(99) < secs(1), "{}", mesh.told());
}
