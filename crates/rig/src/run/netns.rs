//! The real-kernel world: network namespaces, the real program, the kernel's TCP and NAT.
//!
//! [`stage`] builds what the scenario describes and starts the programs. Then the clock starts: an [`actor`]
//! per host does what happens to it, one more for the networks, and [`traffic`] has a thread for each. At the
//! end the nodes are asked what they know ([`program`]).

mod actor;
mod configuration;
mod program;
mod stage;
mod traffic;

use std::thread;
use std::time::{Duration, Instant};

use crate::error::RigError;
use crate::requirements::Requirements;
use crate::scenario::{Measured, Nat, Role, Scenario};

use super::PlayError;
use actor::{Actor, NetworkActor};
use stage::Stage;

/// Plays a scenario whose times are drawn.
pub(super) fn play(scenario: &Scenario) -> Result<Measured, PlayError> {
    let mut programs = Vec::new();
    if scenario.networks.values().any(|network| network.nat != Nat::None) {
        programs.push("nft");
    }
    if scenario.hosts.values().any(|host| host.role == Role::WireGuard) {
        programs.extend(["wireguard-go", "wg"]);
    }
    Requirements::check_with(&programs).map_err(PlayError::Unavailable)?;
    perform(scenario).map_err(|error| PlayError::Broken(error.to_string()))
}

fn perform(scenario: &Scenario) -> Result<Measured, RigError> {
    let stage = Stage::build(scenario)?;
    let clock = Clock { began: Instant::now(), ends: scenario.ends };
    let (scenes, traffic) = thread::scope(|scope| {
        let actors: Vec<_> = stage
            .hosts
            .iter()
            .map(|(name, place)| Actor::new(name, place, &stage.networks, scenario, clock))
            .map(|actor| scope.spawn(move || actor.perform()))
            .collect();
        let networks = NetworkActor::new(&stage.networks, scenario, clock);
        let networks = scope.spawn(move || networks.perform());
        let traffic: Vec<_> = scenario
            .traffic
            .iter()
            .map(|traffic| (traffic, stage.line(scenario, traffic)))
            .map(|(traffic, line)| {
                (traffic.name.clone(), scope.spawn(move || traffic::run(traffic, line?, clock)))
            })
            .collect();
        let mut seen = Vec::new();
        for (name, run) in traffic {
            seen.push(run.join().map(|seen| seen.map(|seen| (name, seen))));
        }
        let mut scenes: Vec<_> = actors.into_iter().map(thread::ScopedJoinHandle::join).collect();
        scenes.push(networks.join().map(|outcome| outcome.map(|()| actor::Scenes::default())));
        (scenes, seen)
    });
    let ended = clock.now();
    let mut measured = Measured { ended, ..Measured::default() };
    for seen in traffic {
        let (name, seen) = seen.map_err(|_| broken("traffic"))??;
        measured.traffic.insert(name, seen);
    }
    for scenes in scenes {
        measured.dark.extend(scenes.map_err(|_| broken("an actor"))??.dark(ended));
    }
    stage.question(&mut measured);
    Ok(measured)
}

fn broken(whose: &str) -> RigError {
    RigError::Tunnel(format!("the thread of {whose} panicked"))
}

/// The scenario's time.
#[derive(Clone, Copy, Debug)]
struct Clock {
    began: Instant,
    ends: Duration,
}

impl Clock {
    fn now(self) -> Duration {
        self.began.elapsed()
    }

    /// The scenario's time of an instant; zero for what was before it began.
    fn at(self, instant: Instant) -> Duration {
        instant.saturating_duration_since(self.began)
    }

    fn sleep_until(self, at: Duration) {
        thread::sleep(at.saturating_sub(self.now()));
    }

    fn is_over(self) -> bool {
        self.now() >= self.ends
    }
}
