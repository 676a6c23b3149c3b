//! The world: an internet in the middle, networks around it, hosts that move between them.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crate::address::Prefix;
use crate::error::RigError;
use crate::host::Host;
use crate::namespace::Namespace;
use crate::network::{MOST_NETWORKS, Network, NetworkPlan};
use crate::sysctl::Settings;

/// Networks, and the internet that joins them. It all goes when the last handle to any of it is dropped.
#[derive(Debug)]
pub struct World {
    internet: Arc<Namespace>,
    networks: Mutex<u8>,
    began: Instant,
}

impl World {
    /// An internet with nothing attached to it.
    ///
    /// # Errors
    /// What the kernel refused; [`Requirements::check`](crate::Requirements::check) says it in advance.
    pub fn new() -> Result<Self, RigError> {
        let internet = Namespace::new("internet", Settings { forwards: true, ..Settings::default() })?;
        Ok(Self { internet: Arc::new(internet), networks: Mutex::new(0), began: Instant::now() })
    }

    /// When the world was made: the zero of its log.
    #[must_use]
    pub const fn began(&self) -> Instant {
        self.began
    }

    /// Adds a network.
    ///
    /// # Errors
    /// [`RigError::Prefix`] or [`RigError::Plan`] if the plan makes no sense; else what the kernel refused.
    pub fn network(&self, name: &str, plan: &NetworkPlan) -> Result<Network, RigError> {
        let number = {
            let mut count = self.networks.lock().unwrap_or_else(PoisonError::into_inner);
            if *count == MOST_NETWORKS {
                return Err(RigError::Plan { network: name.to_owned(), reason: "is one network too many" });
            }
            *count += 1;
            *count - 1
        };
        Network::build(&self.internet, name, number, plan)
    }

    /// Adds a host that is attached nowhere.
    ///
    /// # Errors
    /// What the kernel refused.
    pub fn host(&self, name: &str) -> Result<Host, RigError> {
        Host::new(name, Settings::default())
    }

    /// As [`host`](Self::host), with IPv6 duplicate address detection as an untouched system has it: an
    /// address can be used one to two seconds after it was added.
    ///
    /// # Errors
    /// What the kernel refused.
    pub fn host_that_detects_duplicates(&self, name: &str) -> Result<Host, RigError> {
        Host::new(name, Settings { duplicate_address_detection: true, ..Settings::default() })
    }

    /// Joins two hosts by a cable of their own, with nothing between.
    ///
    /// # Errors
    /// [`RigError::Prefix`] if a place is none; else what the kernel refused.
    pub fn cable(&self, a: (&Host, &str), b: (&Host, &str)) -> Result<(), RigError> {
        let places: (Prefix, Prefix) = (a.1.parse()?, b.1.parse()?);
        a.0.cable(places.0, b.0, places.1)
    }
}
