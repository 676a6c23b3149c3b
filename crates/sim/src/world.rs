//! The world: networks, hosts and traffic on one virtual clock.
//!
//! It routes every datagram over links and through NATs, lets every machine, stack and application run when something
//! came for it or its time has come, and does what was planned. Nothing in it waits and nothing outside is asked: the
//! same plan with the same seed is the same run, byte for byte.
//!
//! # Life-cycle
//! [`World::new`] → networks, hosts, traffic, plans → [`World::run_until`], as often as wanted → the outcomes.

mod acts;
mod inspect;
mod power;
mod service;
mod underlay;

use stead_noise::keys::StaticSecret;
use stead_noise::random::{Random, RandomStream};
use stead_wire::time::{Duration, Instant, UnixTime};

use core::net::{Ipv4Addr, SocketAddr};

pub use acts::Action;
pub use inspect::{PeerPath, PeerSeen};
pub use underlay::ROUND_TRIP;

use crate::audit::{Audit, Finding};
use crate::clock::{Agenda, ORIGIN, since_origin};
use crate::datagram::Datagram;
use crate::dice::Dice;
use crate::host::{Host, HostPlan, Outage, by_name};
use crate::network::{HostId, Network, NetworkId, NetworkPlan};
use crate::trace::{Trace, What};
use crate::traffic::{Family, Flow, Outcome, Side, TcpFlow, TrafficKind, TrafficPlan, UdpFlow};

/// The calendar at the beginning of the world: 2026-01-01.
const CALENDAR: UnixTime = UnixTime(Duration::from_secs(1_767_225_600));

/// The first port of traffic; each has one of its own.
const FIRST_TRAFFIC_PORT: u16 = 7000;

/// The first port of a client.
const FIRST_CLIENT_PORT: u16 = 40_000;

/// See the module's documentation.
pub struct World {
    now: Instant,
    agenda: Agenda<Task>,
    networks: Vec<Network>,
    hosts: Vec<Host>,
    traffic: Vec<Running>,
    /// Where hosts were in the beginning.
    first_points: Vec<Vec<SocketAddr>>,
    begun: bool,
    draws: Draws,
    audit: Audit,
    trace: Trace,
    datagrams: u64,
}

/// What chance decides, a stream for each purpose.
struct Draws {
    keys: RandomStream,
    machines: RandomStream,
    stacks: RandomStream,
    nats: RandomStream,
    attackers: RandomStream,
    links: Dice,
    hosts: Dice,
}

/// What is planned.
enum Task {
    /// A datagram has reached the internet.
    Cross(Flight),
    /// A datagram has reached a network's router from outside.
    Enter(NetworkId, Flight),
    /// A datagram has crossed a network.
    Deliver(NetworkId, Flight),
    /// An attacker puts a datagram on a network's line.
    Inject(NetworkId, Flight),
    /// A deed of the plan.
    Do(Action),
    /// A host that travelled arrives, unless it has left for somewhere else since.
    Arrive { host: HostId, network: NetworkId, takes: Option<HostId>, travels: u64 },
    /// A pause ends.
    Resume(HostId),
    /// The address monitor notices that the host slept.
    Woke(HostId),
    /// A traffic begins.
    Open(usize),
    /// Time to look whether everything is as it must be.
    Inspect,
}

/// A datagram under way.
#[derive(Clone)]
struct Flight {
    /// Who sent it; `None` for an attacker.
    by: Option<HostId>,
    sent: Instant,
    datagram: Datagram,
}

/// A traffic that was planned.
struct Running {
    plan: TrafficPlan,
    port: u16,
    opened: bool,
    flow: Box<dyn Flow>,
}

