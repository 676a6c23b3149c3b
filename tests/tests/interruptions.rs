//! The program itself stops for a while, at either end or at both: it sleeps, or it is killed and started again.
//!
//! A process that is stopped stands for a machine that sleeps, as far as its sockets and timers go; its kernel stays
//! awake. What a whole machine's sleep does to the clocks is shown with a clock that jumps, by the node's suites.
#![cfg(target_os = "linux")]

use std::fs;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use stead_rig::traffic::datagrams::DatagramsRun;
use stead_rig::traffic::ticker::Rhythm;
use stead_rig::traffic::{
    BulkRun, Datagrams, DatagramsReport, Direction, Keystrokes, Outcome, Ticker, TickerRun,
};
use stead_rig::tunnel::End;
use stead_rig::{Host, RigError, Tunnel};
use stead_tests::patience::{ms, pass, secs, within};
use stead_tests::scene::{Scene, download, upload};

/// Which end a test interrupts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Whose {
    Laptops,
    Servers,
    Both,
}

const EVERY: [Whose; 3] = [Whose::Laptops, Whose::Servers, Whose::Both];
const BOTH_WAYS: [Direction; 2] = [Direction::ToServer, Direction::ToClient];
/// How long a program is stopped: the other end has long doubted the path by then.
const ASLEEP: Duration = secs(4);
/// What goes on after sleep within this is not felt; it is measured at 200 to 500 ms, most of it TCP's own.
const PROMPTLY: Duration = ms(1500);
/// What a restart may cost from the moment the program is up again.
const BEARABLE: Duration = secs(4);
/// The time after waking within which timers that were all due would go off.
const BURST: Duration = ms(100);

impl Whose {
    fn ends(self, tunnel: &Tunnel) -> Vec<&End> {
        match self {
            Self::Laptops => vec![tunnel.mover()],
            Self::Servers => vec![tunnel.fixed()],
            Self::Both => vec![tunnel.mover(), tunnel.fixed()],
        }
    }
}

fn signal(ends: &[&End], signal: Signal) {
    ends.iter().for_each(|end| end.process.as_ref().expect("it runs").signal(signal));
}

/// Datagrams that a host has sent to its network so far, whatever they were.
fn sent_by(host: &Host) -> Result<u64, RigError> {
    let table = host.call(|| fs::read_to_string("/proc/thread-self/net/dev"))?;
    let table = table.map_err(RigError::io("read the link's counters"))?;
    let line = table.lines().find_map(|line| line.trim_start().strip_prefix("wlan0:"));
    let sent = line.and_then(|line| line.split_whitespace().nth(9)?.parse().ok());
    Ok(sent.expect("every host has a wlan0"))
}

/// Connections of every kind through the tunnel.
struct Flows {
    tickers: Vec<TickerRun>,
    transfers: Vec<BulkRun>,
    calls: Vec<DatagramsRun>,
}

impl Flows {
    fn start(tunnel: &Tunnel) -> Result<Self, RigError> {
        let line = tunnel.line()?;
        let tick = |direction| Ticker { rhythm: Rhythm::OneWay(direction), ..Ticker::default() }.start(&line);
        let call = |direction| Datagrams { direction, ..Datagrams::default() }.start(&line);
        Ok(Self {
            tickers: BOTH_WAYS.into_iter().map(tick).collect::<Result<_, _>>()?,
            transfers: vec![download().start(&line)?, upload().start(&line)?],
            calls: BOTH_WAYS.into_iter().map(call).collect::<Result<_, _>>()?,
        })
    }

    /// How long after `moment` the last of the TCP connections went on, if they did within `patience`.
    fn resume_after(&self, moment: Instant, patience: Duration) -> Option<Duration> {
        let goes_on = || {
            self.tickers.iter().all(|run| run.timeline().last() > moment + ms(50))
                && self.transfers.iter().all(|run| run.last_arrival() > moment + ms(50))
        };
        let _never = within(patience, goes_on);
        pass(ms(500));
        let now = Instant::now();
        let tickers = self.tickers.iter().map(TickerRun::timeline);
        let timelines = tickers.chain(self.transfers.iter().map(BulkRun::timeline));
        timelines
            .map(|timeline| timeline.resumes_after(moment, now))
            .try_fold(Duration::ZERO, |most, next| Some(most.max(next?)))
    }

