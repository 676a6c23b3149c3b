//! The rig's own promises, shown with plain traffic and with somebody else's tunnel.
//!
//! ```text
//!   laptop ── home (NAT) ──┐
//!          ╲─ office (v6) ─┼─ internet ── datacentre ── server
//! ```
#![cfg(target_os = "linux")]

use std::time::{Duration, Instant};

use stead_rig::address::Family;
use stead_rig::traffic::ticker::Rhythm;
use stead_rig::traffic::{Bulk, Datagrams, Direction, Length, Line, Outcome, Ticker};
use stead_rig::{Driver, Host, Network, NetworkPlan, Requirements, RigError, Tunnel, TunnelPlan, World};

const MEGABYTE: u64 = 1_000_000;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Two networks for a laptop, and a server that both families reach.
struct Scene {
    home: Network,
    hotspot: Network,
    office: Network,
    laptop: Host,
    server: Host,
}

impl Scene {
    fn new() -> Result<Self, RigError> {
        let world = World::new()?;
        let datacentre =
            world.network("datacentre", &NetworkPlan::public("198.18.0.0/24").and("2001:db8:d::/64"))?;
        let home = world.network("home", &NetworkPlan::behind_nat("192.168.1.0/24"))?;
        let hotspot = world.network("hotspot", &NetworkPlan::behind_nat("172.20.10.0/28"))?;
        let office = world.network("office", &NetworkPlan::public("2001:db8:ff:1ce::/64"))?;
        let (laptop, server) = (world.host("laptop")?, world.host("server")?);
        server.attach(&datacentre)?;
        laptop.attach(&home)?;
        Ok(Self { home, hotspot, office, laptop, server })
    }

    fn bare(&self, family: Family) -> Line {
        let address = self.server.address(family).expect("the server has both families");
        Line { client: self.laptop.clone(), server: self.server.clone(), address }
    }
}

#[test]
fn plain_tcp_crosses_two_networks_with_its_checksum_both_ways() -> Result<(), RigError> {
    if !Requirements::met("plain_tcp_crosses_two_networks", &["nft"]) {
        return Ok(());
    }
    let scene = Scene::new()?;

    for direction in [Direction::ToClient, Direction::ToServer] {
        let bulk = Bulk { length: Length::Bytes(5 * MEGABYTE + 3), direction, ..Bulk::default() };
        let report = bulk.start(&scene.bare(Family::V4))?.finish();
        assert_eq!(report.outcome, Outcome::Complete, "{report:?}");
        assert_eq!(report.bytes_received, 5 * MEGABYTE + 3);
        assert_eq!(report.sha256_sent, report.sha256_received);
    }

    scene.laptop.move_to(&scene.office, ms(0))?;
    let bulk = Bulk { length: Length::Bytes(MEGABYTE), ..Bulk::default() };
    let report = bulk.start(&scene.bare(Family::V6))?.finish();
    assert_eq!(report.outcome, Outcome::Complete, "{report:?}");
    Ok(())
}

#[test]
fn a_bare_connection_falls_silent_at_a_move() -> Result<(), RigError> {
    if !Requirements::met("a_bare_connection_falls_silent_at_a_move", &["nft"]) {
        return Ok(());
    }
    let scene = Scene::new()?;
    let bulk = Bulk { pace: Some(2 * MEGABYTE), patience: ms(1500), ..Bulk::default() };
    let run = bulk.start(&scene.bare(Family::V4))?;
    std::thread::sleep(ms(300));

    let step = scene.laptop.move_to(&scene.hotspot, ms(100))?;
    let report = run.finish();

    assert!(step.dark() >= ms(100), "{step:?}");
    assert_eq!(step.addresses, ["172.20.10.10".parse::<std::net::IpAddr>().unwrap()]);
    assert!(matches!(report.outcome, Outcome::Silent { received, .. } if received > 0), "{report:?}");
    Ok(())
}

