//! What a host's interfaces are plugged into, and how it moves.
//!
//! Its ordinary interface is `wlan0`. On a move the interface stays, as a laptop's does: it loses its
//! carrier and its addresses, is nowhere for a while, and finds a carrier, addresses and default routes
//! in the next network.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::Host;
use crate::address::Prefix;
use crate::error::RigError;
use crate::moves::Move;
use crate::netlink::Route;
use crate::network::Network;

/// The interface that [`Host::move_to`] moves.
pub const WLAN: &str = "wlan0";

/// What an interface is plugged into.
#[derive(Clone, Debug)]
pub(super) struct Cable {
    /// The other end, in the namespace of the network's router; none for a cable between two hosts.
    pub(super) far: Option<(String, Network)>,
    pub(super) addresses: Vec<IpAddr>,
    metric: u32,
}

impl Host {
    /// Joins `network` by the ordinary interface.
    ///
    /// # Errors
    /// What the kernel refused.
    pub fn attach(&self, network: &Network) -> Result<(), RigError> {
        self.attach_as(WLAN, network, DEFAULT_METRIC)
    }

    /// Joins `network` by a further interface; of two default routes the one with the lower `metric` wins.
    ///
    /// # Errors
    /// What the kernel refused.
    pub fn attach_as(&self, interface: &str, network: &Network, metric: u32) -> Result<(), RigError> {
        let (near, far) = unique_ends();
        let (name, end) = (interface.to_owned(), far.clone());
        let descriptor = self.0.namespace.descriptor();
        let given = near.clone();
        network.router().run(move |inside| {
            inside.add_pair(&far, &given)?;
            inside.give(&given, descriptor)
        })??;
        self.inside(move |inside| inside.rename(&near, &name))?;
        let cable = Cable { far: Some((end, network.clone())), addresses: Vec::new(), metric };
        self.interfaces().insert(interface.to_owned(), cable);
        self.configure(interface)
    }

    /// Removes the ordinary interface with all it carried, as when a USB network adapter is pulled.
    ///
    /// # Errors
    /// What the kernel refused.
    pub fn detach(&self) -> Result<(), RigError> {
        self.detach_as(WLAN)
    }

    /// As [`detach`](Self::detach), for a named interface.
    ///
    /// # Errors
    /// What the kernel refused.
    pub fn detach_as(&self, interface: &str) -> Result<(), RigError> {
        let name = interface.to_owned();
        self.inside(move |inside| inside.delete_link(&name))?;
        self.interfaces().remove(interface);
        Ok(())
    }

    /// Takes the carrier away and leaves addresses as they are, as when a cable is pulled for a moment.
    ///
    /// # Errors
    /// [`RigError::Missing`] if the host is in no network; else what the kernel refused.
    pub fn unplug(&self) -> Result<(), RigError> {
        let (end, network) = self.far_end(WLAN)?;
        network.router().run(move |inside| inside.set_down(&end))?
    }

    /// Gives the carrier back after [`unplug`](Self::unplug).
    ///
    /// # Errors
    /// [`RigError::Missing`] if the host is in no network; else what the kernel refused.
    pub fn replug(&self) -> Result<(), RigError> {
        let (end, network) = self.far_end(WLAN)?;
        let plugged = end.clone();
        network.router().run(move |inside| inside.set_up(&plugged))??;
        network.await_plugged(&end)?;
        self.inside(|inside| inside.await_carrier(WLAN))
    }

    /// Moves the ordinary interface to `network`, with nothing in between for `dark`.
    ///
    /// # Errors
    /// What the kernel refused.
    pub fn move_to(&self, network: &Network, dark: Duration) -> Result<Move, RigError> {
        let from = self.network();
        let cut = Instant::now();
        match from.is_some() {
            true => self.carry(network, cut + dark)?,
            false => self.attach(network)?,
        }
        Ok(Move {
            host: self.name().to_owned(),
            from: from.map(|network| network.name().to_owned()),
            to: network.name().to_owned(),
            cut,
            usable: Instant::now(),
            addresses: self.addresses(),
        })
    }

