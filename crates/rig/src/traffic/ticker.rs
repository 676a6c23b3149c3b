//! A small message every few milliseconds over TCP, as keystrokes or a game would make them.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::patient::{Patient, Turn};
use super::timeline::micros;
use super::{Direction, Gap, Line, Outcome, Timeline};
use crate::error::RigError;
use crate::statistics::Summary;

/// Who ticks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Rhythm {
    /// The client sends, the server sends it back, and the client looks at what comes back.
    Echo,
    /// One side sends and the other only receives.
    OneWay(Direction),
}

/// A ticker to be started.
#[derive(Clone, Copy, Debug)]
pub struct Ticker {
    /// Who ticks.
    pub rhythm: Rhythm,
    /// The time between two ticks.
    pub interval: Duration,
    /// After how long without a tick the receiver calls the connection dead.
    pub patience: Duration,
}

impl Default for Ticker {
    fn default() -> Self {
        Self { rhythm: Rhythm::Echo, interval: Duration::from_millis(20), patience: Duration::from_secs(60) }
    }
}

impl Ticker {
    /// Connects and ticks until [`TickerRun::finish`].
    ///
    /// # Errors
    /// If no connection comes about; whatever happens to it later is in the report.
    pub fn start(self, line: &Line) -> Result<TickerRun, RigError> {
        let (client, server) = line.connect()?;
        let failed = || RigError::io("set up a connection");
        let local = client.local_addr().map_err(failed())?;
        let prepare = |stream: std::net::TcpStream| -> io::Result<Arc<Patient>> {
            // A keystroke does not wait for the next one.
            stream.set_nodelay(true)?;
            Patient::new(stream).map(Arc::new)
        };
        let (client, server) = (prepare(client).map_err(failed())?, prepare(server).map_err(failed())?);
        let shared = Arc::new(Shared::new(self));
        let (sending, receiving) = match self.rhythm {
            Rhythm::Echo => (Arc::clone(&client), client),
            Rhythm::OneWay(Direction::ToServer) => (client, Arc::clone(&server)),
            Rhythm::OneWay(Direction::ToClient) => (Arc::clone(&server), client),
        };
        let (to_sender, to_echo, to_receiver) =
            (Arc::clone(&shared), Arc::clone(&shared), Arc::clone(&shared));
        Ok(TickerRun {
            client: local,
            sender: thread::spawn(move || to_sender.send(&sending)),
            echo: (self.rhythm == Rhythm::Echo).then(|| thread::spawn(move || to_echo.echo(&server))),
            receiver: thread::spawn(move || to_receiver.receive(&receiving)),
            shared,
        })
    }
}

/// A ticker under way.
#[derive(Debug)]
pub struct TickerRun {
    /// The client's end, as the client sees it.
    pub client: SocketAddr,
    shared: Arc<Shared>,
    sender: JoinHandle<io::Result<()>>,
    echo: Option<JoinHandle<io::Result<()>>>,
    receiver: JoinHandle<Result<(), Outcome>>,
}

impl TickerRun {
    /// When what arrived, so far.
    #[must_use]
    pub fn timeline(&self) -> Timeline {
        self.shared.seen().timeline.clone()
    }

    /// Ticks received so far.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.shared.seen().timeline.len() as u64
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

    /// Ticks no more; what was sent must still arrive.
    pub fn stop(&self) {
        self.shared.stop.store(true, Ordering::Relaxed);
    }

    /// Waits for no more ticks: what has not come by now counts as not having come.
    pub fn abandon(&self) {
        self.shared.abandoned.store(true, Ordering::Relaxed);
    }

    /// Stops ticking, waits for what is under way and returns what came of it.
    #[must_use]
    pub fn finish(self) -> TickerReport {
        self.stop();
        let shared = self.shared;
        let verdict = self.receiver.join().unwrap_or_else(|_| Err(panicked()));
        shared.abandoned.store(true, Ordering::Relaxed);
        let helpers = core::iter::once(self.sender).chain(self.echo);
        let errors: Vec<io::Error> = helpers.filter_map(|thread| thread.join().ok()?.err()).collect();
        let sent = shared.sent.load(Ordering::Relaxed);
        let seen = shared.seen();
        let received = seen.timeline.len() as u64;
        let outcome = match (verdict, errors.first()) {
            (Err(failure), _) => failure,
            (Ok(()), _) if received == sent => Outcome::Complete,
            (Ok(()), Some(error)) => Outcome::of(error, received),
            (Ok(()), None) => Outcome::EndedEarly { received },
        };
        TickerReport {
            outcome,
            sent,
            received,
            delay_micros: Summary::of(seen.delays.clone()),
            longest_gaps: seen.timeline.longest_gaps(GAPS_REPORTED),
        }
    }
}

