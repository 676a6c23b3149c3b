//! Linux: `CLOCK_BOOTTIME` counts suspension, `CLOCK_MONOTONIC` does not.

use core::time::Duration;

use nix::time::{ClockId, clock_gettime};

pub(super) fn since_boot() -> Duration {
    read(ClockId::CLOCK_BOOTTIME)
}

pub(super) fn awake() -> Duration {
    read(ClockId::CLOCK_MONOTONIC)
}

fn read(clock: ClockId) -> Duration {
    // Fails only for a clock the kernel does not have; both are older than any kernel with our TUN.
    clock_gettime(clock).map(Duration::from).unwrap_or_default()
}
