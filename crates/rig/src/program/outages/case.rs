//! Plays one case in a world of its own: hosts, a line, a tunnel, traffic, an outage, and what resumed when.

use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use stead_rig::scenario::unit::Share;
use stead_rig::scenario::{Link, Way};
use stead_rig::traffic::ticker::Rhythm;
use stead_rig::traffic::timeline::micros;
use stead_rig::traffic::{
    Bulk, BulkRun, Datagrams, Direction, Keystrokes, Line, Outcome, Ticker, TickerRun, Timeline,
};
use stead_rig::{Host, Network, NetworkPlan, RigError, Tunnel, World};

use super::plan::{Case, CaseReport, Cut, Flow, Load};

/// The time of an outage.
#[derive(Clone, Copy, Debug)]
struct Outage {
    cut: Instant,
    back: Instant,
}

impl Case {
    /// Plays it. `setting_up` is held while the world is made, so that worlds side by side start in turns.
    pub(super) fn play(&self, setting_up: &Mutex<()>) -> Result<CaseReport, RigError> {
        let turn = setting_up.lock().unwrap_or_else(PoisonError::into_inner);
        let scene = Scene::new(self)?;
        let line = scene.tunnel.line()?;
        let (outage, mut flows) = match self.load {
            Load::Busy => {
                let traffic = Traffic::start(&line)?;
                drop(turn);
                thread::sleep(SETTLE);
                let outage = scene.outage(self)?;
                traffic.await_resumption(outage, patience(self.outage));
                (outage, traffic.finish(outage)?)
            }
            Load::Idle => {
                let mut shell = Keystrokes::open(&line)?;
                drop(turn);
                thread::sleep(SETTLE);
                let outage = scene.outage(self)?;
                thread::sleep(MOMENT);
                (outage, keystrokes(&mut shell, patience(self.outage)))
            }
        };
        let proven = scene.proven(outage);
        for flow in &mut flows {
            let waited = proven.map_or(0, |proven| micros(proven - outage.back));
            let busy = self.load == Load::Busy;
            flow.after_proof_micros =
                flow.back_micros.map(|back| if busy { back.saturating_sub(waited) } else { back });
        }
        Ok(CaseReport {
            tunnel: self.tunnel,
            outage_millis: (outage.back - outage.cut).as_millis(),
            cut: self.cut,
            load: self.load,
            proven_micros: proven.map(|proven| micros(proven - outage.back)),
            flows,
        })
    }
}

/// Two hosts, and between them a line that can fall silent.
struct Scene {
    home: Network,
    laptop: Host,
    tunnel: Tunnel,
    _world: World,
}

impl Scene {
    fn new(case: &Case) -> Result<Self, RigError> {
        let world = World::new()?;
        let datacentre = world.network("datacentre", &NetworkPlan::public("198.18.0.0/24"))?;
        let way = Way { delay: case.round_trip / 2, ..Way::default() };
        let home = world
            .network("home", &NetworkPlan::public("198.51.100.0/24").link(Link { up: way, down: way }))?;
        let (laptop, server) = (world.host("laptop")?, world.host("server")?);
        server.attach(&datacentre)?;
        laptop.attach(&home)?;
        for host in [&laptop, &server] {
            case.retries.map_or(Ok(()), |times| host.set_tcp_retries(times))?;
        }
        let tunnel = Tunnel::establish(case.tunnel, &laptop, &server)?;
        Ok(Self { home, laptop, tunnel, _world: world })
    }

    /// Cuts the path, waits, and gives it back.
    fn outage(&self, case: &Case) -> Result<Outage, RigError> {
        let cut = Instant::now();
        match case.cut {
            Cut::Silence => {
                let good = self.home.link()?;
                let dead = Way { loss: Share(1_000_000), ..Way::default() };
                self.home.set_link(Link { up: dead, down: dead })?;
                thread::sleep(case.outage);
                self.home.set_link(good)?;
            }
            Cut::Carrier => {
                self.laptop.unplug()?;
                thread::sleep(case.outage);
                self.laptop.replug()?;
            }
            Cut::Address => {
                let step = self.laptop.move_to(&self.home, case.outage)?;
                return Ok(Outage { cut: step.cut, back: step.usable });
            }
        }
        Ok(Outage { cut, back: Instant::now() })
    }

    /// When either end first knew again that the path carries, by its own word.
    fn proven(&self, outage: Outage) -> Option<Instant> {
        let ends = [self.tunnel.mover(), self.tunnel.fixed()];
        let resumed = ends.into_iter().filter_map(|end| end.process.as_ref());
        resumed.flat_map(|process| process.moments(RESUMED)).filter(|moment| *moment >= outage.back).min()
    }
}

/// A ticker, a transfer and a call each way.
struct Traffic {
    tickers: [TickerRun; 2],
    transfers: [BulkRun; 2],
    calls: [stead_rig::traffic::datagrams::DatagramsRun; 2],
}