#[test]
fn a_move_back_finds_the_old_address_and_a_pause_is_measured_as_one() -> Result<(), RigError> {
    if !Requirements::met("a_move_back_finds_the_old_address", &["nft"]) {
        return Ok(());
    }
    let scene = Scene::new()?;
    let first = scene.laptop.addresses();
    let ticker = Ticker::default().start(&scene.bare(Family::V4))?;
    std::thread::sleep(ms(300));

    // The same network: the address is the same, so even a bare connection goes on.
    let step = scene.laptop.move_to(&scene.home, ms(300))?;
    std::thread::sleep(ms(1500));
    let stall = ticker.timeline().stall(&step, Instant::now());
    let report = ticker.finish();

    assert_eq!(step.addresses, first);
    assert_eq!(report.outcome, Outcome::Complete, "{report:?}");
    assert!(stall.resumed && stall.gap_micros >= 300_000, "{stall:?}");
    assert!(stall.stall_micros < 1_000_000, "TCP retransmits within its back-off: {stall:?}");
    Ok(())
}

#[test]
fn a_rebound_nat_shows_another_port_of_the_same_address() -> Result<(), RigError> {
    if !Requirements::met("a_rebound_nat_shows_another_port", &["nft"]) {
        return Ok(());
    }
    let scene = Scene::new()?;
    let server = scene.server.call(|| std::net::UdpSocket::bind("0.0.0.0:4000"))?.expect("a free port");
    let client = scene.laptop.call(|| std::net::UdpSocket::bind("0.0.0.0:4001"))?.expect("a free port");
    server.set_read_timeout(Some(ms(2000))).expect("a timeout");
    let target = (scene.server.address(Family::V4).expect("an address"), 4000);
    let mut seen = Vec::new();

    for _ in 0..3 {
        client.send_to(b"x", target).expect("sent");
        seen.push(server.recv_from(&mut [0; 8]).expect("received").1);
        scene.home.rebind_nat()?;
    }

    let ports: std::collections::BTreeSet<u16> = seen.iter().map(std::net::SocketAddr::port).collect();
    assert_eq!(seen[0].port(), 4001, "the first mapping keeps the port");
    assert_eq!(ports.len(), 3, "{seen:?}");
    assert!(seen.iter().all(|source| source.ip() == seen[0].ip()), "{seen:?}");
    Ok(())
}

#[test]
fn datagrams_sent_while_a_host_is_nowhere_are_counted_as_lost() -> Result<(), RigError> {
    if !Requirements::met("datagrams_sent_while_a_host_is_nowhere", &["nft"]) {
        return Ok(());
    }
    let scene = Scene::new()?;
    for (direction, lost_at_least) in [(Direction::ToServer, 10), (Direction::ToClient, 0)] {
        let datagrams = Datagrams { direction, interval: ms(10), size: 200 };
        let run = datagrams.start(&scene.bare(Family::V4))?;
        std::thread::sleep(ms(300));
        if lost_at_least > 0 {
            scene.laptop.move_to(&scene.home, ms(200))?;
            std::thread::sleep(ms(300));
        }
        let report = run.finish()?;
        assert!(report.received > 10, "{report:?}");
        assert!(report.lost >= lost_at_least, "{report:?}");
        assert_eq!(report.lost, report.sent - report.received);
        assert_eq!((report.duplicates, report.reordered), (0, 0), "{report:?}");
    }
    Ok(())
}

