//! `outages`: the path between two hosts is lost for a while and comes back as it was; what connections make of it.
//!
//! Every tunnel goes through every outage in a world of its own, all side by side, so that an outage is waited for
//! once and whatever else the machine does meets all of them alike.

mod case;
mod plan;
mod table;

use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;
use stead_rig::traffic::timeline::micros;
use stead_rig::{Driver, RigError};

use super::OutagesArguments;
use super::terminal::{Look, Terminal};
use super::units::time;
pub(super) use plan::Cut;
use plan::{Case, CaseReport, Load};

/// Every outage.
#[derive(Debug, Serialize)]
pub(super) struct OutagesReport {
    command: &'static str,
    round_trip_micros: u64,
    /// `net.ipv4.tcp_retries2`, if not the kernel's own.
    retries: Option<u32>,
    cases: Vec<CaseReport>,
    /// Whether every connection over stead survived, and resumed within two round trips of the path's proof.
    pub(super) held: bool,
}

pub(super) fn run(arguments: &OutagesArguments, terminal: &Terminal) -> Result<OutagesReport, RigError> {
    let round_trip = 2 * arguments.delay;
    introduce(arguments, round_trip, terminal);
    let cases = cases(arguments, round_trip);
    let mut reports: Vec<Option<CaseReport>> = cases.iter().map(|_| None).collect();
    let mut held = true;
    let began = Instant::now();
    let setting_up = Mutex::new(());
    let (done, results) = mpsc::channel();
    thread::scope(|scope| {
        // The longest outage first: it is waited for anyway.
        for (number, case) in cases.iter().enumerate().rev() {
            let (done, setting_up) = (done.clone(), &setting_up);
            scope.spawn(move || {
                let _nobody_waits = done.send((number, case.play(setting_up)));
            });
        }
        drop(done);
        let mut through = 0;
        loop {
            progress(&cases, through, began, terminal);
            match results.recv_timeout(LOOK_AGAIN) {
                Ok((number, result)) => {
                    let report = result?;
                    held &= cases[number].tunnel != Driver::Stead || cases[number].holds(&report);
                    reports[number] = Some(report);
                    through += 1;
                    table::show_finished(&cases, &reports, number, terminal);
                }
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => return Ok::<_, RigError>(()),
            }
        }
    })?;
    terminal.clear();
    table::conclude(&cases, held, terminal);
    Ok(OutagesReport {
        command: "outages",
        round_trip_micros: micros(round_trip),
        retries: arguments.retries2,
        cases: reports.into_iter().flatten().collect(),
        held,
    })
}

/// By outage, then by cut, then by tunnel: the order of the table.
fn cases(arguments: &OutagesArguments, round_trip: Duration) -> Vec<Case> {
    let mut cases = Vec::new();
    let mut outages = arguments.outages.clone();
    outages.sort_unstable();
    for outage in outages {
        for cut in &arguments.cuts {
            for tunnel in &arguments.tunnels {
                for load in [Load::Busy, Load::Idle] {
                    cases.push(Case {
                        tunnel: *tunnel,
                        outage,
                        cut: *cut,
                        load,
                        round_trip,
                        retries: arguments.retries2,
                    });
                }
            }
        }
    }
    cases
}

fn introduce(arguments: &OutagesArguments, round_trip: Duration, terminal: &Terminal) {
    let retries = arguments.retries2.map_or_else(String::new, |times| format!(", tcp_retries2={times}"));
    let title = format!(
        "Outages under live connections: {} from end to end and back{retries}",
        time(micros(round_trip))
    );
    terminal.line(&terminal.paint(Look::Bold, &title));
    terminal.line(&terminal.paint(
        Look::Dim,
        "  How long after the path is back a steady stream arrives again; for keys, how long one took.",
    ));
    table::heads(terminal);
}

fn progress(cases: &[Case], through: usize, began: Instant, terminal: &Terminal) {
    let longest = cases.iter().map(|case| case.outage).max().unwrap_or_default();
    let left = longest.saturating_sub(began.elapsed()).as_secs();
    terminal.progress(&format!(
        "  {through} of {} worlds through; the longest outage has {left} s to go at least",
        cases.len()
    ));
}

const LOOK_AGAIN: Duration = Duration::from_millis(500);
