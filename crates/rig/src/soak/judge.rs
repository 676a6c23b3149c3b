//! Holds what an episode's applications saw against what is promised, and knows what excuses what.
//!
//! - No connection ends; nothing arrives corrupt, and nothing twice.
//! - Traffic flows by the deadline of each [`Disturbance`](super::disturbance::Disturbance); at other times no gap is longer than
//!   [`RESUMES`].
//! - Nothing is lost that has no [`Excuse`].
//!
//! On a line that loses by chance, datagrams are judged by their number, and TCP may stall twice as long as the bare
//! connection beside it ([`BESIDE`]), and for [`LOSSY`] in any case. A bare flow that no event disturbs ([`STILL`])
//! tells when the machine starved: its gaps are added to every deadline.

mod losses;

use std::time::Duration;

use serde::Serialize;

pub use self::losses::{Chance, Excuse};
use super::disturbance::{Course, RESUMES};
use crate::scenario::expect::OfTraffic;
use crate::scenario::measured::{End, TrafficMeasured};
use crate::scenario::{Expectation, Kind, Measured, Scenario, Traffic};

/// The bare flow that no event disturbs.
pub const STILL: &str = "still";
/// The bare connection over lines that lose as the nodes' lines do.
pub const BESIDE: &str = "beside";
/// How long TCP may stall on a line that loses by chance, however well the bare connection did.
pub const LOSSY: Duration = Duration::from_secs(2);

/// A promise that was not kept.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Breach {
    /// Which promise.
    pub kind: Promise,
    /// Whose traffic.
    pub traffic: String,
    /// When it was broken, in milliseconds since the beginning.
    pub at_millis: u128,
    /// What was seen.
    pub seen: String,
}

/// What is promised.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Promise {
    /// A connection opens, and never ends by itself.
    Lasts,
    /// What arrives is what was sent.
    Intact,
    /// No application gets a datagram twice.
    Once,
    /// Traffic flows by its deadline.
    Flows,
    /// Nothing is lost without an excuse.
    Kept,
    /// What no scenario needs to forbid does not happen.
    Possible,
}

impl Promise {
    /// What a breach of it is called.
    #[must_use]
    pub const fn broken(self) -> &'static str {
        match self {
            Self::Lasts => "connection ended",
            Self::Intact => "corrupt",
            Self::Once => "doubled",
            Self::Flows => "stalled",
            Self::Kept => "lost",
            Self::Possible => "impossible",
        }
    }
}

/// Every breach, in the order of time.
#[must_use]
pub fn judge(scenario: &Scenario, measured: &Measured) -> Vec<Breach> {
    let mut breaches: Vec<Breach> = measured.impossible.iter().map(|what| impossible(what)).collect();
    for traffic in scenario.traffic.iter().filter(|traffic| !is_bare(scenario, traffic)) {
        let nothing = TrafficMeasured::default();
        let seen = measured.traffic.get(&traffic.name).unwrap_or(&nothing);
        let pair = [traffic.from.as_str(), traffic.to.as_str()];
        let course = Course::of(scenario, &measured.dark, pair, measured.ended);
        let judge = Judge { scenario, measured, traffic, seen, course };
        breaches.extend(judge.lasts());
        breaches.extend(judge.intact());
        breaches.extend(judge.once());
        breaches.extend(judge.flows());
        breaches.extend(judge.kept());
    }
    breaches.sort_by_key(|breach| breach.at_millis);
    breaches
}

/// Rows of a scenario that fail where this breach is seen, so that `stead-rig run` shows a log and the packets.
#[must_use]
pub fn expectations(breach: &Breach) -> Vec<Expectation> {
    let row = OfTraffic { traffic: breach.traffic.clone(), ..OfTraffic::default() };
    let row = match breach.kind {
        Promise::Lasts => OfTraffic { survives: Some(true), ..row },
        Promise::Intact => OfTraffic { intact: Some(true), ..row },
        Promise::Once => OfTraffic { duplicated: Some(0), ..row },
        Promise::Flows => OfTraffic { stall: Some(RESUMES), resumes: Some(RESUMES), ..row },
        Promise::Kept => OfTraffic { lost: Some(0), ..row },
        Promise::Possible => return Vec::new(),
    };
    vec![Expectation::Traffic(row)]
}

fn is_bare(scenario: &Scenario, traffic: &Traffic) -> bool {
    [&traffic.from, &traffic.to]
        .into_iter()
        .any(|host| scenario.hosts.get(host).is_none_or(|host| !host.role.has_tunnel()))
}

fn impossible(what: &str) -> Breach {
    Breach { kind: Promise::Possible, traffic: String::new(), at_millis: 0, seen: what.to_owned() }
}

struct Judge<'a> {
    scenario: &'a Scenario,
    measured: &'a Measured,
    traffic: &'a Traffic,
    seen: &'a TrafficMeasured,
    course: Course,
}

