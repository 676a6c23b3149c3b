//! The tunnel between two hosts: stead, or something to compare it with, behind one face.
//!
//! Of the two hosts one is fixed and reachable, the other may move and knows where to find it. Inside, the
//! mover is 10.77.0.1 and fd77::1, the fixed host 10.77.0.2 and fd77::2.

mod boringtun;
mod driver;
mod end;
mod forwarder;
mod gotatun;
mod nebula;
mod openvpn;
mod setup;
mod stead;
mod system;
mod tinc;
mod wireguard;
pub(crate) mod wireguard_go;

use std::time::Duration;

use crate::address::Family;
use crate::error::RigError;
use crate::host::Host;
use crate::moves::Move;
use crate::traffic::Line;

pub use driver::Driver;
pub use end::End;
use forwarder::Forwarder;
pub(crate) use setup::write_secret;
use setup::{FIXED, MOVER, Peer, Setup, endpoints};
pub(crate) use stead::command as stead_command;
pub use stead::program as stead_program;
pub use system::{Program, Source};

/// What a tunnel is to be; both sides may run different programs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TunnelPlan {
    /// What the mover runs.
    pub mover: Driver,
    /// What the fixed host runs.
    pub fixed: Driver,
    /// Whether the two share a key besides their own.
    pub preshared_key: bool,
    /// How often the mover says something when there is nothing to say.
    pub keepalive: Option<Duration>,
}

impl TunnelPlan {
    /// The same program on both sides unless the driver is about a pair of them, and nothing special.
    #[must_use]
    pub fn new(driver: Driver) -> Self {
        // Where nothing fits, starting it says what is missing.
        let fixed = driver.opposite().unwrap_or(driver);
        Self { mover: driver, fixed, preshared_key: false, keepalive: None }
    }

    /// Starts the tunnel's programs on both hosts, and returns once a connection went through it.
    ///
    /// Both hosts must be attached, the fixed one with every family the mover will ever be left with.
    ///
    /// # Errors
    /// If a program is missing, does not start or does not get ready, with all it printed; or if nothing
    /// comes through.
    pub fn establish(self, mover: &Host, fixed: &Host) -> Result<Tunnel, RigError> {
        let (near, far) = (self.mover.system(), self.fixed.system());
        let (ours, theirs) = ((near.keys)(mover, MOVER)?, (far.keys)(fixed, FIXED)?);
        let generate = if self.preshared_key { (near.preshared_key)()? } else { None };
        let shared = generate.map(|generate| mover.output(generate)).transpose()?;
        let shared = shared.map(|key| key.trim().to_owned());
        let keepalive = self.keepalive;
        let (our_key, their_key) = (ours.public.clone(), theirs.public.clone());
        let to_fixed = Setup {
            own: ours,
            inner: MOVER,
            peer: Peer {
                name: fixed.name().to_owned(),
                key: their_key,
                inner: FIXED,
                endpoints: endpoints(mover, fixed),
            },
            preshared_key: shared.clone(),
            keepalive,
        };
        // The mover knows where the other is, never the other way round: it may sit behind a NAT.
        let to_mover = Setup {
            own: theirs,
            inner: FIXED,
            peer: Peer { name: mover.name().to_owned(), key: our_key, inner: MOVER, endpoints: Vec::new() },
            preshared_key: shared,
            keepalive: None,
        };
        let mut tunnel = Tunnel {
            mover: End::new(mover, self.mover, to_fixed),
            fixed: End::new(fixed, self.fixed, to_mover),
        };
        tunnel.fixed.start()?;
        tunnel.mover.start()?;
        tunnel.prove()?;
        Ok(tunnel)
    }
}

/// A tunnel that carries traffic between a mover and a fixed host.
#[derive(Debug)]
pub struct Tunnel {
    mover: End,
    fixed: End,
}

impl Tunnel {
    /// A tunnel with the same program on both sides; see [`TunnelPlan::establish`].
    ///
    /// # Errors
    /// As [`TunnelPlan::establish`].
    pub fn establish(driver: Driver, mover: &Host, fixed: &Host) -> Result<Self, RigError> {
        TunnelPlan::new(driver).establish(mover, fixed)
    }

    /// What the mover runs.
    #[must_use]
    pub const fn driver(&self) -> Driver {
        self.mover.driver
    }

    /// The mover's side.
    #[must_use]
    pub const fn mover(&self) -> &End {
        &self.mover
    }

    /// The fixed host's side.
    #[must_use]
    pub const fn fixed(&self) -> &End {
        &self.fixed
    }

    /// The mover's side, to end or restart its program.
    pub const fn mover_mut(&mut self) -> &mut End {
        &mut self.mover
    }

    /// The fixed host's side, to end or restart its program.
    pub const fn fixed_mut(&mut self) -> &mut End {
        &mut self.fixed
    }

    /// The numbers of the processes that carry its packets, at both ends: programs and those that they started. None
    /// where the rig itself or the kernel does.
    #[must_use]
    pub fn processes(&self) -> Vec<u32> {
        [&self.mover, &self.fixed].into_iter().flat_map(End::processes).collect()
    }

    /// From the mover to the fixed host through the tunnel, over IPv4 inside.
    ///
    /// # Errors
    /// [`RigError::Missing`] without a tunnel, if the fixed host has no address.
    pub fn line(&self) -> Result<Line, RigError> {
        self.line_over(Family::V4)
    }

    /// From the mover to the fixed host through the tunnel, over `family` inside.
    ///
    /// # Errors
    /// [`RigError::Missing`] without a tunnel, if the fixed host has no such address.
    pub fn line_over(&self, family: Family) -> Result<Line, RigError> {
        Ok(Line {
            client: self.mover.host.clone(),
            server: self.fixed.host.clone(),
            address: self.fixed.address(family)?,
        })
    }

    /// From the fixed host to the mover through the tunnel, over `family` inside.
    ///
    /// # Errors
    /// [`RigError::Missing`] without a tunnel, if the mover has no such address.
    pub fn line_back(&self, family: Family) -> Result<Line, RigError> {
        Ok(Line {
            client: self.fixed.host.clone(),
            server: self.mover.host.clone(),
            address: self.mover.address(family)?,
        })
    }

    /// Does by hand, after the mover moved, what its program cannot do by itself, and says so.
    ///
    /// stead needs nothing. WireGuard has one endpoint per peer, so a mover that lost that endpoint's
    /// family is given the other one, as a script of its user would.
    ///
    /// # Errors
    /// What the tunnel's program refused.
    pub fn after_move(&self, step: &Move) -> Result<Option<String>, RigError> {
        (self.mover.driver.system().follow)(&self.mover, &self.fixed.host, step)
    }

    fn prove(&self) -> Result<(), RigError> {
        let printed = |error: RigError| {
            let logs: Vec<String> = [&self.mover, &self.fixed].into_iter().filter_map(End::printed).collect();
            RigError::Tunnel(format!("{} carries nothing: {error}\n{}", self.mover.driver, logs.concat()))
        };
        self.line_over(self.mover.usable_family())?.connect().map(drop).map_err(printed)?;
        [&self.mover, &self.fixed].into_iter().try_for_each(|end| (end.driver.system().settle)(end))
    }
}
