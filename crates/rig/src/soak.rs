//! The soak: episodes drawn from seeds, played in either world, judged by promises, reduced when one is broken.
//!
//! Its job: to find what scenarios that people think of do not find. `draw` makes a scenario of a seed: networks,
//! traffic both ways, and moves, outages, kills, freezes, losses and NATs that forget. [`play`](crate::run::play)
//! plays it. [`judge`](judge::judge) knows from the timeline when a usable path existed ([`reach`]) and by when
//! traffic must flow ([`disturbance`]), and what excuses a loss. `reduce` takes away what a breach does not need.
//! Not its job: to say what a scenario from a file expects.
//!
//! # Invariants
//! - A seed draws the same episode in every world and on every machine.
//! - An episode is a [`Scenario`](crate::scenario::Scenario) like one from a file, and prints as such a file.
//! - The judge is a pure function of the scenario and of what was measured.

mod dice;
pub mod disturbance;
mod draw;
pub mod judge;
mod places;
pub mod reach;
mod reduce;

pub use draw::draw;
pub use judge::{Breach, Promise, judge};
pub use reduce::{Reduced, reduce};
