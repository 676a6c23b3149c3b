//! The program itself: how it starts, ends, refuses, reports, and what strangers get out of it.
#![cfg(target_os = "linux")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, UdpSocket};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use stead_rig::address::Family;
use stead_rig::report::OriginalReport;
use stead_rig::traffic::{Datagrams, Direction, Outcome, Ticker, TickerRun};
use stead_rig::tunnel::{End, stead_program};
use stead_rig::{Host, RigError};
use stead_tests::command::{
    self, CONFIGURATION, DIRECTORY, READY, SOCKET, edited, ending, exists, read, stead,
};
use stead_tests::kernel::{Traces, packets_into};
use stead_tests::patience::{ms, pass, secs, within};
use stead_tests::scene::{FAMILIES, Scene, download, dropped, peer, stall, status, upload};
use stead_tests::stranger::{Forge, Stranger};

/// A start or an end takes milliseconds; a busy machine may need longer.
const PROMPTLY: Duration = secs(5);
/// What nobody would call a hang.
const BEARABLE: Duration = secs(5);

/// The exit status of an end's program, which was told to end.
fn exit_code(end: &mut End) -> Result<Option<i32>, RigError> {
    let process = end.process.as_mut().expect("it runs");
    assert!(within(PROMPTLY, || !process.is_running()), "it does not end:\n{}", process.log());
    Ok(process.terminate(Duration::ZERO)?.code())
}

/// Waits until so many more ticks came back; false if they do not.
fn ticks(run: &TickerRun, more: u64, patience: Duration) -> bool {
    let before = run.received();
    within(patience, || run.received() >= before + more)
}

#[test]
fn the_program_says_once_that_it_is_ready_and_carries_traffic_from_then_on() -> Result<(), RigError> {
    let Some(scene) = Scene::ready(&[])? else { return Ok(()) };

    let tunnel = scene.tunnel()?;

    for family in FAMILIES {
        for line in [tunnel.line_over(family)?, tunnel.line_back(family)?] {
            let run = Ticker::default().start(&line)?;
            assert!(ticks(&run, 10, BEARABLE), "{family} to {}", line.server.name());
            assert_eq!(run.finish().outcome, Outcome::Complete);
        }
    }
    let log = tunnel.mover().process.as_ref().expect("it runs").log();
    assert_eq!(log.matches(READY).count(), 1, "{log}");
    assert!(!log.contains("ERROR") && !log.contains("WARN"), "{log}");
    Ok(())
}

#[test]
fn a_signal_ends_the_program_with_success_and_nothing_of_it_is_left() -> Result<(), RigError> {
    let Some(scene) = Scene::ready(&[])? else { return Ok(()) };
    let before = Traces::of(&scene.laptop)?;
    let mut tunnel = scene.tunnel()?;
    assert_ne!(Traces::of(&scene.laptop)?, before, "an interface, addresses and routes were made");

    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let traffic = Ticker { patience: ms(200), ..Ticker::default() }.start(&tunnel.line()?)?;
        tunnel.mover().process.as_ref().expect("it runs").signal(signal);
        let code = exit_code(tunnel.mover_mut())?;

        assert_eq!(code, Some(0), "{signal}");
        assert_eq!(Traces::of(&scene.laptop)?, before, "{signal}");
        assert!(!exists(&scene.laptop, SOCKET)?, "{signal}: the control socket is left");
        drop(traffic.finish());
        tunnel.mover_mut().start()?;
    }
    Ok(())
}

#[test]
fn a_client_of_the_control_socket_can_stop_the_program() -> Result<(), RigError> {
    let Some(scene) = Scene::ready(&[])? else { return Ok(()) };
    let before = Traces::of(&scene.laptop)?;
    let mut tunnel = scene.tunnel()?;

    let answer = scene.laptop.call(|| {
        let mut stream = UnixStream::connect(SOCKET)?;
        stream.set_read_timeout(Some(PROMPTLY))?;
        writeln!(stream, "{{\"command\":\"stop\"}}")?;
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).map(|_| line)
    })?;

    assert_eq!(answer.map_err(RigError::io("ask"))?.trim(), r#"{"version":1,"stopped":true}"#);
    assert_eq!(exit_code(tunnel.mover_mut())?, Some(0));
    assert_eq!(Traces::of(&scene.laptop)?, before);
    assert!(!exists(&scene.laptop, SOCKET)?, "the control socket is left");
    Ok(())
}

