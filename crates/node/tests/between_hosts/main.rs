//! Nodes talking to each other in a small world with virtual time.

mod moves;
mod tunnel;
mod world;
