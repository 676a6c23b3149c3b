//! Two hosts with stead, and moves under running connections.
//!
//! What each move may cost is held against generous bounds here; `stead-rig moves` measures it.
#![cfg(target_os = "linux")]

use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;
use stead_rig::address::Family;
use stead_rig::traffic::{BulkReport, BulkRun, Datagrams, Direction, Outcome, Stall, Ticker};
use stead_rig::{Driver, Move, Network, NetworkPlan, RigError, Tunnel};
use stead_tests::command;
use stead_tests::node::Node;
use stead_tests::patience::{ms, pass, secs, within};
use stead_tests::scene::{Scene, connections_at, download, peer, stall, upload};

/// What nobody would call a hang; a move costs a small part of it.
const BEARABLE: Duration = secs(5);
/// How long a host is nowhere where a test does not care.
const DARK: Duration = ms(100);
/// Between two moves a stream is steady for a while.
const SETTLE: Duration = ms(700);

fn assert_bearable(stall: &Stall, step: &Move) {
    let micros = Duration::from_micros(stall.stall_micros);
    assert!(stall.resumed && micros < BEARABLE, "{stall:?} at the move to {}", step.to);
}

fn assert_whole(report: &BulkReport) {
    assert_eq!(report.outcome, Outcome::Complete, "{report:?}");
    assert_eq!(report.sha256_sent, report.sha256_received);
    assert!(report.bytes_received > 1_000_000, "it did flow: {report:?}");
}

/// A move keeps the session.
fn assert_one_handshake(tunnel: &Tunnel) -> Result<(), RigError> {
    assert_eq!((peer(tunnel.mover())?.handshakes, peer(tunnel.fixed())?.handshakes), (1, 1));
    Ok(())
}

fn assert_flows_again(run: &BulkRun) {
    let before = run.received();
    assert!(within(BEARABLE, || run.received() > before + 1_000_000), "it does not flow again");
}

/// Moves the tunnel's mover through `places`, and holds each stall against the bound.
fn tour(tunnel: &Tunnel, run: &BulkRun, places: &[&Network]) -> Result<(), RigError> {
    for place in places {
        pass(SETTLE);
        let step = tunnel.mover().host.move_to(place, DARK)?;
        assert_bearable(&stall(run, &step), &step);
    }
    pass(SETTLE);
    Ok(())
}

#[test]
fn a_download_with_three_moves_one_of_them_to_ipv6_stays_one_connection_with_one_handshake()
-> Result<(), RigError> {
    let Some(scene) = Scene::ready(&[])? else { return Ok(()) };
    let (hotspot, office) = (scene.hotspot()?, scene.office()?);
    let tunnel = scene.tunnel()?;
    let transfer = download().start(&tunnel.line()?)?;
    let keystrokes = Ticker::default().start(&tunnel.line_over(Family::V6)?)?;

    tour(&tunnel, &transfer, &[&hotspot, &office, &scene.home])?;

    let port = transfer.client.port();
    let (here, there) = (connections_at(tunnel.mover(), port)?, connections_at(tunnel.fixed(), port)?);
    assert_eq!((here.len(), there.len()), (1, 1), "{here:?} {there:?}");
    assert_eq!((here[0].moves, there[0].moves), (3, 3), "{here:?} {there:?}");
    transfer.stop();
    assert_whole(&transfer.finish());
    assert_eq!(keystrokes.finish().outcome, Outcome::Complete);
    assert_one_handshake(&tunnel)
}

#[test]
fn a_mover_that_has_nothing_to_send_is_found_at_every_place_it_moves_to() -> Result<(), RigError> {
    let Some(scene) = Scene::ready(&[])? else { return Ok(()) };
    let (hotspot, office) = (scene.hotspot()?, scene.office()?);
    let tunnel = scene.tunnel()?;
    let transfer = download().start(&tunnel.line()?)?;

    tour(&tunnel, &transfer, &[&hotspot, &office, &scene.home])?;

    transfer.stop();
    assert_whole(&transfer.finish());
    assert_one_handshake(&tunnel)
}

