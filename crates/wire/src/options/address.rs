//! Attachment points inside options: family (4, 6, or 0 for none), port, address.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::reader::{DecodeError, Reader};

/// Length of the longest, an IPv6 one.
pub(super) const MOST_LEN: usize = 1 + 2 + 16;

const NONE: u8 = 0;
const IPV4: u8 = 4;
const IPV6: u8 = 6;

/// Flow label and scope of an IPv6 address mean nothing elsewhere and are not written.
pub(super) fn encode(address: Option<SocketAddr>, out: &mut Vec<u8>) {
    let Some(address) = address else {
        out.push(NONE);
        return;
    };
    let port = address.port().to_be_bytes();
    match address.ip() {
        IpAddr::V4(ip) => {
            out.push(IPV4);
            out.extend(port);
            out.extend(ip.octets());
        }
        IpAddr::V6(ip) => {
            out.push(IPV6);
            out.extend(port);
            out.extend(ip.octets());
        }
    }
}

pub(super) const fn encoded_len(address: Option<SocketAddr>) -> usize {
    match address {
        None => 1,
        Some(SocketAddr::V4(_)) => 1 + 2 + 4,
        Some(SocketAddr::V6(_)) => MOST_LEN,
    }
}

pub(super) fn decode(
    reader: &mut Reader<'_>,
    field: &'static str,
) -> Result<Option<SocketAddr>, DecodeError> {
    let family = reader.u8(field)?;
    if family == NONE {
        return Ok(None);
    }
    decode_family(family, reader, field).map(Some)
}

/// Like [`decode`], where none is no answer.
pub(super) fn decode_some(reader: &mut Reader<'_>, field: &'static str) -> Result<SocketAddr, DecodeError> {
    let family = reader.u8(field)?;
    decode_family(family, reader, field)
}

fn decode_family(
    family: u8,
    reader: &mut Reader<'_>,
    field: &'static str,
) -> Result<SocketAddr, DecodeError> {
    if family != IPV4 && family != IPV6 {
        return Err(reader.unknown_value(field, family));
    }
    let port = reader.u16_be(field)?;
    let ip = if family == IPV4 {
        IpAddr::from(Ipv4Addr::from(*reader.array::<4>(field)?))
    } else {
        IpAddr::from(Ipv6Addr::from(*reader.array::<16>(field)?))
    };
    Ok(SocketAddr::new(ip, port))
}
