//! The gate: a program of the host's owner is told of each 5-tuple of the tunnel before the first datagram of it goes,
//! and when it is no longer used, so that firewall rules can follow a move (seed 002 claim 7: dynamically adding and
//! withdrawing the filtering rules during the tuple update).
//!
//! The program is run without a shell, one run at a time, in the order of the changes. What it is told stands in its
//! environment: `STEAD_CHANGE` is `reset` at the start, `open` or `withdraw`; for both ends of the path before and the path
//! after there are `STEAD_OLD_…` and `STEAD_NEW_…`: `LOCAL_ADDRESS`, `LOCAL_PORT`, `REMOTE_ADDRESS`, `REMOTE_PORT`, and
//! `FAMILY`, `ip` or `ip6`, as nft calls them; and `STEAD_PEER` and `STEAD_INTERFACE`. What is not known is not there.
//!
//! # Invariants
//! - A program that hangs is killed after [`PATIENCE`]; one that fails is told of in the log. The datagrams go all the same.
//! - At most [`MOST_TUPLES`] are told of at once; what is more goes without the program.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};
use std::process::Stdio;

use stead_node::{Ends, Transmit};
use stead_wire::time::Instant;
use tokio::process::Command;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tracing::{debug, warn};

use crate::clock;

/// How long datagrams wait for the program, and the program may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long the old tuple's rules stay after a move: what is still under way may arrive.
const LINGER: Duration = Duration::from_secs(5);

/// Tuples told of at once. A host has a few paths for each peer it speaks with.
const MOST_TUPLES: usize = 256;

/// Datagrams that wait for one tuple's program; the node repeats what matters.
const MOST_WAITING: usize = 64;

/// First byte of a cookie reply: goes to a stranger, under load only.
const COOKIE_REPLY: u8 = 3;

/// From where to where.
type Tuple = (Option<IpAddr>, SocketAddr);

/// See the module's documentation.
pub(crate) struct Gate {
    port: u16,
    tuples: BTreeMap<Tuple, Standing>,
    /// The path in use to each peer.
    active: BTreeMap<String, Ends>,
    retiring: VecDeque<(Instant, String, Ends)>,
    jobs: mpsc::UnboundedSender<Job>,
    opened: mpsc::UnboundedReceiver<Tuple>,
    runner: JoinHandle<()>,
}

enum Standing {
    /// The program was told, and these wait for it.
    Told(Vec<Transmit>),
    /// Datagrams may go.
    Open,
}

/// One run of the program.
struct Job {
    environment: Vec<(&'static str, String)>,
    opens: Option<Tuple>,
}

impl Gate {
    /// A gate that tells `program`, its first element the program itself. `port` is ours.
    pub(crate) fn new(program: Vec<String>, interface: &str, port: u16) -> Self {
        let (jobs, waiting) = mpsc::unbounded_channel();
        let (done, opened) = mpsc::unbounded_channel();
        let runner = tokio::spawn(run_all(program, interface.to_owned(), waiting, done));
        let (tuples, active, retiring) = (BTreeMap::new(), BTreeMap::new(), VecDeque::new());
        let gate = Self { port, tuples, active, retiring, jobs, opened, runner };
        gate.tell("reset", None, (None, None), None);
        gate
    }

    /// Gives back what may go at once, and keeps what has to wait.
    pub(crate) fn pass(&mut self, transmit: Transmit) -> Option<Transmit> {
        if transmit.datagram.first() == Some(&COOKIE_REPLY) {
            return Some(transmit);
        }
        let tuple = (transmit.local, transmit.remote);
        let crowded = self.tuples.len() >= MOST_TUPLES;
        match self.tuples.get_mut(&tuple) {
            Some(Standing::Open) => Some(transmit),
            Some(Standing::Told(waiting)) => {
                if waiting.len() < MOST_WAITING {
                    waiting.push(transmit);
                }
                None
            }
            None if crowded => Some(transmit),
            None => {
                self.open(tuple, vec![transmit]);
                None
            }
        }
    }

    /// The path to `peer` is another one now: the rules for the one before are withdrawn in a while.
    pub(crate) fn moved(&mut self, peer: &str, from: Option<Ends>, to: Ends) {
        self.active.insert(peer.to_owned(), to);
        if !self.tuples.contains_key(&tuple(to)) && self.tuples.len() < MOST_TUPLES {
            self.open(tuple(to), Vec::new());
        }
        if let Some(from) = from {
            self.retiring.push_back((clock::now() + LINGER, peer.to_owned(), from));
        }
    }

