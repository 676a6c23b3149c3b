//! Whether the active path still reaches the peer, as far as what came back over it can tell.
//!
//! That we hear the peer is proven by every authenticated message over the path and stamped in the
//! [lane](crate::lane). That it hears us is proven only by an answer that could not exist otherwise: a handshake
//! response, or the echo of a challenge. Data that goes out without anything coming back is followed by a
//! challenge within a few round trips; when that stays unanswered too, the path is doubted. What to do then is the
//! peer's to decide. Status shows the age of the last proof; nothing is shown on hope.
//!
//! # Life-cycle
//! quiet → (data went unanswered, or the last proof grew old while data went) → asked → (echo) → quiet,
//! or → (no echo) → doubted, which is told once.
//!
//! # Invariants
//! - Only packets start a question: who answers, asks or keeps alive is not asking for proof.
//! - Only an echo that came from the path's far end answers it; data from there proves the other direction.

use core::net::SocketAddr;

use stead_wire::options::ChallengeToken;
use stead_wire::time::{Duration, Instant};

use crate::lane::QUIET;

/// How long a packet may go unanswered before a challenge follows it: two round trips, within these bounds. The lower
/// one is longer than what a TCP delays an acknowledgement on most systems.
const UNANSWERED: (Duration, Duration) = (Duration::from_millis(200), Duration::from_millis(500));

// Timers run for what a lane that is not yet quiet may be asked for next.
const _: () = assert!(QUIET.as_micros() <= UNANSWERED.0.as_micros());

/// Time between two challenges of one question: one and a half round trips, within these bounds.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_millis(300));

/// Challenges of one question. Four: where every tenth datagram is lost, one question in a thousand stays
/// unanswered on a path that works.
const CHALLENGES: u32 = 4;

/// Round-trip time of a path on which none was measured yet: a phone network's.
const UNMEASURED: Duration = Duration::from_millis(150);

/// Traffic that never deserves an answer is asked about no more often than this.
const ASK_INTERVAL: Duration = Duration::from_secs(1);

/// The same where the peer asks us, so that it seems to miss something.
const SUSPICION_INTERVAL: Duration = Duration::from_millis(200);

/// How old the last proof may grow while data goes both ways: one small message per interval is what it costs.
const PROOF_INTERVAL: Duration = Duration::from_secs(10);

/// What was lost before the silence began is no older: a long round trip.
const LOST_BEFORE_SILENCE: Duration = Duration::from_millis(500);

/// One peer's proofs, and the question about its active path.
#[derive(Debug, Default)]
pub(crate) struct Liveness {
    acknowledged: Option<Instant>,
    question: Option<Question>,
    /// There is no session to ask in; the next one begins with a proof.
    lapsed: bool,
}

/// A challenge on its way over the active path.
#[derive(Debug)]
struct Question {
    token: ChallengeToken,
    began: Instant,
    sent: Instant,
    attempts: u32,
    /// It is asked because nothing has come over the path since then.
    silent_since: Option<Instant>,
    /// Whoever fell silent had been talking. Who only answers questions is silent between them.
    abrupt: bool,
}

/// What went over the active path, as the lane has it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Traffic {
    /// Since when data went without anything coming back over the path.
    pub(crate) unanswered: Option<Instant>,
    /// When data last went.
    pub(crate) last_data: Option<Instant>,
    /// The peer never proved that it is there at all.
    pub(crate) unvalidated: bool,
}

/// What the passing of time asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Due {
    /// Nothing.
    Nothing,
    /// A challenge is to be sent over the active path, and to be [told](Liveness::on_asked) when it was.
    Challenge,
    /// The path left every challenge unanswered.
    Doubt,
}

impl Liveness {
    /// When something of ours last provably arrived.
    pub(crate) const fn acknowledged(&self) -> Option<Instant> {
        self.acknowledged
    }

    /// Whether something of ours provably arrived within `age` before now.
    pub(crate) fn acknowledged_within(&self, age: Duration, now: Instant) -> bool {
        self.acknowledged.is_some_and(|at| now - at <= age)
    }

    /// Something of ours provably arrived.
    pub(crate) fn acknowledge(&mut self, now: Instant) {
        *self = Self { acknowledged: Some(now), question: None, lapsed: false };
    }

    /// Our probe arrived. What is asked of the path stays to be answered: this has no token that only it could know.
    pub(crate) const fn on_probe_reply(&mut self, now: Instant) {
        self.acknowledged = Some(now);
    }

    /// The session ended, so nothing can be asked before the next one.
    pub(crate) fn lapse(&mut self) {
        self.question = None;
        self.lapsed = true;
    }

    /// Nobody waits for the echo of the last challenge any more: the path it went over is not the active one.
    pub(crate) fn forget_question(&mut self) {
        self.question = None;
    }

