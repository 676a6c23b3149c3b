//! Resumption: what a move has lost is sent again, then what was held, then traffic flows (seed 002 claims 1 d, 8, 19).
//!
//! Keeps what the peer told of what it has received, and the run that is under way: how much may go before the peer is
//! asked again what arrived. It sends nothing; the [peer](super::handing_over) does.
//!
//! # Life-cycle of a run
//! (a path is proven after a suspension) → held → rounds, each answered → flowing, the last round to be answered → over;
//! (the path changed without a suspension, or left a challenge unanswered) → due → asked → rounds beside the flow →
//! over.
//!
//! # Invariants
//! - A run ends: each question is asked [`ATTEMPTS`] times at most, rounds without any success are few, and all are
//!   [bounded](MOST_ROUNDS). Then traffic flows; whether the path is alive is the liveness machine's to find out.
//! - What the peer did not tell to be missing is not sent again.

mod window;

use core::net::SocketAddr;

use stead_lct::PathId;
use stead_wire::options::{ChallengeToken, Received};
use stead_wire::time::{Duration, Instant};

use self::window::Windows;
use crate::ring::Key;

/// How often a question is asked. Where every tenth datagram is lost, one in a thousand stays unanswered.
const ATTEMPTS: u32 = 3;

/// Bounds of the time after which a question is asked again: two round trips.
const PATIENCE: (Duration, Duration) = (Duration::from_millis(60), Duration::from_millis(500));

/// The same on a path on which no round-trip time was measured: a phone network's.
const UNMEASURED: Duration = Duration::from_millis(150);

/// Rounds of which nothing arrives, one after the other, before the run is given up.
const FRUITLESS: u32 = 3;

/// Rounds of a run: windows double, so a ring's worth takes ten, and as many again where much is lost.
const MOST_ROUNDS: u32 = 32;

/// Rounds for which traffic waits at most: whoever still sends more meanwhile than the path takes does not wait for it.
const HOLDING_ROUNDS: u32 = 12;

/// One peer's resumptions.
#[derive(Debug, Default)]
pub(crate) struct Resumption {
    heard: Vec<Received>,
    heard_at: Option<Instant>,
    /// Something may be missing though nothing is suspended: what was sent since then.
    news: Option<Instant>,
    path: Option<PathId>,
    windows: Windows,
    run: Option<Run>,
    last: Option<ResumptionStatus>,
}

/// The last resumption that sent something again, or first.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ResumptionStatus {
    /// When the path was proven.
    pub began: Instant,
    /// How long until traffic flowed, or, if it flowed meanwhile, until everything had arrived.
    pub took: Duration,
    /// Datagrams that were sent again.
    pub resent: u64,
    /// Packets that had been held and went before traffic flowed.
    pub released: u64,
}

/// A resumption under way.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) began: Instant,
    /// What was sent before this moment is not looked for.
    pub(super) lost_since: Instant,
    /// Traffic waits until everything has gone.
    pub(super) holds: bool,
    question: Question,
    /// What went in the last round.
    round: Round,
    rounds: u32,
    fruitless: u32,
    pub(super) resent: u64,
    pub(super) released: u64,
}

/// Messages that go together.
#[derive(Debug, Default)]
pub(super) struct Round {
    keys: Vec<Key>,
    bytes: usize,
}

impl Round {
    pub(super) fn add(&mut self, key: Key, len: usize) {
        self.keys.push(key);
        self.bytes += len;
    }

    pub(super) const fn len(&self) -> usize {
        self.keys.len()
    }

    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }
}

#[derive(Debug)]
enum Question {
    /// The peer is to be asked at this moment what it has received.
    Due(Instant),
    /// It was asked.
    Asked { token: ChallengeToken, since: Since, attempts: u32, retry_at: Instant },
    /// It told what it has received, asked for it or not.
    Told(Option<Since>),
}

/// When the peer was asked first, and what the first question was called: the answer tells of what was sealed before.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Since {
    at: Instant,
    key: Key,
}

impl Since {
    /// Whether a message was sealed before: of another session any, since none begins before a question is answered.
    pub(super) fn covers(&self, (session, counter): Key) -> bool {
        session != self.key.0 || counter < self.key.1
    }
}

/// What is to be done next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Step {
    /// Nothing.
    Wait,
    /// Ask the peer what it has received.
    Ask,
    /// Send so many bytes, the message that exceeds them included: again what is missing of what the peer told of,
    /// then what was held.
    Send(usize, Option<Since>),
}

