//! Traffic of a scenario, made by the rig's own applications over the kernel's TCP and UDP.

use std::thread;
use std::time::Duration;

use crate::error::RigError;
use crate::scenario::measured::{Arrivals, End, TrafficMeasured};
use crate::scenario::{Kind, Traffic};
use crate::traffic::ticker::Rhythm;
use crate::traffic::{Bulk, Datagrams, Direction, Length, Line, Outcome, Ticker, Timeline};

use super::Clock;

/// Runs one traffic from its start to its end, or to the scenario's.
pub(super) fn run(traffic: &Traffic, line: Line, clock: Clock) -> Result<TrafficMeasured, RigError> {
    clock.sleep_until(traffic.start);
    let seen = match traffic.kind {
        Kind::TcpTicker { every, lasts } => tick(traffic, every, lasts, &line, clock),
        Kind::TcpBulk { bytes, rate } => transfer(bytes, rate.map(|rate| rate.0 / 8), &line, clock),
        Kind::UdpTicker { every, lasts } => call(traffic, every, lasts, &line, clock),
    };
    let mut seen = match seen {
        // A connection that does not come about is a result, not a failure of the rig.
        Err(RigError::Io { doing, source }) => {
            let end =
                if doing.contains("connect") { End::NeverOpened } else { End::Broken(source.to_string()) };
            TrafficMeasured { end, ..TrafficMeasured::default() }
        }
        other => other?,
    };
    seen.start = traffic.start;
    Ok(seen)
}

fn tick(
    traffic: &Traffic,
    every: Duration,
    lasts: Duration,
    line: &Line,
    clock: Clock,
) -> Result<TrafficMeasured, RigError> {
    let rhythm = Rhythm::OneWay(Direction::ToServer);
    let run = Ticker { rhythm, interval: every, patience: FOR_EVER }.start(line)?;
    while clock.now() < traffic.start + lasts && !clock.is_over() && !run.is_over() {
        thread::sleep(LOOK_AGAIN);
    }
    run.stop();
    let over = await_end(clock, || run.is_over());
    run.abandon();
    let arrivals = arrivals(&run.timeline(), clock);
    let report = run.finish();
    Ok(TrafficMeasured {
        end: end(&report.outcome),
        sent: report.sent,
        received: report.received,
        correct: report.outcome != Outcome::Corrupt,
        arrivals,
        over,
        ..TrafficMeasured::default()
    })
}

fn transfer(bytes: u64, pace: Option<u64>, line: &Line, clock: Clock) -> Result<TrafficMeasured, RigError> {
    let (length, direction) = (Length::Bytes(bytes), Direction::ToServer);
    let run = Bulk { length, direction, pace, patience: FOR_EVER, ..Bulk::default() }.start(line)?;
    let over = await_end(clock, || run.is_over());
    run.abandon();
    let arrivals = arrivals(&run.timeline(), clock);
    let report = run.finish();
    Ok(TrafficMeasured {
        end: end(&report.outcome),
        sent: report.bytes_sent,
        received: report.bytes_received,
        correct: report.outcome != Outcome::Corrupt,
        arrivals,
        over,
        ..TrafficMeasured::default()
    })
}

fn call(
    traffic: &Traffic,
    every: Duration,
    lasts: Duration,
    line: &Line,
    clock: Clock,
) -> Result<TrafficMeasured, RigError> {
    let run = Datagrams { interval: every, ..Datagrams::default() }.start(line)?;
    clock.sleep_until((traffic.start + lasts).min(clock.ends));
    let (report, timeline, losses) = run.finish_with_losses()?;
    Ok(TrafficMeasured {
        end: End::Closed,
        sent: report.sent,
        received: report.received,
        duplicated: report.duplicates,
        correct: true,
        arrivals: arrivals(&timeline, clock),
        losses: losses.into_iter().map(|at| clock.at(at)).collect(),
        over: Some(clock.now()),
        ..TrafficMeasured::default()
    })
}

/// Waits for the receiver's end until the scenario's, and says when it was.
fn await_end(clock: Clock, is_over: impl Fn() -> bool) -> Option<Duration> {
    while !clock.is_over() {
        if is_over() {
            return Some(clock.now());
        }
        thread::sleep(LOOK_AGAIN);
    }
    is_over().then(|| clock.now())
}

fn arrivals(timeline: &Timeline, clock: Clock) -> Arrivals {
    let mut arrivals = Arrivals::default();
    timeline.arrivals().for_each(|at| arrivals.record(clock.at(at)));
    arrivals
}

fn end(outcome: &Outcome) -> End {
    match outcome {
        Outcome::Complete | Outcome::Corrupt => End::Closed,
        Outcome::Silent { .. } => End::Unfinished,
        Outcome::Reset { .. } | Outcome::EndedEarly { .. } | Outcome::Failed { .. } => {
            End::Broken(outcome.to_string())
        }
    }
}

/// The scenario's end is what ends patience.
const FOR_EVER: Duration = Duration::from_secs(1 << 30);
const LOOK_AGAIN: Duration = Duration::from_millis(5);
