//! What one world of the run goes through, and what came of it.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::Serialize;
use stead_rig::Driver;
use stead_rig::traffic::timeline::micros;

/// How the path is lost, and comes back as it was.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::program) enum Cut {
    /// The line to the internet loses everything, both ways, and nobody is told.
    Silence,
    /// The mover's interface loses its carrier and keeps its addresses.
    Carrier,
    /// The mover's interface goes down and loses its addresses, and gets the same ones again.
    Address,
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Silence => "silence",
            Self::Carrier => "carrier",
            Self::Address => "address",
        })
    }
}

impl FromStr for Cut {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = [Self::Silence, Self::Carrier, Self::Address];
        all.into_iter()
            .find(|cut| cut.to_string() == text)
            .ok_or_else(|| format!("`{text}` is no outage: expected silence, carrier or address"))
    }
}

/// What runs over the tunnel.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Load {
    /// Tickers and transfers, both ways, all through the outage.
    Busy,
    /// A connection over which nobody says anything until a moment after the outage.
    Idle,
}

/// One tunnel through one outage, in a world of its own.
#[derive(Clone, Copy, Debug)]
pub(super) struct Case {
    pub(super) tunnel: Driver,
    pub(super) outage: Duration,
    pub(super) cut: Cut,
    pub(super) load: Load,
    /// From one host to the other and back.
    pub(super) round_trip: Duration,
    /// How often TCP sends a segment again before it gives up, if not as the kernel has it.
    pub(super) retries: Option<u32>,
}

/// What came of it.
#[derive(Debug, Serialize)]
pub(super) struct CaseReport {
    pub(super) tunnel: Driver,
    pub(super) outage_millis: u128,
    pub(super) cut: Cut,
    pub(super) load: Load,
    /// From the path's being back to its being proven at either end, by the tunnel's own word; none if it does
    /// not tell, or did not notice that anything was amiss.
    pub(super) proven_micros: Option<u64>,
    pub(super) flows: Vec<Flow>,
}

/// What an application saw.
#[derive(Debug, Serialize)]
pub(super) struct Flow {
    pub(super) name: &'static str,
    /// The connection was never broken, and everything arrived as it was sent.
    pub(super) survived: bool,
    pub(super) outcome: String,
    /// From the path's being back to a steady stream; for a keystroke, from its being pressed to its arrival.
    pub(super) back_micros: Option<u64>,
    /// From the path's being proven to a steady stream; as above where nothing had to be proven.
    pub(super) after_proof_micros: Option<u64>,
    /// Bytes, or datagrams of a call, given to the sender's kernel that never arrived.
    pub(super) lost: u64,
    /// Datagrams of a call that arrived twice; of a connection, whether other bytes arrived than were sent.
    pub(super) doubled: u64,
}

impl Case {
    /// What is promised of stead: every connection survives, and resumes within two round trips of the proof.
    pub(super) fn holds(&self, report: &CaseReport) -> bool {
        let bound = micros(2 * self.round_trip + NOISE);
        report.flows.iter().filter(|flow| !flow.is_call()).all(|flow| {
            flow.survived
                && flow.lost == 0
                && flow.doubled == 0
                && flow.after_proof_micros.is_some_and(|after| after <= bound)
        })
    }
}

impl Flow {
    /// Datagrams, of which nobody promises that they outlast an outage.
    pub(super) fn is_call(&self) -> bool {
        self.name.starts_with("call")
    }
}

/// What the measurement cannot tell apart: a ticker's own rhythm, and other work of a machine with few processors.
const NOISE: Duration = Duration::from_millis(40);
