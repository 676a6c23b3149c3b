//! Reads the headers of inner packets (RFC 791, RFC 8200).

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{FiveTuple, IpHeaders, Protocol, TcpFlags};
use crate::reader::DecodeError;

/// Extension headers walked before a packet is refused. RFC 8200 §4.1 lists eight in its recommended order.
const MOST_EXTENSION_HEADERS: usize = 8;

const IPV4: &str = "IPv4 packet";
const IPV6: &str = "IPv6 packet";

const IPV4_MIN_HEADER_LEN: usize = 20;
const IPV6_HEADER_LEN: usize = 40;

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const DESTINATION_OPTIONS: u8 = 60;

impl IpHeaders {
    /// Reads an IP packet's headers. `packet` may go on after the datagram (options, padding), never end within it.
    ///
    /// Allocates nothing; checksums are left to whoever ends the connection.
    ///
    /// # Errors
    /// [`DecodeError`] names the header and the field that is cut off, contradicts another or means nothing.
    #[inline]
    pub fn parse(packet: &[u8]) -> Result<Self, DecodeError> {
        const NAME: &str = "packet";
        match packet.first().map(|first| first >> 4) {
            Some(4) => parse_ipv4(packet),
            Some(6) => parse_ipv6(packet),
            Some(found) => Err(DecodeError::UnknownValue { message: NAME, field: "IP version", found }),
            None => Err(DecodeError::Truncated { message: NAME, field: "IP version" }),
        }
    }
}

/// Which part of its datagram a packet is.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Part {
    Whole,
    FirstFragment,
    LaterFragment,
}

impl Part {
    const fn new(offset: u16, more: bool) -> Self {
        match (offset, more) {
            (0, false) => Self::Whole,
            (0, true) => Self::FirstFragment,
            _ => Self::LaterFragment,
        }
    }
}

/// What the upper layer's header adds to the addresses.
#[derive(Clone, Copy, Default)]
struct Upper {
    source: u16,
    destination: u16,
    tcp: Option<TcpFlags>,
}

fn parse_ipv4(packet: &[u8]) -> Result<IpHeaders, DecodeError> {
    let Some(header) = packet.first_chunk::<IPV4_MIN_HEADER_LEN>() else {
        return Err(DecodeError::Truncated { message: IPV4, field: "header" });
    };
    let header_len = usize::from(header[0] & 0x0f) * 4;
    if header_len < IPV4_MIN_HEADER_LEN {
        return Err(too_small(IPV4, "header length", IPV4_MIN_HEADER_LEN, header_len));
    }
    let total_len = usize::from(u16::from_be_bytes([header[2], header[3]]));
    if total_len < header_len {
        return Err(too_small(IPV4, "total length", header_len, total_len));
    }
    let payload = slice(packet, header_len, total_len, IPV4, "total length")?;
    let [_, _, _, _, _, _, fragment @ .., _, protocol, _, _, s0, s1, s2, s3, d0, d1, d2, d3] = *header;
    let fragment = u16::from_be_bytes(fragment);
    let part = Part::new(fragment & 0x1fff, fragment & 0x2000 != 0);
    let addresses = (Ipv4Addr::new(s0, s1, s2, s3).into(), Ipv4Addr::new(d0, d1, d2, d3).into());
    headers(addresses, Protocol(protocol), part, total_len, payload)
}

fn parse_ipv6(packet: &[u8]) -> Result<IpHeaders, DecodeError> {
    let Some((header, _)) = packet.split_first_chunk::<IPV6_HEADER_LEN>() else {
        return Err(DecodeError::Truncated { message: IPV6, field: "header" });
    };
    let total_len = IPV6_HEADER_LEN + usize::from(u16::from_be_bytes([header[4], header[5]]));
    let payload = slice(packet, IPV6_HEADER_LEN, total_len, IPV6, "payload length")?;
    let (source, destination) = (address(header, 8), address(header, 24));
    let (next, part, payload) = walk_extension_headers(header[6], payload)?;
    headers((source, destination), Protocol(next), part, total_len, payload)
}

