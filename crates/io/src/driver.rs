//! The daemon: one task that owns the [`Node`], and everything that feeds it.
//!
//! ```text
//!  control socket ─┐                        ┌─ datagrams ─> sockets
//!  address monitor ┼─> Node (this task) ────┼─ packets ───> TUN device
//!  timer ──────────┤        ^               └─ events ────> log
//!  workers' mail ──┘        │
//!                           └ PacketPath, shared with the workers
//! ```
//! # Life-cycle
//! [`Daemon::start`] → ready → [`Daemon::run_until`] told to end, or a client asks for it → everything that
//! was made is gone again.

use core::net::IpAddr;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use stead_node::{Command, LocalAttachment, Node, Order, Settings, Transmit};
use stead_wire::time::Instant;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tracing::{debug, info, trace};

use crate::MOST_WORKERS;
use crate::clock;
use crate::control::{Outcome, Question, Request, Server};
use crate::drops::IoDrops;
use crate::gate::Gate;
use crate::memory::Memory;
use crate::monitor::{Monitor, Own};
use crate::survivors;
use crate::tun::{Device, DeviceSettings, VirtualAddress};
use crate::udp::{Egress, Sender, UdpError, UdpSockets};
use crate::workers::{Mail, Shared, Workers, messages_of};

mod errors;
mod exits;
mod report;

pub use errors::{RunError, StartError};

use exits::Exits;
use report::About;

/// What a daemon is told at its start.
pub struct DaemonSettings {
    /// Name of the TUN device.
    pub interface: String,
    /// Virtual addresses of this node beside the one derived from its key.
    pub addresses: Vec<VirtualAddress>,
    /// Where the control socket goes.
    pub control_socket: PathBuf,
    /// Names of interfaces, with `*` for any characters, whose networks are to be used only if nothing else leads
    /// to a peer.
    pub metered: Vec<String>,
    /// A program and its arguments, to be told of each 5-tuple before it is used; see the crate's gate.
    pub path_hook: Option<Vec<String>>,
    /// Where the daemon remembers where its peers are, for the one that is started after it; `None`: nowhere.
    pub state_directory: Option<PathBuf>,
    /// How many workers carry packets, 1 to [`MOST_WORKERS`]: flows out of the TUN device and peers' datagrams into it are
    /// divided among them.
    pub workers: usize,
    /// The node's settings. A `listen_port` of 0 is replaced by the port that was found free.
    pub node: Settings,
}

/// A daemon that is at work.
pub struct Daemon {
    about: About,
    node: Node,
    exits: Exits,
    egress: Arc<Egress>,
    monitor: Monitor,
    memory: Memory,
    mails: mpsc::Receiver<Mail>,
    questions: mpsc::Receiver<Question>,
    control: JoinHandle<()>,
    workers: Workers,
    /// When the node wants to be woken.
    wake: Option<Instant>,
}

/// Questions that wait for the driver. Clients wait for their answers, so more would only be memory.
const QUESTIONS: usize = 16;

/// Most mails the node handles before it looks at anything else.
const MAILS: usize = 256;

/// How often the node is told of refusals before it must wait: they answer what it does about the ones before.
const REFUSALS: usize = 4;

impl Daemon {
    /// Brings everything up; traffic flows when this returns.
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn start(settings: DaemonSettings) -> Result<Self, StartError> {
        let DaemonSettings {
            interface,
            addresses,
            control_socket,
            metered,
            path_hook,
            state_directory,
            workers,
            mut node,
        } = settings;
        node.check()?;
        let memory = Memory::open(state_directory.as_deref(), &interface);
        let mut remembered = memory.take();
        for peer in &mut node.peers {
            peer.remembered = remembered.remove(&peer.public_key).unwrap_or_default();
        }
        let server = Server::bind(&control_socket).await?;
        let sockets = UdpSockets::bind_several(node.listen_port, None, workers.clamp(1, MOST_WORKERS))?;
        let sockets: Vec<_> = sockets.into_iter().map(Arc::new).collect();
        let first = sockets.first().ok_or(UdpError::NoFamily)?;
        node.listen_port = first.port();
        let device_settings = device_settings(interface, addresses, &node);
        let device = Arc::new(Device::create(&device_settings)?);
        let own = Own { interface: device.index(), mark: None, places: places(&node), metered };
        let monitor = Monitor::start(own).await.map_err(StartError::Monitor)?;

        let drops = Arc::new(IoDrops::default());
        let about = About {
            interface: device.name().to_owned(),
            addresses: device_settings.addresses,
            connections_limit: node.connections,
            attachment_changed: clock::now(),
            drops: Arc::clone(&drops),
            device: Arc::clone(&device),
            sockets: sockets.clone(),
        };
        let (mtu, port) = (usize::from(node.mtu), node.listen_port);
        let node = Node::new(node, seed()?, clock::wall(), clock::now())?;
        let egress = first.egress();
        let exits = Exits {
            sender: Sender::new(first).map_err(StartError::Workers)?,
            device: Arc::clone(&device),
            drops: Arc::clone(&drops),
            refused: BTreeSet::new(),
            believed: BTreeMap::new(),
            gate: path_hook.map(|program| Gate::new(program, &about.interface, port)),
        };
        let shared = Shared { path: node.packet_path(), device, drops, mtu };
        let (workers, mails) = Workers::start(&shared, &sockets).await.map_err(StartError::Workers)?;
        let (asking, questions) = mpsc::channel(QUESTIONS);
        let control = tokio::spawn(server.run(asking));
        let mut daemon = Self {
            about,
            node,
            exits,
            egress,
            monitor,
            memory,
            mails,
            questions,
            control,
            workers,
            wake: None,
        };
        daemon.attach().await;
        Ok(daemon)
    }