    /// The challenge to send now; the same one for every attempt of a question, so that whichever is answered counts.
    pub(crate) fn challenge(&self, fresh: impl FnOnce() -> ChallengeToken) -> ChallengeToken {
        self.question.as_ref().map_or_else(fresh, |question| question.token)
    }

    /// The challenge `token` went out over the active path.
    pub(crate) fn on_asked(&mut self, token: ChallengeToken, now: Instant) {
        let first = Question { token, began: now, sent: now, attempts: 0, silent_since: None, abrupt: false };
        let asked = self.question.take().unwrap_or(first);
        self.question = Some(Question { token, sent: now, attempts: asked.attempts + 1, ..asked });
    }

    /// An echo from `source`. If it answers our question over the path to `active`, the time that took, where it can be
    /// told.
    pub(crate) fn on_response(
        &mut self,
        token: ChallengeToken,
        (source, active): (SocketAddr, Option<SocketAddr>),
        now: Instant,
    ) -> Option<Option<Duration>> {
        let question =
            self.question.as_ref().filter(|asked| asked.token == token && active == Some(source))?;
        let rtt = (question.attempts == 1).then(|| now - question.sent);
        self.acknowledge(now);
        Some(rtt)
    }

    /// Nothing has come over the path since `unanswered`: if that is long, the question is for this reason. The last that
    /// came did so at `heard`.
    pub(crate) fn on_silence(&mut self, unanswered: Option<Instant>, heard: Option<Instant>, now: Instant) {
        if let Some(question) = &mut self.question {
            let long = unanswered.filter(|since| now >= *since + UNANSWERED.0);
            question.silent_since = question.silent_since.or(long);
            question.abrupt |= long.is_some() && heard > self.acknowledged;
        }
    }

    /// The question [rides along](Self::worth_asking): the peer broke a silence, perhaps, before it could be asked about,
    /// since the last proof is too young for that.
    pub(crate) fn on_suspicion(&mut self, now: Instant) {
        if !self.acknowledged_within(ASK_INTERVAL, now) {
            return;
        }
        if let Some(question) = &mut self.question {
            question.silent_since = self.acknowledged;
            question.abrupt = true;
        }
    }

    /// Since when datagrams may have been lost, if `token` is that of a question that broke a silence which was abrupt, or
    /// that had to be asked more than once.
    pub(crate) fn lost_since(&self, token: ChallengeToken) -> Option<Instant> {
        let broke = |asked: &&Question| asked.token == token && (asked.abrupt || asked.attempts > 1);
        let before = LOST_BEFORE_SILENCE.as_micros() as u64;
        let silent_since = self.question.as_ref().filter(broke)?.silent_since?;
        Some(Instant::from_micros(silent_since.as_micros().saturating_sub(before)))
    }

    /// Whether our own question may ride along with an answer of ours: the peer asks us for proof, so it misses
    /// something, which may be what we sent.
    pub(crate) fn worth_asking(&self, traffic: Traffic, now: Instant) -> bool {
        let sent_since = traffic.last_data > self.acknowledged;
        sent_since && self.question.is_none() && !self.acknowledged_within(SUSPICION_INTERVAL, now)
    }

    /// When [`due`](Self::due) will say something else than nothing.
    pub(crate) fn poll_timeout(&self, traffic: Traffic, rtt: Option<Duration>) -> Option<Instant> {
        if self.lapsed {
            return None;
        }
        let rtt = rtt.unwrap_or(UNMEASURED);
        if let Some(question) = &self.question {
            let next = question.sent + (rtt + rtt / 2).clamp(PAUSE.0, PAUSE.1);
            let last = question.attempts >= CHALLENGES;
            // On a path with a long round-trip time the first answer may still be on its way.
            return Some(if last { next.max(question.began + rtt * 2) } else { next });
        }
        if traffic.unvalidated {
            return Some(Instant::ZERO);
        }
        let acknowledged = self.acknowledged?;
        let unanswered = traffic.unanswered.map(|since| {
            (since + (rtt * 2).clamp(UNANSWERED.0, UNANSWERED.1)).max(acknowledged + ASK_INTERVAL)
        });
        let old = (traffic.last_data > self.acknowledged).then(|| acknowledged + PROOF_INTERVAL);
        [unanswered, old].into_iter().flatten().min()
    }