#[test]
fn an_upload_goes_on_from_every_place_that_its_sender_moves_to() -> Result<(), RigError> {
    let Some(scene) = Scene::ready(&[])? else { return Ok(()) };
    let (hotspot, office) = (scene.hotspot()?, scene.office()?);
    let tunnel = scene.tunnel()?;
    let transfer = upload().start(&tunnel.line()?)?;

    tour(&tunnel, &transfer, &[&hotspot, &office, &scene.home])?;

    transfer.stop();
    assert_whole(&transfer.finish());
    assert_one_handshake(&tunnel)
}

#[test]
fn a_move_back_to_the_first_network_uses_the_first_attachment_point_again() -> Result<(), RigError> {
    let Some(scene) = Scene::ready(&[])? else { return Ok(()) };
    let (cafe, hotspot) = (scene.cafe()?, scene.hotspot()?);
    scene.laptop.move_to(&cafe, Duration::ZERO)?;
    let tunnel = scene.tunnel()?;
    let transfer = download().start(&tunnel.line()?)?;
    let first = peer(tunnel.fixed())?.path.expect("they are connected").remote;

    tour(&tunnel, &transfer, &[&hotspot])?;
    let elsewhere = peer(tunnel.fixed())?.path.expect("they are connected").remote;
    tour(&tunnel, &transfer, &[&cafe])?;

    assert_ne!(elsewhere, first);
    assert_eq!(peer(tunnel.fixed())?.path.expect("they are connected").remote, first);
    transfer.stop();
    assert_whole(&transfer.finish());
    assert_one_handshake(&tunnel)
}

#[test]
fn a_move_from_ipv6_to_ipv6_keeps_the_connection() -> Result<(), RigError> {
    let Some(scene) = Scene::ready(&[])? else { return Ok(()) };
    let (office, campus) = (scene.office()?, scene.campus()?);
    scene.laptop.move_to(&office, Duration::ZERO)?;
    let tunnel = scene.tunnel()?;
    let transfer = download().start(&tunnel.line()?)?;

    tour(&tunnel, &transfer, &[&campus, &office])?;

    let path = peer(tunnel.fixed())?.path.expect("they are connected");
    assert!(path.validated && path.remote.starts_with("[2001:db8:ff:1ce:"), "{path:?}");
    transfer.stop();
    assert_whole(&transfer.finish());
    assert_one_handshake(&tunnel)
}

#[test]
fn an_address_that_is_tried_for_duplicates_is_used_as_soon_as_it_may_be() -> Result<(), RigError> {
    let Some(scene) = Scene::ready(&[])? else { return Ok(()) };
    let office = scene.office()?;
    let tablet = scene.world.host_that_detects_duplicates("tablet")?;
    tablet.attach(&scene.home)?;
    let tunnel = Tunnel::establish(Driver::Stead, &tablet, &scene.server)?;
    let transfer = download().start(&tunnel.line()?)?;

    tour(&tunnel, &transfer, &[&office, &scene.home])?;

    transfer.stop();
    assert_whole(&transfer.finish());
    assert_one_handshake(&tunnel)
}

#[test]
fn a_nat_that_gives_another_port_is_noticed_by_the_next_packet_and_followed() -> Result<(), RigError> {
    let Some(scene) = Scene::ready(&[])? else { return Ok(()) };
    let tunnel = scene.tunnel()?;
    let transfer = upload().start(&tunnel.line()?)?;
    let first = peer(tunnel.fixed())?.path.expect("they are connected").remote;

    for _ in 0..3 {
        pass(SETTLE);
        let before = (transfer.received(), peer(tunnel.fixed())?.path.map(|path| path.remote));
        scene.home.rebind_nat()?;
        let followed = within(BEARABLE, || {
            peer(tunnel.fixed()).is_ok_and(|peer| peer.path.map(|path| path.remote) != before.1)
        });
        assert!(followed, "the server still sends to {before:?}");
        assert!(within(BEARABLE, || transfer.received() > before.0 + 1_000_000), "it flows again");
    }

    let path = peer(tunnel.fixed())?.path.expect("they are connected");
    let address = |point: &str| point.rsplit_once(':').map(|(address, _)| address.to_owned());
    assert_eq!(address(&path.remote), address(&first), "only the port is another: {path:?}, first {first}");
    assert!(path.validated, "{path:?}");
    transfer.stop();
    assert_whole(&transfer.finish());
    assert_one_handshake(&tunnel)
}

