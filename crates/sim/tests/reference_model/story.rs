//! What a seed draws: a world, its traffic, and what goes wrong in it.

use stead_noise::random::Random;
use stead_sim::{
    Action, Attack, Dice, HostId, HostPlan, LinkPlan, NatPlan, NetworkId, NetworkPlan, Prefix, Role,
    TrafficKind, TrafficPlan, World,
};
use stead_wire::time::Duration;

/// When trouble begins, and when everything is well again.
const TROUBLE: Duration = Duration::from_secs(2);
const CALM: Duration = Duration::from_secs(20);

/// How long after that everything must have arrived. A TCP that backed off waits for 12 s at most, a handshake is tried
/// every 5 s, and an old session is noticed after 15 s.
pub(crate) const LONG_ENOUGH: Duration = Duration::from_secs(60);

/// A drawn world.
#[derive(Debug)]
pub(crate) struct Story {
    seed: u64,
    networks: Vec<NetworkPlan>,
    /// In which network each node begins.
    homes: Vec<usize>,
    /// How many services there are, all in the first network.
    services: usize,
    pub(crate) traffic: Vec<(usize, usize, TrafficKind, Duration)>,
    trouble: Vec<(Duration, Trouble)>,
}

/// Something goes wrong, or somewhere else.
#[derive(Clone, Debug)]
enum Trouble {
    Move { host: usize, to: usize, dark: Duration },
    Attach { host: usize, network: usize },
    Unplug { host: usize },
    Die { host: usize, lasts: Duration },
    Freeze { host: usize, lasts: Duration },
    Sleep { host: usize, lasts: Duration },
    Reboot { network: usize },
    Link { network: usize, link: LinkPlan },
    Attack { network: usize, lasts: Duration },
}

/// A world that was played.
pub(crate) struct Played {
    pub(crate) world: World,
    pub(crate) hosts: Vec<HostId>,
    pub(crate) traffic: Vec<usize>,
}