/// What came of a ticker.
#[derive(Clone, Debug, serde::Serialize)]
pub struct TickerReport {
    /// The verdict.
    pub outcome: Outcome,
    /// Ticks given to the kernel.
    pub sent: u64,
    /// Ticks received, in order.
    pub received: u64,
    /// From being sent to being received (and back, for an echo), in microseconds.
    pub delay_micros: Option<Summary>,
    /// The longest times without a tick at the receiver, longest first.
    pub longest_gaps: Vec<Gap>,
}

#[derive(Debug)]
struct Shared {
    ticker: Ticker,
    began: Instant,
    sent: AtomicU64,
    stop: AtomicBool,
    abandoned: AtomicBool,
    seen: Mutex<Seen>,
}

/// What the receiving application saw.
#[derive(Debug)]
struct Seen {
    timeline: Timeline,
    delays: Vec<u64>,
}

impl Shared {
    fn new(ticker: Ticker) -> Self {
        let began = Instant::now();
        Self {
            ticker,
            began,
            sent: AtomicU64::new(0),
            stop: AtomicBool::new(false),
            abandoned: AtomicBool::new(false),
            seen: Mutex::new(Seen { timeline: Timeline::new(began), delays: Vec::new() }),
        }
    }

    fn send(&self, stream: &Patient) -> io::Result<()> {
        let mut next = Instant::now();
        while !self.stop.load(Ordering::Relaxed) && !self.abandoned() {
            let number = self.sent.load(Ordering::Relaxed);
            let tick = Tick { number, sent_micros: micros(self.began.elapsed()) };
            let Turn::Done(_) = stream.write(&tick.encode(), || self.abandoned())? else {
                return Ok(());
            };
            self.sent.fetch_add(1, Ordering::Relaxed);
            // What could not be written for a while is not made up for by a burst.
            next = (next + self.ticker.interval).max(Instant::now());
            thread::sleep(next.saturating_duration_since(Instant::now()));
        }
        stream.finish()
    }

    fn echo(&self, stream: &Patient) -> io::Result<()> {
        let mut block = [0; 1024];
        while let Turn::Done(length) = stream.read(&mut block, || self.abandoned())? {
            stream.write(&block[..length], || self.abandoned())?;
        }
        stream.finish()
    }

    fn receive(&self, stream: &Patient) -> Result<(), Outcome> {
        let silent_for = || self.seen().timeline.last().elapsed();
        let stopped = || self.abandoned() || silent_for() > self.ticker.patience;
        loop {
            let mut bytes = [0; Tick::LENGTH];
            let received = self.seen().timeline.len() as u64;
            match stream.read_whole(&mut bytes, stopped).map_err(|error| Outcome::of(&error, received))? {
                Turn::Done(_) => self.note(Tick::decode(bytes), received)?,
                Turn::Ended => return Ok(()),
                Turn::Stopped => {
                    return Err(Outcome::Silent { received, for_millis: micros(silent_for()) / 1000 });
                }
            }
        }
    }

    fn note(&self, tick: Tick, expected: u64) -> Result<(), Outcome> {
        if tick.number != expected {
            return Err(Outcome::Corrupt);
        }
        let now = Instant::now();
        let mut seen = self.seen();
        seen.timeline.record(now);
        seen.delays.push(micros(now - self.began).saturating_sub(tick.sent_micros));
        Ok(())
    }

    fn abandoned(&self) -> bool {
        self.abandoned.load(Ordering::Relaxed)
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One tick on the wire: its number and when it was sent, both in network byte order.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Tick {
    pub(crate) number: u64,
    pub(crate) sent_micros: u64,
}

impl Tick {
    pub(crate) const LENGTH: usize = 16;

    pub(crate) fn encode(self) -> [u8; Self::LENGTH] {
        (u128::from(self.number) << 64 | u128::from(self.sent_micros)).to_be_bytes()
    }

    pub(crate) const fn decode(bytes: [u8; Self::LENGTH]) -> Self {
        let both = u128::from_be_bytes(bytes);
        Self { number: (both >> 64) as u64, sent_micros: both as u64 }
    }
}

fn panicked() -> Outcome {
    Outcome::Failed { received: 0, reason: "the rig's own thread panicked".to_owned() }
}

/// How many of the longest gaps a report names.
const GAPS_REPORTED: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tick_survives_the_wire() {
        let tick = Tick { number: u64::MAX - 1, sent_micros: 77 };
        assert_eq!(Tick::decode(tick.encode()), tick);
    }
}
