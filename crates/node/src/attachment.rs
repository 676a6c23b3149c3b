//! Where this host is attached to the underlay right now, and from which of its addresses it would speak.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::relay::is_made_up;
use crate::settings::Prefix;

/// A snapshot of the local network attachment, made by the driver's address monitor.
///
/// Holds only what can be used: global-scope unicast addresses of interfaces that are up, none of our own
/// TUN device's, no IPv6 address whose uniqueness is still being checked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LocalAttachment {
    /// Usable addresses with the prefix that is on their link.
    pub addresses: Vec<LocalAddress>,
    /// Source address of the default route for IPv4; `None` without such a route.
    pub default_source_v4: Option<Ipv4Addr>,
    /// Source address of the default route for IPv6; `None` without such a route.
    pub default_source_v6: Option<Ipv6Addr>,
    /// Sources for places that are reached otherwise than by a default route; none that is on a link.
    pub routes: Vec<LocalRoute>,
    /// Sources that lead outside too, over networks that the default routes do not take; the likeliest first.
    pub standby: Vec<IpAddr>,
    /// Usable addresses on networks that are to be used only if nothing else leads to a peer.
    pub metered: Vec<IpAddr>,
    /// Why this snapshot was taken.
    pub cause: Cause,
}

/// One usable local address.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LocalAddress {
    /// The address.
    pub ip: IpAddr,
    /// How many of its leading bits are on the link.
    pub prefix_len: u8,
    /// The interface's index.
    pub interface: u32,
}

/// From where some places are reached.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LocalRoute {
    /// Where to.
    pub destination: Prefix,
    /// The local address that the system would use.
    pub source: IpAddr,
}

/// Why a snapshot of the attachment was taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Cause {
    /// The node starts.
    Start,
    /// An address, a link or a route came or went.
    Changed,
    /// The host slept; a NAT may have forgotten us although nothing here looks different.
    Woke,
}

impl LocalAttachment {
    /// Attached to nothing.
    #[must_use]
    pub const fn detached(cause: Cause) -> Self {
        Self {
            addresses: Vec::new(),
            default_source_v4: None,
            default_source_v6: None,
            routes: Vec::new(),
            standby: Vec::new(),
            metered: Vec::new(),
            cause,
        }
    }

    /// The local address from which `remote` would be reached: by the longest prefix among links and routes, else by
    /// the default route; if that is on a metered network, by another one that is not. `None` if nothing leads there.
    #[must_use]
    pub fn source_for(&self, remote: IpAddr) -> Option<IpAddr> {
        let source = self.routed_source(remote)?;
        let spared = self.is_metered(source) && !self.is_on_link(remote);
        Some(self.standby_for(remote).find(|_| spared).unwrap_or(source))
    }

    /// Further local addresses from which `remote` can be reached, over networks that are not metered.
    pub fn standby_for(&self, remote: IpAddr) -> impl Iterator<Item = IpAddr> + '_ {
        self.further(remote).filter(|source| !self.is_metered(*source))
    }

    /// Local addresses from which `remote` can be reached over metered networks, for when nothing else leads there.
    pub fn last_resorts_for(&self, remote: IpAddr) -> impl Iterator<Item = IpAddr> + '_ {
        let default = self.routed_source(remote).filter(|_| !self.is_on_link(remote));
        default.into_iter().chain(self.further(remote)).filter(|source| self.is_metered(*source))
    }

    /// Whether `ip` is on a network that is to be used only if nothing else leads to a peer.
    #[must_use]
    pub fn is_metered(&self, ip: IpAddr) -> bool {
        self.metered.contains(&ip)
    }

    /// Sources of the family on networks that the default routes do not take. Nothing made up is reached over them.
    fn further(&self, remote: IpAddr) -> impl Iterator<Item = IpAddr> + '_ {
        let fits = move |source: &IpAddr| source.is_ipv4() == remote.is_ipv4() && !is_made_up(remote);
        self.standby.iter().copied().filter(fits)
    }

    /// Whether datagrams from `local` would still get to `remote`: by a route, over a further network, or on its link.
    #[must_use]
    pub fn leads(&self, local: IpAddr, remote: IpAddr) -> bool {
        let on_link = |address: &LocalAddress| {
            address.ip == local && link(address).is_some_and(|link| link.contains(remote))
        };
        self.routed_source(remote) == Some(local)
            || self.further(remote).any(|source| source == local)
            || self.addresses.iter().any(on_link)
    }

    fn is_on_link(&self, remote: IpAddr) -> bool {
        self.addresses.iter().filter_map(link).any(|link| link.contains(remote))
    }

    /// As the system would choose it, whatever it costs.
    fn routed_source(&self, remote: IpAddr) -> Option<IpAddr> {
        let links = self.addresses.iter().filter_map(|local| Some((link(local)?, local.ip)));
        let routes = self.routes.iter().map(|route| (route.destination, route.source));
        links
            .chain(routes)
            .filter(|(destination, _)| destination.contains(remote))
            .max_by_key(|(destination, _)| destination.prefix_len())
            .map(|(_, source)| source)
            .or(match remote {
                // Made up: reached by the route that its relay has, or not at all.
                ip if is_made_up(ip) => None,
                IpAddr::V4(_) => self.default_source_v4.map(IpAddr::V4),
                IpAddr::V6(_) => self.default_source_v6.map(IpAddr::V6),
            })
    }

    /// Whether `ip` is one of the host's usable addresses.
    #[must_use]
    pub fn has(&self, ip: IpAddr) -> bool {
        let default = match ip {
            IpAddr::V4(v4) => self.default_source_v4 == Some(v4),
            IpAddr::V6(v6) => self.default_source_v6 == Some(v6),
        };
        default
            || self.addresses.iter().any(|local| local.ip == ip)
            || self.routes.iter().any(|route| route.source == ip)
    }

    /// The attachment points that peers may be told of: every usable address with `port`, the default
    /// routes' first. Those on metered networks only if there are no others.
    #[must_use]
    pub fn points(&self, port: u16) -> Vec<SocketAddr> {
        let defaults =
            self.default_source_v4.map(IpAddr::V4).into_iter().chain(self.default_source_v6.map(IpAddr::V6));
        let all: Vec<IpAddr> = defaults.chain(self.addresses.iter().map(|local| local.ip)).collect();
        let spared = all.iter().any(|ip| !self.is_metered(*ip));
        let mut points: Vec<SocketAddr> = Vec::new();
        for ip in all.into_iter().filter(|ip| !(spared && self.is_metered(*ip))) {
            let point = SocketAddr::new(ip, port);
            if !points.contains(&point) {
                points.push(point);
            }
        }
        points
    }
}

