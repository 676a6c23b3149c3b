//! One TCP connection that carries a seeded stream of bytes, hashed at both ends.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};

use super::pace::{self, Pace};
use super::patient::{Patient, Turn};
use super::pattern::Pattern;
use super::timeline::micros;
use super::{Direction, Gap, Line, Outcome, TcpState, Timeline};
use crate::error::RigError;

/// How much is sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Length {
    /// So many bytes.
    Bytes(u64),
    /// Until [`BulkRun::stop`].
    UntilStopped,
}

/// A transfer to be started.
#[derive(Clone, Copy, Debug)]
pub struct Bulk {
    /// How much.
    pub length: Length,
    /// Which bytes.
    pub seed: u64,
    /// Which way.
    pub direction: Direction,
    /// At most so many bytes a second; without it, as fast as it goes.
    pub pace: Option<u64>,
    /// After how long without a byte the receiver calls the connection dead.
    pub patience: Duration,
}

impl Default for Bulk {
    fn default() -> Self {
        Self {
            length: Length::UntilStopped,
            seed: 1,
            direction: Direction::ToClient,
            pace: None,
            patience: Duration::from_secs(60),
        }
    }
}

impl Bulk {
    /// Connects and lets the bytes flow.
    ///
    /// # Errors
    /// If no connection comes about; whatever happens to it later is in the report.
    pub fn start(self, line: &Line) -> Result<BulkRun, RigError> {
        let (client, server) = line.connect()?;
        let ends = (client.local_addr(), client.peer_addr());
        let (sending, receiving) = match self.direction {
            Direction::ToClient => (server, client),
            Direction::ToServer => (client, server),
        };
        let failed = || RigError::io("set up a connection");
        let began = Instant::now();
        let shared = Arc::new(Shared {
            sent: AtomicU64::new(0),
            received: AtomicU64::new(0),
            stop: AtomicBool::new(false),
            abandoned: AtomicBool::new(false),
            timeline: Mutex::new(Timeline::new(began)),
        });
        let probe = sending.try_clone().map_err(failed())?;
        let sender = Sender { bulk: self, stream: Patient::new(sending).map_err(failed())? };
        let receiver = Receiver { bulk: self, stream: Patient::new(receiving).map_err(failed())? };
        let (to_sender, to_receiver) = (Arc::clone(&shared), Arc::clone(&shared));
        Ok(BulkRun {
            client: ends.0.map_err(failed())?,
            server: ends.1.map_err(failed())?,
            probe,
            shared,
            began,
            sender: thread::spawn(move || sender.run(&to_sender)),
            receiver: thread::spawn(move || receiver.run(&to_receiver)),
        })
    }
}

/// A transfer under way.
#[derive(Debug)]
pub struct BulkRun {
    /// The client's end, as the client sees it.
    pub client: SocketAddr,
    /// The server's end, as the client sees it.
    pub server: SocketAddr,
    probe: TcpStream,
    shared: Arc<Shared>,
    began: Instant,
    sender: JoinHandle<End>,
    receiver: JoinHandle<End>,
}

impl BulkRun {
    /// Bytes received so far.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.shared.received.load(Ordering::Relaxed)
    }

    /// When what arrived, so far.
    #[must_use]
    pub fn timeline(&self) -> Timeline {
        self.shared.timeline().clone()
    }

    /// When the last byte arrived.
    #[must_use]
    pub fn last_arrival(&self) -> Instant {
        self.shared.timeline().last()
    }

    /// The sending kernel's view of the connection; none once the connection is gone.
    #[must_use]
    pub fn sender_state(&self) -> Option<TcpState> {
        TcpState::of(&self.probe).ok()
    }

    /// Whether the receiver has seen the end, good or bad.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.receiver.is_finished()
    }

    /// Whether the sender's kernel has given the connection up, or it ended otherwise.
    #[must_use]
    pub fn is_given_up(&self) -> bool {
        self.sender.is_finished()
    }

    /// Sends nothing new; what was sent must still arrive.
    pub fn stop(&self) {
        self.shared.stop.store(true, Ordering::Relaxed);
    }

    /// Waits for no more bytes: what has not come by now counts as not having come.
    pub fn abandon(&self) {
        self.shared.abandoned.store(true, Ordering::Relaxed);
    }

    /// Waits for the end and returns what came of it.
    #[must_use]
    pub fn finish(self) -> BulkReport {
        let received = self.receiver.join().unwrap_or_else(|_| End::panicked());
        // Nobody reads any more: a sender that is stuck would wait in vain.
        if received.outcome.is_some() {
            self.shared.abandoned.store(true, Ordering::Relaxed);
        }
        let sent = self.sender.join().unwrap_or_else(|_| End::panicked());
        let timeline = self.shared.timeline();
        let seconds = timeline.last().saturating_duration_since(self.began).as_secs_f64();
        let whole = received.bytes == sent.bytes;
        let outcome = match (received.outcome, sent.outcome) {
            (None, _) if whole && received.digest == sent.digest => Outcome::Complete,
            (None, _) if whole => Outcome::Corrupt,
            (Some(failure), _) | (None, Some(failure)) => failure,
            (None, None) => Outcome::EndedEarly { received: received.bytes },
        };
        BulkReport {
            outcome,
            bytes_sent: sent.bytes,
            bytes_received: received.bytes,
            sha256_sent: sent.digest,
            sha256_received: received.digest,
            micros: micros(Duration::from_secs_f64(seconds)),
            longest_gaps: timeline.longest_gaps(GAPS_REPORTED),
        }
    }
}

