//! What a program remembers for the one that is started after it: where its peers were.
#![cfg(target_os = "linux")]

use std::net::IpAddr;
use std::time::Duration;

use stead_rig::address::Family;
use stead_rig::traffic::Ticker;
use stead_rig::{Process, RigError};
use stead_tests::command::{DIRECTORY, read, write};
use stead_tests::node::Node;
use stead_tests::patience::{secs, within};
use stead_tests::scene::Scene;

/// A handshake takes milliseconds; a busy machine may need longer. The laptop itself would not ask for minutes.
const PROMPTLY: Duration = secs(8);

/// Below the directory of the configuration.
const POINTS: &str = "state/stead0/points";

const REMEMBERS: &str = "state_directory: state\n";

/// A server that knows its laptop by the key alone, and a laptop that speaks first and then is silent.
struct Pair {
    server: Node,
    laptop: Node,
    there: IpAddr,
}

impl Pair {
    fn of(scene: &Scene) -> Result<Self, RigError> {
        let there = scene.server.address(Family::V4).expect("the server has an address");
        Ok(Self { server: Node::new(&scene.server, 1)?, laptop: Node::new(&scene.laptop, 2)?, there })
    }

    fn start_server(&self, further: &str) -> Result<Process, RigError> {
        self.server.up_with(further, &[(&self.laptop, None)])
    }

    fn start_laptop(&self) -> Result<Process, RigError> {
        self.laptop.up(&[(&self.server, Some(self.there))])
    }

    /// The laptop says something.
    fn speak(&self) -> Result<(), RigError> {
        let run =
            Ticker { patience: secs(1), ..Ticker::default() }.start(&self.laptop.line_to(&self.server))?;
        assert!(within(PROMPTLY, || run.received() > 0));
        drop(run.finish());
        Ok(())
    }
}

#[test]
fn a_server_that_was_killed_has_its_silent_laptop_back_as_soon_as_it_is_started_again() -> Result<(), RigError>
{
    let Some(scene) = Scene::ready(&[])? else { return Ok(()) };
    let pair = Pair::of(&scene)?;
    let mut server = pair.start_server(REMEMBERS)?;
    let _laptop = pair.start_laptop()?;
    pair.speak()?;
    let file = format!("{DIRECTORY}/{POINTS}");
    let kept = || read(&pair.server.host, &file).is_ok_and(|text| text.contains(&pair.laptop.key));
    assert!(within(PROMPTLY, kept), "{}", server.log());
    server.kill()?;

    let server = pair.start_server(REMEMBERS)?;
    let asked = || server.log().contains("Session established (we asked)");
    assert!(within(PROMPTLY, asked), "the laptop, which is silent, did not ask: {}", server.log());
    Ok(())
}

#[test]
fn a_file_that_makes_no_sense_is_told_and_ignored() -> Result<(), RigError> {
    let Some(scene) = Scene::ready(&[])? else { return Ok(()) };
    let pair = Pair::of(&scene)?;
    let mut server = pair.start_server(REMEMBERS)?;
    let _laptop = pair.start_laptop()?;
    pair.speak()?;
    let file = format!("{DIRECTORY}/{POINTS}");
    assert!(within(PROMPTLY, || read(&pair.server.host, &file).is_ok()));
    server.kill()?;
    write(&pair.server.host, POINTS, "stead points 1\nwhat is this\n".to_owned())?;

    let server = pair.start_server(REMEMBERS)?;
    assert!(server.log().contains("Ignored the remembered attachment points"), "{}", server.log());
    pair.speak()
}

#[test]
fn a_directory_that_cannot_be_made_is_told_and_the_tunnel_works() -> Result<(), RigError> {
    let Some(scene) = Scene::ready(&[])? else { return Ok(()) };
    let pair = Pair::of(&scene)?;
    // A file of this name is there.
    let server = pair.start_server("state_directory: nothing\n")?;
    let _laptop = pair.start_laptop()?;
    pair.speak()?;

    assert!(
        within(PROMPTLY, || server.log().contains("Attachment points are not remembered")),
        "{}",
        server.log()
    );
    pair.speak()
}