/// What is on the same link as a local address.
fn link(local: &LocalAddress) -> Option<Prefix> {
    Prefix::new(local.ip, local.prefix_len)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attached() -> LocalAttachment {
        let local = |ip: &str, prefix_len| LocalAddress { ip: ip.parse().unwrap(), prefix_len, interface: 2 };
        LocalAttachment {
            addresses: vec![local("10.1.0.2", 24), local("192.168.9.2", 24), local("2001:db8::2", 64)],
            default_source_v4: Some("10.1.0.2".parse().unwrap()),
            default_source_v6: None,
            routes: Vec::new(),
            standby: Vec::new(),
            metered: Vec::new(),
            cause: Cause::Start,
        }
    }

    #[test]
    fn the_address_on_the_remote_s_link_is_preferred_to_the_default_route_s() {
        let here = attached();
        assert_eq!(here.source_for("192.168.9.77".parse().unwrap()), Some("192.168.9.2".parse().unwrap()));
        assert_eq!(here.source_for("8.8.8.8".parse().unwrap()), Some("10.1.0.2".parse().unwrap()));
        assert_eq!(here.source_for("2001:db8::9".parse().unwrap()), Some("2001:db8::2".parse().unwrap()));
        assert_eq!(here.source_for("2001:db9::9".parse().unwrap()), None, "no default route for IPv6");
    }

    #[test]
    fn the_default_route_s_address_is_told_first_and_none_twice() {
        let points = attached().points(7);
        assert_eq!(points[0], "10.1.0.2:7".parse().unwrap());
        assert_eq!(points.len(), 3);
    }

    #[test]
    fn a_route_leads_where_no_default_route_does_and_the_longest_prefix_wins() {
        let route = |destination: &str, len, source: &str| LocalRoute {
            destination: Prefix::new(destination.parse().unwrap(), len).unwrap(),
            source: source.parse().unwrap(),
        };
        let routes = vec![
            route("172.16.0.0", 12, "192.168.9.2"),
            route("172.16.5.5", 32, "10.1.0.2"),
            route("2001:db9::", 32, "2001:db8::2"),
        ];
        let here = LocalAttachment { routes, default_source_v4: None, ..attached() };

        let source = |remote: &str| here.source_for(remote.parse().unwrap()).map(|ip| ip.to_string());
        assert_eq!(source("172.16.0.1").as_deref(), Some("192.168.9.2"));
        assert_eq!(source("172.16.5.5").as_deref(), Some("10.1.0.2"));
        assert_eq!(source("2001:db9::9").as_deref(), Some("2001:db8::2"));
        assert_eq!(source("8.8.8.8"), None);
    }

    #[test]
    fn a_metered_network_is_left_alone_as_long_as_another_leads_outside() {
        let (dear, free): (IpAddr, IpAddr) = ("10.1.0.2".parse().unwrap(), "192.168.9.2".parse().unwrap());
        let far = "8.8.8.8".parse().unwrap();
        let metered = LocalAttachment { metered: vec![dear], ..attached() };
        assert_eq!(metered.source_for(far), Some(dear), "nothing else leads there");
        assert_eq!(metered.points(7), [SocketAddr::new(free, 7), "[2001:db8::2]:7".parse().unwrap()]);

        let both = LocalAttachment { standby: vec![free], ..metered };
        assert_eq!(both.source_for(far), Some(free));
        assert_eq!(both.last_resorts_for(far).collect::<Vec<_>>(), [dear]);
        let neighbour = "10.1.0.77".parse().unwrap();
        assert_eq!(both.source_for(neighbour), Some(dear), "on that very link");
        assert_eq!(both.last_resorts_for(neighbour).count(), 0);
    }

    #[test]
    fn a_further_network_s_source_is_known_beside_the_default_route_s() {
        let further = "192.168.9.2".parse().unwrap();
        let here = LocalAttachment { standby: vec![further], ..attached() };
        let far = "8.8.8.8".parse().unwrap();
        assert_eq!(here.source_for(far), Some("10.1.0.2".parse().unwrap()));
        assert_eq!(here.standby_for(far).collect::<Vec<_>>(), [further]);
        assert_eq!(here.standby_for("2001:db9::9".parse().unwrap()).count(), 0, "of the other family");
    }
}
