//! A deterministic world: virtual clock, links, NATs, hosts with TCP/IP stacks, an attacker, traces.
//!
//! Its job: run the very code that the daemon runs, through the same doors, in worlds that no laboratory has, and
//! fast enough for thousands of them. Not its job: to say what a scenario expects; whoever builds a [`World`] judges
//! what came of it.
//!
//! ```text
//!  application ─ TrafficPlan            traffic.rs
//!     │
//!  TCP/IP stack (smoltcp)               stack.rs       one per host; its device is the TUN, or the cable
//!     │ inner packets
//!  machine: node, service, plain peer   machine.rs     driven as the daemon drives it
//!     │ datagrams
//!  network ─ NAT ─ link ─ attacker      network.rs, nat.rs, link.rs, attacker.rs
//!     │
//!  the internet                         world/underlay.rs
//! ```
//!
//! # Invariants
//! - No clock, no process randomness, no order of a hash map anywhere: the same seed gives the same trace, byte for
//!   byte.
//! - Two hosts in different networks are 5.4 ms apart, one way, before their links add anything
//!   ([`INTERNET`], [`LAN`]).

mod attacker;
mod audit;
mod bare;
mod clock;
mod datagram;
mod dice;
mod host;
mod link;
mod machine;
mod nat;
mod network;
mod stack;
mod trace;
mod traffic;
mod world;

pub use attacker::Attack;
pub use audit::{Finding, Wrong};
pub use clock::{ORIGIN, since_origin};
pub use datagram::{Datagram, Kind, Protocol};
pub use dice::Dice;
pub use host::{Acquaintance, HostPlan, Knowledge, Outage, PORT, Role, TUNNEL_MTU, Why};
pub use link::{LinkPlan, Loss};
pub use machine::{Exits, Machine, Word};
pub use nat::{Behaviour, NatPlan, Ports, Refusal};
pub use network::{HostId, INTERNET, LAN, NetworkId, NetworkPlan};
pub use stack::{Carrier, Stack};
pub use trace::{Drop, Trace};
pub use traffic::{End, Family, Outcome, TrafficKind, TrafficPlan};
pub use world::{Action, PeerPath, PeerSeen, ROUND_TRIP, World};

pub use stead_node::Prefix;
