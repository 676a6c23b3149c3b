//! When a stream that stalled is a steady one again: the same judgement for what runs on kernels and what is simulated.

use core::time::Duration;

/// How long after `moment` a stream with these gaps is steady again: until the end of the last gap that touches the moment,
/// or begins between it and `until` and is a stall. None if no gap does.
pub(crate) fn steady_after<T>(gaps: impl Iterator<Item = (T, T)>, moment: T, until: T) -> Option<Duration>
where
    T: Copy + Ord + core::ops::Sub<Output = Duration>,
{
    let touching = gaps.filter(|(from, to)| *to > moment && *from < until);
    let stalls = touching.filter(|(from, to)| *from <= moment || *to - *from >= STALL);
    stalls.map(|(_, to)| to - moment).max()
}

/// Shorter gaps in a stream that is back are its own pace.
const STALL: Duration = Duration::from_millis(100);