    /// Name of the TUN device.
    #[must_use]
    pub fn interface(&self) -> &str {
        &self.about.interface
    }

    /// This node's virtual addresses, the one derived from its key first.
    #[must_use]
    pub fn addresses(&self) -> &[VirtualAddress] {
        &self.about.addresses
    }

    /// Works until `shutdown` comes, or a client of the control socket asks to stop; then takes down what
    /// was brought up.
    ///
    /// # Errors
    /// See [`RunError`]; everything is taken down then, too.
    pub async fn run_until(mut self, shutdown: impl Future<Output = ()>) -> Result<(), RunError> {
        let mut shutdown = core::pin::pin!(shutdown);
        let outcome = loop {
            let end = tokio::select! {
                () = &mut shutdown => Some(Ok(())),
                end = self.turn() => end,
            };
            if let Some(outcome) = end {
                break outcome;
            }
        };
        self.take_down().await;
        outcome
    }

    /// Waits for one input and handles it; with an outcome if it was the last.
    async fn turn(&mut self) -> Option<Result<(), RunError>> {
        tokio::select! {
            Some(mail) = self.mails.recv() => {
                if let Some(error) = self.handle_mails(mail) {
                    let interface = self.about.interface.clone();
                    return Some(Err(RunError::InterfaceGone { interface, source: error }));
                }
            }
            attachment = self.monitor.next() => self.attached(attachment),
            waited = released(&mut self.exits.gate) => {
                waited.into_iter().for_each(|transmit| self.exits.send(&transmit));
            }
            Some(question) = self.questions.recv() => {
                if self.answer(question) {
                    return Some(Ok(()));
                }
            }
            () = clock::until(self.wake) => {}
        }
        self.settle();
        None
    }

    /// The host's attachment as it is at the start.
    async fn attach(&mut self) {
        let attachment = self.monitor.next().await;
        info!(
            interface = self.about.interface,
            v4 = ?attachment.default_source_v4,
            v6 = ?attachment.default_source_v6,
            addresses = attachment.addresses.len(),
            "Attached"
        );
        self.attached(attachment);
        let own: Vec<IpAddr> = self.about.addresses.iter().map(|address| address.ip).collect();
        let survivors = survivors::of(&own);
        if !survivors.is_empty() {
            info!(connections = survivors.len(), "Connections outlived the program that ran before");
        }
        self.node.handle_survivors(&survivors, clock::now());
        self.settle();
    }

    /// First the sockets learn how to leave over which network, then the node may use it.
    fn attached(&mut self, attachment: LocalAttachment) {
        let now = clock::now();
        self.about.attachment_changed = now;
        self.egress.pin(&attachment);
        self.node.handle_attachment(attachment, now);
    }

    /// Lets the node see the time, and everything that it has to say out.
    fn settle(&mut self) {
        let now = clock::now();
        if self.wake.is_some_and(|at| at <= now) {
            self.node.handle_timeout(now);
        }
        let mut next = self.node.drain(&mut self.exits);
        // What the node tries at once after a refusal may be refused as well; then it waits.
        for _ in 0..REFUSALS {
            let refused = core::mem::take(&mut self.exits.refused);
            if refused.is_empty() {
                break;
            }
            for (remote, local) in refused {
                self.node.handle_refusal(remote, local, now);
            }
            next = self.node.drain(&mut self.exits);
        }
        let believed = core::mem::take(&mut self.exits.believed);
        if !believed.is_empty() {
            for (remote, mtu) in believed {
                self.node.handle_mtu_hint(remote, mtu, now);
            }
            next = self.node.drain(&mut self.exits);
        }
        if let Some((at, wake)) = next {
            trace!(%wake, after = ?(at - now), "Timer");
        }
        self.memory.keep_if_due(&self.node, now);
        let writes = self.memory.due(&self.node, now);
        self.wake = next.map(|(at, _)| at).into_iter().chain(writes).min();
    }

