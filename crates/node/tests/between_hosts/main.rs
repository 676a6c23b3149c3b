//! Nodes talking to each other in a small world with virtual time.

mod moves;
mod restarts;
mod tunnel;
mod world;
