//! How long a service's answer is awaited, and how long after that (seed 001 leaves it open; RFC 8085 §3.1.1 asks for
//! backing off).

use stead_wire::time::{Duration, Instant};

/// First repetition while no round-trip time is known: a phone network's, generously.
const FIRST: Duration = Duration::from_millis(100);

/// Bounds of the first repetition when the round-trip time is known: a new network's may differ much.
const FIRST_BOUNDS: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(400));

/// First repetition of a handshake. Each makes the answer to the one before worthless, so it takes longer.
const FIRST_HANDSHAKE: Duration = Duration::from_millis(250);

/// After this many repetitions the service may have lost the session: ask for a new one as well. One while a peer is
/// looked for.
const DOUBT_AFTER: u32 = 2;

/// How long a search counts as young: who waits for its end still waits at the application.
pub(super) const EAGER_FOR: Duration = Duration::from_secs(10);

/// Longest pause while a search is young, or two round trips if that is more: a service that was away is found again
/// within it.
const LONGEST_EAGER: Duration = Duration::from_millis(250);

/// Longest pause while a peer is looked for.
const LONGEST_SEARCHING: Duration = Duration::from_secs(4);

/// Longest pause otherwise: a service that is away for days costs one small datagram a minute.
const LONGEST: Duration = Duration::from_secs(60);

/// A service that answers a handshake and nothing else is asked for another one after this; doubled each time, up to
/// [`LONGEST`].
const FIRST_MUTE: Duration = Duration::from_millis(500);

/// When to repeat what went unanswered.
#[derive(Debug, Default)]
pub(super) struct Patience {
    repeated: u32,
    pause: Option<Duration>,
    asked: Option<Instant>,
    retry_at: Option<Instant>,
    /// Since when nothing but handshakes was answered.
    unanswered: Option<Instant>,
    /// Handshakes answered since anything else was.
    mute: u32,
    /// Not before then is another handshake worth it.
    handshake_at: Option<Instant>,
    rtt: Option<Duration>,
}

impl Patience {
    /// Nothing is awaited.
    pub(super) fn rest(&mut self) {
        *self = Self { rtt: self.rtt, ..Self::default() };
    }

    /// Whether the service is silent for so long that the session may be gone at its end, also counting that it is time
    /// to repeat `again`.
    pub(super) fn doubts_session(&self, again: bool, searching: bool) -> bool {
        self.repeated + u32::from(again) >= if searching { 1 } else { DOUBT_AFTER }
    }

    /// Whether the service was asked in vain for so long that a person may want to know.
    pub(super) const fn is_hopeless(&self) -> bool {
        self.repeated > DOUBT_AFTER
    }

    /// Whether a handshake is worth it now.
    pub(super) fn may_shake_hands(&self, now: Instant) -> bool {
        self.handshake_at.is_none_or(|at| now >= at)
    }

    /// When a handshake is worth it again, if the service answered the last ones and nothing else.
    pub(super) const fn handshake_at(&self) -> Option<Instant> {
        self.handshake_at
    }

    pub(super) const fn retry_at(&self) -> Option<Instant> {
        self.retry_at
    }

    /// Whether it is time to repeat.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.retry_at.is_some_and(|at| now >= at)
    }

    /// Something was asked, for the first time or `again`. `spread` from 0 to 255 keeps many from asking at once.
    pub(super) fn wait(&mut self, asked: Asked, spread: u8, now: Instant) {
        let unanswered = *self.unanswered.get_or_insert(now);
        let longest = match asked.search {
            None => LONGEST,
            Some(since) if now < since.max(unanswered) + EAGER_FOR => {
                self.rtt.map_or(LONGEST_EAGER, |rtt| LONGEST_EAGER.max(rtt * 2))
            }
            Some(_) => LONGEST_SEARCHING,
        };
        let pause = match self.pause {
            None if asked.handshake => self.rtt.map_or(FIRST_HANDSHAKE, |rtt| FIRST_HANDSHAKE.max(rtt * 2)),
            None => self.rtt.map_or(FIRST, |rtt| (rtt * 2).clamp(FIRST_BOUNDS.0, FIRST_BOUNDS.1)),
            Some(pause) if asked.again => pause * 2,
            Some(pause) => pause,
        };
        let pause = pause.min(longest);
        self.repeated += u32::from(asked.again);
        self.asked = (!asked.again).then_some(now);
        self.pause = Some(pause);
        // An eighth at most, so that many nodes do not come to a service that has come back all at once.
        self.retry_at = Some(now + pause + pause * u32::from(spread) / 2048);
    }

    /// Something came from the service.
    pub(super) fn answered(&mut self, now: Instant) {
        if let Some(asked) = self.asked.take() {
            // It may have been on its way when we asked, so a shorter time is believed only slowly.
            let sample = now - asked;
            self.rtt = Some(self.rtt.map_or(sample, |rtt| sample.max((rtt * 7 + sample) / 8)));
        }
        self.repeated = 0;
        self.unanswered = None;
        (self.mute, self.handshake_at) = (0, None);
    }

    /// The service answered a handshake, within `rtt`. That alone is no sign that it answers anything else.
    pub(super) fn greeted(&mut self, rtt: Duration, now: Instant) {
        let pause = FIRST_MUTE * 2_u32.saturating_pow(self.mute.min(16));
        self.mute += 1;
        self.handshake_at = Some(now + pause.min(LONGEST));
        self.rtt = Some(rtt);
        self.repeated = 0;
        (self.pause, self.asked, self.retry_at) = (None, None, None);
    }

    pub(super) const fn rtt(&self) -> Option<Duration> {
        self.rtt
    }
}

