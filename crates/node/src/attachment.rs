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
            cause,
        }
    }

    /// The local address from which `remote` would be reached: by the longest prefix among links and routes, else by
    /// the default route. `None` if nothing leads there.
    #[must_use]
    pub fn source_for(&self, remote: IpAddr) -> Option<IpAddr> {
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
    /// routes' first.
    #[must_use]
    pub fn points(&self, port: u16) -> Vec<SocketAddr> {
        let defaults =
            self.default_source_v4.map(IpAddr::V4).into_iter().chain(self.default_source_v6.map(IpAddr::V6));
        let mut points: Vec<SocketAddr> = Vec::new();
        for ip in defaults.chain(self.addresses.iter().map(|local| local.ip)) {
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
}
