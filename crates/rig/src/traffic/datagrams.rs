//! Numbered UDP datagrams at an even rate: what is lost, doubled or overtaken on the way.

use std::collections::BTreeSet;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::ticker::Tick;
use super::{Direction, Gap, LOOK_UP, Line, Timeline, is_timeout};
use crate::error::RigError;

/// A stream of datagrams to be started.
#[derive(Clone, Copy, Debug)]
pub struct Datagrams {
    /// Which way they go.
    pub direction: Direction,
    /// The time between two of them.
    pub interval: Duration,
    /// Bytes of payload; at least 16.
    pub size: usize,
}

impl Default for Datagrams {
    fn default() -> Self {
        Self { direction: Direction::ToServer, interval: Duration::from_millis(20), size: 64 }
    }
}

impl Datagrams {
    /// Starts sending; goes on until [`DatagramsRun::finish`].
    ///
    /// # Errors
    /// If the sockets cannot be made.
    pub fn start(self, line: &Line) -> Result<DatagramsRun, RigError> {
        let address = line.address;
        let server = socket(&line.server, SocketAddr::new(address, 0))?;
        let target = server.local_addr().map_err(RigError::io("ask for a port"))?;
        let any: SocketAddr = if address.is_ipv4() { ([0; 4], 0).into() } else { ([0_u16; 8], 0).into() };
        let client = socket(&line.client, any)?;
        // Without a route the kernel refuses to connect; until there is one, sending fails alike.
        client.connect(target).map_err(RigError::io(format!("{}: connect", line.client.name())))?;
        let shared = Arc::new(Shared::default());
        let (to_sender, to_receiver) = (Arc::clone(&shared), Arc::clone(&shared));
        let (sender, receiver) = match self.direction {
            Direction::ToServer => (
                thread::spawn(move || self.send(&client, &to_sender)),
                thread::spawn(move || receive(&server, &to_receiver, None)),
            ),
            Direction::ToClient => (
                thread::spawn(move || self.answer(&server, &to_sender)),
                thread::spawn(move || receive(&client, &to_receiver, Some(HELLO))),
            ),
        };
        Ok(DatagramsRun { shared, sender, receiver })
    }

    fn send(self, socket: &UdpSocket, shared: &Shared) {
        let mut datagram = vec![0; self.size.max(Tick::LENGTH)];
        let mut next = Instant::now();
        while !shared.stopped() {
            let number = shared.note_sent(Instant::now());
            datagram[..Tick::LENGTH].copy_from_slice(&Tick { number, sent_micros: 0 }.encode());
            // A host that is nowhere cannot send; what it meant to send then is lost like any other.
            let _lost = socket.send(&datagram);
            next += self.interval;
            thread::sleep(next.saturating_duration_since(Instant::now()));
        }
    }

    /// Waits for the client's hello, then sends to it.
    fn answer(self, socket: &UdpSocket, shared: &Shared) {
        let mut hello = [0; 16];
        while !shared.stopped() {
            if let Ok((_, client)) = socket.recv_from(&mut hello)
                && socket.connect(client).is_ok()
            {
                return self.send(socket, shared);
            }
        }
    }
}

/// Datagrams under way.
#[derive(Debug)]
pub struct DatagramsRun {
    shared: Arc<Shared>,
    sender: JoinHandle<()>,
    receiver: JoinHandle<io::Result<Seen>>,
}

impl DatagramsRun {
    /// Stops sending, waits a moment for what is under way, and returns what arrived.
    ///
    /// # Errors
    /// What the receiving socket met.
    pub fn finish(self) -> Result<DatagramsReport, RigError> {
        self.finish_with_timeline().map(|(report, _)| report)
    }

    /// As [`finish`](Self::finish), and when what arrived.
    ///
    /// # Errors
    /// What the receiving socket met.
    pub fn finish_with_timeline(self) -> Result<(DatagramsReport, Timeline), RigError> {
        self.finish_with_losses().map(|(report, timeline, _)| (report, timeline))
    }

