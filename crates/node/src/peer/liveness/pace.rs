//! How one question about a path goes on: how many challenges, how far apart, and when their absence is a verdict.
//!
//! Everything scales with the path's [round trip](RoundTrip). The second challenge goes when an answer to the first is
//! overdue, so a path that answers costs one challenge; the others follow closely.

use stead_wire::time::Duration;

use crate::lane::QUIET;
use crate::peer::round_trip::RoundTrip;

/// What a TCP delays an acknowledgement for while data comes: as Linux does. A longer delay costs one challenge.
pub(super) const DELAYED_ACK: Duration = Duration::from_millis(40);

// Timers run for what a lane that is not yet quiet may be asked for next.
const _: () = assert!(QUIET.as_micros() <= DELAYED_ACK.as_micros());

/// Challenges when nothing at all arrives. Where 30 % is lost each way, one question in 50,000 stays unanswered.
const IN_SILENCE: u32 = 16;

/// A line that pauses for a quarter of a second is not silent: the last challenges go after that. Half of an answer is
/// taken off, since packets that were under way may come for so long.
const PAUSES: Duration = Duration::from_millis(290);

/// The least time from the first of them to the last.
const SILENCE: Duration = Duration::from_millis(120);

/// Challenges while the peer's packets arrive, which says that the peer is there. Where 30 % is lost each way, one
/// question in 700,000 stays unanswered.
const IN_TRAFFIC: u32 = 20;

/// The least time for those. A queue of a second that has just filled up does not make them unanswered.
const TRAFFIC: Duration = Duration::from_millis(1_300);

/// The pace of one question.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Pace {
    /// Challenges that have to go unanswered.
    pub(super) challenges: u32,
    /// Between the first and the second.
    first: Duration,
    /// Between two others.
    further: Duration,
    /// From the first to the verdict.
    pub(super) lasts: Duration,
    /// From the last challenge to the verdict, at least.
    pub(super) answer: Duration,
}

impl Pace {
    /// When nothing at all arrives.
    pub(super) fn in_silence(path: RoundTrip) -> Self {
        let answer = path.answer_time();
        let asking = SILENCE
            .max(answer + answer / 2)
            .max((PAUSES - PAUSES.min(answer / 2)).saturating_sub(patience(path)));
        Self::new(IN_SILENCE, asking, answer)
    }

    /// While packets arrive.
    pub(super) fn in_traffic(path: RoundTrip) -> Self {
        let answer = path.answer_time();
        let asking = TRAFFIC.max(answer * 4) - answer;
        Self::new(IN_TRAFFIC, asking, answer)
    }

    fn new(challenges: u32, asking: Duration, answer: Duration) -> Self {
        let further = (asking - answer) / (challenges - 2);
        Self { challenges, first: answer, further, lasts: asking + answer, answer }
    }

    /// From the last of so many challenges to the next one.
    pub(super) const fn pause(&self, sent: u32) -> Duration {
        if sent == 1 { self.first } else { self.further }
    }
}

/// How long data may go without anything coming back before that is asked about: an answer, and what a TCP delays it.
pub(super) fn patience(path: RoundTrip) -> Duration {
    path.answer_time() + DELAYED_ACK
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn steady(rtt: Duration) -> RoundTrip {
        let mut path = RoundTrip::default();
        (0..40).for_each(|_| path.sample(rtt));
        path
    }

    /// When challenges go, from the first, and when the verdict falls.
    fn plan(pace: Pace) -> (Vec<Duration>, Duration) {
        let mut at = Duration::ZERO;
        let mut sent = vec![at];
        for count in 1..pace.challenges {
            at += pace.pause(count);
            sent.push(at);
        }
        (sent, pace.lasts.max(at + pace.answer))
    }

    #[test]
    fn a_silence_is_noticed_within_450_ms_and_two_round_trips() {
        for rtt in [1, 20, 50, 100].map(ms) {
            let path = steady(rtt);
            let (sent, verdict) = plan(Pace::in_silence(path));
            // Twenty milliseconds until somebody sends something.
            let noticed = ms(20) + patience(path) + verdict;
            assert!(
                noticed <= ms(380) + rtt,
                "{noticed:?} at {rtt:?}, and what was under way may come for half of that"
            );
            assert!(sent[1] > rtt, "a path that answers costs one challenge");
            assert!(verdict - sent[sent.len() - 1] > rtt, "the last one can be answered");
        }
    }

    #[test]
    fn a_pause_of_a_quarter_of_a_second_is_no_silence() {
        for rtt in [1, 20, 60, 100].map(ms) {
            let path = steady(rtt);
            let (sent, verdict) = plan(Pace::in_silence(path));
            let after = |at: &&Duration| patience(path) + **at > ms(250);
            let answered = sent.iter().filter(after).filter(|at| **at + rtt < verdict).count();
            assert!(answered >= 1, "{answered} at {rtt:?}");
        }
    }

    #[test]
    fn every_challenge_can_be_answered_before_the_verdict_however_slow_the_path() {
        for rtt in [5, 100, 600, 2_000].map(ms) {
            for pace in [Pace::in_silence(steady(rtt)), Pace::in_traffic(steady(rtt))] {
                let (sent, verdict) = plan(pace);
                assert!(sent[1] > rtt);
                assert!(sent.iter().all(|at| *at + rtt < verdict), "{pace:?}");
            }
        }
    }

    #[test]
    fn a_queue_of_a_second_that_filled_up_unnoticed_is_no_silence() {
        let (sent, verdict) = plan(Pace::in_traffic(steady(ms(20))));
        assert!(sent.iter().take(5).all(|at| *at + ms(1_020) < verdict));
    }
}
