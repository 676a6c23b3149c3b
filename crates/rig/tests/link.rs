//! A line with delay, loss and a rate, by real packets.

#![cfg(target_os = "linux")]

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use stead_rig::address::Family;
use stead_rig::scenario::unit::{Rate, Share};
use stead_rig::scenario::{Attack, Link, Way};
use stead_rig::traffic::{Bulk, Datagrams, Direction, Length, Line};
use stead_rig::{Host, Network, NetworkPlan, Requirements, RigError, World};

/// A host behind the line, and one in the open.
struct Scene {
    near: Host,
    far: Host,
    network: Network,
    world: World,
}

impl Scene {
    fn new(link: Link) -> Result<Self, RigError> {
        let world = World::new()?;
        let plan = NetworkPlan::public("198.51.100.0/25").and("2001:db8:1::/64").link(link);
        let network = world.network("train", &plan)?;
        let open = world.network("open", &NetworkPlan::public("198.51.100.128/25").and("2001:db8:2::/64"))?;
        let on = |name: &str, network: &Network| {
            let host = world.host(name)?;
            host.attach(network)?;
            Ok::<_, RigError>(host)
        };
        Ok(Self { near: on("near", &network)?, far: on("far", &open)?, network, world })
    }

    fn line(&self, family: Family) -> Line {
        let address = self.far.address(family).expect("it has both");
        Line { client: self.near.clone(), server: self.far.clone(), address }
    }

    /// The times of some round trips, shortest first.
    fn round_trips(&self, family: Family) -> Result<Vec<Duration>, RigError> {
        let (near, far) = (self.socket(&self.near, family)?, self.socket(&self.far, family)?);
        let target = far.local_addr().expect("it is bound");
        let mut times = Vec::new();
        for _ in 0..20 {
            let (sent, mut buffer) = (Instant::now(), [0; 16]);
            near.send_to(b"ping", target).map_err(RigError::io("send"))?;
            let (_, source) = far.recv_from(&mut buffer).map_err(RigError::io("receive"))?;
            far.send_to(b"pong", source).map_err(RigError::io("send"))?;
            near.recv_from(&mut buffer).map_err(RigError::io("receive"))?;
            times.push(sent.elapsed());
        }
        times.sort_unstable();
        Ok(times)
    }

    fn socket(&self, host: &Host, family: Family) -> Result<UdpSocket, RigError> {
        let address = host.address(family).expect("it has both");
        let made = host.call(move || {
            let socket = UdpSocket::bind((address, 0))?;
            socket.set_read_timeout(Some(Duration::from_secs(2)))?;
            Ok(socket)
        })?;
        made.map_err(RigError::io("bind"))
    }
}

fn both(way: Way) -> Link {
    Link { up: way, down: way }
}

#[test]
fn a_round_trip_takes_both_delays_and_what_is_changed_later_counts() -> Result<(), RigError> {
    if !Requirements::met("a_round_trip_takes_both_delays_and_what_is_changed_later_counts", &[]) {
        return Ok(());
    }
    let scene = Scene::new(both(Way { delay: ms(40), jitter: ms(10), ..Way::default() }))?;
    for family in [Family::V4, Family::V6] {
        let times = scene.round_trips(family)?;
        // Jitter adds up to 20 ms; a busy machine adds some more now and then, hence the median.
        assert!(times[0] >= ms(80) && times[times.len() / 2] < ms(120), "{family}: {times:?}");
    }
    scene.network.set_link(Link::default())?;
    let times = scene.round_trips(Family::V4)?;
    assert!(times[times.len() / 2] < ms(20), "{times:?}");
    Ok(())
}

#[test]
fn who_joins_a_network_disturbs_nobody_there() -> Result<(), RigError> {
    if !Requirements::met("who_joins_a_network_disturbs_nobody_there", &[]) {
        return Ok(());
    }
    let scene = Scene::new(Link::default())?;
    scene.round_trips(Family::V4)?;
    for number in 0..16 {
        let guest = scene.world.host(&format!("guest{number}"))?;
        guest.attach(&scene.network)?;
        // What is lost is waited for, and not found.
        scene.round_trips(Family::V4)?;
    }
    Ok(())
}

#[test]
fn about_as_much_is_lost_as_was_told_and_only_that_way() -> Result<(), RigError> {
    if !Requirements::met("about_as_much_is_lost_as_was_told_and_only_that_way", &[]) {
        return Ok(());
    }
    let up = Way { loss: Share(200_000), ..Way::default() };
    let scene = Scene::new(Link { up, down: Way::default() })?;
    for (direction, bounds) in [(Direction::ToServer, 100..300), (Direction::ToClient, 0..5)] {
        let datagrams = Datagrams { direction, interval: Duration::from_millis(1), size: 64 };
        let run = datagrams.start(&scene.line(Family::V4))?;
        std::thread::sleep(Duration::from_secs(2));
        let report = run.finish()?;
        let per_thousand = report.lost * 1000 / report.sent;
        assert!(report.sent > 500 && bounds.contains(&per_thousand), "{direction:?}: {report:?}");
    }
    Ok(())
}

#[test]
fn a_transfer_is_about_as_fast_as_the_line() -> Result<(), RigError> {
    if !Requirements::met("a_transfer_is_about_as_fast_as_the_line", &[]) {
        return Ok(());
    }
    let scene = Scene::new(both(Way { delay: ms(5), rate: Some(Rate(16_000_000)), ..Way::default() }))?;
    let bulk = Bulk { length: Length::Bytes(4_000_000), ..Bulk::default() };
    let report = bulk.start(&scene.line(Family::V4))?.finish();
    assert!(report.outcome.is_complete(), "{report:?}");
    let megabits = report.bytes_received * 8 / report.micros.max(1);
    // 16 on the line, of which headers take some; TCP on a queue of 100 ms fills most of it.
    assert!((10..16).contains(&megabits), "{megabits} Mbit/s: {report:?}");
    Ok(())
}

#[test]
fn somebody_on_the_line_can_replay_for_a_while() -> Result<(), RigError> {
    if !Requirements::met("somebody_on_the_line_can_replay_for_a_while", &[]) {
        return Ok(());
    }
    let scene = Scene::new(Link::default())?;
    scene.network.attack(Attack::Replay, ms(700))?;
    let datagrams = Datagrams { interval: ms(10), ..Datagrams::default() };
    let run = datagrams.start(&scene.line(Family::V4))?;
    std::thread::sleep(Duration::from_secs(2));
    let report = run.finish()?;
    assert_eq!(report.lost, 0, "{report:?}");
    assert!((20..100).contains(&report.duplicates), "{report:?}");
    Ok(())
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
