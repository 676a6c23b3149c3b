//! The figures that tunnels are compared by: what each is called, its unit, and where it comes from.

use std::fmt;

use stead_rig::traffic::Probe;

use super::measure::Measured;
use super::step::{Flow, Load, Size};

/// A figure.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Metric {
    /// Payload received over TCP, in bits per second.
    Tcp { offload: bool, flow: Flow },
    /// The same, measured with iperf3.
    Iperf3,
    /// UDP datagrams a second at less than one percent of loss.
    Datagrams(Size),
    /// Their payload, in bits per second.
    DatagramBits(Size),
    /// The largest IP packet that the tunnel takes unfragmented, in bytes.
    Mtu,
    /// A round trip, in nanoseconds.
    RoundTrip { load: Load, probe: Probe, quantile: Quantile },
    /// TCP transactions a second.
    Transactions(Load),
    /// Processor time of the tunnel's programs at both ends for each gigabyte (10^9 bytes) of one TCP stream, in
    /// microseconds.
    ProcessorOfTunnel,
    /// The same of the whole machine, traffic generator included.
    ProcessorOfMachine,
    /// What the larger of the tunnel's programs has in memory after all other steps, in bytes.
    Resident,
    /// What it had at most.
    Peak,
}

/// Which of many round trips.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Quantile {
    Median,
    P95,
    P99,
    Max,
}

impl Quantile {
    pub(super) const ALL: [Self; 4] = [Self::Median, Self::P95, Self::P99, Self::Max];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Median => "median",
            Self::P95 => "p95",
            Self::P99 => "p99",
            Self::Max => "max",
        }
    }
}

/// What a figure is counted in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Unit {
    BitsPerSecond,
    PerSecond,
    Nanoseconds,
    MicrosecondsPerGigabyte,
    Bytes,
    BytesOfPacket,
}

impl Unit {
    /// As it stands in the report.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::BitsPerSecond => "bit/s",
            Self::PerSecond => "1/s",
            Self::Nanoseconds => "ns",
            Self::MicrosecondsPerGigabyte => "µs/GB",
            Self::Bytes | Self::BytesOfPacket => "B",
        }
    }

    /// As people are shown it.
    pub(super) const fn shown(self) -> &'static str {
        match self {
            Self::BitsPerSecond => "Gbit/s",
            Self::PerSecond => "thousands/s",
            Self::Nanoseconds => "µs",
            Self::MicrosecondsPerGigabyte => "CPU s/GB",
            Self::Bytes => "MB",
            Self::BytesOfPacket => "B",
        }
    }

    /// A figure in the unit that people are shown, with the digits that matter.
    pub(super) fn show(self, figure: u64) -> String {
        let figure = figure as f64;
        let (shown, digits) = match self {
            Self::BitsPerSecond => (figure / 1e9, 2),
            Self::PerSecond => (figure / 1e3, 1),
            Self::Nanoseconds if figure >= 1e6 => (figure / 1e3, 0),
            Self::Nanoseconds => (figure / 1e3, 1),
            Self::MicrosecondsPerGigabyte => (figure / 1e6, 2),
            Self::Bytes => (figure / 1e6, 1),
            Self::BytesOfPacket => (figure, 0),
        };
        format!("{shown:.digits$}")
    }
}

impl Metric {
    pub(super) const fn unit(self) -> Unit {
        match self {
            Self::Tcp { .. } | Self::Iperf3 | Self::DatagramBits(_) => Unit::BitsPerSecond,
            Self::Datagrams(_) | Self::Transactions(_) => Unit::PerSecond,
            Self::RoundTrip { .. } => Unit::Nanoseconds,
            Self::ProcessorOfTunnel | Self::ProcessorOfMachine => Unit::MicrosecondsPerGigabyte,
            Self::Resident | Self::Peak => Unit::Bytes,
            Self::Mtu => Unit::BytesOfPacket,
        }
    }

    /// The figures that come of a measurement.
    pub(super) fn of(measured: &Measured) -> Vec<(Self, u64)> {
        match measured {
            Measured::Latency { load, probe, trips } => {
                let trip = |quantile| Self::RoundTrip { load: *load, probe: *probe, quantile };
                let mut figures = vec![
                    (trip(Quantile::Median), trips.median_nanos),
                    (trip(Quantile::P95), trips.p95_nanos),
                    (trip(Quantile::P99), trips.p99_nanos),
                    (trip(Quantile::Max), trips.max_nanos),
                ];
                if *probe == Probe::Tcp {
                    figures.push((Self::Transactions(*load), trips.per_second));
                }
                figures
            }
            Measured::Tcp { offload, flow, flood, tunnel_processor_micros, machine_processor_micros } => {
                let per_gigabyte = |micros: u64| (micros as f64 * 1e9 / flood.bytes as f64) as u64;
                let mut figures = vec![(Self::Tcp { offload: *offload, flow: *flow }, flood.bits_per_second)];
                // Both directions of one stream count alike.
                if *offload && matches!(flow, Flow::Up1 | Flow::Down1) {
                    let tunnel = tunnel_processor_micros.map(per_gigabyte);
                    figures.extend(tunnel.map(|micros| (Self::ProcessorOfTunnel, micros)));
                    figures.push((Self::ProcessorOfMachine, per_gigabyte(*machine_processor_micros)));
                }
                figures
            }
            Measured::Iperf3 { bits_per_second } => vec![(Self::Iperf3, *bits_per_second)],
            Measured::Udp { size, payload_bytes, found, mtu, .. } => {
                // Where even the slowest rate lost too much, nothing is carried.
                let rate = found.best.map_or(0, |best| best.received_per_second);
                vec![
                    (Self::Datagrams(*size), rate),
                    (Self::DatagramBits(*size), rate * payload_bytes * 8),
                    (Self::Mtu, u64::from(*mtu)),
                ]
            }
            Measured::Memory { larger, .. } => {
                vec![(Self::Resident, larger.resident), (Self::Peak, larger.peak)]
            }
        }
    }
}

impl fmt::Display for Metric {
    /// The name in the report.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { offload: true, flow } => write!(f, "tcp-{}", flow.name()),
            Self::Tcp { offload: false, flow } => write!(f, "tcp-{}-offload-off", flow.name()),
            Self::Iperf3 => f.write_str("tcp-up-1-iperf3"),
            Self::Datagrams(size) => write!(f, "udp-{}-datagrams", size.packet()),
            Self::DatagramBits(size) => write!(f, "udp-{}-bits", size.packet()),
            Self::RoundTrip { load, probe, quantile } => {
                let probe = match probe {
                    Probe::Ping => "ping",
                    Probe::Udp => "udp-echo",
                    Probe::Tcp => "tcp-rr",
                };
                write!(f, "{probe}-{}-{}", load.name(), quantile.name())
            }
            Self::Transactions(load) => write!(f, "tcp-rr-{}-rate", load.name()),
            Self::ProcessorOfTunnel => f.write_str("cpu-tunnel"),
            Self::ProcessorOfMachine => f.write_str("cpu-machine"),
            Self::Mtu => f.write_str("udp-mtu"),
            Self::Resident => f.write_str("memory-resident"),
            Self::Peak => f.write_str("memory-peak"),
        }
    }
}
