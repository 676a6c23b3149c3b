//! TCP streams as fast as they go: what a tunnel's speed is measured with, and the load that latency is measured under.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::timeline::micros;
use super::{Direction, LOOK_UP, Line, TcpState};
use crate::error::RigError;

/// A flood to be started: so many streams each way.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Flood {
    /// Streams from the client to the server.
    pub up: usize,
    /// Streams from the server to the client.
    pub down: usize,
}

impl Flood {
    /// Connects every stream, lets them flow for `warm_up`, so that TCP has found its speed, and leaves them flowing.
    ///
    /// # Errors
    /// If a connection does not come about.
    pub fn start(self, line: &Line, warm_up: Duration) -> Result<FloodRun, RigError> {
        let upwards = (0..self.up).map(|_| Direction::ToServer);
        let downwards = (0..self.down).map(|_| Direction::ToClient);
        let streams: Result<_, RigError> =
            upwards.chain(downwards).map(|direction| Stream::start(line, direction)).collect();
        let run = FloodRun { streams: streams? };
        thread::sleep(warm_up);
        Ok(run)
    }
}

/// Streams under way; they end when this is dropped.
#[derive(Debug)]
pub struct FloodRun {
    streams: Vec<Stream>,
}

impl FloodRun {
    /// Measures at the receiving applications for so long, or until anything at all arrived.
    ///
    /// # Errors
    /// If a connection broke, or nothing arrived for far too long.
    pub fn measure(&self, duration: Duration) -> Result<FloodReport, RigError> {
        let received = || self.streams.iter().map(Stream::received).collect::<Vec<u64>>();
        let (began, before) = (Instant::now(), received());
        thread::sleep(duration);
        while received() == before && began.elapsed() < duration + PATIENCE {
            thread::sleep(LOOK_UP);
        }
        let (took, after) = (began.elapsed(), received());
        let each: Vec<u64> = after.iter().zip(&before).map(|(after, before)| after - before).collect();
        let bytes: u64 = each.iter().sum();
        if bytes == 0 || self.streams.iter().any(Stream::is_broken) {
            return Err(RigError::Tunnel("a connection broke while its speed was measured".to_owned()));
        }
        let rate = |bytes: u64| (bytes as f64 * 8.0 / took.as_secs_f64()) as u64;
        let towards = |direction: Direction| {
            let those = self.streams.iter().zip(&each).filter(|(stream, _)| stream.direction == direction);
            rate(those.map(|(_, bytes)| bytes).sum())
        };
        let states: Vec<TcpState> =
            self.streams.iter().map(|stream| TcpState::of(&stream.sending).unwrap_or_default()).collect();
        Ok(FloodReport {
            bytes,
            micros: micros(took),
            bits_per_second: rate(bytes),
            up_bits_per_second: towards(Direction::ToServer),
            down_bits_per_second: towards(Direction::ToClient),
            stream_bits_per_second: each.into_iter().map(rate).collect(),
            retransmissions: states.iter().map(|state| state.retransmissions).sum(),
            segment: states.iter().map(|state| state.segment).max().unwrap_or_default(),
        })
    }
}

/// What arrived while a flood was measured.
#[derive(Clone, Debug, serde::Serialize)]
pub struct FloodReport {
    /// Bytes received, both ways together.
    pub bytes: u64,
    /// How long it was measured, in microseconds.
    pub micros: u64,
    /// Payload received, both ways together.
    pub bits_per_second: u64,
    /// Payload that the server received.
    pub up_bits_per_second: u64,
    /// Payload that the client received.
    pub down_bits_per_second: u64,
    /// The same of each stream, those to the server first.
    pub stream_bits_per_second: Vec<u64>,
    /// Segments the senders sent again, warm-up included.
    pub retransmissions: u32,
    /// The largest segment that a sender sends, in bytes.
    pub segment: u32,
}

/// One connection whose sender never pauses.
#[derive(Debug)]
struct Stream {
    direction: Direction,
    received: Arc<AtomicU64>,
    sending: TcpStream,
    threads: Vec<JoinHandle<()>>,
}

impl Stream {
    fn start(line: &Line, direction: Direction) -> Result<Self, RigError> {
        let (client, server) = line.connect()?;
        let (mut sender, mut receiver) = match direction {
            Direction::ToServer => (client, server),
            Direction::ToClient => (server, client),
        };
        let sending = sender.try_clone().map_err(RigError::io("copy a socket"))?;
        let received = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&received);
        let sink = thread::spawn(move || {
            let mut block = vec![0; BLOCK];
            while let Ok(length @ 1..) = receiver.read(&mut block) {
                counter.fetch_add(length as u64, Ordering::Relaxed);
            }
        });
        let source = thread::spawn(move || {
            let block = vec![0x5a; BLOCK];
            while sender.write_all(&block).is_ok() {}
        });
        Ok(Self { direction, received, sending, threads: vec![sink, source] })
    }

    fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    fn is_broken(&self) -> bool {
        self.threads.iter().any(JoinHandle::is_finished)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // The sender's write fails at once; the receiver reads what is under way, then the end.
        let _closed_already = self.sending.shutdown(Shutdown::Both);
        for thread in self.threads.drain(..) {
            let _panicked = thread.join();
        }
    }
}

/// How long a stream may stand still before it counts as broken.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes per system call: large enough that the calls themselves cost little.
const BLOCK: usize = 256 * 1024;
