//! The filters of the hosts themselves let out no more of the tunnel than the 5-tuple they know, and a move makes another one.
//!
//! Seed 002 claims 6, 7: rules that are changed at a move, by a program that the node tells or by somebody later, cost
//! no datagram.
#![cfg(target_os = "linux")]

use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use stead_rig::address::Family;
use stead_rig::report::PeerReport;
use stead_rig::traffic::{Datagrams, DatagramsRun, Direction, Outcome, Ticker, TickerRun, Timeline};
use stead_rig::{Host, Network, NetworkPlan, Process, RigError};
use stead_tests::command::{nft, status, write};
use stead_tests::node::{Node, PORT};
use stead_tests::patience::{ms, pass, secs, within};
use stead_tests::scene::Scene;

/// What nobody would call a hang.
const BEARABLE: Duration = secs(2);
/// From the moment a rule lets datagrams pass: some tries, and a round trip or two.
const AT_ONCE: Duration = secs(1);
/// How long the laptop is nowhere.
const DARK: Duration = ms(100);

/// Of UDP nothing leaves a host but what the chain `tuples` lets out; what answers comes in, and whatever `enters` lets.
fn wall(host: &Host, enters: &str) -> Result<(), RigError> {
    let rules = format!(
        "table inet stead {{
            chain tuples {{ }}
            chain out {{
                type filter hook output priority 0; policy drop
                meta l4proto udp oifname \"wlan0\" jump tuples
                meta l4proto != udp accept
                oifname != \"wlan0\" accept
            }}
            chain in {{
                type filter hook input priority 0; policy drop
                meta l4proto udp iifname \"wlan0\" {enters} accept
                meta l4proto != udp accept
                iifname != \"wlan0\" accept
            }}
        }}"
    );
    let file = write(host, "filter.nft", rules)?;
    nft(host, &format!("-f {file}")).map(drop)
}

/// Lets the tunnel's datagrams out from `local` to `remote`.
fn allow(host: &Host, local: IpAddr, remote: IpAddr) -> Result<(), RigError> {
    let rule = format!("ip saddr {local} udp sport {PORT} ip daddr {remote} udp dport {PORT} accept");
    nft(host, &format!("add rule inet stead tuples {rule}")).map(drop)
}

/// What the chain `tuples` lets out.
fn allowed(host: &Host) -> Result<String, RigError> {
    nft(host, "list chain inet stead tuples")
}

/// The example that keeps nftables' rules, as it is.
fn hook() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../configs/path-changed");
    format!("hooks: {{ path_changed: [{:?}] }}\n", path.canonicalize().expect("it is there"))
}

/// A laptop in a café and a server, each behind a filter of its own.
struct Walled {
    laptop: Node,
    server: Node,
    server_at: IpAddr,
    hotel: Network,
    scene: Scene,
}

impl Walled {
    fn ready() -> Result<Option<Self>, RigError> {
        let Some(scene) = Scene::ready(&[])? else { return Ok(None) };
        let (cafe, hotel) =
            (scene.cafe()?, scene.world.network("hotel", &NetworkPlan::public("198.51.100.0/24"))?);
        scene.laptop.move_to(&cafe, Duration::ZERO)?;
        wall(&scene.laptop, "ct state established")?;
        // Others move towards it: the port is open, what leaves it is not.
        wall(&scene.server, &format!("udp dport {PORT}"))?;
        let (laptop, server) = (Node::new(&scene.laptop, 1)?, Node::new(&scene.server, 9)?);
        let server_at = scene.server.address(Family::V4).expect("the server has both");
        Ok(Some(Self { laptop, server, server_at, hotel, scene }))
    }

    /// Where the laptop is now.
    fn laptop_at(&self) -> IpAddr {
        self.scene.laptop.address(Family::V4).expect("its networks have IPv4")
    }

    /// Both programs with further lines of configuration, the server first.
    fn up(&self, of_the_server: &str, of_the_laptop: &str) -> Result<(Process, Process), RigError> {
        let server = self.server.up_with(of_the_server, &[(&self.laptop, None)])?;
        let laptop = self.laptop.up_with(of_the_laptop, &[(&self.server, Some(self.server_at))])?;
        Ok((server, laptop))
    }
}

/// What one host knows of its only peer.
fn peer(host: &Host) -> Result<PeerReport, RigError> {
    Ok(status(host)?.peers.remove(0))
}

/// A TCP ticker and a stream of datagrams, each way.
struct Traffic {
    ticker: TickerRun,
    datagrams: [DatagramsRun; 2],
}

impl Traffic {
    fn start(walled: &Walled) -> Result<Self, RigError> {
        let line = walled.laptop.line_to(&walled.server);
        let ticker = Ticker::default().start(&line)?;
        let start = |direction| Datagrams { direction, ..Datagrams::default() }.start(&line);
        let datagrams = [start(Direction::ToServer)?, start(Direction::ToClient)?];
        pass(secs(1));
        Ok(Self { ticker, datagrams })
    }

