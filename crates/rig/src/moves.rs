//! What a move was: when the old network was lost, and from when the new one could be used.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::address::Family;

/// One move of a host from network to network.
#[derive(Clone, Debug)]
pub struct Move {
    /// Who moved.
    pub host: String,
    /// Where it was, if it was anywhere.
    pub from: Option<String>,
    /// Where it is now.
    pub to: String,
    /// When the old network stopped carrying anything.
    pub cut: Instant,
    /// When the new one had a carrier, addresses and default routes.
    pub usable: Instant,
    /// The addresses there.
    pub addresses: Vec<IpAddr>,
}

impl Move {
    /// How long the host was nowhere, as it really was.
    #[must_use]
    pub fn dark(&self) -> Duration {
        self.usable.saturating_duration_since(self.cut)
    }

    /// Whether the host has an address of `family` now.
    #[must_use]
    pub fn arrived_with(&self, family: Family) -> bool {
        self.addresses.iter().any(|address| Family::of(*address) == family)
    }
}