impl Resumption {
    /// The peer tells what it has received.
    pub(crate) fn on_reports(&mut self, reports: Vec<Received>, now: Instant) {
        let known = core::mem::take(&mut self.heard);
        let newest = |told: Received| {
            let older = |known: &&Received| known.session == told.session && known.next > told.next;
            known.iter().find(older).cloned().unwrap_or(told)
        };
        self.heard = reports.into_iter().map(newest).collect();
        self.heard_at = Some(now);
    }

    /// An update came: what it told is news if nothing is suspended for it.
    pub(crate) fn on_update(&mut self) {
        if self.speaks() {
            self.news = Some(Instant::ZERO);
        }
    }

    /// The path lost everything for a moment, some time after `since`, and was not suspended for it.
    pub(crate) fn on_gap(&mut self, since: Instant) {
        self.news = Some(self.news.map_or(since, |known| known.min(since)));
    }

    /// An echo: if it answers the question of the run under way, the time that took, where it can be told.
    pub(crate) fn on_response(&mut self, token: ChallengeToken, now: Instant) -> Option<Option<Duration>> {
        let run = self.run.as_mut()?;
        let Question::Asked { token: asked, since, attempts, .. } = run.question else { return None };
        if asked != token {
            return None;
        }
        run.question = Question::Told(Some(since));
        Some((attempts == 1).then(|| now - since.at))
    }

    /// A contact began anew: the peer may be another program by now, and has none of the old sessions.
    pub(crate) fn restart(&mut self) {
        *self = Self { last: self.last, path: self.path, ..Self::default() };
    }

    /// Whether traffic waits.
    pub(crate) fn holds(&self) -> bool {
        self.run.as_ref().is_some_and(|run| run.holds)
    }

    pub(crate) const fn last(&self) -> Option<ResumptionStatus> {
        self.last
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        match self.run.as_ref()?.question {
            Question::Due(at) | Question::Asked { retry_at: at, .. } => Some(at),
            Question::Told(_) => None,
        }
    }

    /// Whether the peer tells what it has received; others' losses cannot be known.
    pub(super) const fn speaks(&self) -> bool {
        self.heard_at.is_some()
    }

    pub(super) fn heard_since(&self, moment: Instant) -> bool {
        self.heard_at >= Some(moment)
    }

    /// The path in use. If it is another than before, what went over that one may be missing.
    pub(super) fn follow(&mut self, path: PathId) {
        if self.path.replace(path).is_some_and(|before| before != path) && self.speaks() {
            self.news = Some(Instant::ZERO);
        }
    }

    /// Since when something may be missing, if there is reason to think so since this was asked last.
    pub(super) const fn take_news(&mut self) -> Option<Instant> {
        self.news.take()
    }

    /// How many bytes may go to `remote` in one round.
    pub(super) fn window(&self, remote: SocketAddr) -> usize {
        self.windows.of(remote)
    }

    /// A run that lets traffic wait until everything has gone: what is missing, and what was held. With `told`, the peer
    /// has told already what is missing.
    pub(super) fn begin(&mut self, told: bool, now: Instant) {
        let question = if told { Question::Told(None) } else { Question::Due(now) };
        self.run = Some(Run::new(true, question, Instant::ZERO, now));
    }

    /// A run beside the flow, for what was sent since `lost_since`: the peer is asked at `at`, when what is under way has
    /// arrived. A run that is under way asks anew in stead.
    pub(super) fn look_back(&mut self, lost_since: Instant, at: Instant, now: Instant) {
        match &mut self.run {
            Some(run) => {
                run.question = Question::Due(if run.holds { now } else { at });
                run.lost_since = run.lost_since.min(lost_since);
            }
            None => self.run = Some(Run::new(false, Question::Due(at), lost_since, now)),
        }
    }

    /// Nothing can be sent now.
    pub(super) fn interrupt(&mut self) {
        self.run = None;
        self.news = None;
    }

    /// What was sent before is not looked for in the run under way.
    pub(super) fn lost_since(&self) -> Instant {
        self.run.as_ref().map_or(Instant::ZERO, |run| run.lost_since)
    }

    pub(super) const fn run(&mut self) -> Option<&mut Run> {
        self.run.as_mut()
    }

