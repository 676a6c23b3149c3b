//! The world of the demo and of the moves: one server, one laptop, the places it goes to.

use std::fmt;

use stead_rig::address::Family;
use stead_rig::{Host, Move, Network, NetworkPlan, RigError, World};

/// A laptop at home, and a server that both families reach.
#[derive(Debug)]
pub(super) struct Scene {
    pub(super) home: Network,
    pub(super) hotspot: Network,
    pub(super) office: Network,
    pub(super) campus: Network,
    pub(super) train: Network,
    pub(super) laptop: Host,
    pub(super) server: Host,
}

impl Scene {
    pub(super) fn new() -> Result<Self, RigError> {
        let world = World::new()?;
        let datacentre =
            world.network("datacentre", &NetworkPlan::public("198.18.0.0/24").and("2001:db8:d::/64"))?;
        let scene = Self {
            home: world.network("home Wi-Fi", &NetworkPlan::behind_nat("192.168.1.0/24"))?,
            hotspot: world.network("phone hotspot", &NetworkPlan::behind_nat("172.20.10.0/28"))?,
            office: world.network("office", &NetworkPlan::public("2001:db8:ff:1ce::/64"))?,
            campus: world.network("campus", &NetworkPlan::public("2001:db8:ca::/64"))?,
            train: world.network("train Wi-Fi", &NetworkPlan::behind_nat("10.101.0.0/16"))?,
            laptop: world.host("laptop")?,
            server: world.host("server")?,
        };
        scene.server.attach(&datacentre)?;
        scene.laptop.attach(&scene.home)?;
        Ok(scene)
    }
}

/// From which family to which, for people and for reports.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub(super) struct Change {
    from: Family,
    to: Family,
}

impl Change {
    pub(super) fn of(from: &Network, step: &Move) -> Self {
        let family = |v4: bool| if v4 { Family::V4 } else { Family::V6 };
        Self { from: family(from.offers(Family::V4)), to: family(step.arrived_with(Family::V4)) }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} → {}", self.from, self.to)
    }
}
