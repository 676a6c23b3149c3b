//! Bytes over one TCP connection: ticks at an even rate, or as many as go.
//!
//! What byte stands where follows from its place alone, so that the receiver checks every byte without a copy of
//! what was sent.

use core::net::SocketAddr;

use smoltcp::iface::SocketHandle;
use smoltcp::socket::tcp::State;
use stead_wire::time::{Duration, Instant};

use super::tick;
use super::{End, Flow, Outcome, Side};
use crate::clock::since_origin;
use crate::stack::Stack;

pub(crate) struct TcpFlow {
    source: Source,
    local_port: u16,
    client: Option<SocketHandle>,
    server: Option<SocketHandle>,
    started: Instant,
    /// Bytes given to the sender's stack, and taken from the receiver's.
    written: u64,
    read: u64,
    was_open: bool,
    outcome: Outcome,
}

/// Where the bytes come from.
enum Source {
    Ticker { every: Duration, lasts: Duration, next: Instant, made: u64 },
    Bulk { bytes: u64, rate: Option<u64> },
}

impl TcpFlow {
    /// A tick every so often. `local_port` is the client's.
    pub(crate) fn ticker(every: Duration, lasts: Duration, local_port: u16) -> Self {
        Self::new(Source::Ticker { every, lasts, next: Instant::ZERO, made: 0 }, local_port)
    }

    /// So many bytes, at most at `rate` bits per second.
    pub(crate) fn bulk(bytes: u64, rate: Option<u64>, local_port: u16) -> Self {
        Self::new(Source::Bulk { bytes, rate }, local_port)
    }

    fn new(source: Source, local_port: u16) -> Self {
        let outcome = Outcome { end: End::NeverOpened, ..Outcome::default() };
        Self {
            source,
            local_port,
            client: None,
            server: None,
            started: Instant::ZERO,
            written: 0,
            read: 0,
            was_open: false,
            outcome,
        }
    }

    fn send(&mut self, stack: &mut Stack, now: Instant) -> Option<Instant> {
        let socket = stack.tcp(self.client?);
        if self.was_open && socket.state() == State::Closed && self.outcome.over.is_none() {
            self.outcome.end = End::Broken;
            return None;
        }
        if !socket.may_send() {
            return None;
        }
        if !self.was_open {
            self.was_open = true;
            self.outcome.end = End::Unfinished;
        }
        let wanted = self.source.wanted(self.started, now);
        while self.written < wanted {
            let (from, room) = (self.written, usize::try_from(wanted - self.written).unwrap_or(usize::MAX));
            let fill = |buffer: &mut [u8]| {
                let len = buffer.len().min(room);
                self.source.write(from, &mut buffer[..len]);
                (len, len)
            };
            match socket.send(fill) {
                Ok(len) if len > 0 => self.written += len as u64,
                Ok(_) | Err(_) => break,
            }
        }
        self.outcome.sent = self.source.units(self.written);
        if self.written == wanted && self.source.is_over(self.started, self.written, now) {
            socket.close();
            return None;
        }
        self.source.next(self.started, self.written, now)
    }

    fn receive(&mut self, stack: &mut Stack, now: Instant) {
        let Some(server) = self.server else { return };
        let socket = stack.tcp(server);
        while socket.can_recv() {
            let (from, source) = (self.read, &self.source);
            let check = |bytes: &mut [u8]| (bytes.len(), (bytes.len(), source.is_sent(from, bytes)));
            let Ok((len, right)) = socket.recv(check) else { break };
            self.read += len as u64;
            self.outcome.corrupt |= !right || self.read > self.written;
            self.outcome.received = self.source.units(self.read);
            self.outcome.arrived(since_origin(now));
        }
        if socket.state() == State::CloseWait {
            self.outcome.end = End::Closed;
            self.outcome.over = Some(since_origin(now));
            socket.close();
        }
    }
}

impl Flow for TcpFlow {
    fn open(&mut self, side: Side, stack: &mut Stack, remote: SocketAddr, now: Instant) {
        match side {
            Side::Server => self.server = stack.listen(remote.port()),
            Side::Client => {
                self.started = now;
                self.client = stack.connect(self.local_port, remote);
            }
        }
    }