impl World {
    /// An empty world, in which chance is what `seed` says. Writes no trace.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let random = Random::from_seed(bytes);
        let mut agenda = Agenda::default();
        agenda.put(ORIGIN + INSPECTIONS, Task::Inspect);
        Self {
            now: ORIGIN,
            agenda,
            networks: Vec::new(),
            hosts: Vec::new(),
            traffic: Vec::new(),
            first_points: Vec::new(),
            begun: false,
            draws: Draws {
                keys: random.stream("keys"),
                machines: random.stream("machines"),
                stacks: random.stream("stacks"),
                nats: random.stream("nats"),
                attackers: random.stream("attackers"),
                links: Dice::new(random.stream("links")),
                hosts: Dice::new(random.stream("hosts")),
            },
            audit: Audit::default(),
            trace: Trace::default(),
            datagrams: 0,
        }
    }

    /// From now on everything is written down; the last `most` lines are kept.
    pub fn keep_trace(&mut self, most: usize) {
        self.trace = Trace::keeping(most);
    }

    /// A network comes to be.
    pub fn network(&mut self, plan: NetworkPlan) -> NetworkId {
        let id = NetworkId(self.networks.len());
        let dice = Dice::new(own_stream(&mut self.draws.nats));
        self.networks.push(Network::new(plan, external_address(id), dice));
        id
    }

    /// A host comes to be, in the networks that its plan names.
    pub fn host(&mut self, plan: HostPlan) -> HostId {
        let id = HostId(self.hosts.len());
        let mut key = [0; 32];
        self.draws.keys.fill(&mut key);
        let at = plan.at.clone();
        let (secret, seed) = (StaticSecret::from_random(key), self.draws.stacks.next_u64());
        self.hosts.push(Host::new(plan, secret, virtual_v4(id), seed));
        for network in at {
            self.join(id, network, None);
        }
        self.first_points.push(self.hosts[id.0].points().collect());
        id
    }

    /// Traffic that will run. Returns its number, for [`outcome`](Self::outcome).
    pub fn traffic(&mut self, plan: TrafficPlan) -> usize {
        let number = self.traffic.len();
        let offset = u16::try_from(number).unwrap_or(0);
        let flow: Box<dyn Flow> = match plan.kind {
            TrafficKind::UdpTicker { every, lasts, size, dont_fragment } => {
                Box::new(UdpFlow::new(every, lasts, (size, dont_fragment)))
            }
            TrafficKind::TcpTicker { every, lasts } => {
                Box::new(TcpFlow::ticker(every, lasts, FIRST_CLIENT_PORT + offset))
            }
            TrafficKind::TcpBulk { bytes, rate } => {
                Box::new(TcpFlow::bulk(bytes, rate, FIRST_CLIENT_PORT + offset))
            }
        };
        self.agenda.put(ORIGIN + plan.start, Task::Open(number));
        self.traffic.push(Running { plan, port: FIRST_TRAFFIC_PORT + offset, opened: false, flow });
        number
    }

    /// Something that will be done `at` this long after the beginning.
    pub fn plan(&mut self, at: Duration, action: Action) {
        self.agenda.put(ORIGIN + at, Task::Do(action));
    }

    /// Lets the world go on until this long after its beginning.
    pub fn run_until(&mut self, end: Duration) {
        self.begin();
        let end = ORIGIN + end;
        loop {
            let woken = self.hosts.iter().filter_map(|host| host.wake).min();
            let task = self.agenda.next_at();
            let Some(next) = [task, woken].into_iter().flatten().min().filter(|next| *next <= end) else {
                break;
            };
            self.now = self.now.max(next);
            if task == Some(next) {
                self.do_next();
            } else {
                self.wake_hosts();
            }
        }
        self.now = self.now.max(end);
    }

    /// How long after the beginning it is.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        since_origin(self.now)
    }

    /// What became of a traffic so far.
    #[must_use]
    pub fn outcome(&self, traffic: usize) -> &Outcome {
        self.traffic[traffic].flow.outcome()
    }

    /// When a host could do nothing, for reasons of its own.
    #[must_use]
    pub fn outages(&self, host: HostId) -> &[Outage] {
        &self.hosts[host.0].outages
    }

    /// What must never happen and did.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        self.audit.findings()
    }

    /// What was written down.
    #[must_use]
    pub const fn trace(&self) -> &Trace {
        &self.trace
    }

    /// The hosts' names, by number.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        self.hosts.iter().map(|host| host.plan.name.as_str()).collect()
    }

    /// The host with this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<HostId> {
        by_name(&self.hosts, name)
    }

    /// Datagrams sent so far, by anybody.
    #[must_use]
    pub const fn datagrams(&self) -> u64 {
        self.datagrams
    }

    fn begin(&mut self) {
        if !core::mem::replace(&mut self.begun, true) {
            for id in (0..self.hosts.len()).map(HostId) {
                if self.hosts[id.0].attached.is_empty() {
                    self.hosts[id.0].begin_outage(crate::host::Why::Nowhere, self.now);
                }
                self.power_up(id);
            }
        }
    }

    fn do_next(&mut self) {
        match self.agenda.take() {
            Some(Task::Cross(flight)) => self.cross(flight),
            Some(Task::Enter(network, flight)) => self.enter(network, flight),
            Some(Task::Deliver(network, flight)) => self.deliver(network, flight),
            Some(Task::Inject(network, flight)) => self.inject(network, flight),
            Some(Task::Do(action)) => self.act(action),
            Some(Task::Arrive { host, network, takes, travels }) => {
                self.arrive(host, network, takes, travels)
            }
            Some(Task::Resume(host)) => self.resume(host),
            Some(Task::Woke(host)) => self.woke(host),
            Some(Task::Open(number)) => self.open(number),
            Some(Task::Inspect) => {
                self.inspect();
                self.agenda.put(self.now + INSPECTIONS, Task::Inspect);
            }
            None => {}
        }
    }

    fn wake_hosts(&mut self) {
        let now = self.now;
        for id in (0..self.hosts.len()).map(HostId) {
            if self.hosts[id.0].wake.is_some_and(|wake| wake <= now) {
                self.service(id);
            }
        }
    }

    /// Opens a traffic: first the end that listens.
    fn open(&mut self, number: usize) {
        let now = self.now;
        let running = &mut self.traffic[number];
        let (from, to, over) = (running.plan.from, running.plan.to, running.plan.over);
        let (client, server) = (&self.hosts[from.0], &self.hosts[to.0]);
        let shared = |v4: bool| client.address(v4).and(server.address(v4));
        let address = match over {
            Some(family) => shared(family == Family::V4),
            None if server.is_bare() => shared(true).or_else(|| shared(false)),
            None => shared(false),
        };
        let Some(address) = address else { return };
        let remote = SocketAddr::new(address, running.port);
        running.opened = true;
        running.flow.open(Side::Server, &mut self.hosts[to.0].stack, remote, now);
        running.flow.open(Side::Client, &mut self.hosts[from.0].stack, remote, now);
        self.service(to);
        self.service(from);
    }

    fn note(&mut self, what: impl FnOnce() -> What) {
        self.trace.note(self.now, what);
    }
}

/// How often everything is looked at.
const INSPECTIONS: Duration = Duration::from_secs(1);

/// The address of a network's router on the internet (a documentation prefix, RFC 5737, wide enough for all).
fn external_address(id: NetworkId) -> Ipv4Addr {
    let number = u32::try_from(id.0).unwrap_or(0) + 1;
    Ipv4Addr::from_bits(Ipv4Addr::new(203, 0, 113, 0).to_bits() + number)
}

/// The IPv4 virtual address of a host (the shared address space, RFC 6598), which its peers are told to be its.
fn virtual_v4(id: HostId) -> Ipv4Addr {
    let number = u32::try_from(id.0).unwrap_or(0) + 1;
    Ipv4Addr::from_bits(Ipv4Addr::new(100, 64, 0, 0).to_bits() + number)
}

/// A stream of its own, made of another's next bytes.
fn own_stream(of: &mut RandomStream) -> RandomStream {
    let mut seed = [0; 32];
    of.fill(&mut seed);
    Random::from_seed(seed).stream("own")
}
