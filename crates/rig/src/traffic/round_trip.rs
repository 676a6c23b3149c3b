//! Questions and answers, one at a time: how long an answer takes.
//!
//! Three kinds: ICMP echo, which the far kernel answers; a UDP echo, which an application answers; and transactions of
//! one byte each way over a TCP connection. Echoes are asked for every millisecond, so that every one of them finds a
//! line that has come to rest, as a ping does; transactions follow each other at once.

mod icmp;

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::{Line, is_timeout};
use crate::error::RigError;
use icmp::Pinger;

/// How a round trip is made.
#[derive(Clone, Copy, Debug, Eq, PartialEq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Probe {
    /// ICMP echo of 56 bytes.
    Ping,
    /// A UDP datagram of 64 bytes and back.
    Udp,
    /// One byte over TCP and one back, without delay.
    Tcp,
}

impl Probe {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Ping, Self::Udp, Self::Tcp];

    /// Makes round trips from the client for so long.
    ///
    /// # Errors
    /// What the sockets met, or if no answer came at all.
    pub fn run(self, line: &Line, time: Duration) -> Result<RoundTrips, RigError> {
        let doing = || RigError::io(format!("{}: {self:?} to {}", line.client.name(), line.address));
        let times = match self {
            Self::Ping => {
                let pinger = Pinger::new(line)?;
                ask(time, BETWEEN_ECHOES, |number| pinger.ask(number as u16)).map_err(doing())?
            }
            Self::Udp => udp(line, time)?.map_err(doing())?,
            Self::Tcp => tcp(line, time)?.map_err(doing())?,
        };
        RoundTrips::of(times).ok_or_else(|| RigError::Tunnel(format!("{self:?}: no answer within {time:?}")))
    }
}

/// Round trips in short; times in nanoseconds.
#[derive(Clone, Copy, Debug, Eq, PartialEq, serde::Serialize)]
pub struct RoundTrips {
    /// How many were answered.
    pub count: u64,
    /// How many were not, within half a second.
    pub lost: u64,
    /// The one in the middle.
    pub median_nanos: u64,
    /// Not exceeded by nineteen of twenty.
    pub p95_nanos: u64,
    /// Not exceeded by ninety-nine of a hundred.
    pub p99_nanos: u64,
    /// The longest.
    pub max_nanos: u64,
    /// Answers a second.
    pub per_second: u64,
}

impl RoundTrips {
    fn of(mut times: Times) -> Option<Self> {
        times.answered.sort_unstable();
        let rank = |percent: usize| {
            times.answered.get((times.answered.len() * percent).div_ceil(100).max(1) - 1).copied()
        };
        let count = times.answered.len() as u64;
        Some(Self {
            count,
            lost: times.lost,
            median_nanos: rank(50)?,
            p95_nanos: rank(95)?,
            p99_nanos: rank(99)?,
            max_nanos: rank(100)?,
            per_second: (count as f64 / times.took.as_secs_f64().max(1e-9)) as u64,
        })
    }
}

#[derive(Debug, Default)]
struct Times {
    answered: Vec<u64>,
    lost: u64,
    took: Duration,
}

/// Asks over and over; `question` waits for its answer, or returns false if none came.
fn ask(
    time: Duration,
    pause: Duration,
    mut question: impl FnMut(u64) -> io::Result<bool>,
) -> io::Result<Times> {
    let _still_precise_enough = nix::sys::prctl::set_timerslack(1_000);
    let mut number = 0..;
    let mut next = || number.next().unwrap_or_default();
    for _ in 0..NOT_COUNTED {
        question(next())?;
    }
    let (began, mut times) = (Instant::now(), Times::default());
    while began.elapsed() < time {
        let asked = Instant::now();
        match question(next())? {
            true => times.answered.push(u64::try_from(asked.elapsed().as_nanos()).unwrap_or(u64::MAX)),
            false => times.lost += 1,
        }
        if !pause.is_zero() {
            thread::sleep(pause);
        }
    }
    times.took = began.elapsed();
    Ok(times)
}