#[test]
fn a_program_whose_interface_is_removed_says_so_and_ends() -> Result<(), RigError> {
    let Some(scene) = Scene::ready(&["ip"])? else { return Ok(()) };
    let before = Traces::of(&scene.laptop)?;
    let mut tunnel = scene.tunnel()?;

    command::ip(&scene.laptop, "link delete stead0")?;

    assert_eq!(exit_code(tunnel.mover_mut())?, Some(1));
    let log = tunnel.mover().process.as_ref().expect("it ran").log();
    assert!(log.contains("error: the interface `stead0` is gone") && log.contains("hint: "), "{log}");
    assert_eq!(Traces::of(&scene.laptop)?, before);
    assert!(!exists(&scene.laptop, SOCKET)?, "the control socket is left");
    Ok(())
}

#[test]
fn connections_go_on_when_a_killed_program_is_started_again_at_either_end() -> Result<(), RigError> {
    let Some(scene) = Scene::ready(&[])? else { return Ok(()) };
    let mut tunnel = scene.persistent_tunnel()?;
    let keystrokes = Ticker::default().start(&tunnel.line()?)?;
    let transfer = download().start(&tunnel.line_over(Family::V6)?)?;
    assert!(ticks(&keystrokes, 20, BEARABLE));

    for host in [&scene.laptop, &scene.server] {
        let end = if host.name() == "laptop" { tunnel.mover_mut() } else { tunnel.fixed_mut() };
        end.process.as_mut().expect("it runs").kill()?;
        assert!(exists(host, SOCKET)?, "a killed program cannot remove its socket");
        pass(ms(500));
        end.start()?;

        // A node that was asked for nothing lately finds out by its own silence rule: fifteen seconds.
        assert!(ticks(&keystrokes, 20, secs(40)), "after the end of the program on the {}", host.name());
        let before = transfer.received();
        assert!(within(secs(40), || transfer.received() > before + 1_000_000), "so for the download");
        assert_eq!(command::status(host)?.peers[0].handshakes, 1, "it is another program");
    }

    transfer.stop();
    assert_eq!(transfer.finish().outcome, Outcome::Complete);
    assert_eq!(keystrokes.finish().outcome, Outcome::Complete);
    Ok(())
}

#[test]
fn a_program_may_be_started_while_the_one_before_is_still_being_killed() -> Result<(), RigError> {
    let Some(scene) = Scene::ready(&[])? else { return Ok(()) };
    let mut tunnel = scene.persistent_tunnel()?;
    let transfer = upload().start(&tunnel.line()?)?;

    for _ in 0..5 {
        pass(ms(300));
        let killed = tunnel.mover_mut().process.take().expect("it runs");
        // Nobody waits for its end: the kernel still has its interface to take down.
        killed.signal(Signal::SIGKILL);
        let successor = command::up(&scene.laptop, CONFIGURATION)?;
        tunnel.mover_mut().process = Some(successor);
    }

    let before = transfer.received();
    assert!(within(BEARABLE, || transfer.received() > before + 1_000_000), "the last one carries traffic");
    transfer.stop();
    assert_eq!(transfer.finish().outcome, Outcome::Complete);
    Ok(())
}

/// Starts the program with `arguments`, which it must refuse with a message that has all these `words`.
fn assert_refused(host: &Host, command: Command, words: &[&str]) -> Result<(), RigError> {
    let ending = ending(host, command)?;
    assert_eq!(ending.code, Some(1), "{}", ending.text);
    for word in words.iter().chain(&["error: ", "hint: "]) {
        assert!(ending.text.contains(word), "no `{word}` in\n{}", ending.text);
    }
    assert!(!ending.text.contains("panicked"), "{}", ending.text);
    Ok(())
}