/// What was asked of a service.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    /// It went unanswered before.
    pub(super) again: bool,
    /// It is a handshake, without which nothing else can be said.
    pub(super) handshake: bool,
    /// Since when a peer is looked for, if one is.
    pub(super) search: Option<Instant>,
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: Asked = Asked { again: false, handshake: false, search: None };
    const SEARCH: Asked = Asked { search: Some(at(0)), ..IDLE };

    const fn at(millis: u64) -> Instant {
        Instant::from_micros(millis * 1000)
    }

    /// The pauses after something was asked at the beginning and went unanswered for this many repetitions.
    fn pauses(patience: &mut Patience, asked: Asked, repetitions: u32) -> Vec<u64> {
        let mut now = at(0);
        patience.wait(asked, 0, now);
        let mut pauses = Vec::new();
        for _ in 0..repetitions {
            let next = patience.retry_at().unwrap();
            pauses.push((next - now).as_millis() as u64);
            now = next;
            assert!(patience.is_over(now));
            patience.wait(Asked { again: true, ..asked }, 0, now);
        }
        pauses
    }

    #[test]
    fn pauses_double_from_a_tenth_of_a_second_to_a_bound() {
        let mut patience = Patience::default();
        let pauses = pauses(&mut patience, IDLE, 12);
        assert_eq!(pauses[..8], [100, 200, 400, 800, 1600, 3200, 6400, 12800]);
        assert_eq!(pauses[10..], [60_000, 60_000]);
        assert!(patience.is_hopeless());
        patience.rest();
        assert_eq!((patience.is_hopeless(), patience.retry_at()), (false, None));
    }

    #[test]
    fn while_a_search_is_young_a_service_that_is_away_is_asked_many_times_a_second() {
        let pauses = pauses(&mut Patience::default(), SEARCH, 60);
        let young = pauses.iter().scan(0, |at, pause| Some(core::mem::replace(at, *at + pause)));
        let young = young.take_while(|at| *at < 10_000).count();
        assert!(pauses[..young].iter().all(|pause| *pause <= 250), "{pauses:?}");
        assert_eq!(pauses[young..young + 6], [500, 1000, 2000, 4000, 4000, 4000]);
    }

    #[test]
    fn a_search_that_begins_late_is_young_all_the_same_and_so_is_a_silence() {
        let mut patience = Patience::default();
        pauses(&mut patience, SEARCH, 60);
        let later = at(300_000);
        patience.wait(Asked { again: true, search: Some(later), ..SEARCH }, 0, later);
        assert_eq!(patience.retry_at(), Some(later + LONGEST_EAGER));
        patience.answered(later);
        patience.rest();
        let silent = at(400_000);
        patience.wait(SEARCH, 0, silent);
        for _ in 0..4 {
            let now = patience.retry_at().unwrap();
            patience.wait(Asked { again: true, ..SEARCH }, 0, now);
            assert!(patience.retry_at().unwrap() <= now + LONGEST_EAGER);
        }
    }

    #[test]
    fn who_searches_doubts_the_session_after_the_first_silence() {
        let mut patience = Patience::default();
        patience.wait(SEARCH, 0, at(0));
        assert!(!patience.doubts_session(false, true));
        assert!(patience.doubts_session(true, true) && !patience.doubts_session(true, false));
    }

    #[test]
    fn a_service_that_answers_handshakes_and_nothing_else_is_greeted_less_and_less() {
        let mut patience = Patience::default();
        let mut now = at(0);
        let mut greeted = Vec::new();
        while now < at(25_000) {
            patience.greeted(Duration::from_millis(20), now);
            greeted.push(now.as_micros() / 1000);
            now = patience.handshake_at().unwrap();
            assert!(patience.may_shake_hands(now));
        }
        assert_eq!(greeted, [0, 500, 1500, 3500, 7500, 15500]);
        patience.answered(now);
        assert_eq!(patience.handshake_at(), None);
    }

    #[test]
    fn a_round_trip_is_measured_only_where_one_question_had_one_answer() {
        let mut patience = Patience::default();
        patience.wait(IDLE, 0, at(0));
        patience.wait(Asked { again: true, ..IDLE }, 0, at(100));
        patience.answered(at(130));
        assert_eq!(patience.rtt(), None, "to which of the two?");
        patience.rest();
        patience.wait(IDLE, 0, at(1000));
        patience.answered(at(1040));
        assert_eq!(patience.rtt(), Some(Duration::from_millis(40)));
        patience.rest();
        patience.wait(IDLE, 0, at(2000));
        assert_eq!(patience.retry_at(), Some(at(2080)));
    }
}