    /// Waits until the program has been told of a tuple, and returns what waited for it.
    pub(crate) async fn next(&mut self) -> Vec<Transmit> {
        loop {
            let due = self.retiring.front().map(|(at, ..)| *at);
            tokio::select! {
                Some(tuple) = self.opened.recv() => {
                    return match self.tuples.insert(tuple, Standing::Open) {
                        Some(Standing::Told(waiting)) => waiting,
                        Some(Standing::Open) | None => Vec::new(),
                    };
                }
                () = clock::until(due) => self.retire(),
            }
        }
    }

    /// Withdraws everything and waits for the program.
    pub(crate) async fn shut(mut self) {
        for (local, remote) in core::mem::take(&mut self.tuples).into_keys() {
            let old = self.ends(local, remote);
            self.tell("withdraw", None, (Some(old), None), None);
        }
        let Self { jobs, mut runner, .. } = self;
        drop(jobs);
        if timeout(PATIENCE, &mut runner).await.is_err() {
            runner.abort();
        }
    }

    fn open(&mut self, tuple: Tuple, waiting: Vec<Transmit>) {
        let (local, remote) = tuple;
        // Our move leaves the peer where it is; if the peer moves, it is known only where there is no other.
        let at_remote = self.active.iter().find(|(_, ends)| ends.remote == remote);
        let only = self.active.iter().next().filter(|_| self.active.len() == 1);
        let (peer, old) = at_remote.or(only).map_or((None, None), |(peer, old)| (Some(peer), Some(*old)));
        let new = self.ends(local, remote);
        self.tell("open", peer.map(String::as_str), (old, Some(new)), Some(tuple));
        self.tuples.insert(tuple, Standing::Told(waiting));
    }

    /// Withdraws what was left long enough ago, unless it is in use again.
    fn retire(&mut self) {
        let now = clock::now();
        while self.retiring.front().is_some_and(|(at, ..)| *at <= now) {
            let Some((_, peer, old)) = self.retiring.pop_front() else { return };
            let used = self.active.values().any(|ends| tuple(*ends) == tuple(old));
            if !used && self.tuples.remove(&tuple(old)).is_some() {
                let new = self.active.get(&peer).copied();
                self.tell("withdraw", Some(&peer), (Some(old), new), None);
            }
        }
    }

    fn ends(&self, local: Option<IpAddr>, remote: SocketAddr) -> Ends {
        Ends { local: local.map(|ip| SocketAddr::new(ip, self.port)), remote }
    }

