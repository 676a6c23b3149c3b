//! What each direction of a TCP connection left behind: its newest numbers, kept for as long as the entry lives.
//!
//! A few relaxed stores per packet or super-packet, on the cache line that the direction's counters are on anyway.
//! Two workers that write at once may lose one of two notes; every number only lags then, which is safe: nothing is
//! ever acknowledged that was not, and the next packet catches up.

use core::sync::atomic::{AtomicU64, Ordering};

use stead_wire::tcp::{Segment, Sequence, Timestamps};

/// One direction's trail.
#[derive(Debug, Default)]
pub(crate) struct Trail {
    /// Acknowledgement above, end below.
    numbers: AtomicU64,
    /// Timestamp, window, marks: 32, 16 and 16 bits.
    rest: AtomicU64,
}

/// A trail at one moment.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Steps {
    /// What follows the furthest segment that passed; `None` if none did.
    pub(crate) end: Option<Sequence>,
    /// The highest acknowledgement, and the window beside it, as a segment without SYN would carry it.
    pub(crate) acknowledged: Option<(Sequence, u16)>,
    /// The newest timestamp.
    pub(crate) timestamp: Option<Sequence>,
    /// Whether an RST passed.
    pub(crate) reset: bool,
}

/// Marks of a trail.
mod mark {
    pub(super) const ENDED_AT: u16 = 1;
    pub(super) const ACKNOWLEDGED: u16 = 2;
    pub(super) const STAMPED: u16 = 4;
    pub(super) const RESET: u16 = 8;
}

impl Trail {
    /// Notes a segment. `window` is its window as a segment without SYN would carry it.
    pub(crate) fn note(&self, segment: &Segment, window: u16) {
        let before = self.steps();
        let mut steps = before;
        if segment.flags.rst {
            steps.reset = true;
        } else {
            let end = segment.end();
            steps.end = Some(before.end.map_or(end, |known| known.later(end)));
            let is_old = |(known, _): (Sequence, u16)| known.is_after(segment.acknowledgement);
            if segment.flags.ack && !before.acknowledged.is_some_and(is_old) {
                steps.acknowledged = Some((segment.acknowledgement, window));
            }
            if let Some(Timestamps { value, .. }) = segment.timestamps {
                steps.timestamp = Some(before.timestamp.map_or(value, |known| known.later(value)));
            }
        }
        if steps != before {
            self.put(steps);
        }
    }

    /// Begins anew.
    pub(crate) fn clear(&self) {
        self.put(Steps::default());
    }

    /// Where the trail has led.
    pub(crate) fn steps(&self) -> Steps {
        let (numbers, rest) = (self.numbers.load(Ordering::Relaxed), self.rest.load(Ordering::Relaxed));
        let marks = rest as u16;
        let marked = |mark: u16| marks & mark != 0;
        Steps {
            end: marked(mark::ENDED_AT).then_some(Sequence(numbers as u32)),
            acknowledged: marked(mark::ACKNOWLEDGED)
                .then_some((Sequence((numbers >> 32) as u32), (rest >> 16) as u16)),
            timestamp: marked(mark::STAMPED).then_some(Sequence((rest >> 32) as u32)),
            reset: marked(mark::RESET),
        }
    }

    fn put(&self, steps: Steps) {
        let set = |is: bool, mark: u16| if is { mark } else { 0 };
        let marks = set(steps.end.is_some(), mark::ENDED_AT)
            | set(steps.acknowledged.is_some(), mark::ACKNOWLEDGED)
            | set(steps.timestamp.is_some(), mark::STAMPED)
            | set(steps.reset, mark::RESET);
        let (acknowledged, window) = steps.acknowledged.unwrap_or_default();
        let (end, timestamp) = (steps.end.unwrap_or_default(), steps.timestamp.unwrap_or_default());
        let numbers = u64::from(acknowledged.0) << 32 | u64::from(end.0);
        let rest = u64::from(timestamp.0) << 32 | u64::from(window) << 16 | u64::from(marks);
        self.numbers.store(numbers, Ordering::Relaxed);
        self.rest.store(rest, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use stead_wire::ip::TcpFlags;

    use super::*;

    fn segment(sequence: u32, acknowledgement: u32, payload_len: u32) -> Segment {
        Segment {
            flags: TcpFlags { ack: true, ..TcpFlags::default() },
            sequence: Sequence(sequence),
            acknowledgement: Sequence(acknowledgement),
            window: 100,
            payload_len,
            timestamps: None,
        }
    }

    #[test]
    fn the_furthest_is_kept_across_the_wrap() {
        let trail = Trail::default();
        trail.note(&segment(u32::MAX - 4, u32::MAX, 10), 100);
        trail.note(&segment(u32::MAX - 4, u32::MAX - 9, 5), 200);
        let steps = trail.steps();
        assert_eq!(steps.end, Some(Sequence(5)), "a repetition leads no further");
        assert_eq!(steps.acknowledged, Some((Sequence(u32::MAX), 100)), "an old window means nothing");

        trail.note(&segment(5, 3, 0), 300);
        trail.note(&segment(5, 3, 0), 0);
        assert_eq!(trail.steps().acknowledged, Some((Sequence(3), 0)), "the newest of equals counts");
    }

    #[test]
    fn only_segments_with_the_flag_acknowledge() {
        let trail = Trail::default();
        let flags = TcpFlags { syn: true, ..TcpFlags::default() };
        trail.note(&Segment { flags, ..segment(10, 99, 0) }, 7);
        assert_eq!(trail.steps(), Steps { end: Some(Sequence(11)), ..Steps::default() });
    }

    #[test]
    fn a_reset_is_marked_and_its_numbers_are_not_believed() {
        let trail = Trail::default();
        trail.note(&segment(10, 20, 5), 7);
        let before = trail.steps();
        let flags = TcpFlags { rst: true, ack: true, ..TcpFlags::default() };
        trail.note(&Segment { flags, ..segment(999, 999, 0) }, 0);
        assert_eq!(trail.steps(), Steps { reset: true, ..before });

        trail.clear();
        assert_eq!(trail.steps(), Steps::default());
    }

    #[test]
    fn the_newest_timestamp_stays() {
        let trail = Trail::default();
        for value in [u32::MAX, 2, u32::MAX - 3] {
            let timestamps = Some(Timestamps { value: Sequence(value), echo: Sequence(0) });
            trail.note(&Segment { timestamps, ..segment(1, 1, 0) }, 0);
        }
        assert_eq!(trail.steps().timestamp, Some(Sequence(2)));
    }
}
