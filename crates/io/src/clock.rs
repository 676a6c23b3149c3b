//! The daemon's clock: never goes back, and goes on while the machine sleeps.
//!
//! Protocol crates take [`Instant`]s as arguments; this is where they come from. Session lifetimes and
//! the ages in reports must count the time a laptop lay closed, so the ordinary monotonic clock will not do.

use core::time::Duration;
use std::time::SystemTime;

use stead_wire::time::{Instant, UnixTime};

#[cfg(target_os = "linux")]
#[path = "clock/linux.rs"]
mod platform;
#[cfg(target_os = "macos")]
#[path = "clock/macos.rs"]
mod platform;
#[cfg(windows)]
#[path = "clock/windows.rs"]
mod platform;

/// Time since the machine started, asleep or awake: the same origin for every process on it.
///
/// Costs some 20 ns where the kernel maps its clock into the process; workers still read it only
/// once per batch.
#[must_use]
pub fn now() -> Instant {
    Instant::from_micros(micros(platform::since_boot()))
}

/// How long the machine has been asleep since it started. Grows only across a suspension.
#[must_use]
pub fn asleep() -> Duration {
    platform::since_boot().saturating_sub(platform::awake())
}

/// The calendar's time, for handshake timestamps. May jump; zero for a clock set before 1970.
#[must_use]
pub fn wall() -> UnixTime {
    UnixTime(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default())
}

/// Waits until `moment`, or a while where that is far off; for ever if there is none.
pub(crate) async fn until(moment: Option<Instant>) {
    match moment {
        Some(at) => tokio::time::sleep((at - now()).min(LONGEST_SLEEP)).await,
        None => core::future::pending().await,
    }
}

/// So that no timer outgrows what the runtime can hold. Whoever waits looks at the time again in any case.
const LONGEST_SLEEP: Duration = Duration::from_secs(3600);

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_advances_by_what_a_sleeping_thread_waited() {
        let before = now();
        std::thread::sleep(Duration::from_millis(20));

        let passed = now() - before;

        assert!(passed >= Duration::from_millis(20), "{passed:?}");
        assert!(passed < Duration::from_secs(20), "{passed:?}");
    }

    #[test]
    fn time_asleep_does_not_grow_while_the_machine_is_awake() {
        let before = asleep();
        std::thread::sleep(Duration::from_millis(20));

        assert!(asleep().saturating_sub(before) < Duration::from_millis(10));
    }

    #[test]
    fn the_calendar_is_past_the_day_this_was_written() {
        assert!(wall().0 > Duration::from_secs(1_763_000_000));
    }
}
