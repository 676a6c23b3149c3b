//! Plays scenarios: the same file in each world, and one face for both.

#[cfg(target_os = "linux")]
mod netns;
mod sim;

use crate::scenario::{Measured, Scenario, Verdict, WorldKind, judge};

/// Why a scenario could not be played; what became of it is a [`Measured`], however bad.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PlayError {
    /// The scenario says that it cannot be played in this world, or this machine has no such world.
    #[error("{0}")]
    Unavailable(String),
    /// The world broke.
    #[error("{0}")]
    Broken(String),
}

/// A scenario that was played, and what is to be said about it.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Played {
    /// The scenario's file.
    pub file: String,
    /// What the scenario shows.
    pub name: String,
    /// Where it was played.
    pub world: WorldKind,
    /// What drew the times that the file leaves open, and in the simulator everything.
    pub seed: u64,
    /// Every expectation.
    pub verdicts: Vec<Verdict>,
    /// Whether all of them held.
    pub held: bool,
    /// What was seen.
    pub measured: Measured,
}

impl Played {
    /// The command that plays the same again.
    #[must_use]
    pub fn command(&self) -> String {
        format!("stead-rig run {} --world {} --seed {}", self.file, self.world.name(), self.seed)
    }
}

/// Plays a scenario and judges it.
///
/// # Errors
/// [`PlayError`], if it could not be played to its end.
pub fn play(scenario: &Scenario, world: WorldKind, seed: u64) -> Result<Played, PlayError> {
    if !scenario.runs_in(world) {
        let reason = format!("{} is not for the world {}", scenario.stem(), world.name());
        return Err(PlayError::Unavailable(reason));
    }
    let drawn = scenario.drawn(seed);
    let measured = match world {
        WorldKind::Netns => netns(&drawn)?,
        WorldKind::Sim => sim::play(&drawn, seed),
    };
    let verdicts = judge(&drawn, &measured);
    Ok(Played {
        file: scenario.file.display().to_string(),
        name: scenario.name.clone(),
        world,
        seed,
        held: verdicts.iter().all(|verdict| verdict.held),
        verdicts,
        measured,
    })
}

#[cfg(target_os = "linux")]
fn netns(scenario: &Scenario) -> Result<Measured, PlayError> {
    netns::play(scenario)
}

#[cfg(not(target_os = "linux"))]
fn netns(_: &Scenario) -> Result<Measured, PlayError> {
    Err(PlayError::Unavailable(
        "the world netns needs Linux: network namespaces, veth pairs, nftables".to_owned(),
    ))
}
