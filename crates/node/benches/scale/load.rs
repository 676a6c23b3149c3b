//! One node of one size, and what each kind of work costs it.

use core::hint::black_box;
use core::net::Ipv6Addr;
use std::time::{Duration, Instant};

use stead_lct::{Attachment, OriginalSpecification, PathId, PeerId};
use stead_node::{Command, Event, Notice, Outlet, Sighting, Transmit};
use stead_wire::ip::Protocol;
use stead_wire::options::Capabilities;

use crate::figures::{Figures, resident};
use crate::hub::{Hub, Plan, Way, WayIn, attached, in_block, settings_of_hub, udp, virtual_address};

/// What there is more and more of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Growing {
    /// Peers in the configuration, one of them connected.
    Peers,
    /// Peers, all of them connected, which take turns.
    Sessions,
    /// Connections with one peer, which take turns.
    Connections,
    /// Blocks of addresses of one peer. Every packet is the first of a connection with the next block.
    Routes,
}

/// So much of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) what: Growing,
    pub(crate) count: u32,
}

/// Takes what the node has to say, and tells nobody.
struct Nowhere;

impl Outlet for Nowhere {
    fn transmit(&mut self, _: Transmit) {}
    fn packet(&mut self, _: Vec<u8>) {}
    fn event(&mut self, _: Event) {}
}

/// Packets of one round; few enough that their own bytes stay in the second-level cache.
const ROUND: usize = 512;

/// Rounds of which the middle one counts. Each goes on where the one before ended.
const ROUNDS: usize = 41;

/// Turns of the node of which the middle one counts.
const TURNS: usize = 1001;

/// Peers that are kept to seal what comes in, evenly spread.
const SEALING: u32 = 256;

/// Turns go round in steps of this many, so that no two neighbours in memory follow each other; it has no divisor in
/// common with any size.
const STEP: u32 = 7919;

impl Growing {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Peers => "peers",
            Self::Sessions => "sessions",
            Self::Connections => "connections",
            Self::Routes => "routes",
        }
    }
}

impl Size {
    pub(crate) fn parse(words: &[String]) -> Option<Self> {
        let all = [Growing::Peers, Growing::Sessions, Growing::Connections, Growing::Routes];
        let what = all.into_iter().find(|what| Some(what.name()) == words.first().map(String::as_str))?;
        Some(Self { what, count: words.get(1)?.parse().ok()? })
    }

    const fn plan(self) -> Plan {
        let (mut plan, count) =
            (Plan { peers: 1, routes: 1, connections: 65_536, able: Capabilities::FAST_AES }, self.count);
        match self.what {
            Growing::Peers | Growing::Sessions => plan.peers = count,
            Growing::Connections => plan.connections = count as usize + 1,
            Growing::Routes => plan.routes = count,
        }
        plan
    }

    /// Which peer is at the far end of a turn, and from which address and port.
    fn far_end(self, turn: u32) -> (u32, (Ipv6Addr, u16)) {
        let at = (u64::from(turn) * u64::from(STEP) % u64::from(self.count)) as u32;
        match self.what {
            Growing::Peers => (0, (virtual_address(1), 7)),
            Growing::Sessions => (at, (virtual_address(at + 1), 7)),
            Growing::Connections => (0, connection(at)),
            Growing::Routes => (0, (in_block(at, u64::from(turn)), 7)),
        }
    }
}

/// The far end of a connection with the first peer.
fn connection(number: u32) -> (Ipv6Addr, u16) {
    (in_block(0, u64::from(number >> 8)), 1000 + (number % 256) as u16)
}

pub(crate) fn measure(size: Size) -> Figures {
    let before = resident();
    let settings = settings_of_hub(size.plan());
    let began = Instant::now();
    let mut hub = Hub::of(settings);
    let start = began.elapsed();
    let configured = resident();
    let sealing = populate(&mut hub, size);
    let populated = resident();
    if size.what != Growing::Sessions {
        hub.connect(0);
    }
    let (out_64, out_p99) = outbound(&hub, size, 64);
    let (out_1400, _) = outbound(&hub, size, 1400);
    let (in_64, in_p99) = inbound(&mut hub, size, &sealing, 64);
    let (in_1400, _) = inbound(&mut hub, size, &sealing, 1400);
    let turn = turns(&mut hub);
    let status = timed(|| drop(black_box(hub.node.handle_command(Command::Status, hub.now))));
    let moved = timed(|| {
        hub.node.handle_attachment(attached([10, 0, 0, 2].into()), hub.now);
        hub.node.drain(&mut Nowhere);
    });
    let each = match size.what {
        Growing::Peers | Growing::Routes => configured - before,
        Growing::Sessions | Growing::Connections => populated - configured,
    };
    let gbits = |nanos: f64| 1400.0 * 8.0 / nanos;
    Figures([
        out_64,
        out_p99,
        in_64,
        in_p99,
        gbits(out_1400),
        gbits(in_1400),
        millis(start),
        each / f64::from(size.count),
        turn.as_secs_f64() * 1e6,
        millis(status),
        millis(moved),
    ])
}

