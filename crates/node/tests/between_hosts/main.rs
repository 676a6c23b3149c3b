//! Nodes talking to each other in a small world with virtual time.

mod disorder;
mod liveness;
mod moves;
mod numbers;
mod options;
mod plain;
mod restarts;
mod troubles;
mod tunnel;
mod wireguard;
mod world;
