//! Whole worlds: hosts, networks and traffic on the virtual clock.

mod attacks;
mod determinism;
mod ground;
mod hosts;
mod mesh;
mod moves;
mod nats;
mod plain;
mod rendezvous;
mod sizes;
