//! Whether the active path still reaches the peer, as far as what came back over it can tell.
//!
//! That we hear the peer is proven by every authenticated message over the path and stamped in the
//! [lane](crate::lane). That it hears us is proven only by an answer that could not exist otherwise: a handshake
//! response, or the echo of a challenge. Data that goes out without anything coming back is followed by a
//! challenge; when that and its successors stay unanswered too, the path is doubted. What to do then is the
//! peer's to decide. Status shows the age of the last proof; nothing is shown on hope.
//!
//! How long to wait is the path's own: every answer, also a late one, is a sample of its
//! [round trip](super::round_trip), and all times [scale](pace) with that.
//!
//! # Life-cycle
//! quiet → (data went unanswered, or the last proof grew old while data went) → asked → (echo) → quiet,
//! or → (no echo) → doubted, which is told once. Challenges stay [outstanding] after the verdict: an echo
//! that comes then refutes it.
//!
//! # Invariants
//! - Only packets start a question: who answers, asks or keeps alive is not asking for proof.
//! - Only an echo that came from the path's far end answers it; data from there proves the other direction.
//! - While packets arrive, a question is given [more challenges and more time](pace::Pace::in_traffic) than in silence.
//! - Traffic that is never answered costs one challenge per [`ASK_INTERVAL`].

mod outstanding;
mod pace;

use core::net::SocketAddr;

use stead_wire::options::ChallengeToken;
use stead_wire::time::{Duration, Instant};

use self::outstanding::Outstanding;
use self::pace::{DELAYED_ACK, Pace, patience};
use super::round_trip::RoundTrip;

/// Traffic that never deserves an answer is asked about no more often than this; so is a path of which the round trip
/// is not well known yet.
const ASK_INTERVAL: Duration = Duration::from_secs(1);

/// A path of which the round trip was measured a few times only is asked this often while data goes.
const FIRST_INTERVAL: Duration = Duration::from_millis(200);

/// A silence that lasts longer than an answer takes, by this, may have lost packets of ours.
const LOSSY: Duration = Duration::from_millis(100);

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
    outstanding: Outstanding,
    /// There is no session to ask in; the next one begins with a proof.
    lapsed: bool,
}

/// Challenges on their way over the active path, all for one reason.
#[derive(Debug)]
struct Question {
    began: Instant,
    sent: Instant,
    attempts: u32,
    /// Nothing came over the path from this moment to the first challenge, which is why it was sent.
    silence: Option<Instant>,
    /// Since when packets of ours may have been lost, if the question breaks a silence.
    silent_since: Option<Instant>,
    /// The peer had been talking until the silence began. One that only answers questions is silent between them.
    abrupt: bool,
}