#[test]
fn a_nat_that_gives_another_port_to_a_listener_is_noticed_by_its_keepalive() -> Result<(), RigError> {
    let Some(scene) = Scene::ready(&[])? else { return Ok(()) };
    let tunnel = scene.persistent_tunnel()?;
    let transfer = download().start(&tunnel.line()?)?;
    pass(SETTLE);

    scene.home.rebind_nat()?;

    assert_flows_again(&transfer);
    transfer.stop();
    assert_whole(&transfer.finish());
    assert_one_handshake(&tunnel)
}

#[test]
fn the_host_that_used_to_stay_moves_too_and_then_the_other_again() -> Result<(), RigError> {
    let Some(scene) = Scene::ready(&[])? else { return Ok(()) };
    let (cafe, campus, second_site) = (scene.cafe()?, scene.campus()?, scene.second_site()?);
    scene.laptop.move_to(&cafe, Duration::ZERO)?;
    let datacentre = scene.server.network().expect("the server is in its datacentre");
    let tunnel = scene.tunnel()?;
    let (down, up) = (download().start(&tunnel.line()?)?, upload().start(&tunnel.line()?)?);

    for (host, place) in [
        (&scene.server, &second_site),
        (&scene.laptop, &campus),
        (&scene.server, &datacentre),
        (&scene.laptop, &cafe),
    ] {
        pass(SETTLE);
        let step = host.move_to(place, DARK)?;
        assert_bearable(&stall(&down, &step), &step);
        assert_bearable(&stall(&up, &step), &step);
    }

    let (here, there) = (peer(tunnel.mover())?, peer(tunnel.fixed())?);
    assert_eq!((here.moves_local, here.moves_remote), (2, 2), "{here:?}");
    assert_eq!((there.moves_local, there.moves_remote), (2, 2), "{there:?}");
    for transfer in [down, up] {
        transfer.stop();
        assert_whole(&transfer.finish());
    }
    assert_one_handshake(&tunnel)
}

#[test]
fn connections_outlive_half_a_minute_without_any_network() -> Result<(), RigError> {
    let Some(scene) = Scene::ready(&[])? else { return Ok(()) };
    let hotspot = scene.hotspot()?;
    let tunnel = scene.tunnel()?;
    let (down, up) = (download().start(&tunnel.line()?)?, upload().start(&tunnel.line()?)?);
    pass(SETTLE);

    let step = scene.laptop.move_to(&hotspot, secs(30))?;

    // What the mover sent meanwhile was held and goes first. The server's own TCP waits for its timer, which
    // has doubled all the while: as long again as it was dark, at most.
    assert_bearable(&stall(&up, &step), &step);
    assert!(stall(&down, &step).resumed, "the download goes on");
    for transfer in [down, up] {
        transfer.stop();
        assert_whole(&transfer.finish());
    }
    // After fifteen seconds without an answer the server asks for a new session, as WireGuard would have it.
    assert!(peer(tunnel.mover())?.handshakes <= 2);
    Ok(())
}

