//! The world of the suites: a laptop that moves, a server, and the places where they can be.
//!
//! ```text
//!            home (NAT) ──┐                  ┌── datacentre (v4, v6) ── server
//!         hotspot (NAT) ──┤                  │
//!   laptop   café  (v4) ──┼──── internet ────┼── second site (v4, v6)
//!          office  (v6) ──┤                  │
//!          campus  (v6) ──┘                  └── stranger's place (v4, v6)
//! ```

use std::thread;
use std::time::{Duration, Instant};

use stead_rig::address::Family;
use stead_rig::report::{ConnectionReport, PeerReport, StatusReport};
use stead_rig::traffic::{Bulk, BulkRun, Direction, Stall};
use stead_rig::tunnel::{End, stead_program};
use stead_rig::{
    Driver, Host, Move, Network, NetworkPlan, Requirements, RigError, Tunnel, TunnelPlan, World,
};

use crate::patience::{ms, secs, within};

/// A laptop at home and a server in its datacentre; the networks they can move to are made when asked for.
#[derive(Debug)]
pub struct Scene {
    /// Where further networks and hosts are made.
    pub world: World,
    /// Where the laptop begins: private IPv4 behind a NAT.
    pub home: Network,
    /// The host that moves.
    pub laptop: Host,
    /// The host that is found at a fixed place, public with both families.
    pub server: Host,
}

impl Scene {
    /// The scene, or nothing where the machine lacks what it takes; the running test says so then.
    ///
    /// # Errors
    /// If the program is not built, or the kernel refuses something.
    pub fn ready(programs: &[&str]) -> Result<Option<Self>, RigError> {
        let needed: Vec<&str> = programs.iter().copied().chain(["nft"]).collect();
        if !Requirements::met(thread::current().name().unwrap_or("a suite"), &needed) {
            return Ok(None);
        }
        stead_program()?;
        let world = World::new()?;
        let datacentre =
            world.network("datacentre", &NetworkPlan::public("198.18.0.0/24").and("2001:db8:d::/64"))?;
        let home = world.network("home", &NetworkPlan::behind_nat("192.168.1.0/24"))?;
        let (laptop, server) = (world.host("laptop")?, world.host("server")?);
        server.attach(&datacentre)?;
        laptop.attach(&home)?;
        Ok(Some(Self { world, home, laptop, server }))
    }

    /// A telephone's hotspot: other private IPv4 behind another NAT.
    ///
    /// # Errors
    /// What the kernel refused; so for every place.
    pub fn hotspot(&self) -> Result<Network, RigError> {
        self.world.network("hotspot", &NetworkPlan::behind_nat("172.20.10.0/28"))
    }

    /// A café with public IPv4 addresses.
    ///
    /// # Errors
    /// What the kernel refused.
    pub fn cafe(&self) -> Result<Network, RigError> {
        self.world.network("café", &NetworkPlan::public("198.19.0.0/24"))
    }

    /// An office with IPv6 alone.
    ///
    /// # Errors
    /// What the kernel refused.
    pub fn office(&self) -> Result<Network, RigError> {
        self.world.network("office", &NetworkPlan::public("2001:db8:ff:1ce::/64"))
    }

    /// A campus with IPv6 alone.
    ///
    /// # Errors
    /// What the kernel refused.
    pub fn campus(&self) -> Result<Network, RigError> {
        self.world.network("campus", &NetworkPlan::public("2001:db8:ca::/64"))
    }

    /// Another site with public addresses of both families.
    ///
    /// # Errors
    /// What the kernel refused.
    pub fn second_site(&self) -> Result<Network, RigError> {
        self.world.network("second site", &NetworkPlan::public("198.18.2.0/24").and("2001:db8:2:d::/64"))
    }

    /// A host of somebody else, with public addresses of both families.
    ///
    /// # Errors
    /// What the kernel refused.
    pub fn stranger(&self) -> Result<Host, RigError> {
        let plan = NetworkPlan::public("198.18.66.0/24").and("2001:db8:66::/64");
        let stranger = self.world.host("stranger")?;
        stranger.attach(&self.world.network("stranger's place", &plan)?)?;
        Ok(stranger)
    }

    /// stead on both hosts, and a connection that went through it.
    ///
    /// # Errors
    /// With all that the programs printed, if nothing goes through.
    pub fn tunnel(&self) -> Result<Tunnel, RigError> {
        Tunnel::establish(Driver::Stead, &self.laptop, &self.server)
    }

    /// As [`tunnel`](Self::tunnel); the laptop says something every second.
    ///
    /// # Errors
    /// As [`tunnel`](Self::tunnel).
    pub fn persistent_tunnel(&self) -> Result<Tunnel, RigError> {
        let plan = TunnelPlan { keepalive: Some(secs(1)), ..TunnelPlan::new(Driver::Stead) };
        plan.establish(&self.laptop, &self.server)
    }
}

/// A long download at a pace that leaves the machine to others.
#[must_use]
pub fn download() -> Bulk {
    Bulk { direction: Direction::ToClient, pace: Some(PACE), ..Bulk::default() }
}

/// A long upload at the same pace.
#[must_use]
pub fn upload() -> Bulk {
    Bulk { direction: Direction::ToServer, ..download() }
}

/// What a move cost a transfer, once it goes on again.
#[must_use]
pub fn stall(run: &BulkRun, step: &Move) -> Stall {
    // Steadily, and not only something that was under way.
    let _never_resumes = within(RESUMPTION, || run.is_over() || run.last_arrival() > step.usable + ms(50));
    run.timeline().stall(step, Instant::now())
}

/// What one end knows of its only peer.
///
/// # Errors
/// If its program does not answer.
///
/// # Panics
/// If its program is not stead.
pub fn peer(end: &End) -> Result<PeerReport, RigError> {
    Ok(status(end)?.peers.remove(0))
}

/// What one end says of itself.
///
/// # Errors
/// If its program does not answer.
///
/// # Panics
/// If its program is not stead.
pub fn status(end: &End) -> Result<StatusReport, RigError> {
    end.control.as_ref().expect("the program is stead").status()
}

/// The entries of one end's connection table that belong to a port of its own or of the peer.
///
/// # Errors
/// If its program does not answer.
///
/// # Panics
/// If its program is not stead.
pub fn connections_at(end: &End, port: u16) -> Result<Vec<ConnectionReport>, RigError> {
    let mut listed = end.control.as_ref().expect("the program is stead").connections()?;
    let suffix = format!(":{port}");
    listed
        .retain(|entry| entry.original.local.ends_with(&suffix) || entry.original.remote.ends_with(&suffix));
    Ok(listed)
}

/// How often a reason was counted at one end.
///
/// # Errors
/// If its program does not answer.
///
/// # Panics
/// If its program is not stead.
pub fn dropped(end: &End, reason: &str) -> Result<u64, RigError> {
    Ok(status(end)?.drops.get(reason).copied().unwrap_or(0))
}

/// Both families, for tests that hold in each.
pub const FAMILIES: [Family; 2] = [Family::V4, Family::V6];

/// Longer than any test waits for a stream to go on.
const RESUMPTION: Duration = secs(60);
/// Bytes per second of a paced transfer: a block every few milliseconds.
const PACE: u64 = 3_000_000;
