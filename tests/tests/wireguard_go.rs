//! stead with an independent WireGuard, Debian's wireguard-go, at the other end: as the one who asks for the
//! session and as the one who is asked.
#![cfg(target_os = "linux")]

use std::thread;
use std::time::Duration;

use stead_rig::address::Family;
use stead_rig::traffic::{BulkReport, Datagrams, DatagramsReport, Direction, Length, Line, Outcome, Stall};
use stead_rig::tunnel::End;
use stead_rig::{Driver, Move, Network, RigError, Tunnel, TunnelPlan};
use stead_tests::kernel::fragmented;
use stead_tests::patience::{ms, pass, secs, within};
use stead_tests::scene::{FAMILIES, Scene, download, dropped, peer, stall, status, upload};
use stead_tests::wireguard::{Dump, change_preshared_key, restart_talkative, set_endpoint_again};

const PROGRAMS: &[&str] = &["wireguard-go", "wg", "ip"];
/// What nobody would call a hang; a move costs a small part of it.
const BEARABLE: Duration = secs(5);
/// Between two moves a stream is steady for a while.
const SETTLE: Duration = ms(700);
/// A keepalive on the wire: the header and the tag of an empty message.
const KEEPALIVE_LEN: u64 = 32;
const BOTH_WAYS: [Direction; 2] = [Direction::ToClient, Direction::ToServer];

/// What stead is for the first handshake: the host that moves asks for it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Role {
    Initiator,
    Responder,
}

impl Role {
    const BOTH: [Self; 2] = [Self::Initiator, Self::Responder];

    fn plan(self) -> TunnelPlan {
        let (mover, fixed) = match self {
            Self::Initiator => (Driver::Stead, Driver::WireguardGo),
            Self::Responder => (Driver::WireguardGo, Driver::Stead),
        };
        TunnelPlan { mover, fixed, ..TunnelPlan::new(Driver::Stead) }
    }

    fn establish(self, scene: &Scene) -> Result<Tunnel, RigError> {
        self.plan().establish(&scene.laptop, &scene.server)
    }

    const fn stead(self, tunnel: &Tunnel) -> &End {
        match self {
            Self::Initiator => tunnel.mover(),
            Self::Responder => tunnel.fixed(),
        }
    }

    const fn stead_mut(self, tunnel: &mut Tunnel) -> &mut End {
        match self {
            Self::Initiator => tunnel.mover_mut(),
            Self::Responder => tunnel.fixed_mut(),
        }
    }

    const fn other(self, tunnel: &Tunnel) -> &End {
        match self {
            Self::Initiator => tunnel.fixed(),
            Self::Responder => tunnel.mover(),
        }
    }
}

fn assert_whole(report: &BulkReport) {
    assert_eq!(report.outcome, Outcome::Complete, "{report:?}");
    assert_eq!(report.sha256_sent, report.sha256_received);
}

fn assert_bearable(stall: &Stall, step: &Move) {
    let micros = Duration::from_micros(stall.stall_micros);
    assert!(stall.resumed && micros < BEARABLE, "{stall:?} at the move to {}", step.to);
}

fn assert_nothing_lost(report: &DatagramsReport, at_least: u64, what: &str) {
    assert!(report.received >= at_least, "{what}: {report:?}");
    assert_eq!((report.lost, report.duplicates), (0, 0), "{what}: {report:?}");
}

/// Numbered datagrams for a while; what came of them.
fn datagrams(
    line: &Line,
    direction: Direction,
    size: usize,
    lasting: Duration,
) -> Result<DatagramsReport, RigError> {
    let run = Datagrams { direction, size, ..Datagrams::default() }.start(line)?;
    pass(lasting);
    run.finish()
}

/// TCP with its checksum and numbered datagrams, both ways, over both families inside.
fn assert_carries_everything(tunnel: &Tunnel) -> Result<(), RigError> {
    for family in FAMILIES {
        for line in [tunnel.line_over(family)?, tunnel.line_back(family)?] {
            let megabytes = Length::Bytes(2_000_003);
            let report = stead_rig::traffic::Bulk { length: megabytes, pace: None, ..download() };
            assert_whole(&report.start(&line)?.finish());
            let report = datagrams(&line, Direction::ToServer, 200, ms(300))?;
            assert_nothing_lost(&report, 10, &format!("{family} to {}", line.server.name()));
        }
    }
    Ok(())
}

