//! The report on a terminal: a table for each group of figures, then the promises.

use stead_rig::traffic::Probe;

use super::metric::{Metric, Quantile};
use super::promise::{RAW, STEAD, WIREGUARD_GO};
use super::report::BenchReport;
use super::step::{Flow, Load, Size};
use crate::program::terminal::{Look, Terminal};

/// A group of figures that are read together.
struct Table {
    title: String,
    columns: Vec<(&'static str, Metric)>,
    /// Whose ratios to the raw cable and to wireguard-go are shown.
    lead: Option<Metric>,
}

pub(super) fn show(report: &BenchReport, terminal: &Terminal) {
    for table in tables() {
        table.show(report, terminal);
    }
    let machine = &report.machine;
    let size_of = |(packet, payload): &(u64, u64)| format!("{packet} B are {payload} B of payload");
    let sizes: Vec<String> = report.settings.packet_and_payload_bytes.iter().map(size_of).collect();
    let notes = [
        format!(
            "medians of {} runs in turn, {} s each; {}, {} processors, {}",
            report.settings.runs, report.settings.seconds, machine.processor, machine.processors, machine.kernel
        ),
        format!("UDP: IPv4 packets inside; {}; one system call for many, no UDP segmentation offload", sizes.join(", ")),
        "CPU: one TCP stream, both directions, both ends; programs alone, and the whole machine with the traffic itself"
            .to_owned(),
    ];
    terminal.line("");
    for note in notes {
        terminal.line(&terminal.paint(Look::Dim, &format!("  {note}")));
    }
    for left_out in &report.left_out {
        let what = left_out.step.as_ref().map_or_else(String::new, |step| format!(" ({step})"));
        let reason = left_out.reason.lines().next().unwrap_or_default();
        terminal.line(&format!("  left out: {}{what}: {reason}", left_out.tunnel));
    }
    conclude(report, terminal);
}

fn conclude(report: &BenchReport, terminal: &Terminal) {
    if report.promises.is_empty() {
        return;
    }
    terminal.line("");
    terminal.line(&terminal.paint(Look::Bold, "What is promised"));
    for promise in &report.promises {
        terminal.line(&format!(
            "  {:<76} {:>13} {:>12}  {}",
            promise.promise,
            promise.bound,
            promise.figure,
            terminal.verdict(promise.kept)
        ));
    }
}

impl Table {
    fn show(&self, report: &BenchReport, terminal: &Terminal) {
        let results = &report.results;
        let measured =
            |name: &str| self.columns.iter().any(|(_, metric)| results.median(*metric, name).is_some());
        let systems = || report.systems.iter().filter(|system| measured(&system.name));
        if systems().next().is_none() {
            return;
        }
        let heads: String = self.columns.iter().map(|(head, _)| format!(" {head:>8}")).collect();
        let ratios = if self.lead.is_some() { "    x raw  x wg-go" } else { "" };
        terminal.line("");
        terminal.line(&terminal.paint(Look::Bold, &self.title));
        terminal.line(&terminal.paint(Look::Dim, &format!("  {:<17}{heads}{ratios}", "")));
        for system in systems() {
            let cells: String = self
                .columns
                .iter()
                .map(|(_, metric)| {
                    let figure = results.median(*metric, &system.name);
                    format!(
                        " {:>8}",
                        figure.map_or_else(|| "-".to_owned(), |figure| metric.unit().show(figure))
                    )
                })
                .collect();
            let by = |other| {
                let ratio = self.lead.and_then(|lead| results.ratio(lead, &system.name, other));
                ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"))
            };
            let ratios =
                self.lead.map_or_else(String::new, |_| format!(" {:>8} {:>8}", by(RAW), by(WIREGUARD_GO)));
            let line = format!("  {:<17}{cells}{ratios}", system.name);
            let look = if system.name == STEAD { Look::Accent } else { Look::Plain };
            terminal.line(&terminal.paint(look, &line));
        }
    }
}

fn tables() -> Vec<Table> {
    let tcp = |title: &str, offload: bool| Table {
        title: title.to_owned(),
        columns: [
            ("1 up", Flow::Up1),
            ("1 down", Flow::Down1),
            ("4 up", Flow::Up4),
            ("4 down", Flow::Down4),
            ("1 + 1", Flow::Both),
        ]
        .map(|(head, flow)| (head, Metric::Tcp { offload, flow }))
        .to_vec(),
        lead: Some(Metric::Tcp { offload, flow: Flow::Up1 }),
    };
    let datagrams = |size: Size| Table {
        title: format!(
            "UDP, packets of {} B: the most at less than 1 % of loss (ratios of packets)",
            size.packet()
        ),
        columns: vec![
            ("1000/s", Metric::Datagrams(size)),
            ("Gbit/s", Metric::DatagramBits(size)),
            ("MTU", Metric::Mtu),
        ],
        lead: Some(Metric::Datagrams(size)),
    };
    let iperf3 = Table {
        title: "One TCP stream up by iperf3, Gbit/s".to_owned(),
        columns: vec![("iperf3", Metric::Iperf3)],
        lead: Some(Metric::Iperf3),
    };
    let costs = Table {
        title: "Costs: CPU seconds per GB (ratios of the programs'), MB of memory after all of it".to_owned(),
        columns: vec![
            ("programs", Metric::ProcessorOfTunnel),
            ("machine", Metric::ProcessorOfMachine),
            ("resident", Metric::Resident),
            ("peak", Metric::Peak),
        ],
        lead: Some(Metric::ProcessorOfTunnel),
    };
    let mut tables = vec![
        tcp("TCP, Gbit/s (ratios of one stream up)", true),
        iperf3,
        tcp("TCP without segmentation offload of the cable, Gbit/s", false),
    ];
    tables.extend(Size::ALL.map(datagrams));
    tables.extend(Load::ALL.map(round_trips));
    tables.push(costs);
    tables
}

fn round_trips(load: Load) -> Table {
    let condition = match load {
        Load::Idle => "idle",
        Load::Download => "under a download",
        Load::Upload => "under an upload",
    };
    let of_probe = |probe: Probe| {
        let kind = match probe {
            Probe::Ping => "ping",
            Probe::Udp => "UDP",
            Probe::Tcp => "TCP",
        };
        Quantile::ALL.map(|quantile| {
            let head = if quantile == Quantile::Median { kind } else { quantile.name() };
            (head, Metric::RoundTrip { load, probe, quantile })
        })
    };
    let mut columns: Vec<_> = Probe::ALL.into_iter().flat_map(of_probe).collect();
    columns.push(("1000/s", Metric::Transactions(load)));
    let title =
        format!("Round trips, {condition}, µs: median, p95, p99, max of ping, UDP echo and TCP transactions");
    Table { title, columns, lead: None }
}