    /// Ends it: everything sent arrived, once, and from `moment` on nobody waited longer than `bound`.
    fn assert_nothing_lost(self, moment: Instant, bound: Duration) -> Result<(), RigError> {
        let waits = |timeline: &Timeline| {
            let waited = longest_wait(timeline, moment);
            assert!(waited.is_some_and(|waited| waited < bound), "waited {waited:?}");
        };
        waits(&self.ticker.timeline());
        let ticked = self.ticker.finish();
        assert_eq!(ticked.outcome, Outcome::Complete, "{ticked:?}");
        for run in self.datagrams {
            let (report, timeline) = run.finish_with_timeline()?;
            waits(&timeline);
            assert_eq!((report.lost, report.duplicates), (0, 0), "{report:?}");
            assert!(report.sent > 100, "{report:?}");
        }
        Ok(())
    }
}

/// The longest time without an arrival from `moment` on; none if nothing arrived any more.
fn longest_wait(timeline: &Timeline, moment: Instant) -> Option<Duration> {
    let later: Vec<Instant> = timeline.arrivals().filter(|at| *at > moment).collect();
    let since = core::iter::once(moment).chain(later.iter().copied());
    since.zip(later.iter()).map(|(from, to)| *to - from).max()
}

#[test]
fn rules_that_a_hook_changes_follow_a_move_at_both_ends_and_nothing_is_lost() -> Result<(), RigError> {
    let Some(walled) = Walled::ready()? else { return Ok(()) };
    let (laptop, server) = (&walled.scene.laptop, &walled.scene.server);
    let (mut server_up, mut laptop_up) = walled.up(&hook(), &hook())?;
    let traffic = Traffic::start(&walled)?;
    let before = walled.laptop_at().to_string();
    assert!(allowed(laptop)?.contains(&before) && allowed(server)?.contains(&before), "{}", allowed(server)?);

    let step = laptop.move_to(&walled.hotel, DARK)?;

    let after = walled.laptop_at().to_string();
    let opened = || Ok::<_, RigError>(allowed(laptop)?.contains(&after) && allowed(server)?.contains(&after));
    assert!(within(BEARABLE, || opened().unwrap_or(false)), "{}\n{}", allowed(laptop)?, allowed(server)?);
    pass(secs(1));
    traffic.assert_nothing_lost(step.usable, BEARABLE)?;
    let withdrawn = |host| allowed(host).is_ok_and(|rules| !rules.contains(&before));
    assert!(within(secs(10), || withdrawn(laptop) && withdrawn(server)), "the old rules stay");
    assert!(opened()?, "and the new ones go");

    for (host, program) in [(laptop, &mut laptop_up), (server, &mut server_up)] {
        assert!(program.terminate(secs(5))?.success());
        let left = allowed(host)?;
        assert!(!left.contains("accept"), "{left}");
    }
    Ok(())
}

#[test]
fn what_the_filter_of_the_one_that_moves_refuses_is_told_and_waits_until_the_rule_is_mended()
-> Result<(), RigError> {
    let Some(walled) = Walled::ready()? else { return Ok(()) };
    let (laptop, server) = (&walled.scene.laptop, &walled.scene.server);
    nft(server, &format!("add rule inet stead tuples udp sport {PORT} accept"))?;
    allow(laptop, walled.laptop_at(), walled.server_at)?;
    let (_server_up, laptop_up) = walled.up("", "")?;
    let traffic = Traffic::start(&walled)?;

    let step = laptop.move_to(&walled.hotel, DARK)?;
    let from = format!("{}:{PORT}", walled.laptop_at());
    laptop_up.wait_for("filter refuses", BEARABLE)?;
    pass(secs(3).saturating_sub(step.usable.elapsed()));
    let held = peer(laptop)?;
    let refusal = held.refusal.as_ref().expect("the status tells what is refused");
    assert_eq!(held.state, "held", "{held:?}");
    assert_eq!(
        (refusal.local.as_ref(), refusal.remote.as_str()),
        (Some(&from), held.path.as_ref().expect("one").remote.as_str())
    );
    allow(laptop, walled.laptop_at(), walled.server_at)?;
    let mended = Instant::now();

    pass(secs(2));
    let flows = peer(laptop)?;
    assert!(flows.refusal.is_none() && flows.state == "proven", "{flows:?}");
    traffic.assert_nothing_lost(mended, AT_ONCE)
}

#[test]
fn what_the_filter_of_the_one_that_stays_refuses_is_told_and_waits_until_the_rule_is_mended()
-> Result<(), RigError> {
    let Some(walled) = Walled::ready()? else { return Ok(()) };
    let (laptop, server) = (&walled.scene.laptop, &walled.scene.server);
    nft(laptop, &format!("add rule inet stead tuples udp sport {PORT} accept"))?;
    allow(server, walled.server_at, walled.laptop_at())?;
    let (server_up, _laptop_up) = walled.up("", "")?;
    let traffic = Traffic::start(&walled)?;

    let step = laptop.move_to(&walled.hotel, DARK)?;
    server_up.wait_for("filter refuses", BEARABLE)?;
    pass(secs(3).saturating_sub(step.usable.elapsed()));
    let held = peer(server)?;
    assert_eq!(held.state, "held", "{held:?}");
    let refusal = held.refusal.as_ref().expect("the status tells what is refused");
    assert_eq!(refusal.remote, format!("{}:{PORT}", walled.laptop_at()));
    allow(server, walled.server_at, walled.laptop_at())?;
    let mended = Instant::now();

    pass(secs(2));
    assert!(peer(server)?.refusal.is_none(), "{:?}", peer(server)?);
    traffic.assert_nothing_lost(mended, AT_ONCE)
}
