//! What is measured of a tunnel, in steps, and how long each takes.

use std::fmt;
use std::time::Duration;

use clap::ValueEnum;
use stead_rig::traffic::Flood;

/// A part of the benchmark that can be asked for by itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(in crate::program) enum Part {
    /// TCP streams, and what they cost in processor time.
    Tcp,
    /// The same without the segmentation offload of the cable.
    OffloadOff,
    /// The highest rate of UDP datagrams.
    Udp,
    /// Round trips, idle and under load.
    Latency,
}

/// TCP streams that flow at once.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Flow {
    Up1,
    Down1,
    Up4,
    Down4,
    Both,
}

impl Flow {
    pub(super) const ALL: [Self; 5] = [Self::Up1, Self::Down1, Self::Up4, Self::Down4, Self::Both];

    pub(super) const fn flood(self) -> Flood {
        match self {
            Self::Up1 => Flood { up: 1, down: 0 },
            Self::Down1 => Flood { up: 0, down: 1 },
            Self::Up4 => Flood { up: 4, down: 0 },
            Self::Down4 => Flood { up: 0, down: 4 },
            Self::Both => Flood { up: 1, down: 1 },
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Up1 => "up-1",
            Self::Down1 => "down-1",
            Self::Up4 => "up-4",
            Self::Down4 => "down-4",
            Self::Both => "both",
        }
    }
}

/// How large the IP packets are that carry datagrams inside.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Size {
    Small,
    Large,
}

impl Size {
    pub(super) const ALL: [Self; 2] = [Self::Small, Self::Large];

    /// The whole IPv4 packet, in bytes.
    pub(super) const fn packet(self) -> u64 {
        match self {
            Self::Small => 200,
            Self::Large => 1400,
        }
    }

    /// What an application gives to its socket, in bytes.
    pub(super) const fn payload(self) -> u64 {
        self.packet() - IPV4_AND_UDP
    }
}

/// What flows while round trips are made.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Load {
    Idle,
    Download,
    Upload,
}

impl Load {
    pub(super) const ALL: [Self; 3] = [Self::Idle, Self::Download, Self::Upload];

    pub(super) const fn flood(self) -> Option<Flood> {
        match self {
            Self::Idle => None,
            Self::Download => Some(Flood { up: 0, down: 1 }),
            Self::Upload => Some(Flood { up: 1, down: 0 }),
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Download => "download",
            Self::Upload => "upload",
        }
    }
}

/// One step.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Step {
    Latency(Load),
    Tcp { offload: bool, flow: Flow },
    Iperf3,
    Udp(Size),
    Memory,
}

impl Step {
    /// The steps of one tunnel, in their order: memory last, when the tunnel has been through all of it.
    pub(super) fn plan(only: &[Part], iperf3: bool) -> Vec<Self> {
        let wanted = |part: Part| only.is_empty() || only.contains(&part);
        let tcp = |offload: bool| Flow::ALL.map(|flow| Self::Tcp { offload, flow });
        let mut steps = Vec::new();
        if wanted(Part::Latency) {
            steps.extend(Load::ALL.map(Self::Latency));
        }
        if wanted(Part::Tcp) {
            steps.extend(tcp(true));
        }
        if iperf3 {
            steps.push(Self::Iperf3);
        }
        if wanted(Part::Udp) {
            steps.extend(Size::ALL.map(Self::Udp));
        }
        if wanted(Part::OffloadOff) {
            steps.extend(tcp(false));
        }
        steps.push(Self::Memory);
        steps
    }

    /// How long it is expected to take.
    pub(super) fn expected(self, times: Times) -> Duration {
        match self {
            Self::Latency(load) => {
                times.probe * 3 + load.flood().map_or(Duration::ZERO, |_| WARM_UP) + OVERHEAD
            }
            Self::Tcp { .. } => WARM_UP + times.bulk + OVERHEAD,
            Self::Iperf3 => times.bulk.max(Duration::from_secs(1)) + Duration::from_secs(2),
            Self::Udp(_) => (times.volley + OVERHEAD) * USUAL_VOLLEYS,
            Self::Memory => Duration::ZERO,
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latency(load) => write!(f, "round trips, {}", load.name()),
            Self::Tcp { offload: true, flow } => write!(f, "TCP {}", flow.name()),
            Self::Tcp { offload: false, flow } => write!(f, "TCP {}, offload off", flow.name()),
            Self::Iperf3 => f.write_str("iperf3"),
            Self::Udp(size) => write!(f, "UDP {} B", size.packet()),
            Self::Memory => f.write_str("memory"),
        }
    }
}

/// How long each thing is measured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    /// A flood.
    pub(super) bulk: Duration,
    /// Round trips of one kind.
    pub(super) probe: Duration,
    /// Datagrams at one rate.
    pub(super) volley: Duration,
}

impl Times {
    /// In proportion to the time that a flood gets: at two seconds 700 ms of round trips and volleys of 350 ms.
    pub(super) fn of(bulk: Duration) -> Self {
        let share = |percent: u32| (bulk * percent / 100).max(SHORTEST);
        Self { bulk, probe: share(35), volley: (bulk * 35 / 200).max(SHORTEST) }
    }
}

/// TCP finds its speed on such a cable within a few round trips; the rest is for the machine to settle.
pub(super) const WARM_UP: Duration = Duration::from_millis(300);
/// Starting a tunnel and both of its hosts.
pub(super) const ESTABLISHING: Duration = Duration::from_millis(1500);
/// Connections and threads that are made and ended around what is measured.
const OVERHEAD: Duration = Duration::from_millis(60);
/// How many rates a search tries as a rule.
const USUAL_VOLLEYS: u32 = 8;
const SHORTEST: Duration = Duration::from_millis(50);
/// Headers between an IPv4 packet and what the application sees of it.
const IPV4_AND_UDP: u64 = 28;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_alone_is_measured_alone_and_memory_last_of_all() {
        assert_eq!(
            Step::plan(&[Part::Udp], false),
            [Step::Udp(Size::Small), Step::Udp(Size::Large), Step::Memory]
        );
        let whole = Step::plan(&[], true);
        assert_eq!(whole.len(), 3 + 5 + 1 + 2 + 5 + 1);
        assert_eq!(whole.last(), Some(&Step::Memory));
    }

    #[test]
    fn a_whole_run_of_eleven_systems_stays_below_twenty_five_minutes() {
        let times = Times::of(Duration::from_secs(2));
        let one: Duration = Step::plan(&[], false).iter().map(|step| step.expected(times)).sum();
        let all = (one + ESTABLISHING) * 11 * 3;
        assert!(all < Duration::from_secs(25 * 60), "{all:?}");
        assert!(all > Duration::from_secs(15 * 60), "the usage tells twenty minutes: {all:?}");
    }
}