fn assert_one_session(tunnel: &Tunnel, role: Role) -> Result<(), RigError> {
    let (ours, theirs) = (peer(role.stead(tunnel))?, Dump::of(&role.other(tunnel).host)?);
    assert_eq!(ours.handshakes, 1, "{ours:?}");
    assert_ne!(ours.kind, "vc-enhanced", "{ours:?}");
    assert!(theirs.latest_handshake > 0 && theirs.received > 0 && theirs.sent > 0, "{theirs:?}");
    Ok(())
}

#[test]
fn stead_asks_for_a_session_and_data_flows_both_ways() -> Result<(), RigError> {
    let Some(scene) = Scene::ready(PROGRAMS)? else { return Ok(()) };
    let tunnel = Role::Initiator.establish(&scene)?;

    assert_carries_everything(&tunnel)?;

    assert_one_session(&tunnel, Role::Initiator)
}

#[test]
fn stead_is_asked_for_a_session_and_data_flows_both_ways() -> Result<(), RigError> {
    let Some(scene) = Scene::ready(PROGRAMS)? else { return Ok(()) };
    let tunnel = Role::Responder.establish(&scene)?;

    assert_carries_everything(&tunnel)?;

    assert_one_session(&tunnel, Role::Responder)
}

#[test]
fn an_ipv6_underlay_carries_the_same() -> Result<(), RigError> {
    for role in Role::BOTH {
        let Some(scene) = Scene::ready(PROGRAMS)? else { return Ok(()) };
        scene.laptop.move_to(&scene.campus()?, Duration::ZERO)?;
        let tunnel = role.establish(&scene)?;

        assert_carries_everything(&tunnel)?;

        assert_one_session(&tunnel, role)?;
        let path = peer(role.stead(&tunnel))?.path.expect("they are connected");
        assert!(path.remote.starts_with("[2001:db8:"), "{path:?}");
    }
    Ok(())
}

#[test]
fn a_preshared_key_that_both_have_lets_data_through() -> Result<(), RigError> {
    for role in Role::BOTH {
        let Some(scene) = Scene::ready(PROGRAMS)? else { return Ok(()) };
        let plan = TunnelPlan { preshared_key: true, ..role.plan() };

        let tunnel = plan.establish(&scene.laptop, &scene.server)?;

        assert_carries_everything(&tunnel)?;
        assert_one_session(&tunnel, role)?;
    }
    Ok(())
}

#[test]
fn a_preshared_key_that_only_one_has_prevents_a_session_and_is_counted() -> Result<(), RigError> {
    for role in Role::BOTH {
        let Some(scene) = Scene::ready(PROGRAMS)? else { return Ok(()) };
        let plan = TunnelPlan { preshared_key: true, ..role.plan() };
        let mut tunnel = plan.establish(&scene.laptop, &scene.server)?;
        change_preshared_key(&role.other(&tunnel).host)?;

        role.stead_mut(&mut tunnel).start()?;
        let lasting = match role {
            Role::Initiator => secs(2),
            // The other side has to notice first that its session is no more: fifteen seconds of silence.
            Role::Responder => secs(18),
        };
        let report = datagrams(&tunnel.line()?, Direction::ToServer, 200, lasting)?;

        assert_eq!(report.received, 0, "{role:?}: {report:?}");
        let stead = role.stead(&tunnel);
        let known = peer(stead)?;
        assert_eq!((known.handshakes, known.last_acknowledged), (0, None), "{role:?}: {known:?}");
        assert!(["no-session", "handshaking"].contains(&known.state.as_str()), "{role:?}: {known:?}");
        let counted = match role {
            Role::Initiator => "forged-handshake",
            // It answered; that the answer was of no use shows at the other side only. Here it is the data
            // of the session that it does not know any more.
            Role::Responder => "unknown-session",
        };
        assert!(dropped(stead, counted)? > 0, "{role:?}: {:?}", status(stead)?.drops);
    }
    Ok(())
}