/// What went over the active path, as the lane has it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Traffic {
    /// Since when data went without anything coming back over the path.
    pub(crate) unanswered: Option<Instant>,
    /// When data last went.
    pub(crate) last_data: Option<Instant>,
    /// When data last came over the path.
    pub(crate) heard_data: Option<Instant>,
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
        (self.acknowledged, self.question, self.lapsed) = (Some(now), None, false);
    }

    /// Something arrived that was sent at `sent`. It answers the question if that was not asked later.
    pub(crate) fn acknowledge_sent(&mut self, sent: Instant, now: Instant) {
        let question = self.question.take_if(|question| question.began > sent);
        self.acknowledge(now);
        self.question = question;
    }

    /// Our probe arrived. What is asked of the path stays to be answered: this has no token that only it could know.
    pub(crate) const fn on_probe_reply(&mut self, now: Instant) {
        self.acknowledged = Some(now);
    }

    /// The session ended, so nothing can be asked before the next one.
    pub(crate) fn lapse(&mut self) {
        self.forget_path();
        self.lapsed = true;
    }

    /// The doubt was told. An answer that comes all the same will be heard.
    pub(crate) fn forget_question(&mut self) {
        self.question = None;
    }

    /// Nobody waits for the echo of any challenge any more: the path they went over is not the active one.
    pub(crate) fn forget_path(&mut self) {
        self.question = None;
        self.outstanding.clear();
    }

    /// The challenge `token` goes over the active path, on which there is `traffic`.
    pub(crate) fn on_asked(
        &mut self,
        token: ChallengeToken,
        traffic: Traffic,
        path: RoundTrip,
        now: Instant,
    ) {
        self.outstanding.sent(token, now);
        // Whether it was worth a question at once or not: nothing arrives, so the question goes on as in silence.
        let silence = traffic.unanswered.filter(|since| now >= *since + patience(path));
        match &mut self.question {
            Some(question) if silence.is_none() || question.silence == silence => {
                (question.sent, question.attempts) = (now, question.attempts + 1);
            }
            // What was asked while packets arrived is asked anew when they do not.
            Some(_) | None => self.question = Some(self.begin(silence, traffic, now)),
        }
        let lossy = silence.filter(|since| now >= *since + path.answer_time() + LOSSY);
        if let Some(question) = &mut self.question {
            question.silent_since = question.silent_since.or(lossy);
        }
    }

    fn begin(&self, silence: Option<Instant>, traffic: Traffic, now: Instant) -> Question {
        let abrupt = silence.is_some() && self.talking(traffic);
        Question { began: now, sent: now, attempts: 1, silence, silent_since: None, abrupt }
    }

    /// Whether the challenge that went last only measures: nothing is missing that would give a reason to ask.
    pub(crate) fn measures(&self) -> bool {
        self.question.as_ref().is_some_and(|asked| asked.attempts == 1 && asked.silence.is_none())
    }

    /// An echo from `source`. If it answers a challenge of ours over the path to `active`, the time that took.
    pub(crate) fn on_response(
        &mut self,
        token: ChallengeToken,
        (source, active): (SocketAddr, Option<SocketAddr>),
        now: Instant,
    ) -> Option<Duration> {
        let sent = self.outstanding.sent_at(token).filter(|_| active == Some(source))?;
        self.outstanding.answered(token);
        self.acknowledge_sent(sent, now);
        Some(now - sent)
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
        let sent = self.outstanding.sent_at(token)?;
        let broke = |asked: &&Question| sent >= asked.began && (asked.abrupt || asked.attempts > 1);
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
    pub(crate) fn poll_timeout(&self, traffic: Traffic, path: RoundTrip) -> Option<Instant> {
        if self.lapsed {
            return None;
        }
        let silence = self.silence(traffic).map(|since| since + patience(path));
        match &self.question {
            Some(question) => {
                let anew = silence.filter(|_| question.silence != traffic.unanswered);
                let next = question.next(question.pace(traffic, path));
                Some(anew.map_or(next, |anew| anew.min(next)))
            }
            None if traffic.unvalidated => Some(Instant::ZERO),
            None => [silence, self.proof_due(traffic, path)].into_iter().flatten().min(),
        }
    }

    /// What is to be done now.
    pub(crate) fn due(&self, traffic: Traffic, path: RoundTrip, now: Instant) -> Due {
        if self.poll_timeout(traffic, path).is_none_or(|at| now < at) {
            return Due::Nothing;
        }
        let over = |question: &Question| {
            let pace = question.pace(traffic, path);
            question.attempts >= pace.challenges && now >= question.next(pace)
        };
        if self.question.as_ref().is_some_and(over) { Due::Doubt } else { Due::Challenge }
    }

    /// Since when the path is silent, where that is worth a question at once: it is not if nothing but our own questions
    /// has been answered lately.
    fn silence(&self, traffic: Traffic) -> Option<Instant> {
        let since = traffic.unanswered?;
        let rested = self.acknowledged.is_some_and(|at| at + ASK_INTERVAL <= since);
        (rested || self.talking(traffic)).then_some(since)
    }

    /// Whether data came from the peer since the last proof, or just before it.
    fn talking(&self, traffic: Traffic) -> bool {
        traffic.heard_data.is_some_and(|heard| self.acknowledged.is_none_or(|at| heard + DELAYED_ACK > at))
    }

    /// When the last proof is too old while data goes.
    fn proof_due(&self, traffic: Traffic, path: RoundTrip) -> Option<Instant> {
        let acknowledged = self.acknowledged?;
        let asked_for =
            traffic.unanswered.map(|since| (since + patience(path)).max(acknowledged + ASK_INTERVAL));
        let interval = match (path.fresh(), path.settled()) {
            (true, _) => FIRST_INTERVAL,
            (false, false) => ASK_INTERVAL,
            (false, true) => PROOF_INTERVAL,
        };
        let old = (traffic.last_data > self.acknowledged).then(|| acknowledged + interval);
        [asked_for, old].into_iter().flatten().min()
    }
}

impl Question {
    /// Whether nothing has arrived since it was asked for that reason decides how it goes on.
    fn pace(&self, traffic: Traffic, path: RoundTrip) -> Pace {
        if self.silence.is_some() && self.silence == traffic.unanswered {
            Pace::in_silence(path)
        } else {
            Pace::in_traffic(path)
        }
    }

    /// When the next challenge goes, or after the last one the verdict falls.
    fn next(&self, pace: Pace) -> Instant {
        if self.attempts < pace.challenges {
            self.sent + pace.pause(self.attempts)
        } else {
            (self.began + pace.lasts).max(self.sent + pace.answer)
        }
    }
}

#[cfg(test)]
mod tests;