    /// Turns the segmentation offload of the host's end of its own cable on or off; it is on at first.
    ///
    /// # Errors
    /// What the kernel refused, or if the host is on no such cable.
    pub fn set_segmentation_offload(&self, on: bool) -> Result<(), RigError> {
        self.inside(move |inside| inside.set_segmentation_offload(CABLE, on))
    }

    pub(crate) fn cable(&self, place: Prefix, other: &Self, others: Prefix) -> Result<(), RigError> {
        let (near, far) = unique_ends();
        let (given, descriptor) = (far.clone(), other.0.namespace.descriptor());
        let renamed = near.clone();
        self.inside(move |inside| {
            inside.add_pair(&near, &given)?;
            inside.give(&given, descriptor)
        })?;
        let ends = [(self, renamed, place), (other, far, others)];
        for (host, end, _) in &ends {
            let end = end.clone();
            host.inside(move |inside| {
                inside.rename(&end, CABLE)?;
                inside.set_up(CABLE)
            })?;
        }
        for (host, _, place) in ends {
            host.inside(move |inside| {
                inside.await_carrier(CABLE)?;
                inside.add_address(CABLE, place)
            })?;
            let cable = Cable { far: None, addresses: vec![place.address], metric: DEFAULT_METRIC };
            host.interfaces().insert(CABLE.to_owned(), cable);
        }
        Ok(())
    }

    /// Carries the far end of the cable from router to router; the near end stays as it is.
    fn carry(&self, network: &Network, until: Instant) -> Result<(), RigError> {
        let (end, old) = self.far_end(WLAN)?;
        let (moved, descriptor) = (end.clone(), network.router().descriptor());
        old.router().run(move |inside| inside.give(&moved, descriptor))??;
        self.inside(|inside| {
            inside.set_down(WLAN)?;
            inside.note_carrier(WLAN)?;
            inside.remove_addresses(WLAN)
        })?;
        if let Some(cable) = self.interfaces().get_mut(WLAN) {
            cable.far = Some((end, network.clone()));
            cable.addresses.clear();
        }
        thread::sleep(until.saturating_duration_since(Instant::now()));
        self.configure(WLAN)
    }

    /// Brings an interface up in the network its cable leads to: carrier, addresses, default routes.
    fn configure(&self, interface: &str) -> Result<(), RigError> {
        let (end, network) = self.far_end(interface)?;
        let metric = self.interfaces().get(interface).map(|cable| cable.metric);
        let leased = network.lease(self.name());
        let (name, places, mtu) = (interface.to_owned(), leased.clone(), network.mtu());
        let routes: Vec<Route> = network
            .default_routes()
            .map(|(to, via)| Route { to, via: Some(via), interface: interface.to_owned(), metric })
            .collect();
        network.plug(&end)?;
        let link = name.clone();
        self.inside(move |inside| {
            inside.set_mtu(&link, mtu)?;
            inside.set_up(&link)?;
            inside.await_carrier(&link)
        })?;
        network.await_plugged(&end)?;
        self.inside(move |inside| {
            places.into_iter().try_for_each(|place| inside.add_address(&name, place))?;
            routes.iter().try_for_each(|route| inside.add_route(route))
        })?;
        if let Some(cable) = self.interfaces().get_mut(interface) {
            cable.addresses = leased.iter().map(|place| place.address).collect();
        }
        Ok(())
    }

    fn far_end(&self, interface: &str) -> Result<(String, Network), RigError> {
        self.interfaces().get(interface).and_then(|cable| cable.far.clone()).ok_or_else(|| {
            RigError::Missing { host: self.name().to_owned(), what: format!("network on {interface}") }
        })
    }
}

/// Names for the two ends of a cable that no other cable of this process has, in whatever namespace.
fn unique_ends() -> (String, String) {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    (format!("near{number}"), format!("far{number}"))
}

/// The interface at each end of a cable between two hosts.
const CABLE: &str = "eth0";
/// What a system gives the default route of an interface that is not special.
const DEFAULT_METRIC: u32 = 100;