#[test]
fn a_persistent_keepalive_is_sent_every_second_and_heard_by_the_other_side() -> Result<(), RigError> {
    for role in Role::BOTH {
        let Some(scene) = Scene::ready(PROGRAMS)? else { return Ok(()) };
        let plan = TunnelPlan { keepalive: Some(secs(1)), ..role.plan() };
        let tunnel = plan.establish(&scene.laptop, &scene.server)?;
        pass(SETTLE);

        let before = Dump::of(&role.other(&tunnel).host)?;
        let oldest = (0..40)
            .map(|_| {
                pass(ms(100));
                Ok(peer(role.stead(&tunnel))?.last_received)
            })
            .collect::<Result<Vec<_>, RigError>>()?;
        let after = Dump::of(&role.other(&tunnel).host)?;

        match role {
            Role::Initiator => {
                let grown = after.received - before.received;
                assert_eq!(grown % KEEPALIVE_LEN, 0, "nothing but keepalives: {grown} bytes");
                assert!((2..=6).contains(&(grown / KEEPALIVE_LEN)), "four seconds: {grown} bytes");
            }
            Role::Responder => {
                assert_eq!(after.persistent_keepalive, "1");
                let longest = oldest.into_iter().map(|age| age.expect("it was heard")).max();
                assert!(
                    longest.is_some_and(|age| age < 3_000_000),
                    "{longest:?} microseconds without a word"
                );
            }
        }
    }
    Ok(())
}

#[test]
fn packets_of_exactly_the_mtu_pass_whole_in_every_mix_of_families() -> Result<(), RigError> {
    const MTU: usize = 1420;
    const UDP: usize = 8;
    for role in Role::BOTH {
        let Some(scene) = Scene::ready(PROGRAMS)? else { return Ok(()) };
        let campus = scene.campus()?;
        let mut before = None;
        for outside in FAMILIES {
            if outside == Family::V6 {
                scene.laptop.move_to(&campus, Duration::ZERO)?;
            }
            let tunnel = role.establish(&scene)?;
            for (inside, header) in [(Family::V4, 20), (Family::V6, 40)] {
                let cut = || Ok::<_, RigError>((fragmented(&scene.laptop)?, fragmented(&scene.server)?));
                before.get_or_insert(cut()?);
                for direction in BOTH_WAYS {
                    let line = tunnel.line_over(inside)?;
                    let report = datagrams(&line, direction, MTU - header - UDP, ms(400))?;
                    assert_nothing_lost(
                        &report,
                        15,
                        &format!("{role:?}: {inside} in {outside}, {direction:?}"),
                    );
                }
                assert_eq!(Some(cut()?), before, "{role:?}: {inside} in {outside} was cut into fragments");
            }
            let drops = status(role.stead(&tunnel))?.drops;
            assert!(
                !drops.contains_key("datagram-too-big") && !drops.contains_key("packet-too-big"),
                "{drops:?}"
            );
        }
    }
    Ok(())
}

#[test]
fn a_new_session_after_two_minutes_costs_no_packet_whoever_asks_for_it() -> Result<(), RigError> {
    let Some(first) = Scene::ready(PROGRAMS)? else { return Ok(()) };
    let Some(second) = Scene::ready(PROGRAMS)? else { return Ok(()) };
    let worlds = [(Role::Initiator, first), (Role::Responder, second)].map(|(role, scene)| {
        thread::spawn(move || -> Result<(), RigError> {
            let tunnel = role.establish(&scene)?;
            let line = tunnel.line()?;
            let runs =
                BOTH_WAYS.map(|direction| Datagrams { direction, ..Datagrams::default() }.start(&line));
            pass(secs(2));
            let before = Dump::of(&role.other(&tunnel).host)?.latest_handshake;
            assert!(before > 0);

            let renewed = within(secs(140), || {
                let theirs = Dump::of(&role.other(&tunnel).host).map_or(before, |dump| dump.latest_handshake);
                pass(ms(480));
                theirs != before
            });
            pass(secs(4));

            assert!(renewed, "{role:?}: still the first session");
            for run in runs {
                assert_nothing_lost(&run?.finish()?, 5_000, &format!("{role:?}"));
            }
            assert_eq!(peer(role.stead(&tunnel))?.handshakes, 2, "{role:?}");
            Ok(())
        })
    });

    for world in worlds {
        world.join().expect("no assertion fails")?;
    }
    Ok(())
}

