//! Linux: netlink tells of every change as it happens; a dump tells what is.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsRawFd, RawFd};

use netlink_packet_core::Parseable as _;
use netlink_packet_route::address::{AddressAttribute, AddressFlags, AddressMessage, AddressScope};
use netlink_packet_route::link::{LinkFlags, LinkHeader, LinkMessage};
use netlink_packet_route::route::{RouteAddress, RouteAttribute, RouteMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};
use nix::net::if_::if_indextoname;
use stead_node::LocalAddress;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tracing::debug;

use super::{Own, Route, Snapshot};
use crate::netlink::Netlink;

/// Listens to the kernel.
pub(super) struct Watch {
    events: AsyncFd<Events>,
    netlink: Netlink,
    own: Own,
}

/// What matters of an interface.
#[derive(Clone, Copy, Debug)]
struct Link {
    /// There is one other end, which needs no address.
    point_to_point: bool,
    metered: bool,
}

/// The socket that events arrive on.
struct Events(Socket);

/// Links, addresses, routes, and the rules and next hops that routes may depend on.
const GROUPS: [u32; 8] = [
    libc::RTNLGRP_LINK,
    libc::RTNLGRP_IPV4_IFADDR,
    libc::RTNLGRP_IPV6_IFADDR,
    libc::RTNLGRP_IPV4_ROUTE,
    libc::RTNLGRP_IPV6_ROUTE,
    libc::RTNLGRP_IPV4_RULE,
    libc::RTNLGRP_IPV6_RULE,
    libc::RTNLGRP_NEXTHOP,
];

/// Where "the outside world" is: root name servers, in no range that private or test networks use.
const OUTSIDE: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(198, 41, 0, 4)),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0x503, 0xba3e, 0, 0, 0, 2, 0x30)),
];