/// The upper protocol and its bytes, past every extension header.
fn walk_extension_headers(mut next: u8, mut payload: &[u8]) -> Result<(u8, Part, &[u8]), DecodeError> {
    const FIELD: &str = "extension headers";
    let mut part = Part::Whole;
    for _ in 0..=MOST_EXTENSION_HEADERS {
        if part == Part::LaterFragment || !is_extension(next) {
            return Ok((next, part, payload));
        }
        let Some(header) = payload.first_chunk::<8>() else {
            return Err(DecodeError::Truncated { message: IPV6, field: FIELD });
        };
        let len = match next {
            FRAGMENT => {
                let offset = u16::from_be_bytes([header[2], header[3]]);
                part = Part::new(offset >> 3, offset & 1 != 0);
                8
            }
            // RFC 4302 §2.2: in units of four bytes, less two.
            AUTHENTICATION => (usize::from(header[1]) + 2) * 4,
            _ => (usize::from(header[1]) + 1) * 8,
        };
        payload = payload.get(len..).ok_or(DecodeError::Truncated { message: IPV6, field: FIELD })?;
        next = header[0];
    }
    let found = MOST_EXTENSION_HEADERS + 1;
    Err(DecodeError::TooMany { message: IPV6, field: FIELD, most: MOST_EXTENSION_HEADERS, found })
}

const fn is_extension(next: u8) -> bool {
    matches!(next, HOP_BY_HOP | ROUTING | FRAGMENT | AUTHENTICATION | DESTINATION_OPTIONS)
}

/// `payload` is the upper layer's header and all that follows it, to the end of the datagram.
fn headers(
    (source, destination): (IpAddr, IpAddr),
    protocol: Protocol,
    part: Part,
    total_len: usize,
    payload: &[u8],
) -> Result<IpHeaders, DecodeError> {
    let upper = match protocol {
        _ if part == Part::LaterFragment => Upper::default(),
        Protocol::TCP => parse_tcp(payload, part)?,
        Protocol::UDP => parse_udp(payload)?,
        Protocol::ICMP => parse_echo(payload, [0, 8], "ICMP message")?,
        Protocol::ICMPV6 => parse_echo(payload, [128, 129], "ICMPv6 message")?,
        _ => Upper::default(),
    };
    Ok(IpHeaders {
        tuple: FiveTuple {
            source: SocketAddr::new(source, upper.source),
            destination: SocketAddr::new(destination, upper.destination),
            protocol,
        },
        total_len,
        transport_offset: total_len - payload.len(),
        tcp: upper.tcp,
    })
}

fn parse_tcp(payload: &[u8], part: Part) -> Result<Upper, DecodeError> {
    // A first fragment may end before the flags; it has the ports at least.
    let whole_header = payload.len() >= 20;
    let (Some(ports), true) = (payload.first_chunk(), whole_header || part == Part::FirstFragment) else {
        return Err(DecodeError::Truncated { message: "TCP segment", field: "header" });
    };
    let tcp = whole_header.then(|| TcpFlags::of_byte(payload[13]));
    Ok(Upper { tcp, ..upper_with_ports(ports) })
}

fn parse_udp(payload: &[u8]) -> Result<Upper, DecodeError> {
    let Some([ports @ .., _, _, _, _]) = payload.first_chunk::<8>() else {
        return Err(DecodeError::Truncated { message: "UDP datagram", field: "header" });
    };
    Ok(upper_with_ports(ports))
}

/// Both ports hold the identifier of an echo request or reply; they are 0 for all else.
fn parse_echo(payload: &[u8], echoes: [u8; 2], message: &'static str) -> Result<Upper, DecodeError> {
    let Some(header) = payload.first_chunk::<8>() else {
        return Err(DecodeError::Truncated { message, field: "header" });
    };
    let identifier = u16::from_be_bytes([header[4], header[5]]);
    let port = if echoes.contains(&header[0]) { identifier } else { 0 };
    Ok(Upper { source: port, destination: port, tcp: None })
}

const fn upper_with_ports(ports: &[u8; 4]) -> Upper {
    let [s0, s1, d0, d1] = *ports;
    Upper { source: u16::from_be_bytes([s0, s1]), destination: u16::from_be_bytes([d0, d1]), tcp: None }
}

fn address(header: &[u8; IPV6_HEADER_LEN], at: usize) -> IpAddr {
    let mut octets = [0; 16];
    octets.copy_from_slice(&header[at..at + 16]);
    Ipv6Addr::from(octets).into()
}

fn slice<'a>(
    packet: &'a [u8],
    from: usize,
    to: usize,
    message: &'static str,
    field: &'static str,
) -> Result<&'a [u8], DecodeError> {
    packet.get(from..to).ok_or(DecodeError::LengthBeyondEnd {
        message,
        field,
        available: packet.len(),
        found: to,
    })
}

const fn too_small(message: &'static str, field: &'static str, least: usize, found: usize) -> DecodeError {
    DecodeError::LengthTooSmall { message, field, least, found }
}

#[cfg(test)]
mod tests;
