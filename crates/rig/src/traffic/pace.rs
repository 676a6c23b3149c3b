//! How fast a paced sender sends.

use std::thread;
use std::time::{Duration, Instant};

/// Spreads a sender's bytes evenly over time; after a stall it goes on at the same pace.
#[derive(Debug)]
pub(crate) struct Pace {
    per_second: Option<u64>,
    next: Instant,
}

impl Pace {
    pub(crate) fn new(per_second: Option<u64>) -> Self {
        Self { per_second: per_second.filter(|rate| *rate > 0), next: Instant::now() }
    }

    /// Waits until `bytes` more may be sent.
    pub(crate) fn wait(&mut self, bytes: usize) {
        let Some(rate) = self.per_second else { return };
        let now = Instant::now();
        thread::sleep(self.next.saturating_duration_since(now));
        self.next = self.next.max(now) + Duration::from_secs_f64(bytes as f64 / rate as f64);
    }
}

/// Bytes written at once by a paced sender: two hundred blocks a second, so that gaps are seen as fine as that.
pub(crate) fn block(per_second: u64) -> usize {
    usize::try_from(per_second / 200).unwrap_or(LARGEST_BLOCK).clamp(LEAST_BLOCK, LARGEST_BLOCK)
}

/// Not more than a few segments for the kernel to cut, and not less than one.
const LARGEST_BLOCK: usize = 16 * 1024;
const LEAST_BLOCK: usize = 1408;
