//! What a host of a scenario runs: started, killed, frozen, and asked in the end.

use std::collections::BTreeMap;
use std::net::{Ipv6Addr, SocketAddr};
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::error::RigError;
use crate::host::Host;
use crate::process::Process;
use crate::report::{Control, PeerReport, StatusReport};
use crate::scenario::measured::{HostMeasured, PairMeasured};
use crate::scenario::{Measured, PathKind, Role};
use crate::tunnel::{self, wireguard_go};

use super::configuration::Plan;

/// A host's program; none on a bare host.
#[derive(Debug, Default)]
pub(super) struct Program(Option<Running>);

#[derive(Debug)]
struct Running {
    host: Host,
    plan: Plan,
    process: Option<Process>,
    control: Option<Control>,
    /// What the runs before this one counted, and printed.
    before: Before,
}

#[derive(Debug, Default)]
struct Before {
    pairs: BTreeMap<String, Tally>,
    drops: BTreeMap<String, u64>,
    printed: String,
}

/// What the runs of a node counted of one peer.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    handshakes: u64,
    suspensions: u64,
    suspended: Duration,
}

impl Tally {
    fn add(&mut self, peer: &PeerReport) {
        self.handshakes += peer.handshakes;
        self.suspensions += peer.suspensions;
        self.suspended = self.suspended.max(Duration::from_micros(peer.longest_suspension));
    }
}

impl Program {
    pub(super) const fn none() -> Self {
        Self(None)
    }

    pub(super) fn new(host: &Host, plan: Plan) -> Self {
        let host = host.clone();
        Self(Some(Running { host, plan, process: None, control: None, before: Before::default() }))
    }

    /// Starts it, and returns when it is ready.
    pub(super) fn start(&mut self) -> Result<(), RigError> {
        self.0.as_mut().map_or(Ok(()), Running::start)
    }

    /// Ends it without a word.
    pub(super) fn kill(&mut self) -> Result<(), RigError> {
        self.end(|process| process.kill().map(drop))
    }

    /// Asks it to end.
    pub(super) fn stop(&mut self) -> Result<(), RigError> {
        self.end(|process| process.terminate(GRACE).map(drop))
    }

    /// Takes the processor away from it.
    pub(super) fn freeze(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// Gives it back.
    pub(super) fn thaw(&self) {
        self.signal(Signal::SIGCONT);
    }

    /// Adds what it knows, counted and printed.
    pub(super) fn tell(&self, name: &str, measured: &mut Measured) {
        let Some(running) = &self.0 else { return };
        if running.plan.role == Role::Node {
            running.tell(name, measured);
        }
        let printed = running.process.as_ref().map(Process::log).unwrap_or_default();
        let (before, role) = (&running.before.printed, running.plan.role);
        measured.notes.push(format!("--- {name} ({role:?}) printed:\n{before}{printed}"));
    }

    fn end(&mut self, how: impl FnOnce(&mut Process) -> Result<(), RigError>) -> Result<(), RigError> {
        let Some(running) = &mut self.0 else { return Ok(()) };
        running.remember();
        let Some(mut process) = running.process.take() else { return Ok(()) };
        let ended = how(&mut process);
        running.before.printed += &process.log();
        ended
    }

    fn signal(&self, signal: Signal) {
        if let Some(process) = self.0.as_ref().and_then(|running| running.process.as_ref()) {
            process.signal(signal);
        }
    }
}

impl Running {
    fn start(&mut self) -> Result<(), RigError> {
        let host = &self.host;
        let process = match self.plan.role {
            Role::Node => {
                let text = self.plan.node(SOCKET, KEY_FILE);
                let file = tunnel::write_secret(host, "stead.yaml", text)?;
                let mut command = tunnel::stead_command(&["up"])?;
                command.arg(file);
                self.control = Some(Control::new(host, SOCKET));
                ready(host.spawn(command)?)?
            }
            Role::Sns { window, relay } => {
                let text = Plan::service(window, relay, SOCKET, KEY_FILE);
                let file = tunnel::write_secret(host, "sns.yaml", text)?;
                let mut command = tunnel::stead_command(&["sns", "--config"])?;
                command.arg(file);
                ready(host.spawn(command)?)?
            }
            Role::WireGuard => {
                let identity = &self.plan.identity;
                let own = identity.prefixes();
                let peers = self.plan.known.iter().flat_map(|peer| peer.identity.prefixes());
                wireguard_go::launch(host, self.plan.wireguard(), &own, &peers.collect::<Vec<_>>())?
            }
            Role::Bare => return Ok(()),
        };
        self.process = Some(process);
        Ok(())
    }

    /// Keeps what a run counted that is about to end.
    fn remember(&mut self) {
        let Some(status) = self.status() else { return };
        for peer in &status.peers {
            self.before.pairs.entry(peer.name.clone()).or_default().add(peer);
        }
        for (reason, count) in &status.drops {
            *self.before.drops.entry(reason.clone()).or_default() += count;
        }
    }

    fn status(&self) -> Option<StatusReport> {
        self.process.as_ref()?;
        self.control.as_ref()?.status().ok()
    }

    fn tell(&self, name: &str, measured: &mut Measured) {
        let Some(status) = self.status() else { return };
        let mut drops = self.before.drops.clone();
        for (reason, count) in &status.drops {
            *drops.entry(reason.clone()).or_default() += count;
        }
        let forged =
            drops.iter().filter(|(reason, _)| reason.starts_with(FORGED)).map(|(_, count)| count).sum();
        measured.hosts.insert(name.to_owned(), HostMeasured { forged, drops });
        for peer in &status.peers {
            let mut tally = self.before.pairs.get(&peer.name).copied().unwrap_or_default();
            tally.add(peer);
            let pair = pair(peer, tally);
            measured.pairs.insert((name.to_owned(), peer.name.clone()), pair);
        }
    }
}

/// What a node says of a peer, in the scenario's words.
fn pair(peer: &PeerReport, tally: Tally) -> PairMeasured {
    let remote = peer.path.as_ref().map(|path| path.remote.clone());
    let kind = remote.as_deref().map(|remote| match remote.parse::<SocketAddr>() {
        Ok(SocketAddr::V6(address)) if is_relay(*address.ip()) => PathKind::Relayed,
        _ => PathKind::Direct,
    });
    PairMeasured {
        handshakes: tally.handshakes,
        suspensions: tally.suspensions,
        suspended: tally.suspended,
        path: kind,
        remote,
        enhanced: match peer.kind.as_str() {
            "vc-enhanced" => Some(true),
            "plain" => Some(false),
            _ => None,
        },
        cipher: peer.cipher.as_deref().map(str::to_lowercase),
    }
}

/// Whether an address stands for a relay: the dummy prefix of RFC 9780.
fn is_relay(address: Ipv6Addr) -> bool {
    address.segments()[..4] == [0x100, 0, 0, 1]
}

fn ready(process: Process) -> Result<Process, RigError> {
    process.wait_for(READY, READY_PATIENCE)?;
    Ok(process)
}

const SOCKET: &str = "/run/rig/stead0.sock";
const KEY_FILE: &str = "private.key";
/// How the labels of drops begin that failed authentication.
const FORGED: &str = "forged-";
/// What every program of this project prints once it is ready.
const READY: &str = "stead: ready";
/// It takes milliseconds; a debug build on a busy machine may take seconds.
const READY_PATIENCE: Duration = Duration::from_secs(20);
/// How long a program may take to tidy up after SIGTERM.
const GRACE: Duration = Duration::from_secs(3);