    /// Whether the peer told that this is missing.
    pub(super) fn misses(&self, (session, counter): Key) -> bool {
        self.heard.iter().any(|told| told.session == session && told.misses(counter))
    }

    /// What is to be done now, on the path to `remote`; ends a run that gets nowhere.
    pub(super) fn step(&mut self, remote: SocketAddr, now: Instant) -> Step {
        let Some(run) = self.run.as_ref() else { return Step::Wait };
        match run.question {
            Question::Due(at) if now >= at => Step::Ask,
            Question::Asked { retry_at, attempts, .. } if now >= retry_at => {
                if attempts < ATTEMPTS {
                    return Step::Ask;
                }
                self.end(now);
                Step::Wait
            }
            Question::Told(asked) => self.judge(remote, asked, now),
            Question::Due(_) | Question::Asked { .. } => Step::Wait,
        }
    }

    /// What became of the last round decides how much may go in the next.
    fn judge(&mut self, remote: SocketAddr, asked: Option<Since>, now: Instant) -> Step {
        if self.heard_at < asked.map(|since| since.at) {
            // It answers without telling what it has received, so it is not known what it has not.
            self.heard.clear();
        }
        let Some(run) = self.run.as_ref() else { return Step::Wait };
        let (sent, lost) = (run.round.len(), run.round.keys.iter().filter(|key| self.misses(**key)).count());
        if sent > 0 {
            self.windows.judge(remote, run.round.bytes, lost > 0);
        }
        let window = self.windows.of(remote);
        let Some(run) = self.run.as_mut() else { return Step::Wait };
        run.fruitless = if sent > 0 && lost == sent { run.fruitless + 1 } else { 0 };
        run.rounds += 1;
        if run.fruitless >= FRUITLESS || run.rounds > MOST_ROUNDS {
            self.end(now);
            return Step::Wait;
        }
        Step::Send(window, asked)
    }

    /// The question to ask now, in a message called `key`: the same again if it was asked before.
    pub(super) fn ask(
        &mut self,
        fresh: impl FnOnce() -> ChallengeToken,
        key: Key,
        rtt: Option<Duration>,
        now: Instant,
    ) -> Option<ChallengeToken> {
        let run = self.run.as_mut()?;
        let (token, since, attempts) = match run.question {
            Question::Asked { token, since, attempts, .. } => (token, since, attempts),
            Question::Due(_) | Question::Told(_) => (fresh(), Since { at: now, key }, 0),
        };
        let patience = (rtt.unwrap_or(UNMEASURED) * 2).clamp(PATIENCE.0, PATIENCE.1);
        run.question = Question::Asked { token, since, attempts: attempts + 1, retry_at: now + patience };
        Some(token)
    }

    /// This went in a round.
    pub(super) fn on_round(&mut self, round: Round, again: usize) {
        if let Some(run) = &mut self.run {
            run.resent += again as u64;
            run.released += (round.len() - again) as u64;
            run.round = round;
        }
    }

    /// Everything has gone: traffic flows. Whether the last round arrived is still to be told.
    pub(super) fn flow(&mut self, now: Instant) {
        if let Some(run) = self.run.as_mut().filter(|run| run.holds) {
            run.holds = false;
            self.last = run.status(now).or(self.last);
        }
    }

    /// Nothing is missing any more, or no more can be done.
    pub(super) fn end(&mut self, now: Instant) {
        let Some(run) = self.run.take() else { return };
        let known = self.last.filter(|last| last.began == run.began);
        self.last = match (known, run.status(now)) {
            // Traffic flowed before the end.
            (Some(known), Some(status)) => Some(ResumptionStatus { took: known.took, ..status }),
            (_, status) => status.or(self.last),
        };
    }
}

impl Run {
    fn new(holds: bool, question: Question, lost_since: Instant, now: Instant) -> Self {
        let (rounds, fruitless, resent, released) = (0, 0, 0, 0);
        Self {
            began: now,
            lost_since,
            holds,
            question,
            round: Round::default(),
            rounds,
            fruitless,
            resent,
            released,
        }
    }

    /// Whether traffic has waited for long enough, whatever has not gone yet.
    pub(super) const fn holds_long(&self) -> bool {
        self.rounds >= HOLDING_ROUNDS
    }

    fn status(&self, now: Instant) -> Option<ResumptionStatus> {
        let Self { began, resent, released, .. } = *self;
        (resent + released > 0).then(|| ResumptionStatus { began, took: now - began, resent, released })
    }
}