impl Traffic {
    fn start(line: &Line) -> Result<Self, RigError> {
        let both = [Direction::ToServer, Direction::ToClient];
        let ticker = |direction| {
            Ticker { rhythm: Rhythm::OneWay(direction), patience: FOR_EVER, ..Ticker::default() }.start(line)
        };
        let transfer = |direction| {
            Bulk { direction, pace: Some(PACE), patience: FOR_EVER, ..Bulk::default() }.start(line)
        };
        let call = |direction| Datagrams { direction, ..Datagrams::default() }.start(line);
        let [up, down] = both;
        Ok(Self {
            tickers: [ticker(up)?, ticker(down)?],
            transfers: [transfer(up)?, transfer(down)?],
            calls: [call(up)?, call(down)?],
        })
    }

    /// Waits until every connection carries again or is given up, and a moment more.
    fn await_resumption(&self, outage: Outage, patience: Duration) {
        let until = outage.back + patience;
        let tickers = || self.tickers.iter().all(|run| decided(&run.timeline(), run.is_given_up(), outage));
        let transfers =
            || self.transfers.iter().all(|run| run.last_arrival() > outage.back || run.is_given_up());
        while Instant::now() < until && !(tickers() && transfers()) {
            thread::sleep(LOOK_AGAIN);
        }
        thread::sleep(STEADY);
    }

    fn finish(self, outage: Outage) -> Result<Vec<Flow>, RigError> {
        let seen_until = Instant::now();
        self.tickers.iter().for_each(TickerRun::stop);
        self.transfers.iter().for_each(BulkRun::stop);
        let late = Instant::now() + LATE;
        let over =
            || self.tickers.iter().all(TickerRun::is_over) && self.transfers.iter().all(BulkRun::is_over);
        while Instant::now() < late && !over() {
            thread::sleep(LOOK_AGAIN);
        }
        self.tickers.iter().for_each(TickerRun::abandon);
        self.transfers.iter().for_each(BulkRun::abandon);
        let back = |timeline: &Timeline| timeline.resumes_after(outage.back, seen_until).map(micros);
        let mut flows = Vec::new();
        for (name, run) in TICKERS.into_iter().zip(self.tickers) {
            let (back, report) = (back(&run.timeline()), run.finish());
            let lost = (report.sent - report.received) * TICK_BYTES;
            flows.push(flow(name, &report.outcome, back, lost));
        }
        for (name, run) in TRANSFERS.into_iter().zip(self.transfers) {
            let (back, report) = (back(&run.timeline()), run.finish());
            flows.push(flow(name, &report.outcome, back, report.bytes_sent - report.bytes_received));
        }
        for (name, run) in CALLS.into_iter().zip(self.calls) {
            let (report, timeline) = run.finish_with_timeline()?;
            let back = back(&timeline);
            let outcome = format!("{} of {} lost", report.lost, report.sent);
            flows.push(Flow {
                name,
                survived: back.is_some(),
                outcome,
                back_micros: back,
                after_proof_micros: None,
                lost: report.lost,
                doubled: report.duplicates,
            });
        }
        Ok(flows)
    }
}

fn decided(timeline: &Timeline, given_up: bool, outage: Outage) -> bool {
    timeline.last() > outage.back || given_up
}

fn flow(name: &'static str, outcome: &Outcome, back_micros: Option<u64>, lost: u64) -> Flow {
    Flow {
        name,
        survived: outcome.is_complete(),
        outcome: outcome.to_string(),
        back_micros,
        after_proof_micros: None,
        lost,
        doubled: u64::from(*outcome == Outcome::Corrupt),
    }
}

/// A key pressed at the laptop, then one at the server.
fn keystrokes(shell: &mut Keystrokes, patience: Duration) -> Vec<Flow> {
    let directions = [Direction::ToServer, Direction::ToClient];
    KEYSTROKES
        .into_iter()
        .zip(directions)
        .map(|(name, direction)| match shell.press(direction, patience) {
            Ok(took) => flow(name, &Outcome::Complete, Some(micros(took)), 0),
            Err(outcome) => flow(name, &outcome, None, 1),
        })
        .collect()
}

/// How long is waited for a connection that has not resumed: Linux sends again after two minutes at the latest.
fn patience(outage: Duration) -> Duration {
    (outage + Duration::from_secs(5)).clamp(Duration::from_secs(10), Duration::from_secs(130))
}

const TICKERS: [&str; 2] = ["ticker up", "ticker down"];
const TRANSFERS: [&str; 2] = ["upload", "download"];
const CALLS: [&str; 2] = ["call up", "call down"];
const KEYSTROKES: [&str; 2] = ["key up", "key down"];
/// What stead's log says when a peer's traffic flows again.
const RESUMED: &str = "Resumed after";
/// Bytes of a tick.
const TICK_BYTES: u64 = 16;
/// What each transfer sends a second: enough to have something in flight always, little enough for many worlds.
const PACE: u64 = 400_000;
/// Before the outage: TCP knows the round-trip time, the peers know each other.
const SETTLE: Duration = Duration::from_secs(3);
/// Between the end of an outage and a key.
const MOMENT: Duration = Duration::from_secs(1);
/// How long a resumed stream is watched: what stalls once more within this time has not resumed.
const STEADY: Duration = Duration::from_secs(1);
/// How late what was sent may arrive after the senders' end.
const LATE: Duration = Duration::from_secs(3);
const LOOK_AGAIN: Duration = Duration::from_millis(5);
const FOR_EVER: Duration = Duration::from_secs(1 << 30);
