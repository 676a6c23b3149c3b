//! Waiting for something to become true, with a bound that only a failure reaches.

use std::thread;
use std::time::{Duration, Instant};

/// Milliseconds, for arithmetic on time.
#[must_use]
pub const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Seconds, for arithmetic on time.
#[must_use]
pub const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Looks every few milliseconds whether something holds; false if it does not within `patience`.
pub fn within(patience: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let until = Instant::now() + patience;
    while !holds() {
        if Instant::now() >= until {
            return false;
        }
        thread::sleep(LOOK_AGAIN);
    }
    true
}

/// Lets time pass for both hosts.
pub fn pass(duration: Duration) {
    thread::sleep(duration);
}

/// Often enough that no test waits noticeably longer than it must.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