#[test]
fn what_stands_in_the_way_of_a_second_program_is_named_and_the_first_goes_on() -> Result<(), RigError> {
    let Some(scene) = Scene::ready(&[])? else { return Ok(()) };
    let tunnel = scene.tunnel()?;
    let laptop = &scene.laptop;
    let before = Traces::of(laptop)?;
    let other_interface = ("interface: stead0", "interface: stead1");
    let other_socket = ("stead0.sock", "stead1.sock");
    let other_port = ("listen_port: 51820", "listen_port: 51821");
    let port_in_use = edited(laptop, "port.yaml", &[other_interface, other_socket])?;
    let interface_exists = edited(laptop, "interface.yaml", &[other_socket, other_port])?;
    let routes_exist = edited(laptop, "routes.yaml", &[other_interface, other_socket, other_port])?;
    let no_socket = edited(laptop, "socket.yaml", &[("stead0.sock", "private.key")])?;

    assert_refused(laptop, stead(&["up", CONFIGURATION])?, &["already running", SOCKET])?;
    assert_refused(laptop, stead(&["up", &port_in_use])?, &["UDP port 51820 is in use", "listen_port"])?;
    assert_refused(laptop, stead(&["up", &interface_exists])?, &["`stead0` exists already", "interface"])?;
    assert_refused(
        laptop,
        stead(&["up", &routes_exist])?,
        &["has a route to another interface", "`ip route show"],
    )?;
    assert_refused(laptop, stead(&["up", &no_socket])?, &["private.key exists and is not a socket"])?;

    assert_eq!(Traces::of(laptop)?, before);
    assert!(exists(laptop, SOCKET)? && !exists(laptop, &format!("{DIRECTORY}/stead1.sock"))?);
    let run = Ticker::default().start(&tunnel.line()?)?;
    assert!(ticks(&run, 10, BEARABLE), "the first program goes on");
    assert_eq!(peer(tunnel.mover())?.handshakes, 1);
    Ok(())
}

#[test]
fn who_may_not_make_interfaces_is_told_so_and_nothing_is_left() -> Result<(), RigError> {
    const NOBODY: u32 = 65534;
    let Some(scene) = Scene::ready(&[])? else { return Ok(()) };
    let mut tunnel = scene.tunnel()?;
    let laptop = &scene.laptop;
    tunnel.mover_mut().process.as_mut().expect("it runs").terminate(PROMPTLY)?;
    // Where the program was built nobody else need be able to go.
    let program = stead_program()?;
    let prepared = laptop.call(move || {
        std::fs::copy(program, "/run/rig/stead")?;
        for entry in std::fs::read_dir(DIRECTORY)? {
            std::os::unix::fs::chown(entry?.path(), Some(NOBODY), Some(NOBODY))?;
        }
        std::os::unix::fs::chown(DIRECTORY, Some(NOBODY), Some(NOBODY))
    })?;
    prepared.map_err(RigError::io("prepare the directory"))?;

    let mut up = Command::new("/run/rig/stead");
    up.args(["up", CONFIGURATION]).uid(NOBODY).gid(NOBODY);

    assert_refused(laptop, up, &["no permission", "`stead0`", "needs root or CAP_NET_ADMIN"])?;
    assert!(!exists(laptop, SOCKET)?, "the control socket is left");
    Ok(())
}

#[test]
fn a_system_without_tun_devices_is_told_from_one_where_they_are_forbidden() -> Result<(), RigError> {
    let Some(scene) = Scene::ready(&[])? else { return Ok(()) };
    let mut tunnel = scene.tunnel()?;
    let laptop = &scene.laptop;
    tunnel.mover_mut().process.as_mut().expect("it runs").terminate(PROMPTLY)?;
    // The host's mounts are its own.
    let mut hide = Command::new("mount");
    hide.args(["-t", "tmpfs", "-o", "ro", "none", "/dev/net"]);
    laptop.output(hide)?;

    assert_refused(laptop, stead(&["up", CONFIGURATION])?, &["offers no TUN devices", "modprobe tun"])?;
    assert!(!exists(laptop, SOCKET)?, "the control socket is left");
    Ok(())
}

#[test]
fn a_mistake_in_the_configuration_is_shown_where_it_stands() -> Result<(), RigError> {
    let Some(scene) = Scene::ready(&[])? else { return Ok(()) };
    let tunnel = scene.tunnel()?;
    let file = edited(&scene.laptop, "mistake.yaml", &[("listen_port", "listen_prot")])?;
    let line = read(&scene.laptop, &file)?.lines().position(|line| line.contains("listen_prot"));
    let place = format!("mistake.yaml:{}", line.expect("it stands there") + 1);

    assert_refused(&scene.laptop, stead(&["up", &file])?, &[&place, "listen_prot", "listen_port"])?;

    assert!(tunnel.mover().control.as_ref().expect("it is stead").status().is_ok(), "the first goes on");
    Ok(())
}

