//! A scenario: which networks and hosts there are, who is where, who moves when, what traffic runs, what must hold.
//!
//! One file in YAML describes it once for every world that can play it. [`Scenario::load`] returns a scenario
//! in which nothing is left to check, or every mistake with its file, line and key. A world plays it and says
//! what it [`Measured`]; [`judge`] holds that against the file's `expect` rows, the same way for each world.
//!
//! ```yaml
//! name: "figure 8: one public peer moves"
//! worlds: [sim, netns]                           # where it can be played; both unless told
//! ends: 30s                                      # when traffic that is still under way is given up
//! networks:
//!   home: { v4: 10.1.0.0/24, v6: "fd01::/64" }   # each joined to the internet by its own router
//!   cafe: { v4: 10.2.0.0/24, nat: symmetric, expiry: 30s, mtu: 1400,
//!           link: { delay: 40ms, jitter: 10ms, loss: 1%, reorder: 1%, duplicate: 1%, rate: 50mbit,
//!                   up: { loss: 2% }, down: { rate: 20mbit } } }   # up: towards the internet
//! hosts:
//!   a: { at: home }                              # or `at: [home, cafe]`, or `at: nowhere`
//!   b: { at: cafe, role: node }                  # node | sns | wireguard | bare
//!   s: { at: home, role: sns, window: 1s, relay: on }
//! peers:                                         # replaces what the hosts named here know
//!   a: { b: key, s: endpoint }                   # `endpoint`: the key, and where b is in the beginning
//! traffic:                                       # `from` opens the connection and sends
//!   - { name: shell, kind: tcp-ticker, from: a, to: b, start: 1s, every: 20ms, for: 20s }
//!   - { name: file, kind: tcp-bulk, from: b, to: a, start: 1s, bytes: 20MB, rate: 20mbit }
//!   - { name: call, kind: udp-ticker, from: a, to: b, start: 1s, every: 20ms, for: 20s, over: v4 }
//! timeline:                                      # in order; `spread` shifts a row by what the seed says
//!   - { at: 5s, host: a, move: cafe, dark: 300ms, takes: b, spread: 50ms }   # `takes`: b's former address there
//!   - { at: 6s, host: a, move: [home, cafe], every: 1s, times: 6 }           # there and back again
//!   - { at: 13s, host: a, attach: home }         # `detach`, `unplug: true`, `plug: home`
//!   - { at: 15s, host: s, kill: true }           # `stop: true`, `start: true`, `freeze: 3s`
//!   - { at: 16s, network: cafe, nat: reboot }    # all mappings lost; `rebind`: they get other ports besides
//!   - { at: 17s, network: cafe, link: { loss: 30% } }
//!   - { at: 18s, network: cafe, link: { mtu: 1280 } }       # what is longer is lost without a word
//!   - { at: 18s, network: cafe, attack: replay, for: 2s }   # replay | delay | resource | forge
//! expect:
//!   - { traffic: file, intact: true, ends: 25s }
//!   - { traffic: shell, survives: true, opens: 500ms, stall: 400ms, resumes: 100ms }
//!   - { traffic: call, lost: 15, duplicated: 0 }
//!   - { traffic: call, beside: bare, lost: 0.5%, stall: 60ms }             # see `beside`
//!   - { between: [a, b], handshakes: 1, path: direct, enhanced: true, cipher: aes-256-gcm }
//!   - { between: [a, b], suspensions: 0, suspended: 200ms }  # at most so many, and none longer, at either end
//!   - { host: a, forged: 0 }
//! ```

pub mod beside;
pub mod expect;
pub mod host;
pub mod measured;
pub mod mistake;
pub mod network;
pub mod timeline;
pub mod traffic;
pub mod unit;
pub mod verdict;

mod bare;
mod consistency;
mod print;
mod section;
mod tree;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use beside::{Allowance, Beside};
pub use expect::{Expectation, PathKind};
pub use host::{Host, Knowledge, Role};
pub use measured::Measured;
pub use mistake::{Mistake, Mistakes};
pub use network::{Link, LinkChange, Nat, Network, Way};
pub use timeline::{Attack, Deed, Event};
pub use traffic::{Kind, Traffic};
pub use verdict::{Verdict, judge};

use section::Section;

/// What one host knows of each other one.
pub type Acquaintances = BTreeMap<String, Knowledge>;

/// A scenario in which every name is known and every deed is possible.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// Where it was read from.
    pub file: PathBuf,
    /// What it shows, in words.
    pub name: String,
    /// Where it can be played.
    pub worlds: Vec<WorldKind>,
    /// Networks by name.
    pub networks: BTreeMap<String, Network>,
    /// Hosts by name.
    pub hosts: BTreeMap<String, Host>,
    /// Whom each node, and each plain WireGuard peer, knows; by default everybody who has a key by the key,
    /// and services by their endpoint as well.
    pub peers: BTreeMap<String, Acquaintances>,
    /// What runs, in the order of the file.
    pub traffic: Vec<Traffic>,
    /// What happens, in the order of time.
    pub timeline: Vec<Event>,
    /// What must hold.
    pub expect: Vec<Expectation>,
    /// When traffic that is still under way is given up, since the scenario's beginning.
    pub ends: Duration,
}