    /// What is to be done now.
    pub(crate) fn due(&self, traffic: Traffic, rtt: Option<Duration>, now: Instant) -> Due {
        let attempts = self.question.as_ref().map_or(0, |question| question.attempts);
        match self.poll_timeout(traffic, rtt).is_some_and(|at| now >= at) {
            false => Due::Nothing,
            true if attempts >= CHALLENGES => Due::Doubt,
            true => Due::Challenge,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: ChallengeToken = ChallengeToken([7; 8]);
    const RTT: Option<Duration> = Some(Duration::from_millis(20));

    const fn at(millis: u64) -> Instant {
        Instant::from_micros(millis * 1_000)
    }

    fn there() -> SocketAddr {
        "192.0.2.1:1".parse().unwrap()
    }

    fn traffic(unanswered: Option<u64>, last_data: u64) -> Traffic {
        Traffic { unanswered: unanswered.map(at), last_data: Some(at(last_data)), unvalidated: false }
    }

    fn proven_at(millis: u64) -> Liveness {
        Liveness { acknowledged: Some(at(millis)), ..Liveness::default() }
    }

    #[test]
    fn an_idle_path_is_not_asked() {
        let mut liveness = Liveness::default();
        assert_eq!(liveness.poll_timeout(traffic(Some(5), 5), RTT), None, "there was no contact yet");
        liveness.acknowledge(at(10));
        assert_eq!(liveness.poll_timeout(traffic(None, 9), RTT), None, "idle since the last proof");
    }

    #[test]
    fn unanswered_data_is_followed_by_challenges_and_then_the_path_is_doubted() {
        let mut liveness = proven_at(1_000);
        let unanswered = traffic(Some(5_000), 5_000);
        let mut asked = Vec::new();
        let doubted = loop {
            let next = liveness.poll_timeout(unanswered, RTT).expect("something is to come");
            match liveness.due(unanswered, RTT, next) {
                Due::Nothing => panic!("it was due"),
                Due::Challenge => liveness.on_asked(TOKEN, next),
                Due::Doubt => break next,
            }
            asked.push(next);
        };
        assert_eq!(asked, [at(5_200), at(5_300), at(5_400), at(5_500)]);
        assert_eq!(doubted, at(5_600), "within a second");
    }

    #[test]
    fn a_path_with_a_long_round_trip_time_is_not_doubted_before_it_could_answer() {
        let mut liveness = proven_at(0);
        let (rtt, unanswered) = (Some(Duration::from_secs(2)), traffic(Some(5_000), 5_000));
        let mut next = at(0);
        for _ in 0..CHALLENGES {
            next = liveness.poll_timeout(unanswered, rtt).unwrap();
            liveness.on_asked(TOKEN, next);
        }
        assert_eq!(next, at(5_500 + 900));
        assert_eq!(liveness.poll_timeout(unanswered, rtt), Some(at(5_500 + 4_000)));
    }

    #[test]
    fn traffic_one_way_costs_a_challenge_per_interval() {
        let liveness = proven_at(5_000);
        assert_eq!(liveness.poll_timeout(traffic(Some(5_010), 5_010), RTT), Some(at(6_000)));
    }

    #[test]
    fn traffic_both_ways_is_asked_for_proof_of_our_direction_now_and_then() {
        let liveness = proven_at(5_000);
        assert_eq!(liveness.poll_timeout(traffic(None, 9_000), RTT), Some(at(15_000)));
        assert!(
            liveness.worth_asking(traffic(None, 9_000), at(9_000)),
            "if the peer misses something, at once"
        );
        assert!(!liveness.worth_asking(traffic(None, 5_100), at(5_150)), "but not more often than that");
    }

    #[test]
    fn a_silence_that_ends_with_the_first_answer_is_looked_back_at_if_it_was_abrupt() {
        let asked = |heard: u64, unanswered: u64| {
            let mut liveness = proven_at(5_000);
            liveness.on_asked(TOKEN, at(6_000));
            liveness.on_silence(Some(at(unanswered)), Some(at(heard)), at(6_000));
            liveness.lost_since(TOKEN)
        };
        assert_eq!(asked(5_090, 5_100), Some(at(4_600)));
        assert_eq!(asked(5_000, 5_001), None, "it says nothing but that it hears us");
        assert_eq!(asked(5_890, 5_900), None, "not yet a silence");
    }

    #[test]
    fn who_could_not_ask_yet_takes_the_peers_question_for_the_end_of_a_silence() {
        let asked_along = |now: u64| {
            let mut liveness = proven_at(5_000);
            liveness.on_asked(TOKEN, at(now));
            liveness.on_suspicion(at(now));
            liveness.lost_since(TOKEN)
        };
        assert_eq!(asked_along(5_900), Some(at(4_500)));
        assert_eq!(asked_along(7_000), None, "it would have asked");
    }

    #[test]
    fn only_the_right_echo_over_the_right_path_is_a_proof() {
        let mut liveness = Liveness::default();
        let elsewhere = "192.0.2.7:1".parse().unwrap();
        liveness.on_asked(TOKEN, at(20));
        let response = |liveness: &mut Liveness, token, source| {
            liveness.on_response(token, (source, Some(there())), at(50))
        };
        assert_eq!(response(&mut liveness, ChallengeToken([8; 8]), there()), None);
        assert_eq!(response(&mut liveness, TOKEN, elsewhere), None);
        assert_eq!(liveness.acknowledged(), None);
        assert_eq!(response(&mut liveness, TOKEN, there()), Some(Some(Duration::from_millis(30))));
        assert_eq!(liveness.acknowledged(), Some(at(50)));
    }
}