impl Story {
    pub(crate) fn draw(seed: u64) -> Self {
        let mut bytes = [7; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let dice = &mut Dice::new(Random::from_seed(bytes).stream("story"));
        let networks: Vec<NetworkPlan> =
            (0..3 + small(dice, 3)).map(|number| network(number, dice)).collect();
        let homes = (0..2 + small(dice, 3)).map(|_| small(dice, networks.len())).collect();
        let services = 1 + small(dice, 2);
        let mut story = Self { seed, networks, homes, services, traffic: Vec::new(), trouble: Vec::new() };
        story.traffic = (0..2 + small(dice, 4)).map(|_| story.draw_traffic(dice)).collect();
        story.trouble = (0..1 + small(dice, 10)).map(|_| story.draw_trouble(dice)).collect();
        story.trouble.sort_by_key(|(at, _)| *at);
        story
    }

    /// Between any two nodes.
    fn draw_traffic(&self, dice: &mut Dice) -> (usize, usize, TrafficKind, Duration) {
        let from = small(dice, self.homes.len());
        let to = (from + 1 + small(dice, self.homes.len() - 1)) % self.homes.len();
        let lasts = dice.between(secs(3), secs(15));
        let kind = match dice.below(3) {
            0 => TrafficKind::TcpTicker { every: ms(20), lasts },
            1 => TrafficKind::udp_ticker(ms(20), lasts),
            _ => TrafficKind::TcpBulk { bytes: 50_000 + dice.below(500_000), rate: Some(1_000_000) },
        };
        let start = dice.up_to(secs(4));
        (from, to, kind, start)
    }

    fn draw_trouble(&self, dice: &mut Dice) -> (Duration, Trouble) {
        let at = dice.between(TROUBLE, CALM - secs(5));
        let host = small(dice, self.homes.len());
        let network = small(dice, self.networks.len());
        let lasts = dice.up_to(secs(5));
        let trouble = match dice.below(12) {
            0..4 => Trouble::Move { host, to: network, dark: if dice.chance(0.3) { ms(0) } else { lasts } },
            4 => Trouble::Attach { host, network },
            5 => Trouble::Unplug { host },
            6 => Trouble::Die { host: small(dice, self.homes.len() + self.services), lasts },
            7 => Trouble::Freeze { host, lasts },
            8 => Trouble::Sleep { host, lasts },
            9 => Trouble::Reboot { network },
            10 => Trouble::Link { network, link: bad_link(dice) },
            _ => Trouble::Attack { network, lasts },
        };
        (at, trouble)
    }

    /// Plays it, with so many records of a log.
    pub(crate) fn play(&self, remembered: usize) -> Played {
        let mut world = World::new(self.seed);
        world.keep_trace(remembered);
        let networks: Vec<NetworkId> = self.networks.iter().map(|plan| world.network(plan.clone())).collect();
        // Everybody knows everybody's key, where the services are, and nothing else.
        let nodes = self.homes.iter().map(|home| (HostPlan::node("", networks[*home]), "node"));
        let service = || HostPlan::node("", networks[0]).with_role(Role::SNS);
        let services = (0..self.services).map(|_| (service(), "sns"));
        let named = nodes.chain(services).enumerate();
        let plans = named.map(|(number, (plan, role))| HostPlan { name: format!("{role}{number}"), ..plan });
        let hosts: Vec<HostId> = plans.map(|plan| world.host(plan)).collect();
        let planned = self.traffic.iter().zip(0..).map(|((from, to, kind, start), number)| TrafficPlan {
            name: format!("traffic {number}"),
            kind: *kind,
            from: hosts[*from],
            to: hosts[*to],
            start: *start,
            over: None,
        });
        let traffic = planned.collect::<Vec<_>>().into_iter().map(|plan| world.traffic(plan)).collect();
        for (at, trouble) in &self.trouble {
            for (at, action) in actions(*at, trouble, &hosts, &networks) {
                world.plan(at, action);
            }
        }
        self.calm_down(&mut world, &hosts, &networks);
        world.run_until(CALM + LONG_ENOUGH);
        Played { world, hosts, traffic }
    }

    /// Everybody has a network, every line is as it was.
    fn calm_down(&self, world: &mut World, hosts: &[HostId], networks: &[NetworkId]) {
        for (network, plan) in networks.iter().zip(&self.networks) {
            world.plan(CALM, Action::ChangeLink { network: *network, up: plan.up, down: plan.down });
        }
        for (host, home) in hosts.iter().zip(&self.homes) {
            world.plan(CALM, Action::Attach { host: *host, network: networks[*home] });
        }
    }
}

fn actions(
    at: Duration,
    trouble: &Trouble,
    hosts: &[HostId],
    networks: &[NetworkId],
) -> Vec<(Duration, Action)> {
    let one = |action| vec![(at, action)];
    match *trouble {
        Trouble::Move { host, to, dark } => {
            one(Action::Move { host: hosts[host], to: networks[to], dark, takes: None })
        }
        Trouble::Attach { host, network } => {
            one(Action::Attach { host: hosts[host], network: networks[network] })
        }
        Trouble::Unplug { host } => one(Action::Unplug { host: hosts[host] }),
        Trouble::Die { host, lasts } => {
            let host = hosts[host];
            vec![(at, Action::Kill { host }), (at + lasts, Action::Start { host })]
        }
        Trouble::Freeze { host, lasts } => one(Action::Freeze { host: hosts[host], lasts }),
        Trouble::Sleep { host, lasts } => one(Action::Sleep { host: hosts[host], lasts }),
        Trouble::Reboot { network } => one(Action::RebootNat { network: networks[network] }),
        Trouble::Link { network, link } => {
            one(Action::ChangeLink { network: networks[network], up: link, down: link })
        }
        Trouble::Attack { network, lasts } => {
            one(Action::Attack { network: networks[network], attack: Attack::Any, lasts })
        }
    }
}

/// The first is public and has both families; every host can be there.
fn network(number: usize, dice: &mut Dice) -> NetworkPlan {
    let prefix = |text: String, len| Prefix::new(text.parse().expect("an address"), len);
    let v4 = prefix(format!("10.{}.0.0", number + 1), 24);
    let v6 = prefix(format!("2001:db8:{}::", number + 1), 64);
    let name = format!("net{number}");
    if number == 0 {
        return NetworkPlan::new(&name, v4, v6);
    }
    let plan = match dice.below(4) {
        0 => NetworkPlan::new(&name, None, v6),
        1 => NetworkPlan::new(&name, v4, v6),
        _ => NetworkPlan::new(&name, v4, None),
    };
    let kinds = [
        NatPlan::full_cone(),
        NatPlan::address_restricted(),
        NatPlan::port_restricted(),
        NatPlan::symmetric(),
    ];
    let nat = if dice.chance(0.6) { dice.pick(&kinds).copied() } else { None };
    let link = LinkPlan { delay: dice.up_to(ms(50)), jitter: dice.up_to(ms(10)), ..LinkPlan::default() };
    NetworkPlan { nat, ..plan }.over(link)
}

fn bad_link(dice: &mut Dice) -> LinkPlan {
    let share = |dice: &mut Dice, most: u64| f64::from(u32::try_from(dice.below(most)).unwrap_or(0)) / 1000.0;
    LinkPlan {
        delay: dice.up_to(ms(200)),
        jitter: dice.up_to(ms(50)),
        loss: share(dice, 300),
        duplicate: share(dice, 100),
        reorder: share(dice, 200),
        ..LinkPlan::default()
    }
}

fn small(dice: &mut Dice, bound: usize) -> usize {
    usize::try_from(dice.below(bound as u64)).unwrap_or(0)
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