/// A resolver that takes every question and answers none, for as long as the socket lives.
fn silent_resolver(scene: &Scene) -> Result<UdpSocket, RigError> {
    let at = scene.server.address(Family::V4).expect("the server has both");
    let socket = scene.server.call(move || UdpSocket::bind((at, 53)))?.map_err(RigError::io("bind"))?;
    let file = command::write(&scene.laptop, "resolv.conf", format!("nameserver {at}\n"))?;
    let mut cover = Command::new("mount");
    // The host's mounts are its own.
    cover.args(["--bind", &file, "/etc/resolv.conf"]);
    scene.laptop.output(cover).map(|_| socket)
}

#[test]
fn a_name_that_nobody_knows_costs_a_warning_and_that_endpoint() -> Result<(), RigError> {
    let Some(scene) = Scene::ready(&[])? else { return Ok(()) };
    let mut tunnel = scene.tunnel()?;
    tunnel.mover_mut().process.as_mut().expect("it runs").terminate(PROMPTLY)?;
    let _resolver = silent_resolver(&scene)?;
    let names = "endpoints: [\"one.invalid:51820\", \"two.invalid:51820\", \"three.invalid:51820\", ";
    let file = edited(&scene.laptop, "name.yaml", &[("endpoints: [", names)])?;

    let began = Instant::now();
    let program = command::up(&scene.laptop, &file)?;
    let took = began.elapsed();
    let run = Ticker::default().start(&tunnel.line()?)?;

    assert!(ticks(&run, 10, BEARABLE), "the other endpoint works");
    let warning = program.wait_for("three.invalid:51820", PROMPTLY)?;
    assert!(warning.contains("WARN") && warning.contains("server"), "{warning}");
    assert!(took < secs(8), "many names take no longer than one: {took:?}");
    Ok(())
}

#[test]
fn a_program_that_waits_for_a_name_still_ends_when_it_is_told_to() -> Result<(), RigError> {
    let Some(scene) = Scene::ready(&[])? else { return Ok(()) };
    let mut tunnel = scene.tunnel()?;
    tunnel.mover_mut().process.as_mut().expect("it runs").terminate(PROMPTLY)?;
    let before = Traces::of(&scene.laptop)?;
    let _resolver = silent_resolver(&scene)?;
    let file =
        edited(&scene.laptop, "name.yaml", &[("endpoints: [", "endpoints: [\"one.invalid:51820\", ")])?;

    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let mut program = scene.laptop.spawn(stead(&["up", &file])?)?;
        pass(ms(500));
        program.signal(signal);

        assert!(within(secs(2), || !program.is_running()), "{signal}: it waits still");
        assert_eq!(program.terminate(Duration::ZERO)?.code(), Some(0), "{signal}");
        assert_eq!(Traces::of(&scene.laptop)?, before, "{signal}");
    }
    Ok(())
}

#[test]
fn a_program_that_starts_without_any_network_meets_its_peer_when_there_is_one() -> Result<(), RigError> {
    let Some(scene) = Scene::ready(&[])? else { return Ok(()) };
    let mut tunnel = scene.tunnel()?;
    tunnel.mover_mut().process.as_mut().expect("it runs").terminate(PROMPTLY)?;
    scene.laptop.detach()?;
    tunnel.mover_mut().start()?;
    let line = tunnel.line()?;
    let connecting = thread::spawn(move || Ticker::default().start(&line));
    pass(secs(2));
    assert_eq!(peer(tunnel.mover())?.handshakes, 0);

    scene.laptop.attach(&scene.home)?;
    let run = connecting.join().expect("it does not panic")?;

    assert!(ticks(&run, 10, BEARABLE));
    assert_eq!(run.finish().outcome, Outcome::Complete);
    Ok(())
}