    /// Ends them; of TCP nothing may be missing.
    fn finish(self) -> Result<Vec<DatagramsReport>, RigError> {
        for ticker in self.tickers {
            let report = ticker.finish();
            assert_eq!(report.outcome, Outcome::Complete, "{report:?}");
        }
        for transfer in self.transfers {
            transfer.stop();
            let report = transfer.finish();
            assert_eq!(report.outcome, Outcome::Complete, "{report:?}");
            assert_eq!(report.sha256_sent, report.sha256_received);
            assert!(report.bytes_received > 1_000_000, "it did flow: {report:?}");
        }
        self.calls.into_iter().map(DatagramsRun::finish).collect()
    }
}

#[test]
fn a_program_that_slept_for_four_seconds_goes_on_at_once_and_nothing_of_tcp_is_lost() -> Result<(), RigError>
{
    let Some(scene) = Scene::ready(&[])? else { return Ok(()) };
    let tunnel = scene.tunnel()?;
    for whose in EVERY {
        let flows = Flows::start(&tunnel)?;
        pass(secs(1));

        signal(&whose.ends(&tunnel), Signal::SIGSTOP);
        pass(ASLEEP);
        signal(&whose.ends(&tunnel), Signal::SIGCONT);
        let woke = Instant::now();

        let resumed = flows.resume_after(woke, BEARABLE);
        let calls = flows.finish()?;
        // What was under way waited in the sockets and in the TUN device, and was held.
        assert!(calls.iter().all(|call| call.lost <= 5 && call.duplicates == 0), "{whose:?}: {calls:?}");
        assert!(resumed.is_some_and(|resumed| resumed < PROMPTLY), "{whose:?}: {resumed:?}");
    }
    Ok(())
}

#[test]
fn a_program_that_wakes_makes_no_burst_of_what_its_timers_missed() -> Result<(), RigError> {
    let Some(scene) = Scene::ready(&[])? else { return Ok(()) };
    let tunnel = scene.persistent_tunnel()?;
    let mut shell = Keystrokes::open(&tunnel.line()?)?;
    for whose in EVERY {
        BOTH_WAYS.into_iter().for_each(|way| assert!(shell.press(way, BEARABLE).is_ok()));
        pass(ms(500));

        signal(&whose.ends(&tunnel), Signal::SIGSTOP);
        pass(ASLEEP);
        let before = (sent_by(&scene.laptop)?, sent_by(&scene.server)?);
        signal(&whose.ends(&tunnel), Signal::SIGCONT);
        pass(BURST);

        let after = (sent_by(&scene.laptop)?, sent_by(&scene.server)?);
        let sent = (after.0 - before.0, after.1 - before.1);
        // One answer to each question that the other end asked meanwhile, and a few of its own.
        assert!(sent.0 <= 30 && sent.1 <= 30, "{whose:?}: {sent:?}");
        for way in BOTH_WAYS {
            let took = shell.press(way, BEARABLE);
            assert!(took.as_ref().is_ok_and(|took| *took < ms(500)), "{whose:?}: {took:?}");
        }
    }
    Ok(())
}

#[test]
fn a_download_goes_on_soon_after_its_programs_were_killed_and_started_again() -> Result<(), RigError> {
    let Some(scene) = Scene::ready(&[])? else { return Ok(()) };
    let mut tunnel = scene.tunnel()?;
    let (fetch, ticker) = (
        download().start(&tunnel.line()?)?,
        Ticker { rhythm: Rhythm::OneWay(Direction::ToClient), ..Ticker::default() }.start(&tunnel.line()?)?,
    );
    for whose in EVERY {
        pass(secs(1));

        let (laptop, server) = (whose != Whose::Servers, whose != Whose::Laptops);
        if server {
            tunnel.fixed_mut().process.as_mut().expect("it runs").kill()?;
        }
        if laptop {
            tunnel.mover_mut().process.as_mut().expect("it runs").kill()?;
        }
        if server {
            tunnel.fixed_mut().start()?;
        }
        if laptop {
            tunnel.mover_mut().start()?;
        }
        let back = Instant::now();

        let flows = || fetch.last_arrival() > back + ms(50) && ticker.timeline().last() > back + ms(50);
        assert!(within(secs(20), flows), "{whose:?}: it does not go on");
        pass(ms(500));
        let stalls = [fetch.timeline(), ticker.timeline()]
            .map(|timeline| timeline.resumes_after(back, Instant::now()).expect("it went on"));
        assert!(stalls.iter().all(|stall| *stall < BEARABLE), "{whose:?}: {stalls:?}");
    }

    assert_eq!(ticker.finish().outcome, Outcome::Complete);
    fetch.stop();
    let report = fetch.finish();
    assert_eq!(report.outcome, Outcome::Complete, "{report:?}");
    assert_eq!(report.sha256_sent, report.sha256_received);
    Ok(())
}