#[test]
fn a_new_session_after_two_minutes_costs_no_packet_and_may_come_amid_moves() -> Result<(), RigError> {
    let Some(quiet) = Scene::ready(&[])? else { return Ok(()) };
    let Some(restless) = Scene::ready(&[])? else { return Ok(()) };

    let undisturbed = thread::spawn(move || -> Result<(), RigError> {
        let tunnel = quiet.tunnel()?;
        let line = tunnel.line()?;
        let runs = [Direction::ToClient, Direction::ToServer]
            .map(|direction| Datagrams { direction, ..Datagrams::default() }.start(&line));
        let renewed = || peer(tunnel.mover()).is_ok_and(|peer| peer.handshakes == 2);
        assert!(
            within(secs(140), || renewed() || {
                pass(ms(500));
                false
            }),
            "still the first session"
        );
        pass(secs(3));
        for run in runs {
            let report = run?.finish()?;
            assert_eq!((report.lost, report.duplicates), (0, 0), "{report:?}");
            assert!(report.received > 5_000, "{report:?}");
        }
        assert_eq!((peer(tunnel.mover())?.handshakes, peer(tunnel.fixed())?.handshakes), (2, 2));
        Ok(())
    });
    let amid_moves = thread::spawn(move || -> Result<(), RigError> {
        let (hotspot, office) = (restless.hotspot()?, restless.office()?);
        let tunnel = restless.tunnel()?;
        let transfer = download().start(&tunnel.line()?)?;
        let keystrokes = Ticker::default().start(&tunnel.line()?)?;
        pass(secs(112));
        // From before to after the hundred and twentieth second.
        for _ in 0..3 {
            tour(&tunnel, &transfer, &[&hotspot, &office, &restless.home])?;
            pass(secs(2));
        }
        let renewed = || peer(tunnel.mover()).is_ok_and(|peer| peer.handshakes > 1);
        assert!(within(secs(20), renewed), "still the first session");
        transfer.stop();
        assert_whole(&transfer.finish());
        assert_eq!(keystrokes.finish().outcome, Outcome::Complete);
        Ok(())
    });

    undisturbed.join().expect("no assertion fails")?;
    amid_moves.join().expect("no assertion fails")
}

#[test]
fn a_dozen_moves_in_a_row_leave_the_connection_whole() -> Result<(), RigError> {
    let Some(scene) = Scene::ready(&[])? else { return Ok(()) };
    let (hotspot, office, campus) = (scene.hotspot()?, scene.office()?, scene.campus()?);
    let tunnel = scene.tunnel()?;
    let transfer = download().start(&tunnel.line()?)?;
    let keystrokes = Ticker::default().start(&tunnel.line()?)?;
    pass(SETTLE);

    let mut last = None;
    for place in [&hotspot, &office, &campus, &scene.home].into_iter().cycle().take(12) {
        last = Some(scene.laptop.move_to(place, Duration::ZERO)?);
        pass(ms(60));
    }

    let last = last.expect("there were moves");
    assert_bearable(&stall(&transfer, &last), &last);
    transfer.stop();
    assert_whole(&transfer.finish());
    assert_eq!(keystrokes.finish().outcome, Outcome::Complete);
    assert_one_handshake(&tunnel)
}

#[test]
fn the_list_of_connections_shows_what_a_move_changes_and_what_it_does_not() -> Result<(), RigError> {
    let Some(scene) = Scene::ready(&[])? else { return Ok(()) };
    let office = scene.office()?;
    let tunnel = scene.tunnel()?;
    let transfer = upload().start(&tunnel.line()?)?;
    let of_the_transfer = |listed: Vec<stead_rig::report::ConnectionReport>| {
        let local = transfer.client.to_string();
        listed.into_iter().find(|entry| entry.original.local == local).expect("it is listed")
    };
    pass(SETTLE);
    let before = of_the_transfer(command::connections(&scene.laptop)?);

    tour(&tunnel, &transfer, &[&office])?;

    let after = of_the_transfer(command::connections(&scene.laptop)?);
    assert_eq!(before.original, after.original);
    assert_eq!(after.original.remote, transfer.server.to_string());
    assert_eq!((before.moves, after.moves), (0, 1));
    assert!(before.current.remote.starts_with("198.18.0."), "{before:?}");
    assert!(after.current.remote.starts_with("[2001:db8:d:"), "{after:?}");
    assert!(after.current.local.is_some_and(|local| local.starts_with("[2001:db8:ff:1ce:")));
    assert_ne!(before.current.path, after.current.path);
    assert!(after.bytes_sent > before.bytes_sent && after.age > before.age);
    assert_eq!((after.state.as_str(), after.peer.as_str()), ("open", "server"));
    transfer.stop();
    assert_whole(&transfer.finish());
    Ok(())
}