/// What came of a transfer.
#[derive(Clone, Debug, serde::Serialize)]
pub struct BulkReport {
    /// The verdict.
    pub outcome: Outcome,
    /// Bytes the sender gave to its kernel.
    pub bytes_sent: u64,
    /// Bytes the receiver got from its kernel.
    pub bytes_received: u64,
    /// SHA-256 of what was sent, in hexadecimal.
    pub sha256_sent: String,
    /// SHA-256 of what was received, in hexadecimal.
    pub sha256_received: String,
    /// From the first byte asked for to the last received, in microseconds.
    pub micros: u64,
    /// The longest times without a byte at the receiver, longest first.
    pub longest_gaps: Vec<Gap>,
}

#[derive(Debug)]
struct Shared {
    sent: AtomicU64,
    received: AtomicU64,
    stop: AtomicBool,
    abandoned: AtomicBool,
    timeline: Mutex<Timeline>,
}

impl Shared {
    fn timeline(&self) -> MutexGuard<'_, Timeline> {
        self.timeline.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn abandoned(&self) -> bool {
        self.abandoned.load(Ordering::Relaxed)
    }
}

/// How one end saw the transfer; no outcome means nothing went wrong there.
#[derive(Debug)]
struct End {
    bytes: u64,
    digest: String,
    outcome: Option<Outcome>,
}

impl End {
    fn panicked() -> Self {
        let reason = "the rig's own thread panicked".to_owned();
        Self { bytes: 0, digest: String::new(), outcome: Some(Outcome::Failed { received: 0, reason }) }
    }
}

#[derive(Debug)]
struct Sender {
    bulk: Bulk,
    stream: Patient,
}

impl Sender {
    fn run(self, shared: &Shared) -> End {
        let mut hasher = Sha256::new();
        let outcome = self.send(shared, &mut hasher).err();
        let bytes = shared.sent.load(Ordering::Relaxed);
        End { bytes, digest: hex(hasher), outcome: outcome.map(|error| Outcome::of(&error, 0)) }
    }

    fn send(&self, shared: &Shared, hasher: &mut Sha256) -> io::Result<()> {
        let mut pattern = Pattern::seeded(self.bulk.seed);
        let mut block = vec![0; self.bulk.pace.map_or(BLOCK, pace::block)];
        let mut pace = Pace::new(self.bulk.pace);
        loop {
            let sent = shared.sent.load(Ordering::Relaxed);
            let left = match self.bulk.length {
                Length::Bytes(all) => all - sent,
                Length::UntilStopped if shared.stop.load(Ordering::Relaxed) => 0,
                Length::UntilStopped => u64::MAX,
            };
            let size = usize::try_from(left).unwrap_or(usize::MAX).min(block.len());
            if size == 0 {
                break;
            }
            let piece = &mut block[..size];
            pattern.fill(piece);
            pace.wait(size);
            let Turn::Done(_) = self.stream.write(piece, || shared.abandoned())? else {
                return Ok(());
            };
            hasher.update(piece);
            shared.sent.fetch_add(size as u64, Ordering::Relaxed);
        }
        self.stream.finish()?;
        // The receiver closes once it has all: until then this end stays, or unread data would reset it.
        self.stream.read(&mut [0], || shared.abandoned()).map(drop)
    }
}

#[derive(Debug)]
struct Receiver {
    bulk: Bulk,
    stream: Patient,
}

impl Receiver {
    fn run(self, shared: &Shared) -> End {
        let mut hasher = Sha256::new();
        let outcome = self.receive(shared, &mut hasher).err();
        End { bytes: shared.received.load(Ordering::Relaxed), digest: hex(hasher), outcome }
    }

    fn receive(&self, shared: &Shared, hasher: &mut Sha256) -> Result<(), Outcome> {
        let mut block = vec![0; BLOCK];
        let silent_for = || shared.timeline().last().elapsed();
        let stopped = || shared.abandoned() || silent_for() > self.bulk.patience;
        loop {
            let received = shared.received.load(Ordering::Relaxed);
            let turn =
                self.stream.read(&mut block, stopped).map_err(|error| Outcome::of(&error, received))?;
            match turn {
                Turn::Done(length) => {
                    shared.timeline().record(Instant::now());
                    shared.received.fetch_add(length as u64, Ordering::Relaxed);
                    hasher.update(&block[..length]);
                }
                Turn::Ended => return Ok(()),
                Turn::Stopped => {
                    let for_millis = micros(silent_for()) / 1000;
                    return Err(Outcome::Silent { received, for_millis });
                }
            }
        }
    }
}

fn hex(hasher: Sha256) -> String {
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Bytes read or written at once: few system calls, and a read is still one arrival.
const BLOCK: usize = 256 * 1024;
/// How many of the longest gaps a report names.
const GAPS_REPORTED: usize = 8;
