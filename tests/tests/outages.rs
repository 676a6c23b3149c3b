//! The path between two hosts with stead is lost for a while and comes back as it was.
//!
//! Bounds are generous here; `stead-rig outages` and `stead-rig roam` measure, beside other tunnels.
#![cfg(target_os = "linux")]

use std::time::{Duration, Instant};

use stead_rig::scenario::unit::Share;
use stead_rig::scenario::{Link, Way};
use stead_rig::traffic::ticker::Rhythm;
use stead_rig::traffic::{Datagrams, Direction, Keystrokes, Outcome, Ticker};
use stead_rig::{Network, NetworkPlan, RigError};
use stead_tests::patience::{ms, pass, secs, within};
use stead_tests::scene::{Scene, download, upload};

const BOTH_WAYS: [Direction; 2] = [Direction::ToServer, Direction::ToClient];
/// What a link that is back may cost at most; it is a few round trips and a fraction of a second until it is noticed.
const BEARABLE: Duration = secs(2);

/// The laptop's network: its line to the internet can fall silent.
fn line(scene: &Scene) -> Result<Network, RigError> {
    let plan = NetworkPlan::public("198.51.100.0/24").link(link(Share(0)));
    let network = scene.world.network("far away", &plan)?;
    scene.laptop.move_to(&network, ms(0))?;
    Ok(network)
}

fn link(loss: Share) -> Link {
    let way = Way { delay: ms(20), loss, ..Way::default() };
    Link { up: way, down: way }
}

/// The line loses everything, both ways, and nobody is told.
fn silence(network: &Network, lasts: Duration) -> Result<Instant, RigError> {
    network.set_link(link(Share(1_000_000)))?;
    pass(lasts);
    network.set_link(link(Share(0)))?;
    Ok(Instant::now())
}

#[test]
fn connections_that_tcp_alone_would_give_up_after_three_tries_outlive_an_outage_of_ten_seconds()
-> Result<(), RigError> {
    let Some(scene) = Scene::ready(&[])? else { return Ok(()) };
    let network = line(&scene)?;
    [&scene.laptop, &scene.server].into_iter().try_for_each(|host| host.set_tcp_retries(3))?;
    let tunnel = scene.tunnel()?;
    let ticker =
        |direction| Ticker { rhythm: Rhythm::OneWay(direction), ..Ticker::default() }.start(&tunnel.line()?);
    let tickers = [ticker(BOTH_WAYS[0])?, ticker(BOTH_WAYS[1])?];
    let transfers = [upload().start(&tunnel.line()?)?, download().start(&tunnel.line()?)?];
    pass(secs(2));

    let back = silence(&network, secs(10))?;

    let flows = || {
        tickers.iter().all(|run| run.timeline().last() > back)
            && transfers.iter().all(|run| run.last_arrival() > back)
    };
    assert!(within(BEARABLE, flows), "not everything goes on");
    pass(secs(1));
    for ticker in tickers {
        let resumed = ticker.timeline().resumes_after(back, Instant::now());
        assert!(resumed.is_some_and(|resumed| resumed < BEARABLE), "{resumed:?}");
        assert_eq!(ticker.finish().outcome, Outcome::Complete);
    }
    for transfer in transfers {
        transfer.stop();
        let report = transfer.finish();
        assert_eq!(report.outcome, Outcome::Complete, "{report:?}");
        assert_eq!(report.sha256_sent, report.sha256_received);
    }
    Ok(())
}

#[test]
fn a_key_pressed_after_an_outage_that_nobody_noticed_arrives_as_if_there_had_been_none()
-> Result<(), RigError> {
    let Some(scene) = Scene::ready(&[])? else { return Ok(()) };
    let network = line(&scene)?;
    let tunnel = scene.tunnel()?;
    let mut shell = Keystrokes::open(&tunnel.line()?)?;
    BOTH_WAYS.into_iter().for_each(|way| assert!(shell.press(way, BEARABLE).is_ok()));

    silence(&network, secs(6))?;

    for way in BOTH_WAYS {
        let took = shell.press(way, BEARABLE);
        assert!(took.as_ref().is_ok_and(|took| *took < ms(500)), "{took:?}");
    }
    Ok(())
}

#[test]
fn a_call_loses_next_to_nothing_when_its_network_goes_for_a_second_with_its_address() -> Result<(), RigError>
{
    let Some(scene) = Scene::ready(&[])? else { return Ok(()) };
    let network = line(&scene)?;
    let tunnel = scene.tunnel()?;
    let call = |direction| Datagrams { direction, ..Datagrams::default() }.start(&tunnel.line()?);
    let calls = [call(BOTH_WAYS[0])?, call(BOTH_WAYS[1])?];
    pass(secs(2));

    scene.laptop.move_to(&network, secs(1))?;

    pass(secs(2));
    for call in calls {
        let report = call.finish()?;
        // Fifty were sent meanwhile.
        assert!(report.lost <= 5, "{report:?}");
        assert_eq!(report.duplicates, 0, "{report:?}");
        assert!(report.sent > 200, "{report:?}");
    }
    Ok(())
}