#[test]
fn no_more_datagrams_are_lost_than_the_time_without_a_network_explains() -> Result<(), RigError> {
    const INTERVAL: Duration = ms(10);
    let Some(scene) = Scene::ready(&[])? else { return Ok(()) };
    let (hotspot, office) = (scene.hotspot()?, scene.office()?);
    let tunnel = scene.tunnel()?;
    let start = |direction| Datagrams { direction, interval: INTERVAL, size: 200 }.start(&tunnel.line()?);
    let (down, up) = (start(Direction::ToClient)?, start(Direction::ToServer)?);
    let mut dark = Duration::ZERO;

    for place in [&hotspot, &office, &scene.home] {
        pass(SETTLE);
        dark += scene.laptop.move_to(place, ms(200))?.dark();
    }
    pass(SETTLE);

    // What is sent to a host that is nowhere is lost; what it sends itself waits for the new network.
    let noticing = 3 * ms(500);
    for (report, at_most) in [(down.finish()?, dark + noticing), (up.finish()?, noticing)] {
        let bound = at_most.as_millis() / INTERVAL.as_millis();
        assert!(u128::from(report.lost) <= bound, "at most {bound} lost: {report:?}");
        assert_eq!(report.duplicates, 0, "{report:?}");
        assert!(report.received > 150, "{report:?}");
    }
    assert_one_handshake(&tunnel)
}

#[test]
fn a_better_way_is_taken_when_it_appears_and_left_when_it_goes_without_losing_a_datagram()
-> Result<(), RigError> {
    let Some(scene) = Scene::ready(&[])? else { return Ok(()) };
    let (hotspot, cafe) = (scene.hotspot()?, scene.cafe()?);
    let traveller = scene.world.host("traveller")?;
    traveller.attach_as("wwan0", &hotspot, 600)?;
    let tunnel = Tunnel::establish(Driver::Stead, &traveller, &scene.server)?;
    let datagrams = Datagrams::default().start(&tunnel.line()?)?;
    let transfer = download().start(&tunnel.line()?)?;
    let seen_at = |prefix: &str| {
        within(BEARABLE, || {
            peer(tunnel.fixed())
                .is_ok_and(|peer| peer.path.is_some_and(|path| path.remote.starts_with(prefix)))
        })
    };
    pass(SETTLE);

    traveller.attach(&cafe)?;
    assert!(seen_at("198.19.0."), "the better way is taken");
    pass(SETTLE);
    let report = datagrams.finish()?;
    traveller.detach()?;
    assert!(seen_at("203.0.113."), "the other way is taken again");

    assert_eq!((report.lost, report.duplicates), (0, 0), "{report:?}");
    assert_flows_again(&transfer);
    transfer.stop();
    assert_whole(&transfer.finish());
    assert_one_handshake(&tunnel)
}

#[test]
fn a_second_network_is_kept_ready_and_when_the_first_goes_nothing_is_lost() -> Result<(), RigError> {
    let Some(scene) = Scene::ready(&[])? else { return Ok(()) };
    let (hotspot, cafe) = (scene.hotspot()?, scene.cafe()?);
    let traveller = scene.world.host("traveller")?;
    traveller.attach(&cafe)?;
    let tunnel = Tunnel::establish(Driver::Stead, &traveller, &scene.server)?;
    let datagrams = Datagrams::default().start(&tunnel.line()?)?;
    let transfer = download().start(&tunnel.line()?)?;
    pass(SETTLE);

    traveller.attach_as("wwan0", &hotspot, 600)?;
    let ready = |end| peer(end).is_ok_and(|peer| peer.standby.iter().any(|path| path.proven.is_some()));
    assert!(within(BEARABLE, || ready(tunnel.mover()) && ready(tunnel.fixed())), "both have proven it");
    let apparent = peer(tunnel.fixed())?.path.expect("they are connected").remote;
    assert!(apparent.starts_with("198.19.0."), "the preferred way is still in use: {apparent}");
    pass(SETTLE);

    let before = transfer.received();
    traveller.detach()?;
    assert!(within(BEARABLE, || transfer.received() > before + 1_000_000), "it flows on");
    let path = peer(tunnel.fixed())?.path.expect("they are connected");
    assert!(path.validated && path.remote.starts_with("203.0.113."), "{path:?}");

    let report = datagrams.finish()?;
    assert_eq!((report.lost, report.duplicates), (0, 0), "{report:?}");
    transfer.stop();
    assert_whole(&transfer.finish());
    assert_one_handshake(&tunnel)
}

