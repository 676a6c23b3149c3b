//! What happens in a scenario, and when.

use std::time::Duration;

use super::mistake::Place;
use super::network::LinkChange;
use super::section::Section;

/// One thing that happens.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// When, since the scenario's beginning.
    pub at: Duration,
    /// By how much later it may be, as the seed says.
    pub spread: Duration,
    /// What.
    pub deed: Deed,
    /// Where it stands.
    pub place: Place,
}

/// What happens.
#[derive(Clone, Debug, PartialEq)]
pub enum Deed {
    /// A host leaves wherever it is, and is in another network after `dark`.
    Move {
        /// Who.
        host: String,
        /// Where it goes.
        to: String,
        /// How long it is nowhere.
        dark: Duration,
        /// Whose former address it gets there, in stead of its own.
        takes: Option<String>,
    },
    /// A host joins one more network.
    Attach {
        /// Who.
        host: String,
        /// Which.
        network: String,
    },
    /// A host leaves one network.
    Detach {
        /// Who.
        host: String,
        /// Which.
        network: String,
    },
    /// A host leaves every network.
    Unplug {
        /// Who.
        host: String,
    },
    /// An unplugged host joins a network.
    Plug {
        /// Who.
        host: String,
        /// Which.
        network: String,
    },
    /// A host's program ends without a word, as in a crash.
    Kill {
        /// Whose.
        host: String,
    },
    /// A host's program is asked to end.
    Stop {
        /// Whose.
        host: String,
    },
    /// A host's program begins again, with the same key and configuration.
    Start {
        /// Whose.
        host: String,
    },
    /// A host's program does not get the processor for a while.
    Freeze {
        /// Whose.
        host: String,
        /// How long.
        lasts: Duration,
    },
    /// A NAT forgets every mapping.
    RebootNat {
        /// Whose.
        network: String,
    },
    /// A NAT forgets every mapping and gives new ones other ports.
    RebindNat {
        /// Whose.
        network: String,
    },
    /// A network's line to the internet becomes better or worse.
    ChangeLink {
        /// Whose.
        network: String,
        /// In what respect.
        change: LinkChange,
    },
    /// Somebody on a network's line interferes for a while.
    Attack {
        /// Whose.
        network: String,
        /// How.
        attack: Attack,
        /// How long.
        lasts: Duration,
    },
}

/// What somebody on a line does to the datagrams that pass.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Attack {
    /// Sends every datagram again, later.
    Replay,
    /// Holds every datagram back, and lets all go at the end.
    Delay,
    /// Sends a copy of every datagram ahead of it from another source address.
    Resource,
    /// Sends a copy with a bit changed behind every datagram.
    Forge,
}

impl Event {
    /// Adds what the seed says to the time.
    pub(super) fn draw(&mut self, seed: u64, number: u64) {
        let spread = u64::try_from(self.spread.as_micros()).unwrap_or(u64::MAX);
        let drawn = (u128::from(scrambled(seed, number)) * (u128::from(spread) + 1)) >> 64;
        self.at += Duration::from_micros(u64::try_from(drawn).unwrap_or(0));
        self.spread = Duration::ZERO;
    }
}

impl Deed {
    /// The host that does it, or to which it is done.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        match self {
            Self::Move { host, .. }
            | Self::Attach { host, .. }
            | Self::Detach { host, .. }
            | Self::Unplug { host }
            | Self::Plug { host, .. }
            | Self::Kill { host }
            | Self::Stop { host }
            | Self::Start { host }
            | Self::Freeze { host, .. } => Some(host),
            Self::RebootNat { .. }
            | Self::RebindNat { .. }
            | Self::ChangeLink { .. }
            | Self::Attack { .. } => None,
        }
    }

    /// The network it is about, if a row names one.
    #[must_use]
    pub fn network(&self) -> Option<&str> {
        match self {
            Self::Move { to: network, .. }
            | Self::Attach { network, .. }
            | Self::Detach { network, .. }
            | Self::Plug { network, .. }
            | Self::RebootNat { network }
            | Self::RebindNat { network }
            | Self::ChangeLink { network, .. }
            | Self::Attack { network, .. } => Some(network),
            Self::Unplug { .. }
            | Self::Kill { .. }
            | Self::Stop { .. }
            | Self::Start { .. }
            | Self::Freeze { .. } => None,
        }
    }
}

