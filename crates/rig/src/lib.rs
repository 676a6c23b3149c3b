//! A real-kernel world to move about in: hosts, networks and routers as network namespaces.
//!
//! The rig makes namespaces, joins them with veth pairs and bridges, runs real programs and real TCP in
//! them, moves hosts from network to network, and measures what an application there sees. It judges
//! nothing about the protocol inside the tunnel and knows it only through the program's own
//! configuration and control socket ([`tunnel`]). What moves when, and what must hold, can stand in a file
//! ([`scenario`]), which this world plays as well as the simulator does ([`run`]).
//!
//! ```text
//!   laptop ──┐                                ┌── server
//!            │ wlan0                    wlan0 │
//!      ┌─────┴─────┐    ┌──────────┐    ┌─────┴──────┐
//!      │ home NAT  ├────┤ internet ├────┤ datacentre │      each box a network namespace
//!      └───────────┘    └────┬─────┘    └────────────┘      of its own, without a name
//!      ┌───────────┐         │
//!      │ hotspot   ├─────────┘    world.host("laptop")?.move_to(&hotspot, dark)
//!      └───────────┘
//! ```
//!
//! # Invariants
//! - Nothing outside the namespaces made here is touched: no address, route, rule or setting of the machine.
//! - Namespaces have no names and files lie on a file system private to a host, so a rig that is killed
//!   leaves nothing; programs started in a host die with it.
//! - The kernels this runs on need not have `netem`: a line with delay, loss or a rate is served by the rig itself.

pub mod address;
#[cfg(target_os = "linux")]
pub mod error;
#[cfg(target_os = "linux")]
pub mod host;
#[cfg(target_os = "linux")]
pub mod moves;
#[cfg(target_os = "linux")]
pub mod namespace;
#[cfg(target_os = "linux")]
mod nat;
#[cfg(target_os = "linux")]
mod netlink;
#[cfg(target_os = "linux")]
pub mod network;
#[cfg(target_os = "linux")]
mod offload;
#[cfg(target_os = "linux")]
pub mod process;
#[cfg(target_os = "linux")]
pub mod report;
pub mod requirements;
pub mod run;
pub mod scenario;
pub mod soak;
#[cfg(target_os = "linux")]
pub mod statistics;
mod steady;
#[cfg(target_os = "linux")]
mod sysctl;
#[cfg(target_os = "linux")]
pub mod traffic;
#[cfg(target_os = "linux")]
mod tun;
#[cfg(target_os = "linux")]
pub mod tunnel;
#[cfg(target_os = "linux")]
mod uplink;
#[cfg(target_os = "linux")]
pub mod usage;
#[cfg(target_os = "linux")]
pub mod world;

#[cfg(target_os = "linux")]
pub use crate::{
    error::RigError,
    host::Host,
    moves::Move,
    network::{Network, NetworkPlan},
    process::Process,
    requirements::Requirements,
    tunnel::{Driver, Tunnel, TunnelPlan},
    world::World,
};