    fn drive(&mut self, side: Side, stack: &mut Stack, now: Instant) -> Option<Instant> {
        match side {
            Side::Client => self.send(stack, now),
            Side::Server => {
                self.receive(stack, now);
                None
            }
        }
    }

    fn outcome(&self) -> &Outcome {
        &self.outcome
    }
}

impl Source {
    /// How many bytes are to have been written by now.
    fn wanted(&mut self, started: Instant, now: Instant) -> u64 {
        match self {
            Self::Ticker { every, lasts, next, made } => {
                let end = started + *lasts;
                if *made == 0 {
                    *next = now;
                }
                if *next <= now && *next < end {
                    *made += 1;
                    // What could not be written for a while is not made up for by a burst.
                    *next = (*next + *every).max(now);
                }
                *made * tick::LEN as u64
            }
            Self::Bulk { bytes, rate: None } => *bytes,
            Self::Bulk { bytes, rate: Some(rate) } => {
                let micros = u128::from((now - started).as_micros() as u64);
                let due = micros * u128::from(*rate) / 8_000_000 + PACED as u128;
                u64::try_from(due).map_or(*bytes, |due| due.min(*bytes))
            }
        }
    }

    /// Whether there will be no more than is wanted now.
    fn is_over(&self, started: Instant, written: u64, now: Instant) -> bool {
        match self {
            Self::Ticker { lasts, next, .. } => *next >= started + *lasts || now >= started + *lasts,
            Self::Bulk { bytes, .. } => written == *bytes,
        }
    }

    /// When there will be more.
    fn next(&self, started: Instant, written: u64, now: Instant) -> Option<Instant> {
        match self {
            Self::Ticker { lasts, next, .. } => Some((*next).min(started + *lasts).max(now)),
            Self::Bulk { bytes, rate: Some(_) } if written < *bytes => Some(now + PACE),
            Self::Bulk { .. } => None,
        }
    }

    /// Ticks, or bytes.
    const fn units(&self, bytes: u64) -> u64 {
        match self {
            Self::Ticker { .. } => bytes / tick::LEN as u64,
            Self::Bulk { .. } => bytes,
        }
    }

    /// The bytes from place `from` on.
    fn write(&self, from: u64, out: &mut [u8]) {
        match self {
            Self::Ticker { .. } => {
                for (place, byte) in (from..).zip(out) {
                    *byte = tick_byte(place);
                }
            }
            Self::Bulk { .. } => {
                let mut at = usize::try_from(from % PATTERN.len() as u64).unwrap_or(0);
                let mut rest = out;
                while !rest.is_empty() {
                    let len = rest.len().min(PATTERN.len() - at);
                    let (now, later) = rest.split_at_mut(len);
                    now.copy_from_slice(&PATTERN[at..at + len]);
                    (rest, at) = (later, 0);
                }
            }
        }
    }

    fn is_sent(&self, from: u64, bytes: &[u8]) -> bool {
        let mut expected = vec![0; bytes.len()];
        self.write(from, &mut expected);
        expected == bytes
    }
}

fn tick_byte(place: u64) -> u8 {
    let (number, offset) = (place / tick::LEN as u64, place % tick::LEN as u64);
    tick::encode(number)[usize::try_from(offset).unwrap_or(0)]
}

/// How often a paced transfer adds to what it may have written, and how far ahead of its rate it is at most.
const PACE: Duration = Duration::from_millis(10);
const PACED: usize = 16 * 1024;

/// What a transfer sends again and again. Its length is a prime, so that no place looks like the one a power of two
/// further on.
static PATTERN: [u8; 65_521] = pattern();

const fn pattern() -> [u8; 65_521] {
    let mut bytes = [0; 65_521];
    let (mut at, mut word) = (0, 0x2545_f491_4f6c_dd1d_u64);
    while at < bytes.len() {
        word ^= word << 13;
        word ^= word >> 7;
        word ^= word << 17;
        bytes[at] = (word >> 32) as u8;
        at += 1;
    }
    bytes
}
