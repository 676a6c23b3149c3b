//! Windows: the interrupt time counts sleep, the unbiased interrupt time does not. Both in 100 ns.

use core::time::Duration;

use windows_sys::Win32::System::WindowsProgramming::{
    QueryInterruptTimePrecise, QueryUnbiasedInterruptTimePrecise,
};

pub(super) fn since_boot() -> Duration {
    let mut ticks = 0;
    #[expect(unsafe_code, reason = "system call without a safe wrapper")]
    // SAFETY: writes one u64 through a pointer that is valid for the call.
    unsafe {
        QueryInterruptTimePrecise(&raw mut ticks);
    }
    hundreds_of_nanoseconds(ticks)
}

pub(super) fn awake() -> Duration {
    let mut ticks = 0;
    #[expect(unsafe_code, reason = "system call without a safe wrapper")]
    // SAFETY: writes one u64 through a pointer that is valid for the call.
    unsafe {
        QueryUnbiasedInterruptTimePrecise(&raw mut ticks);
    }
    hundreds_of_nanoseconds(ticks)
}

const fn hundreds_of_nanoseconds(ticks: u64) -> Duration {
    Duration::new(ticks / 10_000_000, (ticks % 10_000_000) as u32 * 100)
}