#[test]
fn a_cable_that_is_pulled_for_a_moment_costs_that_moment() -> Result<(), RigError> {
    let Some(scene) = Scene::ready(&[])? else { return Ok(()) };
    let tunnel = scene.tunnel()?;
    let (down, up) = (download().start(&tunnel.line()?)?, upload().start(&tunnel.line()?)?);
    pass(SETTLE);

    scene.laptop.unplug()?;
    pass(secs(1));
    scene.laptop.replug()?;
    let before = (down.received(), up.received());

    let flows =
        within(BEARABLE, || down.received() > before.0 + 1_000_000 && up.received() > before.1 + 1_000_000);
    assert!(flows, "both flow again");
    for transfer in [down, up] {
        transfer.stop();
        assert_whole(&transfer.finish());
    }
    assert_one_handshake(&tunnel)
}

#[test]
fn a_way_out_that_goes_and_comes_again_is_taken_again_and_is_no_move() -> Result<(), RigError> {
    let Some(scene) = Scene::ready(&["ip"])? else { return Ok(()) };
    let tunnel = scene.tunnel()?;
    let (down, up) = (download().start(&tunnel.line()?)?, upload().start(&tunnel.line()?)?);
    pass(SETTLE);

    command::ip(&scene.laptop, "route del default")?;
    pass(secs(1));
    command::ip(&scene.laptop, "route add default via 192.168.1.1 dev wlan0")?;

    assert_flows_again(&down);
    assert_flows_again(&up);
    assert_eq!((peer(tunnel.mover())?.moves_local, peer(tunnel.fixed())?.moves_remote), (0, 0));
    for transfer in [down, up] {
        transfer.stop();
        assert_whole(&transfer.finish());
    }
    assert_one_handshake(&tunnel)
}

#[test]
fn further_addresses_change_nothing_and_another_in_stead_of_the_first_is_a_move() -> Result<(), RigError> {
    let Some(scene) = Scene::ready(&["ip"])? else { return Ok(()) };
    let tunnel = scene.tunnel()?;
    let transfer = download().start(&tunnel.line()?)?;
    let path = || Ok::<_, RigError>(peer(tunnel.mover())?.path.expect("they are connected").local);
    let first = path()?;

    for change in ["add 192.168.1.77", "add 192.168.1.78", "del 192.168.1.77"] {
        command::ip(&scene.laptop, &format!("address {change}/24 dev wlan0"))?;
        pass(ms(300));
    }
    assert_eq!((path()?, peer(tunnel.mover())?.moves_local), (first, 0));
    command::ip(&scene.laptop, "address flush dev wlan0")?;
    command::ip(&scene.laptop, "address add 192.168.1.99/24 dev wlan0")?;
    command::ip(&scene.laptop, "route add default via 192.168.1.1 dev wlan0")?;

    assert_flows_again(&transfer);
    assert_eq!(path()?.as_deref(), Some("192.168.1.99:51820"));
    transfer.stop();
    assert_whole(&transfer.finish());
    assert_one_handshake(&tunnel)
}

#[test]
fn a_network_with_smaller_packets_carries_the_connection_all_the_same() -> Result<(), RigError> {
    let Some(scene) = Scene::ready(&[])? else { return Ok(()) };
    let narrow_v4 = NetworkPlan::behind_nat("172.20.10.0/28").mtu(1400);
    let narrow_v6 = NetworkPlan::public("2001:db8:77::/64").mtu(1400);
    let (hotspot, train) = (
        scene.world.network("narrow hotspot", &narrow_v4)?,
        scene.world.network("narrow train", &narrow_v6)?,
    );
    let tunnel = scene.tunnel()?;
    let (down, up) = (download().start(&tunnel.line()?)?, upload().start(&tunnel.line()?)?);

    for place in [&hotspot, &train, &scene.home] {
        pass(SETTLE);
        let step = scene.laptop.move_to(place, DARK)?;
        assert_bearable(&stall(&down, &step), &step);
        assert_bearable(&stall(&up, &step), &step);
        assert_flows_again(&down);
        assert_flows_again(&up);
    }

    for transfer in [down, up] {
        transfer.stop();
        assert_whole(&transfer.finish());
    }
    assert_one_handshake(&tunnel)
}