#[test]
fn a_peer_that_is_looked_for_inside_its_own_tunnel_is_not_found_and_makes_no_storm() -> Result<(), RigError> {
    let Some(scene) = Scene::ready(&[])? else { return Ok(()) };
    let mut tunnel = scene.tunnel()?;
    tunnel.mover_mut().process.as_mut().expect("it runs").terminate(PROMPTLY)?;
    // Or it would look for the laptop where it was, and find it.
    tunnel.fixed_mut().process.as_mut().expect("it runs").terminate(PROMPTLY)?;
    tunnel.fixed_mut().start()?;
    let inside = [("198.18.0.10", "10.77.0.2"), ("2001:db8:d::a", "fd77::2")];
    let file = edited(&scene.laptop, "loop.yaml", &inside)?;
    let _program = command::up(&scene.laptop, &file)?;

    let report = {
        let run = Datagrams::default().start(&tunnel.line()?)?;
        pass(secs(3));
        run.finish()?
    };

    assert_eq!(report.received, 0, "{report:?}");
    let packets = packets_into(&scene.laptop, "stead0")?;
    assert!(
        packets <= report.sent + 20,
        "{packets} packets went into the tunnel, {} of them meant",
        report.sent
    );
    assert_eq!(command::status(&scene.laptop)?.peers[0].handshakes, 0);
    Ok(())
}

#[test]
fn a_program_that_is_ended_and_started_twenty_times_works_like_the_first() -> Result<(), RigError> {
    let Some(scene) = Scene::ready(&[])? else { return Ok(()) };
    let before = Traces::of(&scene.laptop)?;
    let mut tunnel = scene.tunnel()?;

    for round in 0..20 {
        let program = tunnel.mover_mut().process.as_mut().expect("it runs");
        match round % 2 {
            0 => program.kill()?,
            _ => program.terminate(PROMPTLY)?,
        };
        assert!(within(PROMPTLY, || Traces::of(&scene.laptop).is_ok_and(|now| now == before)), "{round}");
        tunnel.mover_mut().start()?;
    }

    let run = Ticker::default().start(&tunnel.line()?)?;
    assert!(ticks(&run, 10, BEARABLE));
    assert_eq!(run.finish().outcome, Outcome::Complete);
    Ok(())
}

/// The row of a table that begins with `name`, after a head that has this column.
fn row(text: &str, column: &str, name: &str) -> String {
    let mut lines = text.lines().skip_while(|line| !line.contains(column));
    lines
        .find(|line| line.starts_with(name))
        .unwrap_or_else(|| panic!("no {name} below {column}:\n{text}"))
        .to_owned()
}

#[test]
fn reports_for_people_say_the_same_as_reports_for_programs() -> Result<(), RigError> {
    let Some(scene) = Scene::ready(&[])? else { return Ok(()) };
    let tunnel = scene.tunnel()?;
    let laptop = &scene.laptop;
    let run = Ticker::default().start(&tunnel.line()?)?;
    let datagrams = Datagrams::default().start(&tunnel.line()?)?;
    assert!(ticks(&run, 10, BEARABLE));
    assert!(datagrams.finish()?.received > 0);

    let text = laptop.output(stead(&["connections", "--socket", SOCKET])?)?;
    let listed = command::connections(laptop)?;
    assert_eq!(text.lines().count(), listed.len() + 1, "a head and a row each:\n{text}");
    for entry in &listed {
        let OriginalReport { local, remote, protocol } = &entry.original;
        let line = text.lines().find(|line| line.contains(&format!("{local} -> {remote}")));
        let line = line.unwrap_or_else(|| panic!("no {local} in\n{text}"));
        let here = entry.current.local.as_deref().unwrap_or("any");
        assert!(line.starts_with(protocol) && line.contains(&entry.state), "{entry:?}\n{text}");
        assert!(line.contains(&format!("{here} -> {}", entry.current.remote)), "{entry:?}\n{text}");
    }
    let of = |protocol: &str| listed.iter().filter(|entry| entry.original.protocol == protocol).count();
    assert!(of("tcp") >= 1 && of("udp") == 1, "{text}");

    assert_eq!(assert_same_status(laptop)?, "proven");
    assert_eq!(run.finish().outcome, Outcome::Complete);
    Ok(())
}