/// Reads the rows, repeats those that are to be repeated, and puts all in the order of time.
pub(super) fn read(rows: &[Section<'_>]) -> Vec<Event> {
    let mut events = Vec::new();
    let mut latest = Duration::ZERO;
    for row in rows {
        let Some(at) = row.required("at", "a time since the beginning, such as 5s", super::unit::duration)
        else {
            let _mistakes = (deeds(row), row.finish());
            continue;
        };
        if at < latest {
            let problem = format!("this happens at {at:?}, before the row above it");
            row.found.plain(row.place_of("at"), problem, "rows in the order of time");
        }
        latest = latest.max(at);
        let spread = row.duration("spread").unwrap_or_default();
        let repetition = Repetition::read(row);
        let deeds = deeds(row);
        row.finish();
        for (number, deed) in (0..repetition.times).zip(deeds.iter().cycle()) {
            let at = at + repetition.every * number;
            events.push(Event { at, spread, deed: deed.clone(), place: row.place });
        }
    }
    events.sort_by_key(|event| event.at);
    events
}

struct Repetition {
    every: Duration,
    times: u32,
}

impl Repetition {
    fn read(row: &Section<'_>) -> Self {
        let times = row.value("times", "a number between 1 and 10000", |text| {
            text.parse().ok().filter(|times| (1..=10_000).contains(times))
        });
        let every = row.duration("every");
        if times.is_some() != every.is_some() {
            let problem = "a repeated row needs both `times` and `every`".to_owned();
            row.found.plain(row.place, problem, "`every: 1s, times: 10`, or neither");
        }
        Self { every: every.unwrap_or_default(), times: times.unwrap_or(1) }
    }
}

/// What a row says is done: one deed, or several that take turns in its repetitions.
fn deeds(row: &Section<'_>) -> Vec<Deed> {
    let verbs: &[&'static str] = match (row.has("host"), row.has("network")) {
        (true, false) => &HOST_VERBS,
        (false, true) => &NETWORK_VERBS,
        _ => {
            let problem = "the row says not to whom it happens, or says two".to_owned();
            row.found.plain(row.place, problem, "either `host: NAME` or `network: NAME`");
            return Vec::new();
        }
    };
    let said: Vec<&str> = verbs.iter().copied().filter(|verb| row.has(verb)).collect();
    let [verb] = said[..] else {
        let problem = match said.len() {
            0 => "nothing happens in this row".to_owned(),
            _ => format!("too much happens in this row: {}", said.join(", ")),
        };
        row.found.plain(row.place, problem, format!("exactly one of: {}", verbs.join(", ")));
        return Vec::new();
    };
    match row.has("host") {
        true => host_deeds(row, verb),
        false => network_deed(row, verb).into_iter().collect(),
    }
}

fn host_deeds(row: &Section<'_>, verb: &str) -> Vec<Deed> {
    let Some(host) = row.word("host", "the name of a host") else { return Vec::new() };
    let network = |key| row.word(key, "the name of a network");
    let truly = |key, deed| if row.choice(key, &[("true", true)]) == Some(true) { Some(deed) } else { None };
    let deed = match verb {
        "move" => {
            let dark = row.duration("dark").unwrap_or_default();
            let takes = row.word("takes", "the name of a host");
            let targets = row.list("move", "a network, or networks in turn", |text| Some(text.to_owned()));
            let target = |to| Deed::Move { host: host.clone(), to, dark, takes: takes.clone() };
            return targets.unwrap_or_default().into_iter().map(target).collect();
        }
        "attach" => network("attach").map(|network| Deed::Attach { host, network }),
        "detach" => network("detach").map(|network| Deed::Detach { host, network }),
        "plug" => network("plug").map(|network| Deed::Plug { host, network }),
        "unplug" => truly("unplug", Deed::Unplug { host }),
        "kill" => truly("kill", Deed::Kill { host }),
        "stop" => truly("stop", Deed::Stop { host }),
        "start" => truly("start", Deed::Start { host }),
        _ => row.duration("freeze").map(|lasts| Deed::Freeze { host, lasts }),
    };
    deed.into_iter().collect()
}

fn network_deed(row: &Section<'_>, verb: &str) -> Option<Deed> {
    let network = row.word("network", "the name of a network")?;
    match verb {
        "nat" => {
            let rebind = row.choice("nat", &[("reboot", false), ("rebind", true)])?;
            Some(if rebind { Deed::RebindNat { network } } else { Deed::RebootNat { network } })
        }
        "link" => {
            row.section("link").map(|link| Deed::ChangeLink { network, change: LinkChange::read(&link) })
        }
        _ => {
            let attacks = [
                ("replay", Attack::Replay),
                ("delay", Attack::Delay),
                ("resource", Attack::Resource),
                ("forge", Attack::Forge),
            ];
            let attack = row.choice("attack", &attacks);
            let lasts = row.required("for", super::unit::DURATION, super::unit::duration);
            Some(Deed::Attack { network, attack: attack?, lasts: lasts? })
        }
    }
}

/// One step of SplitMix64 from a place that seed and number choose.
const fn scrambled(seed: u64, number: u64) -> u64 {
    let step = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut word = seed.wrapping_mul(0xd134_2543_de82_ef95).wrapping_add(step);
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

const HOST_VERBS: [&str; 9] =
    ["move", "attach", "detach", "unplug", "plug", "kill", "stop", "start", "freeze"];
const NETWORK_VERBS: [&str; 3] = ["nat", "link", "attack"];