#[test]
fn fifty_connections_move_together() -> Result<(), RigError> {
    let Some(scene) = Scene::ready(&[])? else { return Ok(()) };
    let office = scene.office()?;
    let tunnel = scene.tunnel()?;
    let slow = Ticker { interval: ms(100), ..Ticker::default() };
    let runs = (0..50)
        .map(|number| slow.start(&tunnel.line_over(if number % 2 == 0 { Family::V4 } else { Family::V6 })?))
        .collect::<Result<Vec<_>, RigError>>()?;
    pass(SETTLE);

    let step = scene.laptop.move_to(&office, DARK)?;
    let resumed = within(BEARABLE, || runs.iter().all(|run| run.timeline().last() > step.usable + ms(200)));

    assert!(resumed, "each of them goes on");
    let listed = command::connections(&scene.laptop)?;
    let moved = listed.iter().filter(|entry| entry.state == "open" && entry.moves == 1).count();
    assert_eq!(moved, runs.len());
    for run in runs {
        assert_eq!(run.finish().outcome, Outcome::Complete);
    }
    assert_one_handshake(&tunnel)
}

#[test]
fn a_move_while_the_program_sleeps_is_noticed_when_it_wakes() -> Result<(), RigError> {
    let Some(scene) = Scene::ready(&[])? else { return Ok(()) };
    let office = scene.office()?;
    let tunnel = scene.tunnel()?;
    let transfer = download().start(&tunnel.line()?)?;
    let program = tunnel.mover().process.as_ref().expect("it runs");
    pass(SETTLE);

    program.signal(Signal::SIGSTOP);
    scene.laptop.move_to(&office, DARK)?;
    pass(secs(2));
    program.signal(Signal::SIGCONT);

    assert_flows_again(&transfer);
    transfer.stop();
    assert_whole(&transfer.finish());
    assert_one_handshake(&tunnel)
}

#[test]
fn whoever_takes_the_address_that_a_mover_left_gets_none_of_its_packets() -> Result<(), RigError> {
    let Some(scene) = Scene::ready(&[])? else { return Ok(()) };
    let (cafe, hotspot) = (scene.cafe()?, scene.hotspot()?);
    let heir = scene.world.host("heir")?;
    scene.laptop.move_to(&cafe, Duration::ZERO)?;
    let place = scene.laptop.address(Family::V4).expect("the café has IPv4");
    let server_at = scene.server.address(Family::V4);
    let (one, two, server) =
        (Node::new(&scene.laptop, 1)?, Node::new(&heir, 2)?, Node::new(&scene.server, 9)?);
    let _server = server.up(&[(&one, None), (&two, None)])?;
    let _laptop = one.up(&[(&server, server_at)])?;
    let first = download().start(&one.line_to(&server))?;
    pass(SETTLE);

    // The laptop is nowhere yet when the heir has its address, with the same port of the same program.
    scene.laptop.detach()?;
    cafe.reserve("heir", 10);
    heir.attach(&cafe)?;
    assert_eq!(heir.address(Family::V4), Some(place));
    let _heir = two.up(&[(&server, server_at)])?;
    let second = download().start(&two.line_to(&server))?;
    pass(SETTLE);
    scene.laptop.attach(&hotspot)?;

    assert_flows_again(&first);
    assert_flows_again(&second);
    let current = |transfer: &BulkRun| -> Result<_, RigError> {
        let remote = transfer.client.to_string();
        let listed = command::connections(&scene.server)?;
        Ok(listed.into_iter().find(|entry| entry.original.remote == remote).expect("it is listed").current)
    };
    assert!(current(&second)?.remote.starts_with(&place.to_string()));
    assert!(current(&first)?.remote.starts_with("203.0.113."), "behind the hotspot's NAT");
    for transfer in [first, second] {
        transfer.stop();
        assert_whole(&transfer.finish());
    }
    Ok(())
}