    /// As [`finish_with_timeline`](Self::finish_with_timeline), and when each datagram was sent that never arrived.
    ///
    /// # Errors
    /// What the receiving socket met.
    pub fn finish_with_losses(self) -> Result<(DatagramsReport, Timeline, Vec<Instant>), RigError> {
        self.shared.stop.store(true, Ordering::Relaxed);
        let _panicked = self.sender.join();
        let seen = self.receiver.join().unwrap_or_else(|_| Err(io::Error::other("panicked")));
        let seen = seen.map_err(RigError::io("receive datagrams"))?;
        let sent_at = self.shared.sent_at();
        let lost = (0..).zip(sent_at.iter()).filter(|(number, _)| !seen.numbers.contains(number));
        let losses: Vec<Instant> = lost.map(|(_, at)| *at).collect();
        let sent = sent_at.len() as u64;
        let received = seen.numbers.len() as u64;
        let report = DatagramsReport {
            sent,
            received,
            lost: sent.saturating_sub(received),
            duplicates: seen.duplicates,
            reordered: seen.reordered,
            longest_gaps: seen.timeline.longest_gaps(8),
        };
        Ok((report, seen.timeline, losses))
    }
}

/// What came of a stream of datagrams.
#[derive(Clone, Debug, Eq, PartialEq, serde::Serialize)]
pub struct DatagramsReport {
    /// Datagrams that were meant to be sent.
    pub sent: u64,
    /// Different datagrams received.
    pub received: u64,
    /// Datagrams that never came.
    pub lost: u64,
    /// Datagrams that came again.
    pub duplicates: u64,
    /// Datagrams that came after one with a higher number.
    pub reordered: u64,
    /// The longest times without a datagram, longest first.
    pub longest_gaps: Vec<Gap>,
}

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    /// When each datagram was sent; its place is its number.
    sent_at: Mutex<Vec<Instant>>,
}

impl Shared {
    /// Gives the datagram that is sent now its number.
    fn note_sent(&self, now: Instant) -> u64 {
        let mut sent_at = self.sent_at();
        sent_at.push(now);
        sent_at.len() as u64 - 1
    }

    fn sent_at(&self) -> MutexGuard<'_, Vec<Instant>> {
        self.sent_at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

#[derive(Debug)]
struct Seen {
    timeline: Timeline,
    numbers: BTreeSet<u64>,
    duplicates: u64,
    reordered: u64,
}

impl Seen {
    fn new() -> Self {
        Self {
            timeline: Timeline::new(Instant::now()),
            numbers: BTreeSet::new(),
            duplicates: 0,
            reordered: 0,
        }
    }

    fn note(&mut self, number: u64) {
        let overtaken = self.numbers.last().is_some_and(|highest| number < *highest);
        if !self.numbers.insert(number) {
            self.duplicates += 1;
        } else if overtaken {
            self.reordered += 1;
        }
        self.timeline.record(Instant::now());
    }
}

/// Receives until nothing came for a moment after the stop; says `hello` until the first arrival.
fn receive(socket: &UdpSocket, shared: &Shared, hello: Option<&[u8]>) -> io::Result<Seen> {
    let mut seen = Seen::new();
    let mut datagram = [0; 65536];
    loop {
        if let Some(hello) = hello.filter(|_| seen.numbers.is_empty()) {
            let _lost = socket.send(hello);
        }
        match socket.recv(&mut datagram) {
            Ok(length) => {
                if let Some(tick) = datagram[..length].first_chunk() {
                    seen.note(Tick::decode(*tick).number);
                }
            }
            Err(error) if is_timeout(&error) && shared.stopped() => return Ok(seen),
            // An unreachable peer is reported on the socket and is nothing that ends the stream.
            Err(error) if is_timeout(&error) || is_unreachable(&error) => {}
            Err(error) => return Err(error),
        }
    }
}

fn is_unreachable(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionRefused, HostUnreachable, NetworkUnreachable};
    matches!(error.kind(), ConnectionRefused | HostUnreachable | NetworkUnreachable)
}

fn socket(host: &crate::Host, local: SocketAddr) -> Result<UdpSocket, RigError> {
    let doing = format!("{}: bind UDP {local}", host.name());
    let made = host.call(move || {
        let socket = UdpSocket::bind(local)?;
        socket.set_read_timeout(Some(LOOK_UP * 4))?;
        Ok(socket)
    })?;
    made.map_err(RigError::io(doing))
}

const HELLO: &[u8] = b"hello";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubled_and_overtaken_datagrams_are_told_apart() {
        let mut seen = Seen::new();
        for number in [0, 1, 3, 2, 3, 5, 0] {
            seen.note(number);
        }
        assert_eq!((seen.numbers.len(), seen.duplicates, seen.reordered), (5, 2, 1));
    }
}