/// Connects and fills; says which peers are to seal what comes in.
fn populate(hub: &mut Hub, size: Size) -> Vec<u32> {
    match size.what {
        Growing::Sessions => {
            let step = size.count.div_ceil(SEALING);
            for number in 0..size.count {
                hub.connect(number);
                if number % step != 0 {
                    // Its own node is not what is measured.
                    hub.spokes.remove(&number);
                }
            }
            (0..size.count).step_by(step as usize).collect()
        }
        Growing::Connections => {
            let place = Attachment { local: None, remote: Hub::arrival(0).source, path: PathId(1) };
            let place = std::sync::Arc::new(place);
            for number in 0..size.count {
                let (local, (ip, port)) = ((virtual_address_of_hub(), 7).into(), connection(number));
                let original =
                    OriginalSpecification { local, remote: (ip, port).into(), protocol: Protocol::UDP };
                hub.path.table().track(original, PeerId(0), &place, hub.now).expect("it is new");
            }
            vec![0]
        }
        Growing::Peers | Growing::Routes => vec![0],
    }
}

fn virtual_address_of_hub() -> Ipv6Addr {
    use std::sync::OnceLock;
    static ADDRESS: OnceLock<Ipv6Addr> = OnceLock::new();
    *ADDRESS.get_or_init(|| virtual_address(0))
}

/// What a packet out costs, and what one in a hundred costs more than.
fn outbound(hub: &Hub, size: Size, len: usize) -> (f64, f64) {
    let mut way = Way::new(&hub.path, hub.now);
    let here = (virtual_address_of_hub(), 7);
    let mut turn = len as u32;
    rounds(
        || {
            let mut packets = Vec::with_capacity(ROUND);
            for _ in 0..ROUND {
                turn += 1;
                packets.push(udp(here, size.far_end(turn).1, len));
            }
            packets
        },
        |packet: &mut Vec<u8>| {
            black_box(way.send(packet));
        },
    )
}

/// What a datagram in costs, and what one in a hundred costs more than.
fn inbound(hub: &mut Hub, size: Size, sealing: &[u32], len: usize) -> (f64, f64) {
    let mut ways: Vec<(u32, Way)> = Vec::new();
    for number in sealing {
        let path = hub.path_of(*number);
        ways.push((*number, Way::new(&path, hub.now)));
    }
    let mut way_in = WayIn::new(&hub.path, hub.now);
    let here = (virtual_address_of_hub(), 7);
    // Beyond what went out.
    let mut turn = len as u32 + 1_000_000;
    rounds(
        || {
            let mut datagrams = Vec::with_capacity(ROUND);
            for _ in 0..ROUND {
                turn += 1;
                let (number, way) = &mut ways[turn as usize % sealing.len()];
                let there = match size.what {
                    Growing::Sessions => (virtual_address(*number + 1), 7),
                    Growing::Peers | Growing::Connections | Growing::Routes => size.far_end(turn).1,
                };
                datagrams.push((*number, way.datagram(&udp(there, here, len))));
            }
            datagrams
        },
        |(number, datagram): &mut (u32, Vec<u8>)| {
            black_box(way_in.receive(*number, datagram));
        },
    )
}

/// Nanoseconds for each: the middle round's mean, and what one in a hundred exceeds.
fn rounds<I>(mut make: impl FnMut() -> Vec<I>, mut work: impl FnMut(&mut I)) -> (f64, f64) {
    let (mut means, mut singles) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let mut inputs = make();
        let began = Instant::now();
        if round % 2 == 0 {
            inputs.iter_mut().for_each(&mut work);
            means.push(began.elapsed().as_nanos() as f64 / inputs.len() as f64);
        } else {
            singles.extend(inputs.iter_mut().map(|input| {
                let began = Instant::now();
                work(input);
                began.elapsed().as_nanos() as f64
            }));
        }
    }
    (quantile(&mut means, 0.5), quantile(&mut singles, 0.99))
}

fn quantile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * share) as usize]
}

/// What the node does when a worker tells it of a peer, until it knows when to wake next: the middle one of many.
fn turns(hub: &mut Hub) -> Duration {
    let mut spent: Vec<Duration> = (0..TURNS)
        .map(|_| {
            timed(|| {
                hub.node.handle_notice(Notice { peer: PeerId(0), sighting: Sighting::Stirred }, hub.now);
                hub.node.drain(&mut Nowhere);
            })
        })
        .collect();
    spent.sort();
    spent[spent.len() / 2]
}

fn timed(work: impl FnOnce()) -> Duration {
    let began = Instant::now();
    work();
    began.elapsed()
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
