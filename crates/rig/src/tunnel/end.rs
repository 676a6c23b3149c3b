//! One host's side of a tunnel: its keys, its program, how it is started again.

use std::net::IpAddr;

use super::setup::Setup;
use super::system::Running;
use super::{Driver, Forwarder};
use crate::address::Family;
use crate::error::RigError;
use crate::host::Host;
use crate::process::Process;
use crate::report::Control;

/// One host's side of a tunnel.
#[derive(Debug)]
pub struct End {
    /// The host.
    pub host: Host,
    /// What it runs.
    pub driver: Driver,
    /// The tunnel's program on it; none without a tunnel.
    pub process: Option<Process>,
    /// The program's control socket, if it has one that the rig can read.
    pub control: Option<Control>,
    /// What carries the packets where the rig itself does.
    forwarder: Option<Forwarder>,
    pub(super) setup: Setup,
}

impl End {
    pub(super) fn new(host: &Host, driver: Driver, setup: Setup) -> Self {
        Self { host: host.clone(), driver, process: None, control: None, forwarder: None, setup }
    }

    /// The node's public key, base64; empty without a tunnel.
    #[must_use]
    pub fn public_key(&self) -> &str {
        &self.setup.own.public
    }

    /// Its address for applications.
    ///
    /// # Errors
    /// [`RigError::Missing`] if the tunnel does not carry `family`; without a tunnel, if the host has no such address.
    pub fn address(&self, family: Family) -> Result<IpAddr, RigError> {
        let missing =
            || RigError::Missing { host: self.host.name().to_owned(), what: format!("{family} address") };
        let inside = self.driver.system().inside;
        match inside.is_empty() {
            true => self.host.address(family).ok_or_else(missing),
            false => inside.contains(&family).then(|| self.setup.inner.address(family)).ok_or_else(missing),
        }
    }

    /// Starts the program, again if it ran before, with the same keys and settings.
    ///
    /// # Errors
    /// If it does not start or does not get ready, with all it printed.
    pub fn start(&mut self) -> Result<(), RigError> {
        (self.process, self.forwarder) = (None, None);
        let Running { process, control, forwarder } = (self.driver.system().start)(&self.host, &self.setup)?;
        (self.process, self.control, self.forwarder) = (process, control, forwarder);
        Ok(())
    }

    /// The numbers of the processes that carry its packets: the program, and those that it started. None where the rig
    /// itself or the kernel does.
    #[must_use]
    pub fn processes(&self) -> Vec<u32> {
        self.process.as_ref().map(Process::with_descendants).unwrap_or_default()
    }

    /// Without a tunnel only the family of the mover's own address can connect.
    pub(super) fn usable_family(&self) -> Family {
        match (self.driver, self.host.address(Family::V4)) {
            (Driver::None, None) => Family::V6,
            _ => Family::V4,
        }
    }

    pub(super) fn printed(&self) -> Option<String> {
        let process = self.process.as_ref()?;
        Some(format!("--- {}:\n{}", self.host.name(), process.log()))
    }
}
