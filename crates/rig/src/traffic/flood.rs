//! One TCP stream as fast as it goes: what a tunnel's speed is measured with.

use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::timeline::micros;
use super::{Line, TcpState};
use crate::error::RigError;

/// A flood from the client to the server.
#[derive(Clone, Copy, Debug)]
pub struct Flood {
    /// How long it flows before it is measured, so that TCP has found its speed.
    pub warm_up: Duration,
    /// How long it is measured.
    pub duration: Duration,
}

impl Flood {
    /// Floods, and measures at the receiving application.
    ///
    /// # Errors
    /// If no connection comes about, or it breaks before the time is over.
    pub fn run(self, line: &Line) -> Result<FloodReport, RigError> {
        let (client, server) = line.connect()?;
        let received = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&received);
        let probe = client.try_clone().map_err(RigError::io("copy a socket"))?;
        let sink = thread::spawn(move || {
            let (mut server, mut block) = (server, vec![0; BLOCK]);
            while let Ok(length @ 1..) = server.read(&mut block) {
                counter.fetch_add(length as u64, Ordering::Relaxed);
            }
        });
        let source = thread::spawn(move || {
            let (mut client, block) = (client, vec![0x5a; BLOCK]);
            while client.write_all(&block).is_ok() {}
        });

        thread::sleep(self.warm_up);
        let (began, before) = (Instant::now(), received.load(Ordering::Relaxed));
        thread::sleep(self.duration);
        let bytes = received.load(Ordering::Relaxed) - before;
        let took = began.elapsed();
        let state = TcpState::of(&probe).unwrap_or_default();
        let broken = source.is_finished() || sink.is_finished();

        let _closed_already = probe.shutdown(Shutdown::Both);
        let _panicked = (source.join(), sink.join());
        if broken || bytes == 0 {
            return Err(RigError::Tunnel("the connection broke while its speed was measured".to_owned()));
        }
        Ok(FloodReport {
            bytes,
            micros: micros(took),
            bits_per_second: (bytes as f64 * 8.0 / took.as_secs_f64()) as u64,
            retransmissions: state.retransmissions,
            segment: state.segment,
        })
    }
}

/// What came of a flood.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub struct FloodReport {
    /// Bytes received while it was measured.
    pub bytes: u64,
    /// How long it was measured, in microseconds.
    pub micros: u64,
    /// Payload received.
    pub bits_per_second: u64,
    /// Segments the sender sent again, warm-up included.
    pub retransmissions: u32,
    /// The largest segment the sender sends, in bytes.
    pub segment: u32,
}

/// Bytes per system call: large enough that the calls themselves cost little.
const BLOCK: usize = 256 * 1024;