impl Judge<'_> {
    fn breach(&self, kind: Promise, at: Duration, seen: String) -> Breach {
        Breach { kind, traffic: self.traffic.name.clone(), at_millis: at.as_millis(), seen }
    }

    fn lasts(&self) -> Option<Breach> {
        let at = self.seen.arrivals.last.unwrap_or(self.traffic.start);
        let amount = format!("{} of {} arrived", self.seen.received, self.seen.sent);
        match &self.seen.end {
            End::NeverOpened => Some("the connection never opened".to_owned()),
            End::Broken(reason) => Some(format!("the connection ended ({reason}); {amount}")),
            End::Closed if self.traffic.kind.is_tcp() && self.seen.received < self.seen.sent => {
                Some(format!("the connection ended early; {amount}"))
            }
            End::Closed | End::Unfinished => None,
        }
        .map(|seen| self.breach(Promise::Lasts, at, seen))
    }

    fn intact(&self) -> Option<Breach> {
        // What never opened carried nothing.
        let wrong = !self.seen.correct && self.seen.received > 0;
        let at = self.seen.arrivals.last.unwrap_or_default();
        wrong.then(|| self.breach(Promise::Intact, at, "other bytes arrived than were sent".to_owned()))
    }

    fn once(&self) -> Option<Breach> {
        let (doubled, at) = (self.seen.duplicated, self.seen.arrivals.last.unwrap_or_default());
        (doubled > 0).then(|| self.breach(Promise::Once, at, format!("{doubled} datagrams arrived twice")))
    }

    /// The gap that goes furthest beyond its deadline.
    fn flows(&self) -> Option<Breach> {
        let late = self.gaps().filter(|(from, to)| *to - *from > RESUMES).filter_map(|gap| {
            let (deadline, why) = self.deadline(gap);
            Some((gap.1.checked_sub(deadline).filter(|late| !late.is_zero())?, gap, why))
        });
        let (late, (from, to), why) = late.max_by_key(|(late, ..)| *late)?;
        let seen = format!(
            "nothing arrived from {} to {}, {} after the deadline: {why}",
            seconds(from),
            seconds(to),
            seconds(late)
        );
        Some(self.breach(Promise::Flows, from, seen))
    }

    /// Every time without an arrival in which there should have been one.
    fn gaps(&self) -> impl Iterator<Item = (Duration, Duration)> + '_ {
        let (arrivals, start) = (&self.seen.arrivals, self.traffic.start);
        let silent_until = match self.traffic.kind {
            Kind::UdpTicker { lasts, .. } => start + lasts,
            Kind::TcpTicker { .. } if self.seen.over.is_some() => Duration::ZERO,
            // Nothing is under way; the sender may say no more only once its time is over.
            Kind::TcpTicker { lasts, .. } if self.seen.received == self.seen.sent => start + lasts,
            Kind::TcpBulk { bytes, .. } if self.seen.received >= bytes => Duration::ZERO,
            Kind::TcpTicker { .. } | Kind::TcpBulk { .. } => self.measured.ended,
        };
        let first = (start, arrivals.first.unwrap_or(silent_until));
        let last = arrivals.last.map(|last| (last, silent_until.min(self.measured.ended)));
        let opening = core::iter::once(first);
        opening.chain(arrivals.gaps.iter().copied()).chain(last).filter(|(from, to)| from < to)
    }

    /// By when a gap must have ended, and why then.
    fn deadline(&self, (from, to): (Duration, Duration)) -> (Duration, String) {
        let every = match self.traffic.kind {
            Kind::TcpTicker { every, .. } | Kind::UdpTicker { every, .. } => every,
            Kind::TcpBulk { .. } => Duration::ZERO,
        };
        let mut deadline = from + RESUMES;
        let mut why = format!("no gap is longer than {} without a disturbance", seconds(RESUMES));
        for disturbance in self.course.disturbances.iter().filter(|disturbance| disturbance.at <= to) {
            let by = disturbance.deadline.unwrap_or(Duration::MAX);
            if by > deadline {
                let ready = disturbance.ready.map_or_else(|| "never".to_owned(), seconds);
                deadline = by;
                why = format!("{} at {}, usable path {ready}", disturbance.what, seconds(disturbance.at));
            }
        }
        if self.traffic.kind.is_tcp() && losses::is_lossy(self.scenario, self.traffic, (from, to)) {
            let beside = self.longest_gap_beside();
            deadline = deadline.max(from + LOSSY.max(2 * beside + RESUMES));
            why += &format!(" (lossy line, {} beside)", seconds(beside));
        }
        (deadline.saturating_add(every + STARVED * self.starved((from, to))), why)
    }

    /// For how long the machine kept the bare flow from arriving, in a time.
    fn starved(&self, (from, to): (Duration, Duration)) -> Duration {
        let gaps = self.measured.traffic.get(STILL).map(|still| still.arrivals.gaps.as_slice());
        let rhythm = RHYTHM;
        let within = gaps.unwrap_or_default().iter().filter(|gap| gap.1 > from && gap.0 < to);
        within.map(|gap| (gap.1 - gap.0).saturating_sub(rhythm)).filter(|gap| *gap >= UNNOTICED).sum()
    }

    fn longest_gap_beside(&self) -> Duration {
        let gaps = self.measured.traffic.get(BESIDE).map(|beside| beside.arrivals.gaps.as_slice());
        gaps.unwrap_or_default().iter().map(|(from, to)| *to - *from).max().unwrap_or_default()
    }

    /// Losses without an excuse.
    fn kept(&self) -> Option<Breach> {
        let lost = losses::unexcused(self.scenario, self.traffic, self.seen, &self.course);
        let first = *lost.first()?;
        let last = *lost.last()?;
        let seen = format!(
            "{} datagrams of {} lost without an excuse, sent from {} to {}",
            lost.len(),
            self.seen.sent,
            seconds(first),
            seconds(last)
        );
        Some(self.breach(Promise::Kept, first, seen))
    }
}

/// `12.345 s`.
fn seconds(time: Duration) -> String {
    format!("{:.3} s", time.as_secs_f64())
}

/// The time between two datagrams of [`STILL`].
pub(super) const RHYTHM: Duration = Duration::from_millis(20);
/// A thread that is this late is no sign of a machine that starves.
const UNNOTICED: Duration = Duration::from_millis(20);
/// How often a starved machine's delay can strike one packet: at its sender, two daemons, and its receiver.
const STARVED: u32 = 4;

#[cfg(test)]
mod tests;