/// Compares both reports of a host, and returns the state that they give the server.
fn assert_same_status(host: &Host) -> Result<String, RigError> {
    let before = command::status(host)?.peers.remove(0).state;
    let text = host.output(stead(&["status", "--socket", SOCKET])?)?;
    let report = command::status(host)?;
    let known = &report.peers[0];
    let line = row(&text, "LAST HEARD", "server");
    let state = line.split("  ").map(str::trim).filter(|column| !column.is_empty()).nth(1);
    // Between the two a proof may have grown too old. What is held is told with since when.
    let told = |as_known: &str| state.is_some_and(|state| state.starts_with(as_known));
    assert!(told(&before) || told(&known.state), "{known:?}\n{text}");
    let path = known.path.as_ref().expect("there is a path");
    for fact in [&report.interface, &report.public_key, &path.remote] {
        assert!(text.contains(fact.as_str()), "no {fact} in\n{text}");
    }
    assert!(report.virtual_addresses.iter().all(|address| text.contains(address)), "{text}");
    assert!(row(&text, "KIND", "server").contains("VC enhanced") && known.kind == "vc-enhanced", "{text}");
    let cipher = known.cipher.as_deref().unwrap_or("none");
    assert!(row(&text, "CIPHER", "server").contains(cipher) && cipher != "none", "{text}");
    assert!(report.drops.keys().all(|reason| text.contains(reason)), "{:?}\n{text}", report.drops);
    Ok(known.state.clone())
}

#[test]
fn a_peer_that_was_never_met_is_not_called_anything_better() -> Result<(), RigError> {
    let Some(scene) = Scene::ready(&[])? else { return Ok(()) };
    let mut tunnel = scene.tunnel()?;
    tunnel.mover_mut().process.as_mut().expect("it runs").terminate(PROMPTLY)?;
    let file = edited(
        &scene.laptop,
        "nobody.yaml",
        &[
            ("198.18.0.10", "198.18.0.99"),
            ("2001:db8:d::a", "2001:db8:d::99"),
            // The server looks for its client, too, where it was.
            ("listen_port: 51820", "listen_port: 51999"),
        ],
    )?;
    let _program = command::up(&scene.laptop, &file)?;
    let knocking =
        Datagrams { direction: Direction::ToServer, ..Datagrams::default() }.start(&tunnel.line()?)?;

    for _ in 0..30 {
        pass(ms(100));
        let text = scene.laptop.output(stead(&["status", "--socket", SOCKET])?)?;
        let known = command::status(&scene.laptop)?.peers.remove(0);
        assert!(["no-session", "handshaking"].contains(&known.state.as_str()), "{known:?}");
        assert_eq!((known.last_received, known.last_acknowledged, known.handshakes), (None, None, 0));
        assert!(known.path.is_none_or(|path| !path.validated));
        assert!(!text.contains("proven") && text.contains("never"), "{text}");
    }

    let report = knocking.finish()?;
    assert_eq!(report.received, 0, "{report:?}");
    Ok(())
}

#[test]
fn a_peer_that_vanishes_is_called_proven_no_longer_than_its_proofs_are_fresh() -> Result<(), RigError> {
    const FRESH_MICROS: u64 = 30_000_000;
    let Some(scene) = Scene::ready(&[])? else { return Ok(()) };
    let mut tunnel = scene.tunnel()?;
    let run = Ticker::default().start(&tunnel.line()?)?;
    assert!(ticks(&run, 20, BEARABLE));
    assert_eq!(peer(tunnel.mover())?.state, "proven");

    tunnel.fixed_mut().process.as_mut().expect("it runs").kill()?;
    let doubted = within(secs(45), || {
        let known = peer(tunnel.mover()).expect("it answers");
        let fresh = |age: Option<u64>| age.is_some_and(|age| age <= FRESH_MICROS);
        let proven = fresh(known.last_received) && fresh(known.last_acknowledged);
        assert!(known.state != "proven" || proven, "{known:?}");
        pass(ms(500));
        // At every age of the proofs people are told the same.
        assert_same_status(&scene.laptop).expect("it answers") != "proven"
    });

    assert!(doubted, "{:?}", peer(tunnel.mover())?);
    run.abandon();
    drop(run.finish());
    Ok(())
}

