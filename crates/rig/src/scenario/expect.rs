//! What must hold when a scenario is over.

use std::time::Duration;

use super::beside::Beside;
use super::section::Section;

/// One row of `expect`: everything in it must hold; what is absent is not asked.
#[derive(Clone, Debug, PartialEq)]
pub enum Expectation {
    /// Of one traffic.
    Traffic(OfTraffic),
    /// Of one traffic beside the same traffic of bare hosts.
    Beside(Beside),
    /// Between two hosts.
    Between(Between),
    /// At one host.
    Host(AtHost),
}

/// What must hold of one traffic.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OfTraffic {
    /// Which.
    pub traffic: String,
    /// One connection carried everything, and the checksums at both ends agree (or not).
    pub intact: Option<bool>,
    /// The connection was never broken and everything sent over it arrived (or not).
    pub survives: Option<bool>,
    /// The first arrival comes within so much time of the start.
    pub opens: Option<Duration>,
    /// The longest gap that the application sees, without the time in which one end had no network.
    pub stall: Option<Duration>,
    /// Whenever the path between the two hosts is back, a steady stream arrives again within so much time.
    pub resumes: Option<Duration>,
    /// Everything has arrived by then, since the scenario's beginning.
    pub ends: Option<Duration>,
    /// At most so many datagrams never arrive.
    pub lost: Option<u64>,
    /// At most so many datagrams come twice.
    pub duplicated: Option<u64>,
    /// Where it stands.
    pub line: usize,
}

/// What must hold between two hosts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Between {
    /// Which two.
    pub hosts: [String; 2],
    /// At most so many handshakes are completed, as either counts them.
    pub handshakes: Option<u64>,
    /// At most so many suspensions begin, as either counts them.
    pub suspensions: Option<u64>,
    /// No suspension lasts longer.
    pub suspended: Option<Duration>,
    /// How they reach each other in the end, as either sees it.
    pub path: Option<PathKind>,
    /// Whether they know each other to be VC enhanced (seed 001, figure 21).
    pub enhanced: Option<bool>,
    /// What both seal with in the end.
    pub cipher: Option<&'static str>,
    /// Where it stands.
    pub line: usize,
}

/// What must hold at one host.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AtHost {
    /// Which.
    pub host: String,
    /// At most so many datagrams fail authentication there.
    pub forged: Option<u64>,
    /// Where it stands.
    pub line: usize,
}

/// The ciphers of a session, in small letters.
const CIPHERS: [&str; 2] = ["aes-256-gcm", "chacha20-poly1305"];

/// How two nodes reach each other.
#[derive(Clone, Copy, Debug, Eq, PartialEq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PathKind {
    /// From attachment point to attachment point.
    Direct,
    /// Through a service.
    Relayed,
}

impl PathKind {
    /// Its name in a scenario.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Relayed => "relayed",
        }
    }
}

impl Expectation {
    /// Where it stands.
    #[must_use]
    pub const fn line(&self) -> usize {
        match self {
            Self::Traffic(OfTraffic { line, .. })
            | Self::Beside(Beside { line, .. })
            | Self::Between(Between { line, .. })
            | Self::Host(AtHost { line, .. }) => *line,
        }
    }

    pub(super) fn read(section: &Section<'_>) -> Option<Self> {
        let line = section.place.line;
        let name = |key| section.word(key, "a name");
        let expectation = match (section.has("traffic"), section.has("between"), section.has("host")) {
            (true, false, false) if section.has("beside") => {
                name("traffic").map(|traffic| Self::Beside(Beside::read(section, traffic)))
            }
            (true, false, false) => name("traffic").map(|traffic| {
                Self::Traffic(OfTraffic {
                    traffic,
                    intact: section.switch("intact"),
                    survives: section.switch("survives"),
                    opens: section.duration("opens"),
                    stall: section.duration("stall"),
                    resumes: section.duration("resumes"),
                    ends: section.duration("ends"),
                    lost: section.count("lost"),
                    duplicated: section.count("duplicated"),
                    line,
                })
            }),
            (false, true, false) => between(section).map(|hosts| {
                let paths = [PathKind::Direct, PathKind::Relayed].map(|kind| (kind.name(), kind));
                Self::Between(Between {
                    hosts,
                    handshakes: section.count("handshakes"),
                    suspensions: section.count("suspensions"),
                    suspended: section.duration("suspended"),
                    path: section.choice("path", &paths),
                    enhanced: section.switch("enhanced"),
                    cipher: section.choice("cipher", &CIPHERS.map(|name| (name, name))),
                    line,
                })
            }),
            (false, false, true) => {
                name("host").map(|host| Self::Host(AtHost { host, forged: section.count("forged"), line }))
            }
            _ => {
                let problem = "the row is about nothing, or about several things".to_owned();
                let expected = "exactly one of `traffic: NAME`, `between: [NAME, NAME]` and `host: NAME`";
                section.found.plain(section.place, problem, expected);
                return None;
            }
        };
        let asks_nothing = matches!(&expectation, Some(Self::Beside(row)) if row.is_empty());
        if section.words().count() == 1 || asks_nothing {
            let problem = "the row expects nothing".to_owned();
            section.found.plain(section.place, problem, "at least one thing that must hold");
        }
        section.finish();
        expectation
    }
}

fn between(section: &Section<'_>) -> Option<[String; 2]> {
    let names = section.list("between", "two names of hosts", |text| Some(text.to_owned()))?;
    let count = names.len();
    names.try_into().ok().or_else(|| {
        let problem = format!("`between` names {count} hosts");
        section.found.plain(section.place_of("between"), problem, "two names of hosts: `[a, b]`");
        None
    })
}