    /// One mail and those that lie behind it; with an error if a worker ended.
    ///
    /// Packets go before all else: one of the others may let traffic flow, and what workers send then is newer.
    fn handle_mails(&mut self, first: Mail) -> Option<io::Error> {
        let now = clock::now();
        let behind = core::iter::from_fn(|| self.mails.try_recv().ok()).take(MAILS - 1);
        let (packets, others): (Vec<Mail>, Vec<Mail>) =
            core::iter::once(first).chain(behind).partition(|mail| matches!(mail, Mail::Packet(_)));
        for mail in packets.into_iter().chain(others) {
            match mail {
                Mail::Packet(packet) => self.node.handle_packet(&packet, now),
                Mail::Datagram(arrival, mut datagram) => {
                    self.node.handle_datagram(arrival, &mut datagram, now)
                }
                Mail::Notice(notice) => self.node.handle_notice(notice, now),
                Mail::Refused(remote, local) => self.node.handle_refusal(remote, local, now),
                Mail::Ended(error) => return Some(error),
            }
        }
        None
    }

    /// Answers a client; true if it asked the daemon to end.
    fn answer(&mut self, question: Question) -> bool {
        let now = clock::now();
        let outcome = match &question.request {
            Request::Status => {
                report::status(&self.about, self.node.handle_command(Command::Status, now), now)
            }
            Request::Connections => {
                report::connections(self.node.handle_command(Command::Connections, now), now)
            }
            Request::Suspend { peers } => {
                report::obeyed(self.node.handle_order(Order::Suspend, peers, now), now)
            }
            Request::Resume { peers } => {
                report::obeyed(self.node.handle_order(Order::Resume, peers, now), now)
            }
            Request::Stop => Outcome::Stopped(true),
        };
        // A client that has gone needs no answer.
        let _ = question.answer.send(outcome);
        question.request == Request::Stop
    }

    /// In the order in which nobody misses what goes: the services hear of it and the memory is written, then no new
    /// clients, no traffic, and the device.
    async fn take_down(mut self) {
        let now = clock::now();
        self.node.handle_end(now);
        self.node.drain(&mut self.exits);
        self.memory.keep(&self.node, now);
        drop(self.questions);
        // The server ends when nobody takes questions; its last answers and the socket file go with it.
        let _ = tokio::time::timeout(Duration::from_secs(1), self.control).await;
        let workers = self.workers;
        let _ = tokio::task::spawn_blocking(move || workers.stop()).await;
        if let Some(gate) = self.exits.gate {
            gate.shut().await;
        }
        debug!(interface = self.about.interface, "Taken down");
    }
}

/// Where peers and services are configured to be.
fn places(node: &Settings) -> Vec<IpAddr> {
    let peers = node.peers.iter().flat_map(|peer| &peer.endpoints);
    let services = node.services.iter().flat_map(|service| &service.endpoints);
    let places: BTreeSet<IpAddr> = peers.chain(services).map(|point| point.ip()).collect();
    places.into_iter().collect()
}

/// The device's half of the settings: the key's own address first, and a route for whatever is a peer's.
fn device_settings(interface: String, further: Vec<VirtualAddress>, node: &Settings) -> DeviceSettings {
    let own = VirtualAddress::host(node.secret.public_key().virtual_address().into());
    let addresses =
        core::iter::once(own).chain(further.into_iter().filter(|address| *address != own)).collect();
    let peers = node.peers.iter().flat_map(|peer| {
        let derived = stead_node::Prefix::host(peer.public_key.virtual_address().into());
        peer.allowed_ips.iter().copied().chain([derived])
    });
    let most_segments = messages_of(usize::from(node.mtu));
    DeviceSettings { name: interface, mtu: node.mtu, most_segments, addresses, peers: peers.collect() }
}

fn seed() -> Result<[u8; 32], StartError> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(StartError::Randomness)?;
    Ok(seed)
}

/// What waited for a path's program.
async fn released(gate: &mut Option<Gate>) -> Vec<Transmit> {
    match gate {
        Some(gate) => gate.next().await,
        None => core::future::pending().await,
    }
}