impl Watch {
    pub(super) async fn start(own: Own) -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind(&SocketAddr::new(0, 0))?;
        for group in GROUPS {
            // A kernel without one of them cannot tell of it, and has no such changes.
            if let Err(error) = socket.add_membership(group) {
                debug!(group, %error, "Kernel has no such events");
            }
        }
        socket.set_non_blocking(true)?;
        #[expect(unsafe_code, reason = "tokio has no safe way to register for one direction only")]
        // SAFETY: the socket owns its descriptor and is never replaced, so it outlives the registration.
        let events = unsafe { AsyncFd::register_with_interest(Events(socket), Interest::READABLE) }?;
        Ok(Self { events, netlink: Netlink::open()?, own })
    }

    /// Waits for an event, and takes all that are already queued: one look serves them together.
    ///
    /// An overflow of the queue (`ENOBUFS`) counts as an event: the look that follows sees everything.
    pub(super) async fn changed(&mut self) {
        loop {
            let Ok(mut ready) = self.events.readable().await else {
                // Only when the runtime ends.
                return core::future::pending().await;
            };
            let mut events = 0_u32;
            while ready.try_io(|socket| socket.get_ref().take()).is_ok() {
                events += 1;
            }
            if events > 0 {
                return;
            }
        }
    }

    pub(super) async fn look(&mut self) -> io::Result<Snapshot> {
        let running = self.running_links()?;
        let addresses = self.addresses(&running)?;
        let (v4, v6) = (self.route(OUTSIDE[0], None)?, self.route(OUTSIDE[1], None)?);
        let standby = self.standby(&running, &addresses, [v4, v6])?;
        let dear = |local: &&LocalAddress| running.get(&local.interface).is_some_and(|link| link.metered);
        let metered = addresses.iter().filter(dear).map(|local| local.ip).collect();
        Ok(Snapshot { addresses, v4, v6, places: self.places()?, standby, metered })
    }

    /// What leads outside over the networks that the default routes do not take. The kernel is asked for each network
    /// that has an address, as if there were no other.
    fn standby(
        &mut self,
        running: &BTreeMap<u32, Link>,
        addresses: &[LocalAddress],
        defaults: [Option<Route>; 2],
    ) -> io::Result<Vec<Route>> {
        let mut found = Vec::new();
        for (default, outside) in defaults.into_iter().zip(OUTSIDE) {
            for (interface, link) in running {
                let taken = default.is_some_and(|route| route.interface == Some(*interface));
                let has = addresses
                    .iter()
                    .any(|local| local.interface == *interface && local.ip.is_ipv4() == outside.is_ipv4());
                if taken || !has {
                    continue;
                }
                // Without any route the kernel takes every place to be on the link; only a line that leads to one
                // other end makes that true.
                let leads = |route: &Route| route.gateway.is_some() || link.point_to_point;
                found.extend(self.route(outside, Some(*interface))?.filter(leads));
            }
        }
        Ok(found)
    }

    /// The interfaces that are up and have a carrier, without our own, by their indices.
    fn running_links(&mut self) -> io::Result<BTreeMap<u32, Link>> {
        let working = LinkFlags::Up | LinkFlags::Running;
        let links = self.netlink.dump(RouteNetlinkMessage::GetLink(LinkMessage::default()))?;
        let own = &self.own;
        let usable = links.iter().filter_map(|link| {
            let header = LinkHeader::parse(link).ok()?;
            let name = || if_indextoname(header.index).ok()?.into_string().ok();
            let metered = !own.metered.is_empty() && name().is_some_and(|name| own.is_metered(&name));
            let link = Link { point_to_point: header.flags.contains(LinkFlags::Pointopoint), metered };
            let fit = header.flags.contains(working) && header.index != own.interface;
            fit.then_some((header.index, link))
        });
        Ok(usable.collect())
    }

    fn addresses(&mut self, running: &BTreeMap<u32, Link>) -> io::Result<Vec<LocalAddress>> {
        let answers = self.netlink.dump(RouteNetlinkMessage::GetAddress(AddressMessage::default()))?;
        let mut found: Vec<(bool, LocalAddress)> = answers
            .iter()
            .filter_map(|answer| AddressMessage::parse(answer).ok())
            .filter(|address| running.contains_key(&address.header.index))
            .filter_map(|address| usable(&address))
            .collect();
        // Deprecated ones last; otherwise an order that does not depend on the kernel's hash tables.
        found.sort_by_key(|(deprecated, local)| (*deprecated, local.interface, local.ip));
        Ok(found.into_iter().map(|(_, local)| local).collect())
    }

    /// How the places that matter are reached. One question each: a table of routes may be long, and would not tell
    /// what rules make of it.
    fn places(&mut self) -> io::Result<Vec<(IpAddr, Route)>> {
        let mut found = Vec::new();
        for place in self.own.places.clone() {
            found.extend(self.route(place, None)?.map(|route| (place, route)));
        }
        Ok(found)
    }

    /// Asks the kernel, rules and marks included, how it would reach a place, by this interface if one is given; `None`
    /// if it would not.
    fn route(&mut self, place: IpAddr, by: Option<u32>) -> io::Result<Option<Route>> {
        let mut question = RouteMessage::default();
        question.header.address_family = family(place);
        question.header.destination_prefix_length = if place.is_ipv4() { 32 } else { 128 };
        question.attributes.push(RouteAttribute::Destination(RouteAddress::from(place)));
        question.attributes.extend(self.own.mark.map(RouteAttribute::Mark));
        question.attributes.extend(by.map(RouteAttribute::Oif));
        let answers = match self.netlink.ask(RouteNetlinkMessage::GetRoute(question)) {
            Ok(answers) => answers,
            Err(error) if is_unreachable(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        let route = answers.first().and_then(|answer| RouteMessage::parse(answer).ok());
        Ok(route
            .and_then(|route| through(&route))
            .filter(|route| route.interface != Some(self.own.interface)))
    }
}

impl Events {
    /// Takes one datagram of events. What they say does not matter.
    fn take(&self) -> io::Result<()> {
        let mut scratch = [0_u8; 64];
        match self.0.recv(&mut &mut scratch[..], libc::MSG_TRUNC) {
            Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {
                debug!("Events were lost");
                Ok(())
            }
            other => other.map(drop),
        }
    }
}

impl AsRawFd for Events {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// An address that datagrams may be sent from, and whether it is about to go (deprecated).
fn usable(message: &AddressMessage) -> Option<(bool, LocalAddress)> {
    let (mut flags, mut local, mut address) = (None, None, None);
    for attribute in &message.attributes {
        match attribute {
            AddressAttribute::Flags(all) => flags = Some(*all),
            AddressAttribute::Local(ip) => local = Some(*ip),
            AddressAttribute::Address(ip) => address = Some(*ip),
            _ => {}
        }
    }
    // On point-to-point links "address" is the other end's.
    let ip = local.or(address)?;
    let flags = flags.unwrap_or_else(|| AddressFlags::from_bits_retain(message.header.flags.bits().into()));
    // An optimistic address may be used while its uniqueness is still being checked (RFC 4429).
    let checked = !flags.contains(AddressFlags::Tentative) || flags.contains(AddressFlags::Optimistic);
    let fit = message.header.scope == AddressScope::Universe
        && checked
        && !flags.contains(AddressFlags::Dadfailed)
        && !ip.is_loopback()
        && !ip.is_multicast();
    let local = LocalAddress { ip, prefix_len: message.header.prefix_len, interface: message.header.index };
    fit.then_some((flags.contains(AddressFlags::Deprecated), local))
}

fn through(route: &RouteMessage) -> Option<Route> {
    let (mut source, mut gateway, mut interface) = (None, None, None);
    for attribute in &route.attributes {
        match attribute {
            RouteAttribute::PrefSource(address) => source = ip(address),
            RouteAttribute::Gateway(address) => gateway = ip(address),
            RouteAttribute::Oif(index) => interface = Some(*index),
            _ => {}
        }
    }
    Some(Route { source: source?, gateway, interface })
}

fn ip(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(v4) => Some(IpAddr::V4(*v4)),
        RouteAddress::Inet6(v6) => Some(IpAddr::V6(*v6)),
        _ => None,
    }
}

const fn family(ip: IpAddr) -> AddressFamily {
    if ip.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 }
}

/// No route, one that forbids, or a kernel without the family.
fn is_unreachable(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(
            libc::ENETUNREACH
                | libc::EHOSTUNREACH
                | libc::EACCES
                | libc::EINVAL
                | libc::EAFNOSUPPORT
                | libc::EOPNOTSUPP
                | libc::ENETDOWN
        )
    )
}