#[test]
fn whom_nobody_knows_gets_no_answer_and_is_counted_by_what_was_wrong() -> Result<(), RigError> {
    let Some(scene) = Scene::ready(&[])? else { return Ok(()) };
    let elsewhere = scene.stranger()?;
    let tunnel = scene.tunnel()?;
    let run = Ticker::default().start(&tunnel.line()?)?;
    let mut forge = Forge::new(tunnel.fixed().public_key());
    assert_eq!(status(tunnel.fixed())?.drops.len(), 0);

    for family in FAMILIES {
        let port = SocketAddr::new(scene.server.address(family).expect("it has both"), 51820);
        let stranger = Stranger::new(&elsewhere, port)?;
        let initiation = forge.initiation();
        for length in (0..initiation.len()).step_by(7) {
            stranger.send(&initiation[..length]);
        }
        for length in [0, 1, 4, 31, 32, 33, 64, 92, 148, 149, 1200, 1400] {
            stranger.send(&forge.noise(length));
        }
        for (kind, length) in [(1, 148), (2, 92), (3, 64), (4, 32), (4, 1200), (1, 147), (2, 93), (4, 31)] {
            stranger.send(&forge.disguised(kind, length));
        }
        for _ in 0..3 {
            stranger.send(&forge.initiation());
        }

        let answers = stranger.answers(ms(700));
        assert!(answers.is_empty(), "{family}: {answers:?}");
    }

    let drops = status(tunnel.fixed())?.drops;
    for reason in ["malformed-datagram", "wrong-mac1", "unknown-session", "forged-handshake"] {
        assert!(drops.contains_key(reason), "no {reason} in {drops:?}");
    }
    assert_eq!(drops["forged-handshake"], 6, "initiations without a fault, but for their key: {drops:?}");
    let sent_per_family = 22 + 12 + 8 + 3;
    assert_eq!(drops.values().sum::<u64>(), 2 * sent_per_family, "each of them: {drops:?}");
    assert!(ticks(&run, 20, BEARABLE), "traffic goes on");
    assert_eq!(run.finish().outcome, Outcome::Complete);
    assert_eq!(peer(tunnel.fixed())?.handshakes, 1);
    Ok(())
}

#[test]
fn a_flood_of_handshakes_gets_cookies_at_most_and_a_peer_moves_meanwhile() -> Result<(), RigError> {
    const FLOOD: usize = 4000;
    let Some(scene) = Scene::ready(&[])? else { return Ok(()) };
    let (hotspot, elsewhere) = (scene.hotspot()?, scene.stranger()?);
    let tunnel = scene.tunnel()?;
    let transfer = download().start(&tunnel.line()?)?;
    let mut forge = Forge::new(tunnel.fixed().public_key());
    let initiations: Vec<_> = (0..64).map(|_| forge.initiation()).collect();
    let port = SocketAddr::new(scene.server.address(Family::V4).expect("it has both"), 51820);

    let flood = elsewhere.run(move || {
        let stranger = Stranger::here(port);
        for initiation in initiations.iter().cycle().take(FLOOD) {
            stranger.send(initiation);
            pass(Duration::from_micros(500));
        }
        (stranger.answers(ms(700)), initiations[0].len() * FLOOD)
    })?;
    pass(ms(700));
    let step = scene.laptop.move_to(&hotspot, ms(100))?;
    let stall = stall(&transfer, &step);
    let (answers, bytes_sent) = flood.join()?;

    assert!(stall.resumed && Duration::from_micros(stall.stall_micros) < BEARABLE, "{stall:?}");
    assert!(answers.iter().all(|answer| answer.len() == 64 && answer[0] == 3), "cookie replies only");
    assert!(!answers.is_empty(), "under load a cookie is asked for");
    assert!(answers.iter().map(Vec::len).sum::<usize>() < bytes_sent, "less comes back than was sent");
    let counted = dropped(tunnel.fixed(), "cookie-required")? + dropped(tunnel.fixed(), "forged-handshake")?;
    assert!(counted as usize > FLOOD / 2, "{:?}", status(tunnel.fixed())?.drops);
    transfer.stop();
    assert_eq!(transfer.finish().outcome, Outcome::Complete);
    assert_eq!(peer(tunnel.fixed())?.handshakes, 1);
    Ok(())
}
