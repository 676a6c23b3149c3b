//! A network's line to the internet that is not a bare cable: delay, jitter, loss, a rate, and somebody on it.
//!
//! ```text
//!      router                        the rig                         internet
//!   ┌───────────┐        ┌──────── a thread per way ───────┐      ┌────────────┐
//!   │  up0 (TUN)│ ─────▶ │ admitted → waits → its time has │ ───▶ │ lineN (TUN)│
//!   └───────────┘ ◀───── │ come (or it is lost)            │ ◀─── └────────────┘
//!                        └─────────────────────────────────┘
//! ```
//!
//! To the kernel the two ends are ordinary point-to-point interfaces, so routes and NAT are as on any other
//! line. [`traverse`] decides what becomes of a packet; this moves them.

mod interference;
mod traverse;

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::time::TimeSpec;

use crate::error::RigError;
use crate::namespace::Namespace;
use crate::scenario::{Attack, Link, Way};
use crate::tun;
use traverse::Traverse;

/// A line under way; dropping it takes both ends away.
#[derive(Debug)]
pub(crate) struct Uplink {
    shared: Arc<Shared>,
    ways: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    over: AtomicBool,
}

/// What the line does to packets now.
#[derive(Clone, Copy, Debug)]
struct State {
    link: Link,
    attack: Option<(Attack, Instant)>,
}

/// Which way a packet goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Heading {
    Up,
    Down,
}

impl Uplink {
    /// Lays a line between interfaces with these names: the network's end, then the internet's.
    ///
    /// The same `seed` draws the same losses for the same packets; the packets are the kernel's to time.
    pub(crate) fn lay(ends: [(&Namespace, String); 2], link: Link, seed: u64) -> Result<Self, RigError> {
        let [network, internet] = ends;
        let network = open(network.0, network.1)?;
        let internet = open(internet.0, internet.1)?;
        let state = Mutex::new(State { link, attack: None });
        let shared = Arc::new(Shared { state, over: AtomicBool::new(false) });
        let copy = |end: &File| end.try_clone().map_err(RigError::io("copy a TUN device"));
        let up = (Heading::Up, copy(&network)?, copy(&internet)?);
        let down = (Heading::Down, internet, network);
        let ways = [up, down].map(|(heading, from, to)| {
            let shared = Arc::clone(&shared);
            let traverse = Traverse::seeded(seed * 2 + u64::from(heading == Heading::Down));
            thread::spawn(move || carry(&shared, heading, &from, &to, traverse))
        });
        Ok(Self { shared, ways: ways.into() })
    }

    pub(crate) fn link(&self) -> Link {
        self.shared.state().link
    }

    pub(crate) fn set_link(&self, link: Link) {
        self.shared.state().link = link;
    }

    pub(crate) fn attack(&self, attack: Attack, lasts: Duration) {
        self.shared.state().attack = Some((attack, Instant::now() + lasts));
    }
}

impl Drop for Uplink {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
        for way in self.ways.drain(..) {
            let _panicked = way.join();
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The way under `heading`, and who interferes with it until when.
    fn now(&self, heading: Heading) -> (Way, Option<(Attack, Instant)>) {
        let state = *self.state();
        let way = match heading {
            Heading::Up => state.link.up,
            Heading::Down => state.link.down,
        };
        (way, state.attack.filter(|(_, until)| Instant::now() < *until))
    }
}

fn carry(shared: &Shared, heading: Heading, from: &File, to: &File, mut traverse: Traverse) {
    let mut packet = vec![0; 65536];
    while !shared.over.load(Ordering::Relaxed) {
        let wait = traverse.next().map_or(LOOK_UP, |due| due.saturating_duration_since(Instant::now()));
        let mut wanted = [PollFd::new(from.as_fd(), PollFlags::POLLIN)];
        let _interrupted = ppoll(&mut wanted, Some(TimeSpec::from_duration(wait.min(LOOK_UP))), None);
        let (way, attack) = shared.now(heading);
        // In turns, or a fast sender would starve those whose time has come.
        for _ in 0..BATCH {
            match (&*from).read(&mut packet) {
                Ok(length) => traverse.admit(&packet[..length], &way, attack, Instant::now()),
                Err(_) => break,
            }
        }
        while let Some(packet) = traverse.due(Instant::now()) {
            // An end that is down takes nothing: lost, as on a line whose far end is dead.
            let _lost = (&*to).write(&packet);
        }
    }
}

/// Makes a TUN device in a namespace and opens it, without waiting on reads.
fn open(namespace: &Namespace, name: String) -> Result<File, RigError> {
    let doing = format!("{}: make the TUN device {name}", namespace.name());
    namespace.run(move |_| tun::make(&name))?.map_err(RigError::io(doing))
}

/// How often a line that carries nothing looks whether it is over.
const LOOK_UP: Duration = Duration::from_millis(100);
/// Packets taken in before those that are due are looked at.
const BATCH: usize = 64;
