//! What a world saw while it played a scenario. Every world fills in the same, so that one judge serves all.
//!
//! Times are counted from the scenario's beginning, on the world's own clock.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::PathKind;

/// All that was seen.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Measured {
    /// What became of each traffic.
    pub traffic: BTreeMap<String, TrafficMeasured>,
    /// What one host knows of another in the end: (who tells, of whom).
    #[serde(serialize_with = "by_name")]
    pub pairs: BTreeMap<(String, String), PairMeasured>,
    /// What each node counted.
    pub hosts: BTreeMap<String, HostMeasured>,
    /// When which host could not be reached for reasons of its own, as it really was.
    pub dark: Vec<Dark>,
    /// What must never happen, whatever is expected, and did.
    pub impossible: Vec<String>,
    /// What bare hosts saw on the same lines, if a row compares with them: with the same seed, then with each of the
    /// seeds that a row asks for.
    #[serde(skip)]
    pub bare: Vec<Arc<Self>>,
    /// When the world stopped looking.
    pub ended: Duration,
    /// Lines for people who look for the cause of a failure: logs, a packet diagram, a command.
    #[serde(skip)]
    pub notes: Vec<String>,
}

/// What became of one traffic.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct TrafficMeasured {
    /// How it ended.
    pub end: End,
    /// Ticks, datagrams or bytes that were given to the sender's stack.
    pub sent: u64,
    /// Ticks or bytes that arrived in order, or different datagrams that arrived.
    pub received: u64,
    /// Datagrams that arrived again.
    pub duplicated: u64,
    /// Whether what arrived is what was sent, as far as it arrived.
    pub correct: bool,
    /// When it was to start.
    pub start: Duration,
    /// When what arrived.
    pub arrivals: Arrivals,
    /// When each datagram was sent that never arrived, in order.
    #[serde(skip)]
    pub losses: Vec<Duration>,
    /// When the receiving application saw the end.
    pub over: Option<Duration>,
}

/// How a connection or a stream of datagrams ended.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "verdict", content = "reason")]
pub enum End {
    /// The receiver saw the sender's own end; always so for datagrams.
    Closed,
    /// It was still under way when the world stopped looking.
    #[default]
    Unfinished,
    /// The connection never opened.
    NeverOpened,
    /// An end's stack gave it up, or the other side reset it.
    Broken(String),
}

/// When something arrived at an application.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Arrivals {
    /// How many there were.
    pub count: u64,
    /// The first.
    pub first: Option<Duration>,
    /// The last.
    pub last: Option<Duration>,
    /// Pairs of arrivals with nothing between them for a millisecond or longer, in order.
    pub gaps: Vec<(Duration, Duration)>,
}

impl Arrivals {
    /// Adds one; arrivals come in the order of time.
    pub fn record(&mut self, at: Duration) {
        self.count += 1;
        self.first.get_or_insert(at);
        if let Some(last) = self.last.replace(at)
            && at.saturating_sub(last) >= NOTICEABLE
        {
            self.gaps.push((last, at));
        }
    }
}

/// What one host knows of another.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct PairMeasured {
    /// Handshakes completed since the beginning, over all runs of the program.
    pub handshakes: u64,
    /// How often it held the other's traffic, over all runs of the program.
    pub suspensions: u64,
    /// For how long at most.
    pub suspended: Duration,
    /// How it reaches the other; none if it does not.
    pub path: Option<PathKind>,
    /// The other's attachment point, or the relay's.
    pub remote: Option<String>,
    /// Whether it knows the other to be VC enhanced, or not to be; none if it does not know.
    pub enhanced: Option<bool>,
    /// What it seals with, in small letters; none without a session.
    pub cipher: Option<String>,
}

/// What one node counted.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct HostMeasured {
    /// Datagrams that failed authentication.
    pub forged: u64,
    /// Every drop, by its label.
    pub drops: BTreeMap<String, u64>,
}

/// A time in which a host had no network, or its program did not run.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Dark {
    /// Which host.
    pub host: String,
    /// Since when.
    pub from: Duration,
    /// Until when.
    pub to: Duration,
}

fn by_name<S: serde::Serializer>(
    pairs: &BTreeMap<(String, String), PairMeasured>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(pairs.iter().map(|((who, of), pair)| (format!("{who} of {of}"), pair)))
}

/// Shorter gaps are no gaps to anybody.
const NOTICEABLE: Duration = Duration::from_millis(1);
