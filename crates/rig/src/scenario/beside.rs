//! What must hold of one traffic beside the same traffic of bare hosts: hosts without a tunnel on the same lines.
//!
//! ```yaml
//! - { traffic: call, beside: bare, lost: 0.5%, stall: 60ms }         # bare's and so much more
//! - { traffic: shell, beside: bare, stall: 1.2x, seeds: 20 }         # of bare's worst with the seeds 1 to 20
//! - { traffic: file, beside: bare, rate: 0.9x }                      # of bare's, less the tunnel's header
//! - { traffic: call, beside: bare, stall: 60ms, settles: 2s }        # not in the 2 s after a deed of the timeline
//! ```

use std::fmt;
use std::time::Duration;

use super::section::Section;
use super::unit::{self, Factor, Share};

/// One such row: everything in it must hold; what is absent is not asked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Beside {
    /// Which traffic.
    pub traffic: String,
    /// At most so many more datagrams are lost, as a share of those that were sent.
    pub lost: Option<Share>,
    /// The longest gap that the application sees is at most so much longer.
    pub stall: Option<Allowance>,
    /// A transfer is at least so fast, after the tunnel's header was taken from bare's rate.
    pub rate: Option<Factor>,
    /// The stall is held against the worst that bare hosts see with the seeds from 1 to this one; against that of the
    /// same seed without.
    pub seeds: Option<u64>,
    /// Gaps that touch so much time after a deed of the timeline are not compared.
    pub settles: Duration,
    /// Where it stands.
    pub line: usize,
}

/// How much longer than bare's something may be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Allowance {
    /// By so much.
    More(Duration),
    /// So many times as long.
    Times(Factor),
}

impl Allowance {
    /// The longest that is allowed beside this.
    #[must_use]
    pub fn beside(self, bare: Duration) -> Duration {
        match self {
            Self::More(more) => bare + more,
            Self::Times(factor) => bare.mul_f64(factor.value()),
        }
    }
}

impl fmt::Display for Allowance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::More(more) => write!(f, "{} ms more", more.as_millis()),
            Self::Times(factor) => write!(f, "{factor} times"),
        }
    }
}

impl Beside {
    /// Of a row that names a traffic and says `beside`.
    pub(super) fn read(section: &Section<'_>, traffic: String) -> Self {
        section.choice("beside", &[("bare", ())]);
        let allowance = |text: &str| {
            unit::duration(text).map(Allowance::More).or_else(|| unit::factor(text).map(Allowance::Times))
        };
        let seeds = |text: &str| text.parse().ok().filter(|seeds| (1..=MOST_SEEDS).contains(seeds));
        Self {
            traffic,
            lost: section.value("lost", unit::SHARE, unit::share),
            stall: section.value("stall", ALLOWANCE, allowance),
            rate: section.value("rate", unit::FACTOR, unit::factor),
            seeds: section.value("seeds", "a whole number between 1 and 100", seeds),
            settles: section.duration("settles").unwrap_or_default(),
            line: section.place.line,
        }
    }

    /// Whether it asks for nothing.
    pub(super) const fn is_empty(&self) -> bool {
        self.lost.is_none() && self.stall.is_none() && self.rate.is_none()
    }
}

const ALLOWANCE: &str = "a time such as 60ms (so much more than bare), or a factor such as 1.2x";
/// Bare hosts are played with each of these.
const MOST_SEEDS: u64 = 100;
