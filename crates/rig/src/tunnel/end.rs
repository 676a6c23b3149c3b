//! One host's side of a tunnel: its keys, its program, how it is started again.

use std::net::IpAddr;

use super::forwarder::Forwarder;
use super::setup::Setup;
use super::{Driver, stead, wireguard_go};
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
    /// [`RigError::Missing`] without a tunnel, if the host has no address of `family`.
    pub fn address(&self, family: Family) -> Result<IpAddr, RigError> {
        match self.driver {
            Driver::Stead | Driver::SteadForgetful | Driver::WireguardGo | Driver::Forwarder => {
                Ok(self.setup.inner.address(family))
            }
            Driver::None => self.host.address(family).ok_or_else(|| RigError::Missing {
                host: self.host.name().to_owned(),
                what: format!("{family} address"),
            }),
        }
    }

    /// Starts the program, again if it ran before, with the same keys and settings.
    ///
    /// # Errors
    /// If it does not start or does not get ready, with all it printed.
    pub fn start(&mut self) -> Result<(), RigError> {
        (self.process, self.forwarder) = (None, None);
        match self.driver {
            Driver::Stead | Driver::SteadForgetful => {
                let keeps = self.driver == Driver::Stead;
                let (process, control) = stead::start(&self.host, &self.setup, keeps)?;
                (self.process, self.control) = (Some(process), Some(control));
            }
            Driver::WireguardGo => self.process = Some(wireguard_go::start(&self.host, &self.setup)?),
            Driver::Forwarder => self.forwarder = Some(Forwarder::start(&self.host, &self.setup)?),
            Driver::None => {}
        }
        Ok(())
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
