//! Plays scenarios: the same file in each world, and one face for both.

#[cfg(target_os = "linux")]
mod netns;
mod sim;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

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
    Player::new(scenario, world).play(seed)
}

/// Plays one scenario in one world with several seeds; what bare hosts see is kept from one to the next.
#[derive(Debug)]
pub struct Player<'s> {
    scenario: &'s Scenario,
    world: WorldKind,
    bare: Mutex<BTreeMap<u64, Arc<Measured>>>,
}

impl<'s> Player<'s> {
    /// For a scenario in a world.
    #[must_use]
    pub const fn new(scenario: &'s Scenario, world: WorldKind) -> Self {
        Self { scenario, world, bare: Mutex::new(BTreeMap::new()) }
    }

    /// Plays and judges it.
    ///
    /// # Errors
    /// [`PlayError`], if it could not be played to its end.
    pub fn play(&self, seed: u64) -> Result<Played, PlayError> {
        let (scenario, world) = (self.scenario, self.world);
        if !scenario.runs_in(world) {
            let reason = format!("{} is not for the world {}", scenario.stem(), world.name());
            return Err(PlayError::Unavailable(reason));
        }
        let drawn = scenario.drawn(seed);
        let bare = self.bare_beside(seed)?;
        let measured = match world {
            WorldKind::Netns => Measured { bare, ..netns(&drawn)? },
            WorldKind::Sim => sim::play(&drawn, seed, bare),
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

    /// What bare hosts see with this seed, and with those that a row asks for.
    fn bare_beside(&self, seed: u64) -> Result<Vec<Arc<Measured>>, PlayError> {
        if !self.scenario.has_bare_twin() {
            return Ok(Vec::new());
        }
        // On real kernels each takes as long as the scenario; there one has to do.
        let asked = if self.world == WorldKind::Sim { self.scenario.bare_seeds() } else { 0 };
        core::iter::once(seed).chain(1..=asked).map(|seed| self.bare(seed)).collect()
    }

    fn bare(&self, seed: u64) -> Result<Arc<Measured>, PlayError> {
        let kept = || self.bare.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(measured) = kept().get(&seed) {
            return Ok(Arc::clone(measured));
        }
        let twin = self.scenario.drawn(seed).bare_twin();
        let measured = Arc::new(match self.world {
            WorldKind::Netns => netns(&twin)?,
            WorldKind::Sim => sim::play(&twin, seed, Vec::new()),
        });
        kept().insert(seed, Arc::clone(&measured));
        Ok(measured)
    }
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
