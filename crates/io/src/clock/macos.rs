//! macOS: `CLOCK_MONOTONIC_RAW` is `mach_continuous_time` and counts sleep; `CLOCK_UPTIME_RAW` is
//! `mach_absolute_time` and does not.

use core::time::Duration;

use nix::time::{ClockId, clock_gettime};

pub(super) fn since_boot() -> Duration {
    read(ClockId::from_raw(libc::CLOCK_MONOTONIC_RAW))
}

pub(super) fn awake() -> Duration {
    read(ClockId::from_raw(libc::CLOCK_UPTIME_RAW))
}

fn read(clock: ClockId) -> Duration {
    // Fails only for a clock the system does not have; both exist since macOS 10.12.
    clock_gettime(clock).map(Duration::from).unwrap_or_default()
}
