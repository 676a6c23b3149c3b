//! The sans-IO subscribe-notify service (SNS): subscribe, publish, match, notify (seed 001 figures 10, 18, 19), and
//! a relay for pairs of which both sides are behind NAT.
//!
//! Its job: two nodes that lost sight of each other, or never had it, learn where the other is. Not its job: knowing
//! who looks for whom. It is untrusted (D7): its clients' topics and publications are sealed by
//! [`stead_noise::rendezvous`], and what it says of apparent sources is a hint that nodes prove before they believe it.
//!
//! What it does learn: its clients' public keys from their handshakes, which two of them share a topic, when they
//! publish and whether they say that they moved, and where their datagrams come from.
//!
//! All state is soft. After a restart the nodes' answers stay away, they begin new sessions, and bring everything
//! with them.
//!
//! # Reading order
//! [`Service`] (`service.rs`), then one file per box of figure 10: `subscribe.rs`, `publish.rs`, `matching.rs`,
//! `notify.rs`; what they stand on is in `store.rs`, `clients.rs` and `quota.rs`. `relay.rs` stands beside them.
//!
//! # Bounds
//! Every table has a limit ([`Quotas`]). A stranger who completes no handshake leaves nothing behind. At a limit new
//! work is declined and what is there stays.

mod client;
mod clients;
mod drops;
mod event;
mod matching;
mod notify;
mod publish;
mod quota;
mod relay;
mod service;
mod settings;
mod status;
mod store;
mod subscribe;
mod whereabouts;

pub use drops::{Discard, Drops};
pub use event::{Event, Happening};
pub use service::{Outlet, Service, Wake};
pub use settings::{Quotas, RelayLimits, Settings};
pub use status::{ClientCounts, NotificationCounts, PublicationCounts, RelayStatus, ServiceStatus};
