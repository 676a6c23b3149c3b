//! Endpoints: where a peer may be reached on the underlay.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::str::FromStr;

/// An attachment point to try, as the configuration names it.
///
/// Names stay text here: they are looked up when the program goes up, and an answer today says
/// nothing about tomorrow.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Endpoint {
    /// `192.0.2.7:51820` or `[2001:db8::7]:51820`.
    Address(SocketAddr),
    /// `home.example.org:51820`.
    Name {
        /// The host's name.
        host: String,
        /// The UDP port.
        port: u16,
    },
}

impl Endpoint {
    /// The UDP port, never 0.
    #[must_use]
    pub const fn port(&self) -> u16 {
        match self {
            Self::Address(address) => address.port(),
            Self::Name { port, .. } => *port,
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Name { host, port } => write!(f, "{host}:{port}"),
        }
    }
}

/// Why a text is not an endpoint.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum EndpointFault {
    /// An address or a name alone.
    #[error("has no port")]
    NoPort,
    /// Nothing can be sent to port 0.
    #[error("has port 0, which nothing can be sent to")]
    ZeroPort,
    /// Not a number from 1 to 65535.
    #[error("has a port that is not a number from 1 to 65535")]
    BadPort,
    /// An IPv6 address without brackets: where does the port begin?
    #[error("is an IPv6 address without brackets")]
    Unbracketed,
    /// Neither an address nor a host name.
    #[error("has neither an IP address nor a host name before the port")]
    BadHost,
    /// An address that is no one host's: unspecified, multicast, broadcast.
    #[error("has an address that belongs to no single host")]
    NoHost,
}

impl EndpointFault {
    /// What to write instead of `found`.
    #[must_use]
    pub fn hint(&self, found: &str) -> String {
        match self {
            Self::NoPort if found.parse::<Ipv6Addr>().is_ok() => format!("write `\"[{found}]:51820\"`"),
            Self::NoPort if found.starts_with('[') => format!("write `\"{found}:51820\"`"),
            Self::NoPort => {
                format!("write `{}:51820`, or the port that the peer listens on", found.trim_end_matches(':'))
            }
            Self::ZeroPort | Self::BadPort => "`stead check` on the peer shows the port it listens on".into(),
            Self::Unbracketed => "write `\"[2001:db8::7]:51820\"`, with the quotes".into(),
            Self::BadHost => "check the spelling; IPv4 addresses have four numbers up to 255".into(),
            Self::NoHost => "give the peer's own address".into(),
        }
    }
}

impl FromStr for Endpoint {
    type Err = EndpointFault;

    fn from_str(text: &str) -> Result<Self, EndpointFault> {
        if let Some(rest) = text.strip_prefix('[') {
            return bracketed(rest);
        }
        let (host, port) = text.rsplit_once(':').ok_or(EndpointFault::NoPort)?;
        if text.parse::<Ipv6Addr>().is_ok() || host.parse::<Ipv6Addr>().is_ok() {
            return Err(EndpointFault::Unbracketed);
        }
        if let Ok(ip) = host.parse::<Ipv4Addr>() {
            return address(ip.into(), parse_port(port)?);
        }
        if !is_host_name(host) {
            return Err(EndpointFault::BadHost);
        }
        Ok(Self::Name { host: host.into(), port: parse_port(port)? })
    }
}

fn bracketed(rest: &str) -> Result<Endpoint, EndpointFault> {
    let (host, after) = rest.split_once(']').ok_or(EndpointFault::BadHost)?;
    let ip = host.parse::<Ipv6Addr>().map_err(|_| EndpointFault::BadHost)?;
    let port = after.strip_prefix(':').ok_or(EndpointFault::NoPort)?;
    address(ip.into(), parse_port(port)?)
}

fn address(ip: IpAddr, port: u16) -> Result<Endpoint, EndpointFault> {
    if ip.is_unspecified() || ip.is_multicast() || ip == IpAddr::V4(Ipv4Addr::BROADCAST) {
        return Err(EndpointFault::NoHost);
    }
    Ok(Endpoint::Address(SocketAddr::new(ip, port)))
}

fn parse_port(text: &str) -> Result<u16, EndpointFault> {
    if text.is_empty() {
        return Err(EndpointFault::NoPort);
    }
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(EndpointFault::BadPort);
    }
    match text.parse() {
        Ok(0) => Err(EndpointFault::ZeroPort),
        Ok(port) => Ok(port),
        Err(_) => Err(EndpointFault::BadPort),
    }
}

/// Labels of letters, digits, hyphens and (seen in the wild) underscores; not digits and dots alone,
/// which is a mistyped IPv4 address.
fn is_host_name(host: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    let name = host.strip_suffix('.').unwrap_or(host);
    name.len() <= 253
        && name.split('.').all(label)
        && name.rsplit('.').next().is_some_and(|last| !last.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_names_are_read_and_written_alike() {
        for text in
            ["192.0.2.7:51820", "[2001:db8::7]:51820", "home.example.org:1", "nas:65535", "a_b.example:9"]
        {
            assert_eq!(text.parse::<Endpoint>().unwrap().to_string(), text);
        }
        assert!(matches!("192.0.2.7:51820".parse(), Ok(Endpoint::Address(_))));
        assert!(matches!("home.example.org:51820".parse(), Ok(Endpoint::Name { .. })));
    }

    #[test]
    fn each_fault_has_its_name() {
        let fault = |text: &str| text.parse::<Endpoint>().unwrap_err();
        assert_eq!(fault("192.0.2.7"), EndpointFault::NoPort);
        assert_eq!(fault("192.0.2.7:"), EndpointFault::NoPort);
        assert_eq!(fault("[2001:db8::7]"), EndpointFault::NoPort);
        assert_eq!(fault("192.0.2.7:0"), EndpointFault::ZeroPort);
        assert_eq!(fault("192.0.2.7:70000"), EndpointFault::BadPort);
        assert_eq!(fault("192.0.2.7:+51"), EndpointFault::BadPort);
        assert_eq!(fault("2001:db8::7:51820"), EndpointFault::Unbracketed);
        assert_eq!(fault("2001:db8:1:2:3:4:5:6:51820"), EndpointFault::Unbracketed);
        assert_eq!(fault("[2001:db8::g]:51820"), EndpointFault::BadHost);
        assert_eq!(fault("300.0.2.7:51820"), EndpointFault::BadHost);
        assert_eq!(fault("-x.example:51820"), EndpointFault::BadHost);
        assert_eq!(fault(":51820"), EndpointFault::BadHost);
        assert_eq!(fault("0.0.0.0:51820"), EndpointFault::NoHost);
        assert_eq!(fault("[ff02::1]:51820"), EndpointFault::NoHost);
        assert_eq!(fault("255.255.255.255:1"), EndpointFault::NoHost);
    }

    #[test]
    fn the_hint_for_a_missing_port_can_be_pasted() {
        assert_eq!(
            EndpointFault::NoPort.hint("192.0.2.7"),
            "write `192.0.2.7:51820`, or the port that the peer listens on"
        );
    }
}
