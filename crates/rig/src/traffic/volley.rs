//! UDP datagrams at a given rate, or as fast as they go, and how many of them arrive.
//!
//! Made so that it is not itself the limit: many datagrams per system call at both ends, a receiver that sleeps between
//! two looks in stead of being woken by each datagram, and a receive buffer that outlasts those sleeps. Segmentation
//! offload of UDP is not used: few applications do.
//!
//! # Invariants
//! - A datagram counts once, and only towards the volley it was sent in.
//! - What arrives later than a fraction of a second after the last one was sent is lost; what a queue held back until
//!   then makes the volley last longer, so no rate is made of a queue's depth.

mod batch;
pub mod search;

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::socket::{setsockopt, sockopt};

use super::timeline::micros;
use super::{Line, is_timeout};
use crate::error::RigError;
use batch::Batch;

/// Two sockets that know each other, one at each end of a line.
#[derive(Debug)]
pub struct Range {
    client: UdpSocket,
    server: UdpSocket,
    fired: AtomicU32,
}

impl Range {
    /// Makes the sockets.
    ///
    /// # Errors
    /// What the kernel refused.
    pub fn new(line: &Line) -> Result<Self, RigError> {
        let any: SocketAddr =
            if line.address.is_ipv4() { ([0; 4], 0).into() } else { ([0_u16; 8], 0).into() };
        let made = line.server.call({
            let wanted = SocketAddr::new(line.address, 0);
            move || {
                let socket = UdpSocket::bind(wanted)?;
                socket.set_read_timeout(Some(LOOK_UP))?;
                // Without the right to exceed the system's bound, up to that bound.
                if setsockopt(&socket, sockopt::RcvBufForce, &RECEIVE_BUFFER).is_err() {
                    setsockopt(&socket, sockopt::RcvBuf, &RECEIVE_BUFFER)?;
                }
                Ok((socket.local_addr()?, socket))
            }
        })?;
        let (target, server) = made.map_err(RigError::io("make a socket that receives"))?;
        let made = line.client.call(move || {
            let socket = UdpSocket::bind(any)?;
            socket.connect(target)?;
            Ok((socket.local_addr()?, socket))
        })?;
        let (source, client) = made.map_err(RigError::io("make a socket that sends"))?;
        server.connect(source).map_err(RigError::io("connect UDP"))?;
        Ok(Self { client, server, fired: AtomicU32::new(0) })
    }

    /// The largest IP packet that goes from the client unfragmented, in bytes, as its kernel knows.
    ///
    /// # Errors
    /// What the kernel refused.
    pub fn mtu(&self) -> Result<u32, RigError> {
        let mtu = nix::sys::socket::getsockopt(&self.client, sockopt::IpMtu);
        mtu.map(i32::cast_unsigned)
            .map_err(|error| RigError::Io { doing: "ask for the MTU".to_owned(), source: error.into() })
    }

    /// Sends and receives a volley.
    ///
    /// # Errors
    /// What the sockets met, but for a datagram that could not be sent: that one is lost.
    pub fn fire(&self, volley: Volley) -> Result<VolleyReport, RigError> {
        let number = self.fired.fetch_add(1, Ordering::Relaxed);
        let ended = OnceLock::new();
        let (shot, seen) = thread::scope(|scope| {
            let receiver = scope.spawn(|| receive(&self.server, number, volley.size, &ended));
            let shot = volley.send(&self.client, number);
            let _set_once = ended.set(Instant::now());
            (shot, receiver.join().unwrap_or_else(|_| Err(io::Error::other("panicked"))))
        });
        let shot = shot.map_err(RigError::io("send datagrams"))?;
        let seen = seen.map_err(RigError::io("receive datagrams"))?;
        let until = seen.last.map_or(shot.ended, |last| last.max(shot.ended));
        let took = until.saturating_duration_since(shot.began);
        let per_second = |count: u64, took: Duration| (count as f64 / took.as_secs_f64().max(1e-6)) as u64;
        Ok(VolleyReport {
            wanted_per_second: volley.per_second,
            sent: shot.sent,
            received: seen.count,
            micros: micros(took),
            sent_per_second: per_second(shot.sent, shot.ended - shot.began),
            received_per_second: per_second(seen.count, took),
        })
    }
}

/// Datagrams to be sent.
#[derive(Clone, Copy, Debug)]
pub struct Volley {
    /// Bytes of payload in each, at least 12.
    pub size: usize,
    /// How many a second; without it, as many as go.
    pub per_second: Option<u64>,
    /// For how long.
    pub duration: Duration,
}

impl Volley {
    fn send(self, socket: &UdpSocket, volley: u32) -> io::Result<Shot> {
        let mut batch = Batch::new(self.size.max(Stamp::LENGTH));
        let began = Instant::now();
        let (mut sent, mut forgiven) = (0, 0);
        // Sleeps end when they are meant to, not up to 50 µs later.
        let _still_precise_enough = nix::sys::prctl::set_timerslack(1_000);
        while began.elapsed() < self.duration {
            let owed = match self.per_second {
                None => Batch::LENGTH as u64,
                Some(rate) => {
                    let due = (began.elapsed().as_secs_f64() * rate as f64) as u64;
                    let owed = due.saturating_sub(sent + forgiven);
                    let most = (rate as f64 * LONGEST_BURST.as_secs_f64()).max(2.0) as u64;
                    forgiven += owed.saturating_sub(most);
                    owed.min(most)
                }
            };
            let mut left = owed;
            while left > 0 {
                let count = left.min(Batch::LENGTH as u64);
                for index in 0..count {
                    let stamp = Stamp { volley, number: sent + index };
                    batch.datagram(index as usize)[..Stamp::LENGTH].copy_from_slice(&stamp.encode());
                }
                batch.send(socket, count as usize)?;
                sent += count;
                left -= count;
            }
            if self.per_second.is_some() {
                thread::sleep(BETWEEN_BURSTS);
            }
        }
        Ok(Shot { sent, began, ended: Instant::now() })
    }
}

