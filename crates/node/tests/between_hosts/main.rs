//! Nodes talking to each other in a small world with virtual time.

mod choices;
mod crossed;
mod disorder;
mod hasty;
mod liveness;
mod moves;
mod nats;
mod numbers;
mod options;
mod orders;
mod path_mtu;
mod plain;
mod refused;
mod relayed;
mod rendezvous;
mod restarts;
mod resumption;
mod searching;
mod sleep;
mod standby;
mod terms;
mod together;
mod troubles;
mod tunnel;
mod wireguard;
mod world;
