//! The table as the node and its workers use it.

mod bounds;
mod concurrent;
mod ground;
mod invariants;
mod lifecycle;
mod moves;