#[test]
fn unplugging_keeps_addresses_and_detaching_removes_the_interface() -> Result<(), RigError> {
    if !Requirements::met("unplugging_keeps_addresses", &["nft"]) {
        return Ok(());
    }
    let scene = Scene::new()?;
    assert_eq!(scene.laptop.count_interfaces()?, 2, "loopback and wlan0");

    scene.laptop.unplug()?;
    assert_eq!(scene.laptop.addresses().len(), 1);
    scene.laptop.replug()?;
    let ticker = Ticker { rhythm: Rhythm::OneWay(Direction::ToServer), ..Ticker::default() };
    let run = ticker.start(&scene.bare(Family::V4))?;
    std::thread::sleep(ms(200));
    assert_eq!(run.finish().outcome, Outcome::Complete);

    scene.laptop.detach()?;
    assert_eq!((scene.laptop.count_interfaces()?, scene.laptop.addresses().len()), (1, 0));
    let refused = ticker.start(&scene.bare(Family::V4)).expect_err("there is no route");
    assert!(matches!(refused, RigError::Io { .. }), "{refused}");
    Ok(())
}

#[test]
fn wireguard_go_survives_a_move_when_the_mover_sends() -> Result<(), RigError> {
    if !Requirements::met("wireguard_go_survives_a_move", &["nft", "wireguard-go", "wg"]) {
        return Ok(());
    }
    let scene = Scene::new()?;
    let tunnel = Tunnel::establish(Driver::WireguardGo, &scene.laptop, &scene.server)?;
    let bulk = Bulk {
        length: Length::Bytes(4 * MEGABYTE),
        direction: Direction::ToServer,
        pace: Some(2 * MEGABYTE),
        ..Bulk::default()
    };
    let run = bulk.start(&tunnel.line()?)?;
    std::thread::sleep(ms(500));

    let step = scene.laptop.move_to(&scene.hotspot, ms(100))?;
    let report = run.finish();

    assert_eq!(report.outcome, Outcome::Complete, "{report:?}");
    assert!(report.longest_gaps[0].micros >= 100_000, "{:?} during {step:?}", report.longest_gaps);
    Ok(())
}

#[test]
fn a_tunnel_with_a_preshared_key_carries_traffic_again_after_its_program_was_killed() -> Result<(), RigError>
{
    if !Requirements::met("a_tunnel_with_a_preshared_key", &["nft", "wireguard-go", "wg"]) {
        return Ok(());
    }
    let scene = Scene::new()?;
    let plan = TunnelPlan {
        preshared_key: true,
        keepalive: Some(Duration::from_secs(5)),
        ..TunnelPlan::new(Driver::WireguardGo)
    };
    let mut tunnel = plan.establish(&scene.laptop, &scene.server)?;
    let bulk = Bulk { length: Length::Bytes(MEGABYTE), ..Bulk::default() };
    for family in [Family::V4, Family::V6] {
        assert_eq!(bulk.start(&tunnel.line_over(family)?)?.finish().outcome, Outcome::Complete);
        assert_eq!(bulk.start(&tunnel.line_back(family)?)?.finish().outcome, Outcome::Complete);
    }

    tunnel.mover_mut().process.as_mut().expect("it runs").kill()?;
    tunnel.mover_mut().start()?;

    assert_eq!(bulk.start(&tunnel.line()?)?.finish().outcome, Outcome::Complete);
    let mut dump = std::process::Command::new("wg");
    dump.args(["show", "wg0", "preshared-keys"]);
    assert!(!scene.laptop.output(dump)?.contains("(none)"), "the key is in use");
    Ok(())
}

#[test]
fn a_program_that_never_gets_ready_is_reported_with_what_it_printed() -> Result<(), RigError> {
    if !Requirements::met("a_program_that_never_gets_ready", &["nft"]) {
        return Ok(());
    }
    let scene = Scene::new()?;
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "echo one; echo two >&2; exec sleep 60"]);
    let mut process = scene.laptop.spawn(command)?;

    process.wait_for("two", ms(5000))?;
    let error = process.wait_for("three", ms(100)).expect_err("it never says so");
    assert!(error.to_string().contains("one") && error.to_string().contains("two"), "{error}");
    assert!(process.is_running());
    let status = process.terminate(ms(2000))?;
    assert!(!status.success(), "{status}");
    Ok(())
}