    fn tell(
        &self,
        change: &str,
        peer: Option<&str>,
        (old, new): (Option<Ends>, Option<Ends>),
        opens: Option<Tuple>,
    ) {
        let mut environment = vec![("STEAD_CHANGE", change.to_owned())];
        environment.extend(peer.map(|peer| ("STEAD_PEER", peer.to_owned())));
        environment.extend(old.iter().flat_map(|ends| described(ends, &OLD)));
        environment.extend(new.iter().flat_map(|ends| described(ends, &NEW)));
        // The runner ends after the gate.
        let _ = self.jobs.send(Job { environment, opens });
    }
}

const OLD: [&str; 5] = [
    "STEAD_OLD_FAMILY",
    "STEAD_OLD_REMOTE_ADDRESS",
    "STEAD_OLD_REMOTE_PORT",
    "STEAD_OLD_LOCAL_ADDRESS",
    "STEAD_OLD_LOCAL_PORT",
];

const NEW: [&str; 5] = [
    "STEAD_NEW_FAMILY",
    "STEAD_NEW_REMOTE_ADDRESS",
    "STEAD_NEW_REMOTE_PORT",
    "STEAD_NEW_LOCAL_ADDRESS",
    "STEAD_NEW_LOCAL_PORT",
];

fn described(ends: &Ends, names: &[&'static str; 5]) -> Vec<(&'static str, String)> {
    let family = if ends.remote.is_ipv4() { "ip" } else { "ip6" };
    let mut values = vec![family.to_owned(), ends.remote.ip().to_string(), ends.remote.port().to_string()];
    values.extend(ends.local.iter().flat_map(|local| [local.ip().to_string(), local.port().to_string()]));
    names.iter().copied().zip(values).collect()
}

fn tuple(ends: Ends) -> Tuple {
    (ends.local.map(|local| local.ip()), ends.remote)
}

/// Runs the program for one change after the other.
async fn run_all(
    program: Vec<String>,
    interface: String,
    mut waiting: mpsc::UnboundedReceiver<Job>,
    done: mpsc::UnboundedSender<Tuple>,
) {
    while let Some(job) = waiting.recv().await {
        run(&program, &interface, &job.environment).await;
        if let Some(tuple) = job.opens {
            let _ = done.send(tuple);
        }
    }
}

async fn run(program: &[String], interface: &str, environment: &[(&'static str, String)]) {
    let Some((name, arguments)) = program.split_first() else { return };
    let mut command = Command::new(name);
    command.args(arguments).env("STEAD_INTERFACE", interface).stdin(Stdio::null()).kill_on_drop(true);
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    let change = environment.first().map_or("", |(_, change)| change);
    match timeout(PATIENCE, command.output()).await {
        Ok(Ok(output)) if output.status.success() => debug!(program = name, change, "Told of a path"),
        Ok(Ok(output)) => {
            let said = String::from_utf8_lossy(&output.stderr).trim().replace(char::is_control, " ");
            warn!(program = name, change, status = %output.status, "Path hook failed: {said}");
        }
        Ok(Err(error)) => warn!(program = name, change, %error, "Path hook cannot be run"),
        Err(_elapsed) => warn!(program = name, change, "Path hook took longer than 2 s and was killed"),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn transmit(local: &str) -> Transmit {
        let (local, remote) = (Some(local.parse().unwrap()), "192.0.2.1:7".parse().unwrap());
        Transmit { remote, local, datagram: vec![4, 0, 0, 0], whole: false }
    }

    fn ends(local: &str) -> Ends {
        Ends {
            local: Some(format!("{local}:51820").parse().unwrap()),
            remote: "192.0.2.1:7".parse().unwrap(),
        }
    }

    /// A gate whose program writes down what it is told.
    fn gate(folder: &std::path::Path, script: &str) -> Gate {
        let told = folder.join("told");
        let script = format!(
            "{script}; echo $STEAD_CHANGE $STEAD_PEER $STEAD_OLD_LOCAL_ADDRESS to $STEAD_NEW_FAMILY \
             $STEAD_NEW_LOCAL_ADDRESS $STEAD_NEW_LOCAL_PORT $STEAD_NEW_REMOTE_ADDRESS $STEAD_NEW_REMOTE_PORT >> {}",
            told.display()
        );
        Gate::new(vec!["/bin/sh".into(), "-c".into(), script], "stead0", 51820)
    }

    #[tokio::test]
    async fn the_first_datagram_of_a_tuple_waits_for_the_program_and_the_others_do_not() {
        let folder = tempfile::tempdir().unwrap();
        let mut gate = gate(folder.path(), "true");
        assert_eq!(gate.pass(transmit("10.1.0.2")), None);
        assert_eq!(gate.next().await, [transmit("10.1.0.2")]);
        assert_eq!(gate.pass(transmit("10.1.0.2")), Some(transmit("10.1.0.2")));
        gate.moved("home", None, ends("10.1.0.2"));
        assert_eq!(gate.pass(transmit("10.7.0.2")), None);
        assert_eq!(gate.pass(transmit("10.7.0.2")), None);
        assert_eq!(gate.next().await.len(), 2);
        gate.shut().await;

        let told = std::fs::read_to_string(folder.path().join("told")).unwrap();
        let lines: Vec<&str> = told.lines().collect();
        assert_eq!(
            lines,
            [
                "reset to",
                "open to ip 10.1.0.2 51820 192.0.2.1 7",
                "open home 10.1.0.2 to ip 10.7.0.2 51820 192.0.2.1 7",
                "withdraw 10.1.0.2 to",
                "withdraw 10.7.0.2 to",
            ]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_program_that_hangs_or_is_missing_keeps_nothing() {
        for program in [vec!["/bin/sleep".into(), "600".into()], vec!["/nowhere/at/all".into()]] {
            let mut gate = Gate::new(program, "stead0", 51820);
            assert_eq!(gate.pass(transmit("10.1.0.2")), None);
            assert_eq!(gate.next().await, [transmit("10.1.0.2")]);
        }
    }

    #[tokio::test]
    async fn a_cookie_reply_to_a_stranger_tells_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let mut gate = gate(folder.path(), "true");
        let cookie = Transmit { datagram: vec![3, 0, 0, 0], ..transmit("10.1.0.2") };
        assert_eq!(gate.pass(cookie.clone()), Some(cookie));
    }
}
