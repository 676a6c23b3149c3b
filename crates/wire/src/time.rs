//! Time as the protocol crates see it: numbers that come in as arguments, never a clock.

use core::fmt;
use core::ops::{Add, AddAssign, Sub};
pub use core::time::Duration;

/// A moment in microseconds since an origin that the driver chose.
///
/// The driver must use a clock that never goes back and that counts time spent asleep.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Instant(u64);

impl Instant {
    /// The driver's origin.
    pub const ZERO: Self = Self(0);

    /// The moment `micros` microseconds after the origin.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Microseconds since the origin.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// How long after `earlier` this is; zero if it is not after it.
    #[must_use]
    pub const fn saturating_duration_since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    /// Saturates: a duration beyond the end of time means never.
    fn add(self, after: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(after.as_micros()).unwrap_or(u64::MAX)))
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, after: Duration) {
        *self = *self + after;
    }
}

impl Sub for Instant {
    type Output = Duration;

    /// Saturates at zero, as [`Instant::saturating_duration_since`] does.
    fn sub(self, earlier: Self) -> Duration {
        self.saturating_duration_since(earlier)
    }
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}s", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

/// The calendar's time: how long after 1970-01-01 00:00:00 UTC, leap seconds not counted.
///
/// Only handshake timestamps (TAI64N) need it.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct UnixTime(pub Duration);

impl Add<Duration> for UnixTime {
    type Output = Self;

    fn add(self, after: Duration) -> Self {
        Self(self.0.saturating_add(after))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_stops_at_both_ends_of_time() {
        let late = Instant::from_micros(u64::MAX);
        assert_eq!(late + Duration::from_micros(1), late);
        assert_eq!(Instant::ZERO + Duration::MAX, late);
        assert_eq!(Instant::ZERO - late, Duration::ZERO);
        assert_eq!(UnixTime(Duration::MAX) + Duration::from_secs(1), UnixTime(Duration::MAX));
    }

    #[test]
    fn an_instant_is_printed_in_seconds() {
        assert_eq!(Instant::from_micros(1_000_007).to_string(), "1.000007s");
    }
}
