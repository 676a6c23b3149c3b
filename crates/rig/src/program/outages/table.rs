//! The table: a row for a tunnel and an outage, shown once both of its worlds are through.

use super::plan::{Case, CaseReport, Flow, Load};
use crate::program::terminal::{Look, Terminal};
use crate::program::units::{size, time};

/// The columns that are times.
const FLOWS: [&str; 6] = ["ticker up", "ticker down", "upload", "download", "key up", "key down"];

pub(super) fn heads(terminal: &Terminal) {
    let flows = FLOWS.map(|name| format!(" {name:>11}")).concat();
    let heads = format!(
        "  {:>7} {:<8} {:<13}{flows} {:>9} {:>7} {:>13} {:>10} {:>10}",
        "outage", "kind", "tunnel", "lost", "doubled", "calls lost", "proven", "after that"
    );
    terminal.line("");
    terminal.line(&terminal.paint(Look::Dim, &heads));
}

/// Shows the row that case `number` belongs to, if both of its loads are through.
pub(super) fn show_finished(
    cases: &[Case],
    reports: &[Option<CaseReport>],
    number: usize,
    terminal: &Terminal,
) {
    // Busy and idle follow each other.
    let first = number - usize::from(cases[number].load == Load::Idle);
    if let [Some(busy), Some(idle)] = &reports[first..first + 2] {
        terminal.line(&row(&cases[first..first + 2], busy, idle, terminal));
    }
}

fn row(cases: &[Case], busy: &CaseReport, idle: &CaseReport, terminal: &Terminal) -> String {
    let flows: Vec<&Flow> = busy.flows.iter().chain(&idle.flows).collect();
    let named = |name: &str| flows.iter().find(|flow| flow.name == name);
    let times = FLOWS.map(|name| format!(" {:>11}", named(name).map_or_else(String::new, |flow| cell(flow))));
    let (calls, connections): (Vec<&Flow>, Vec<&Flow>) = flows.iter().partition(|flow| flow.is_call());
    let calls_lost: Vec<String> = calls.iter().map(|flow| flow.lost.to_string()).collect();
    let lost: u64 = connections.iter().map(|flow| flow.lost).sum();
    let doubled: u64 = flows.iter().map(|flow| flow.doubled).sum();
    let worst = connections.iter().filter_map(|flow| flow.after_proof_micros).max();
    let held = || cases.iter().zip([busy, idle]).all(|(case, report)| case.holds(report));
    let verdict = if busy.tunnel.is_stead() { terminal.verdict(held()) } else { String::new() };
    format!(
        "  {:>7} {:<8} {:<13}{} {:>9} {:>7} {:>13} {:>10} {:>10}  {verdict}",
        format!("{} s", cases[0].outage.as_secs_f64()),
        busy.cut.to_string(),
        busy.tunnel.to_string(),
        times.concat(),
        if lost == 0 { "0".to_owned() } else { size(lost) },
        doubled,
        calls_lost.join(" + "),
        busy.proven_micros.map_or_else(|| "-".to_owned(), time),
        if busy.proven_micros.is_some() { worst.map_or_else(String::new, time) } else { "-".to_owned() },
    )
}

/// When it resumed, or that it is dead.
fn cell(flow: &Flow) -> String {
    match (flow.survived, flow.back_micros) {
        (true, Some(back)) => time(back),
        (true, None) => "never".to_owned(),
        (false, _) if flow.outcome.starts_with("dead") => "silent".to_owned(),
        (false, _) => "broken".to_owned(),
    }
}

pub(super) fn conclude(cases: &[Case], held: bool, terminal: &Terminal) {
    terminal.line("");
    terminal.line(&terminal.paint(
        Look::Dim,
        "  lost: bytes that connections never delivered. calls: datagrams every 20 ms, up + down. proven: from the path's \
         being back to either end's knowing it; after that: until the last connection is steady again.",
    ));
    if cases.iter().any(|case| case.tunnel.is_stead()) {
        terminal.line(&format!(
            "  stead: every connection survives and resumes within two round trips of the proof  {}",
            terminal.verdict(held)
        ));
    }
}
