//! Asking a service again and again while a peer is looked for: it may have started anew and forgotten us.
//!
//! Decides when; what is asked is the [service](super::service)'s to say, and what goes unanswered is repeated by the
//! [patience](super::patience).
//!
//! # Life-cycle
//! idle → (a peer is looked for) → asks, with pauses that grow → (no peer is looked for any more) → idle.

use stead_wire::time::{Duration, Instant};

use super::patience::EAGER_FOR;

/// Bounds of the first pause, which is two round trips to the service. The upper one is the pause for as long as a
/// search is young, so that a service which starts anew is noticed within it.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_millis(400));

/// First pause where no round-trip time is known.
const UNMEASURED: Duration = Duration::from_millis(200);

/// Longest pause: a peer that stays away costs four small questions a minute, as many as the updates to it.
const LONGEST: Duration = Duration::from_secs(15);

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Inquiry {
    pace: Option<Pace>,
}

#[derive(Clone, Copy, Debug)]
struct Pace {
    /// When the search began that this is for.
    since: Instant,
    pause: Duration,
    next: Instant,
}

impl Inquiry {
    /// Takes since when a peer is looked for, the newest search if there are several. A new one was asked about just now.
    pub(super) fn follow(&mut self, search: Option<Instant>, rtt: Option<Duration>, now: Instant) {
        let known = self.pace.map(|pace| pace.since);
        if known == search {
            return;
        }
        // The end of one search of several changes nothing for the others.
        if known > search && search.is_some() {
            return;
        }
        self.pace = search.map(|since| {
            let pause = rtt.map_or(UNMEASURED, |rtt| (rtt * 2).clamp(PAUSE.0, PAUSE.1));
            Pace { since, pause, next: now + pause }
        });
    }

    /// Whether it is time to ask; then the next time is set.
    pub(super) fn take_due(&mut self, now: Instant) -> bool {
        let Some(pace) = self.pace.as_mut().filter(|pace| now >= pace.next) else { return false };
        let longest = if now < pace.since + EAGER_FOR { PAUSE.1 } else { LONGEST };
        pace.pause = (pace.pause * 2).min(longest);
        pace.next = now + pace.pause;
        true
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.pace.map(|pace| pace.next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTT: Option<Duration> = Some(Duration::from_millis(60));

    const fn at(millis: u64) -> Instant {
        Instant::from_micros(millis * 1000)
    }

    fn asked(inquiry: &mut Inquiry, until: Instant) -> Vec<u64> {
        let mut asked = Vec::new();
        while let Some(next) = inquiry.poll_timeout().filter(|next| *next <= until) {
            assert!(inquiry.take_due(next));
            asked.push(next.as_micros() / 1000);
        }
        asked
    }

    #[test]
    fn a_service_is_asked_within_round_trips_then_often_then_seldom_until_the_peer_is_found() {
        let mut inquiry = Inquiry::default();
        inquiry.follow(Some(at(1000)), RTT, at(1000));
        let times = asked(&mut inquiry, at(120_000));
        assert_eq!(times[..4], [1120, 1360, 1760, 2160]);
        let young: Vec<u64> = times.iter().copied().filter(|time| *time < 11_000).collect();
        assert!(young.windows(2).all(|pair| pair[1] - pair[0] <= 400), "{young:?}");
        assert!(times.len() - young.len() <= 12, "four a minute in the end: {times:?}");

        inquiry.follow(None, RTT, at(120_000));
        assert_eq!(inquiry.poll_timeout(), None);
    }

    #[test]
    fn a_new_search_is_asked_about_at_the_pace_of_a_beginning_and_the_end_of_an_old_one_changes_nothing() {
        let mut inquiry = Inquiry::default();
        inquiry.follow(Some(at(1000)), RTT, at(1000));
        asked(&mut inquiry, at(60_000));
        inquiry.follow(Some(at(60_000)), RTT, at(60_000));
        assert_eq!(inquiry.poll_timeout(), Some(at(60_120)));
        inquiry.follow(Some(at(1000)), RTT, at(60_010));
        assert_eq!(inquiry.poll_timeout(), Some(at(60_120)));
    }
}