fn udp(line: &Line, time: Duration) -> Result<io::Result<Times>, RigError> {
    let wanted = SocketAddr::new(line.address, 0);
    let made = line.server.call(move || {
        let socket = UdpSocket::bind(wanted)?;
        socket.set_read_timeout(Some(super::LOOK_UP))?;
        Ok((socket.local_addr()?, socket))
    })?;
    let (target, server) = made.map_err(RigError::io("make a socket that echoes"))?;
    let any: SocketAddr = if target.is_ipv4() { ([0; 4], 0).into() } else { ([0_u16; 8], 0).into() };
    let made = line.client.call(move || {
        let socket = UdpSocket::bind(any)?;
        socket.connect(target)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        Ok(socket)
    })?;
    let client = made.map_err(RigError::io("make a socket that asks"))?;
    let stop = AtomicBool::new(false);
    Ok(thread::scope(|scope| {
        scope.spawn(|| {
            let mut datagram = [0; ECHO];
            while !stop.load(Ordering::Relaxed) {
                if let Ok((length, source)) = server.recv_from(&mut datagram) {
                    let _lost = server.send_to(&datagram[..length], source);
                }
            }
        });
        let times = ask(time, BETWEEN_ECHOES, |number| {
            let mut datagram = [0; ECHO];
            datagram[..8].copy_from_slice(&number.to_be_bytes());
            client.send(&datagram)?;
            answered(|| Ok(client.recv(&mut datagram)? >= 8 && datagram[..8] == number.to_be_bytes()))
        });
        stop.store(true, Ordering::Relaxed);
        times
    }))
}

fn tcp(line: &Line, time: Duration) -> Result<io::Result<Times>, RigError> {
    let (mut client, mut server) = line.connect()?;
    let prepare = |stream: &TcpStream| {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(LONGEST_TRANSACTION))
    };
    prepare(&client).and_then(|()| prepare(&server)).map_err(RigError::io("set up a connection"))?;
    Ok(thread::scope(|scope| {
        scope.spawn(move || {
            let mut byte = [0];
            while let Ok(1) = server.read(&mut byte) {
                if server.write_all(&byte).is_err() {
                    break;
                }
            }
        });
        let times = ask(time, Duration::ZERO, |number| {
            let mut byte = [0];
            client.write_all(&[number as u8])?;
            client.read_exact(&mut byte)?;
            if byte == [number as u8] { Ok(true) } else { Err(io::ErrorKind::InvalidData.into()) }
        });
        drop(client);
        times
    }))
}

/// Looks at what comes until it is the answer; false once nothing came for too long.
fn answered(mut look: impl FnMut() -> io::Result<bool>) -> io::Result<bool> {
    let asked = Instant::now();
    while asked.elapsed() < PATIENCE {
        match look() {
            Ok(true) => return Ok(true),
            Ok(false) => {}
            Err(error) if is_timeout(&error) => return Ok(false),
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}

/// Round trips before those that count: addresses are resolved, caches warm.
const NOT_COUNTED: usize = 20;
/// The time between an answer and the next question where each is to find the line at rest.
const BETWEEN_ECHOES: Duration = Duration::from_millis(1);
/// After how long an echo counts as lost.
const PATIENCE: Duration = Duration::from_millis(500);
/// TCP sends again what is lost; beyond this the connection counts as broken.
const LONGEST_TRANSACTION: Duration = Duration::from_secs(10);
/// Bytes of a UDP echo.
const ECHO: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_the_nearest_ranks() {
        let times = Times { answered: (1..=200).rev().collect(), lost: 3, took: Duration::from_millis(500) };
        let short = RoundTrips::of(times).expect("there are some");
        assert_eq!((short.count, short.lost, short.per_second), (200, 3, 400));
        assert_eq!(
            (short.median_nanos, short.p95_nanos, short.p99_nanos, short.max_nanos),
            (100, 190, 198, 200)
        );
    }

    #[test]
    fn one_answer_is_every_percentile_and_none_is_no_result() {
        let times = |answered| Times { answered, lost: 0, took: Duration::from_secs(1) };
        let short = RoundTrips::of(times(vec![7])).expect("there is one");
        assert_eq!((short.median_nanos, short.p99_nanos, short.max_nanos), (7, 7, 7));
        assert_eq!(RoundTrips::of(times(Vec::new())), None);
    }

    #[test]
    fn what_comes_late_is_not_taken_for_the_answer_to_the_next_question() {
        let mut arriving = [3_u64, 4, 5].into_iter();
        assert!(answered(|| Ok(arriving.next() == Some(5))).expect("nothing fails"));
        assert!(!answered(|| Err(io::ErrorKind::WouldBlock.into())).expect("silence is an answer"));
    }
}
