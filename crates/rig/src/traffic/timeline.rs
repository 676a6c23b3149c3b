//! When something reached an application, and the gaps in between.

use std::time::{Duration, Instant};

use crate::moves::Move;

/// The moments at which an application received something, in order.
#[derive(Clone, Debug)]
pub struct Timeline {
    began: Instant,
    arrivals: Vec<Instant>,
}

/// A time without arrivals.
#[derive(Clone, Copy, Debug, Eq, PartialEq, serde::Serialize)]
pub struct Gap {
    /// From the timeline's beginning to the last arrival before the gap, in microseconds.
    pub at_micros: u64,
    /// How long nothing came, in microseconds.
    pub micros: u64,
}

/// What a move cost an application.
#[derive(Clone, Copy, Debug, Eq, PartialEq, serde::Serialize)]
pub struct Stall {
    /// The longest gap around the move, in microseconds.
    pub gap_micros: u64,
    /// How long the host was nowhere, in microseconds.
    pub dark_micros: u64,
    /// The gap without the dark time, in microseconds: what is the tunnel's and TCP's to answer for.
    pub stall_micros: u64,
    /// Whether anything arrived after the gap.
    pub resumed: bool,
}

impl Timeline {
    pub(crate) const fn new(began: Instant) -> Self {
        Self { began, arrivals: Vec::new() }
    }

    pub(crate) fn record(&mut self, at: Instant) {
        self.arrivals.push(at);
    }

    /// Every arrival, in order.
    pub fn arrivals(&self) -> impl Iterator<Item = Instant> + '_ {
        self.arrivals.iter().copied()
    }

    /// When it began.
    #[must_use]
    pub const fn began(&self) -> Instant {
        self.began
    }

    /// How many arrivals there were.
    #[must_use]
    pub fn len(&self) -> usize {
        self.arrivals.len()
    }

    /// Whether nothing arrived at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.arrivals.is_empty()
    }

    /// The last arrival, or the beginning.
    #[must_use]
    pub fn last(&self) -> Instant {
        self.arrivals.last().copied().unwrap_or(self.began)
    }

    /// The `count` longest gaps, longest first.
    #[must_use]
    pub fn longest_gaps(&self, count: usize) -> Vec<Gap> {
        let mut gaps: Vec<Gap> = self.gaps().map(|(from, to)| self.gap(from, to)).collect();
        gaps.sort_unstable_by_key(|gap| (core::cmp::Reverse(gap.micros), gap.at_micros));
        gaps.truncate(count);
        gaps
    }

    /// The longest gap that touches the time from the move's cut to `until`.
    ///
    /// If nothing arrived after the cut, the gap reaches to `until` and has not been resumed from.
    #[must_use]
    pub fn stall(&self, step: &Move, until: Instant) -> Stall {
        let dark = step.dark();
        let worst = self
            .gaps()
            .filter(|(from, to)| *to > step.cut && *from < until)
            .map(|(from, to)| to - from)
            .max();
        let open = until.saturating_duration_since(self.last());
        let (gap, resumed) = match worst {
            Some(gap) if gap >= open || self.last() > step.usable => (gap, true),
            _ => (open, false),
        };
        Stall {
            gap_micros: micros(gap),
            dark_micros: micros(dark),
            stall_micros: micros(gap.saturating_sub(dark)),
            resumed,
        }
    }

    /// How long after `moment` the stream is steady again, seen until `until`: the end of the last time without an
    /// arrival that touches it, or follows it and is a stall. None if nothing arrived after it.
    #[must_use]
    pub fn resumes_after(&self, moment: Instant, until: Instant) -> Option<Duration> {
        crate::steady::steady_after(self.gaps(), moment, until)
    }

    fn gaps(&self) -> impl Iterator<Item = (Instant, Instant)> + '_ {
        let starts = core::iter::once(self.began).chain(self.arrivals.iter().copied());
        starts.zip(self.arrivals.iter().copied())
    }

    fn gap(&self, from: Instant, to: Instant) -> Gap {
        Gap { at_micros: micros(from - self.began), micros: micros(to - from) }
    }
}

/// Whole microseconds, saturating.
#[must_use]
pub fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn timeline(arrivals: &[u64]) -> Timeline {
        let mut timeline = Timeline::new(Instant::now());
        for at in arrivals {
            timeline.record(timeline.began + ms(*at));
        }
        timeline
    }

    fn step(timeline: &Timeline, cut: u64, usable: u64) -> Move {
        Move {
            host: "laptop".to_owned(),
            from: None,
            to: "office".to_owned(),
            cut: timeline.began + ms(cut),
            usable: timeline.began + ms(usable),
            addresses: Vec::new(),
        }
    }

    #[test]
    fn the_longest_gaps_come_first_and_with_their_time() {
        let gaps = timeline(&[10, 20, 70, 80, 110]).longest_gaps(2);
        assert_eq!(
            gaps,
            [Gap { at_micros: 20_000, micros: 50_000 }, Gap { at_micros: 80_000, micros: 30_000 }]
        );
    }

    #[test]
    fn a_stall_is_the_gap_around_the_move_without_the_dark_time() {
        let timeline = timeline(&[10, 20, 500, 510, 520, 1900]);
        let stall = timeline.stall(&step(&timeline, 25, 225), timeline.began + ms(600));
        assert_eq!(
            stall,
            Stall { gap_micros: 1_380_000, dark_micros: 200_000, stall_micros: 1_180_000, resumed: true },
            "a gap that begins before the window ends counts whole"
        );
        let stall = timeline.stall(&step(&timeline, 25, 225), timeline.began + ms(515));
        assert_eq!((stall.gap_micros, stall.stall_micros), (480_000, 280_000));
    }

    #[test]
    fn a_connection_that_never_came_back_is_not_called_resumed() {
        let timeline = timeline(&[10, 20, 30]);
        let stall = timeline.stall(&step(&timeline, 25, 225), timeline.began + ms(5030));
        assert_eq!((stall.gap_micros, stall.resumed), (5_000_000, false));
    }

    #[test]
    fn what_resumes_late_is_late_even_if_something_came_before() {
        let timeline = timeline(&[10, 20, 1010, 1400, 1420, 1440, 9000]);
        let after =
            |moment, until| timeline.resumes_after(timeline.began + ms(moment), timeline.began + ms(until));
        assert_eq!(after(1000, 1005), Some(ms(10)));
        assert_eq!(after(1000, 1430), Some(ms(400)), "one packet is no stream");
        assert_eq!(after(9500, 9600), None);
    }

    #[test]
    fn a_move_without_a_gap_costs_nothing() {
        let timeline = timeline(&[10, 20, 30, 40]);
        let stall = timeline.stall(&step(&timeline, 20, 40), timeline.began + ms(45));
        assert_eq!((stall.stall_micros, stall.resumed), (0, true));
    }
}