/// Moves the tunnel's mover through `places`, and holds each stall of an upload against the bound.
fn roam(tunnel: &Tunnel, places: &[&Network]) -> Result<(), RigError> {
    let run = upload().start(&tunnel.line()?)?;
    for place in places {
        pass(SETTLE);
        let step = tunnel.mover().host.move_to(place, ms(100))?;
        tunnel.after_move(&step)?;
        if tunnel.driver() == Driver::WireguardGo {
            set_endpoint_again(&tunnel.mover().host)?;
        }
        assert_bearable(&stall(&run, &step), &step);
    }
    run.stop();
    assert_whole(&run.finish());
    Ok(())
}

#[test]
fn stead_follows_a_plain_peer_that_moves() -> Result<(), RigError> {
    let Some(scene) = Scene::ready(PROGRAMS)? else { return Ok(()) };
    let (hotspot, office) = (scene.hotspot()?, scene.office()?);
    let tunnel = Role::Responder.establish(&scene)?;

    roam(&tunnel, &[&hotspot, &office, &scene.home])?;

    let known = peer(tunnel.fixed())?;
    assert_eq!((known.handshakes, known.moves_remote), (1, 3), "{known:?}");
    assert!(known.path.is_some_and(|path| path.remote.starts_with("203.0.113.")), "behind the NAT of home");
    Ok(())
}

#[test]
fn a_plain_peer_follows_stead_when_it_moves() -> Result<(), RigError> {
    let Some(scene) = Scene::ready(PROGRAMS)? else { return Ok(()) };
    let (hotspot, office) = (scene.hotspot()?, scene.office()?);
    let tunnel = Role::Initiator.establish(&scene)?;

    roam(&tunnel, &[&hotspot, &office, &scene.home])?;

    let known = peer(tunnel.mover())?;
    assert_eq!((known.handshakes, known.moves_local), (1, 3), "{known:?}");
    assert!(Dump::of(&scene.server)?.endpoint.starts_with("203.0.113."), "behind the NAT of home");
    Ok(())
}

#[test]
fn a_plain_peer_follows_stead_even_if_only_the_plain_peer_sends() -> Result<(), RigError> {
    let Some(scene) = Scene::ready(PROGRAMS)? else { return Ok(()) };
    let hotspot = scene.hotspot()?;
    let tunnel = Role::Initiator.establish(&scene)?;
    let run = download().start(&tunnel.line()?)?;

    for place in [&hotspot, &scene.home] {
        pass(SETTLE);
        let step = scene.laptop.move_to(place, ms(100))?;
        assert_bearable(&stall(&run, &step), &step);
    }

    run.stop();
    assert_whole(&run.finish());
    Ok(())
}

#[test]
fn a_peer_that_ignores_the_probes_is_called_plain_and_gets_nothing_else_that_it_does_not_know()
-> Result<(), RigError> {
    const INNER: u64 = 20 + 8 + 100;
    let Some(scene) = Scene::ready(PROGRAMS)? else { return Ok(()) };
    let hotspot = scene.hotspot()?;
    let mut tunnel = Role::Initiator.establish(&scene)?;
    let quiet = tunnel.fixed_mut().process.take().expect("it runs");
    let talkative = restart_talkative(&scene.server, quiet, &["10.77.0.2/24", "fd77::2/64"])?;
    tunnel.mover_mut().start()?;

    let keystrokes = stead_rig::traffic::Ticker::default().start(&tunnel.line()?)?;
    let judged = within(secs(20), || peer(tunnel.mover()).is_ok_and(|peer| peer.kind == "plain"));
    assert!(judged, "{:?}", peer(tunnel.mover())?);
    assert_eq!(keystrokes.finish().outcome, Outcome::Complete);
    pass(SETTLE);
    let before = Dump::of(&scene.server)?.received;
    let sent = datagrams(&tunnel.line()?, Direction::ToServer, 100, secs(2))?.sent;
    let grown = Dump::of(&scene.server)?.received - before;
    roam(&tunnel, &[&hotspot])?;

    assert_eq!(
        grown,
        sent * (INNER + KEEPALIVE_LEN),
        "the packets, their headers and tags, and nothing else"
    );
    assert_eq!(peer(tunnel.mover())?.kind, "plain");
    let log = talkative.log();
    for complaint in ["invalid", "unknown", "disallowed", "Failed", "ERROR"] {
        assert!(!log.contains(complaint), "wireguard-go complains:\n{log}");
    }
    assert!(log.contains("Received handshake initiation"), "it tells all it can:\n{log}");
    Ok(())
}