/// What came of a volley.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub struct VolleyReport {
    /// Datagrams a second that were asked for; none for as many as go.
    pub wanted_per_second: Option<u64>,
    /// Datagrams sent.
    pub sent: u64,
    /// Different ones among them that arrived.
    pub received: u64,
    /// From the first that was sent to the last that was sent or arrived, in microseconds.
    pub micros: u64,
    /// Datagrams sent a second.
    pub sent_per_second: u64,
    /// Datagrams received a second.
    pub received_per_second: u64,
}

impl VolleyReport {
    /// What share of it was lost.
    #[must_use]
    pub fn loss(&self) -> f64 {
        1.0 - self.received as f64 / self.sent.max(1) as f64
    }
}

/// The sender's side of a volley.
#[derive(Debug)]
struct Shot {
    sent: u64,
    began: Instant,
    ended: Instant,
}

/// The receiver's side of a volley.
#[derive(Debug, Default)]
struct Seen {
    count: u64,
    last: Option<Instant>,
    /// A bit for each number.
    numbers: Vec<u64>,
}

impl Seen {
    fn note(&mut self, number: u64) {
        let (word, bit) = ((number / 64) as usize, 1_u64 << (number % 64));
        if word >= MOST_WORDS {
            return;
        }
        if word >= self.numbers.len() {
            self.numbers.resize(word + 1, 0);
        }
        if self.numbers[word] & bit == 0 {
            self.numbers[word] |= bit;
            self.count += 1;
        }
    }
}

fn receive(socket: &UdpSocket, volley: u32, size: usize, ended: &OnceLock<Instant>) -> io::Result<Seen> {
    let mut batch = Batch::new(size.max(Stamp::LENGTH));
    let mut seen = Seen::default();
    let _still_precise_enough = nix::sys::prctl::set_timerslack(1_000);
    loop {
        let got = match batch.receive(socket) {
            Ok(got) => got,
            Err(error) if is_timeout(&error) => 0,
            Err(error) => return Err(error),
        };
        let now = Instant::now();
        let before = seen.count;
        for index in 0..got {
            if let Some(stamp) = batch.received(index).first_chunk().map(Stamp::decode)
                && stamp.volley == volley
            {
                seen.note(stamp.number);
            }
        }
        if seen.count > before {
            seen.last = Some(now);
        }
        if ended.get().is_some_and(|at| got == 0 || at.elapsed() > GRACE) {
            return Ok(seen);
        }
        if got < Batch::LENGTH {
            thread::sleep(BETWEEN_LOOKS);
        }
    }
}

/// What a datagram begins with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Stamp {
    volley: u32,
    number: u64,
}

impl Stamp {
    const LENGTH: usize = 12;

    fn encode(self) -> [u8; Self::LENGTH] {
        let mut bytes = [0; Self::LENGTH];
        bytes[..4].copy_from_slice(&self.volley.to_be_bytes());
        bytes[4..].copy_from_slice(&self.number.to_be_bytes());
        bytes
    }

    fn decode(bytes: &[u8; Self::LENGTH]) -> Self {
        let whole = bytes.iter().fold(0_u128, |whole, byte| whole << 8 | u128::from(*byte));
        Self { volley: (whole >> 64) as u32, number: whole as u64 }
    }
}

/// Bytes that wait for the receiver: what a fast line brings in some tens of milliseconds, bookkeeping included.
const RECEIVE_BUFFER: usize = 32 << 20;
/// How long the receiver waits for a datagram before it looks whether the volley is over.
const LOOK_UP: Duration = Duration::from_millis(30);
/// The receiver sleeps so long after it has taken all there was.
const BETWEEN_LOOKS: Duration = Duration::from_micros(150);
/// A paced sender sends what is due, then sleeps so long: bursts stay far below any queue on the way.
const BETWEEN_BURSTS: Duration = Duration::from_micros(100);
/// What a sender that was kept from running owes beyond so much time is not made up for: it would come as a burst that
/// no application makes.
const LONGEST_BURST: Duration = Duration::from_micros(400);
/// How long after the last datagram was sent others are waited for.
const GRACE: Duration = Duration::from_millis(150);
/// Numbers are told apart up to this many words of 64: no forged number makes the receiver grow beyond 8 MB.
const MOST_WORDS: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_survives_the_wire() {
        let stamp = Stamp { volley: u32::MAX - 1, number: u64::MAX - 77 };
        assert_eq!(Stamp::decode(&stamp.encode()), stamp);
    }

    #[test]
    fn a_datagram_that_comes_twice_counts_once_and_a_wild_number_not_at_all() {
        let mut seen = Seen::default();
        for number in [0, 63, 64, 63, 200, 0, u64::MAX] {
            seen.note(number);
        }
        assert_eq!(seen.count, 4);
        assert!(seen.numbers.len() < 8);
    }

    #[test]
    fn loss_is_the_share_that_never_came() {
        let report = VolleyReport {
            wanted_per_second: None,
            sent: 200,
            received: 150,
            micros: 1,
            sent_per_second: 0,
            received_per_second: 0,
        };
        assert!((report.loss() - 0.25).abs() < 1e-9);
    }
}
