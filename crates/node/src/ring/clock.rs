//! A ring's clock: it goes while traffic can flow, and stands while that is suspended.
//!
//! So what was under way when a suspension began is as old when it ends, and can be sent again, however long it took.

use core::sync::atomic::{AtomicU64, Ordering};

use stead_noise::schedule::REJECT_AFTER_TIME;
use stead_wire::time::{Duration, Instant};

/// The longest that one suspension stops the clock: no session opens anything that is older (WireGuard paper §6.2), so
/// from then on what is kept grows old and its memory is given back.
const LONGEST_STOP: Duration = REJECT_AFTER_TIME;

/// It goes.
const GOING: u64 = u64::MAX;

/// See the module's documentation. Read by the workers, stopped and started by the peer alone.
#[derive(Debug)]
pub(super) struct Clock {
    /// When it was stopped, in microseconds of the world's time.
    stopped_at: AtomicU64,
    /// For how long it stood in all, in microseconds, the present stop not counted.
    stood: AtomicU64,
}

impl Default for Clock {
    fn default() -> Self {
        Self { stopped_at: AtomicU64::new(GOING), stood: AtomicU64::new(0) }
    }
}

impl Clock {
    /// What it shows when it is `now` in the world.
    pub(super) fn read(&self, now: Instant) -> Instant {
        let stood = self.stood.load(Ordering::Relaxed) + self.stands(now);
        Instant::from_micros(now.as_micros().saturating_sub(stood))
    }

    /// Stops it, or lets it go on.
    pub(super) fn set_going(&self, going: bool, now: Instant) {
        let stands = self.stopped_at.load(Ordering::Relaxed) != GOING;
        if going && stands {
            self.stood.fetch_add(self.stands(now), Ordering::Relaxed);
            self.stopped_at.store(GOING, Ordering::Relaxed);
        } else if !going && !stands {
            self.stopped_at.store(now.as_micros(), Ordering::Relaxed);
        }
    }

    /// For how long it has been standing since it was stopped last.
    fn stands(&self, now: Instant) -> u64 {
        let most = u64::try_from(LONGEST_STOP.as_micros()).unwrap_or(u64::MAX);
        now.as_micros().saturating_sub(self.stopped_at.load(Ordering::Relaxed)).min(most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(secs: u64) -> Instant {
        Instant::from_micros(secs * 1_000_000)
    }

    #[test]
    fn it_stands_while_stopped_and_goes_on_from_there() {
        let clock = Clock::default();
        assert_eq!(clock.read(at(5)), at(5));
        clock.set_going(false, at(10));
        clock.set_going(false, at(20));
        assert_eq!((clock.read(at(10)), clock.read(at(40))), (at(10), at(10)));
        clock.set_going(true, at(40));
        clock.set_going(true, at(45));
        assert_eq!(clock.read(at(50)), at(20));
        clock.set_going(false, at(60));
        assert_eq!(clock.read(at(61)), at(30), "the second stop comes on top of the first");
    }

    #[test]
    fn no_stop_lasts_longer_than_a_session() {
        let clock = Clock::default();
        clock.set_going(false, at(10));
        assert_eq!(clock.read(at(190)), at(10));
        assert_eq!(clock.read(at(200)), at(20));
        clock.set_going(true, at(1_000));
        assert_eq!(clock.read(at(1_000)), at(820));
    }
}
