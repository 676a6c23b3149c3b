//! macOS and Windows: netwatch tells of changes, a quarter of a second after the last event of each burst.
//!
//! The default routes are asked of the system by connecting a socket, which sends nothing.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::io;
use std::net::UdpSocket;

use n0_watcher::{Direct, Watcher as _};
use netwatch::interfaces::{Interface, IpNet, State};
use netwatch::netmon;
use stead_node::LocalAddress;

use super::{Own, Route, Snapshot};

/// Listens to netwatch.
pub(super) struct Watch {
    states: Direct<State>,
    own: Own,
    /// Ends the listening when it is dropped.
    _monitor: netmon::Monitor,
}

/// Root name servers, in no range that private or test networks use. The port does not matter.
const OUTSIDE: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(198, 41, 0, 4)),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0x503, 0xba3e, 0, 0, 0, 2, 0x30)),
];

/// A port to name in the question. Nothing is sent there.
const DISCARD: u16 = 9;

impl Watch {
    pub(super) async fn start(own: Own) -> io::Result<Self> {
        let monitor = netmon::Monitor::new().await.map_err(|error| io::Error::other(error.to_string()))?;
        Ok(Self { states: monitor.interface_state(), own, _monitor: monitor })
    }

    pub(super) async fn changed(&mut self) {
        if self.states.updated().await.is_err() {
            // Its task is gone; looks on waking and at the start go on.
            core::future::pending().await
        }
    }

    /// Looks for itself: what netwatch remembers may be older than the question.
    pub(super) async fn look(&mut self) -> io::Result<Snapshot> {
        let state = State::new().await;
        let mut found: Vec<(bool, LocalAddress)> = state
            .interfaces
            .values()
            .filter(|interface| interface.is_up() && index(interface) != self.own.interface)
            .flat_map(addresses)
            .collect();
        found.sort_by_key(|(deprecated, local)| (*deprecated, local.interface, local.ip));
        Ok(Snapshot {
            addresses: found.into_iter().map(|(_, local)| local).collect(),
            v4: route(OUTSIDE[0]),
            v6: route(OUTSIDE[1]),
            metered: self.metered(&state),
            standby: Vec::new(),
            places: self.own.places.iter().filter_map(|place| Some((*place, route(*place)?))).collect(),
        })
    }
}

impl Watch {
    fn metered(&self, state: &State) -> Vec<IpAddr> {
        let dear = state.interfaces.iter().filter(|(name, _)| self.own.is_metered(name));
        dear.flat_map(|(_, interface)| addresses(interface)).map(|(_, local)| local.ip).collect()
    }
}

fn addresses(interface: &Interface) -> impl Iterator<Item = (bool, LocalAddress)> {
    let index = index(interface);
    interface.addrs().filter_map(move |net| usable(&net, index))
}

fn usable(net: &IpNet, interface: u32) -> Option<(bool, LocalAddress)> {
    let local = |ip, prefix_len| LocalAddress { ip, prefix_len, interface };
    match net {
        IpNet::V4(net) => {
            let ip = net.addr();
            let fit = !ip.is_loopback() && !ip.is_link_local() && !ip.is_unspecified();
            fit.then(|| (false, local(ip.into(), net.prefix_len())))
        }
        IpNet::V6 { net, flags, .. } => {
            let ip = net.addr();
            let fit = !ip.is_loopback()
                && !ip.is_unicast_link_local()
                && !ip.is_unspecified()
                && !flags.tentative
                && !flags.duplicated;
            fit.then(|| (flags.deprecated, local(ip.into(), net.prefix_len())))
        }
    }
}

/// The source that the system would choose. If it is the tunnel's own, the snapshot's addresses do not
/// have it and it is not reported.
fn route(place: IpAddr) -> Option<Route> {
    let any: IpAddr =
        if place.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect((place, DISCARD)).ok()?;
    let source = socket.local_addr().ok()?.ip();
    Some(Route { source, gateway: None, interface: None })
}

/// netwatch keeps the index to itself, except where it writes an interface out: `4. en0 up=true …`.
fn index(interface: &Interface) -> u32 {
    interface.to_string().split_once('.').and_then(|(index, _)| index.parse().ok()).unwrap_or(0)
}