/// A world that can play scenarios.
#[derive(Clone, Copy, Debug, Eq, PartialEq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum WorldKind {
    /// The simulator: virtual time.
    Sim,
    /// Network namespaces: the real program, the kernel's TCP and NAT.
    Netns,
}

impl WorldKind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Sim, Self::Netns];

    /// Its name on the command line and in files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sim => "sim",
            Self::Netns => "netns",
        }
    }
}

impl Scenario {
    /// Reads a file.
    ///
    /// # Errors
    /// Every mistake that is in it.
    pub fn load(file: &Path) -> Result<Self, Mistakes> {
        let text = fs::read_to_string(file).map_err(|error| Mistakes::unreadable(file, &error))?;
        Self::parse(file, &text)
    }

    /// Reads a text; `file` names it in mistakes.
    ///
    /// # Errors
    /// Every mistake that is in it.
    pub fn parse(file: &Path, text: &str) -> Result<Self, Mistakes> {
        let found = mistake::Found::default();
        let scenario = match tree::parse(text) {
            Ok(root) => read(file, &Section::root(&root, &found)),
            Err(mistake) => {
                found.add(mistake);
                None
            }
        };
        if let Some(scenario) = &scenario {
            consistency::check(scenario, &found);
        }
        match (scenario, found.into_mistakes(file)) {
            (Some(scenario), None) => Ok(scenario),
            (_, Some(mistakes)) => Err(mistakes),
            (None, None) => Err(Mistakes::empty(file)),
        }
    }

    /// The scenario with every `spread` drawn by `seed`: the same in each world, and on each run.
    #[must_use]
    pub fn drawn(&self, seed: u64) -> Self {
        let mut drawn = self.clone();
        for (number, event) in (0_u64..).zip(&mut drawn.timeline) {
            event.draw(seed, number);
        }
        drawn.timeline.sort_by_key(|event| event.at);
        drawn
    }

    /// Whether it can be played in `world`.
    #[must_use]
    pub fn runs_in(&self, world: WorldKind) -> bool {
        self.worlds.contains(&world)
    }

    /// Its file's name without directory and ending.
    #[must_use]
    pub fn stem(&self) -> String {
        self.file.file_stem().map_or_else(|| self.name.clone(), |stem| stem.to_string_lossy().into_owned())
    }
}

fn read(file: &Path, root: &Section<'_>) -> Option<Scenario> {
    let name = root.required("name", "what the scenario shows, in words", |text| Some(text.to_owned()));
    let worlds = root.choices("worlds", &[("sim", WorldKind::Sim), ("netns", WorldKind::Netns)]);
    let networks: BTreeMap<_, _> = root
        .named_sections("networks")
        .into_iter()
        .filter_map(|(name, section)| Some((name, Network::read(&section)?)))
        .collect();
    let hosts: BTreeMap<_, _> = root
        .named_sections("hosts")
        .into_iter()
        .filter_map(|(name, section)| Some((name, Host::read(&section)?)))
        .collect();
    let traffic: Vec<_> = root.rows("traffic").iter().filter_map(Traffic::read).collect();
    let timeline = timeline::read(&root.rows("timeline"));
    let expect: Vec<_> = root.rows("expect").iter().filter_map(Expectation::read).collect();
    let said = root.named_sections("peers");
    let peers = host::acquaintances(&hosts, &said);
    let ends = root.duration("ends").unwrap_or_else(|| natural_end(&traffic, &timeline));
    root.finish();
    Some(Scenario {
        file: file.to_owned(),
        name: name?,
        worlds: worlds.unwrap_or_else(|| WorldKind::ALL.to_vec()),
        networks,
        hosts,
        peers,
        traffic,
        timeline,
        expect,
        ends,
    })
}

/// Without `ends`: when everything has happened and every ticker is through, and a while more for what is
/// late; a transfer has no time of its own and gets a minute.
fn natural_end(traffic: &[Traffic], timeline: &[Event]) -> Duration {
    let events = timeline.iter().map(|event| event.at + event.spread + LATE);
    let traffic = traffic.iter().map(|traffic| {
        traffic.start
            + match traffic.kind {
                Kind::TcpTicker { lasts, .. } | Kind::UdpTicker { lasts, .. } => lasts + LATE,
                Kind::TcpBulk { .. } => TRANSFER,
            }
    });
    events.chain(traffic).max().unwrap_or(LATE)
}

/// How late something may be and still count.
const LATE: Duration = Duration::from_secs(10);
/// How long a transfer may take.
const TRANSFER: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests;
