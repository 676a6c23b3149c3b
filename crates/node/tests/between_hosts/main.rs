//! Nodes talking to each other in a small world with virtual time.

mod moves;
mod plain;
mod restarts;
mod troubles;
mod tunnel;
mod wireguard;
mod world;
