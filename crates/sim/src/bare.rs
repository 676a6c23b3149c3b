//! A host without stead: its stack's packets cross the underlay as they are.

use core::net::{IpAddr, SocketAddr};

use crate::datagram::{Datagram, Protocol};

const UDP: u8 = 17;
const TCP: u8 = 6;

/// What a bare host's IP packet is to the underlay; `None` for what no router here carries.
pub(crate) fn from_packet(packet: &[u8]) -> Option<Datagram> {
    let (protocol, source, destination, transport) = match packet.first()? >> 4 {
        4 => {
            let header = packet.get(..20)?;
            let source = <[u8; 4]>::try_from(&header[12..16]).ok()?;
            let destination = <[u8; 4]>::try_from(&header[16..20]).ok()?;
            let len = usize::from(header[0] & 15) * 4;
            (header[9], IpAddr::from(source), IpAddr::from(destination), packet.get(len..)?)
        }
        6 => {
            let header = packet.get(..40)?;
            let source = <[u8; 16]>::try_from(&header[8..24]).ok()?;
            let destination = <[u8; 16]>::try_from(&header[24..40]).ok()?;
            (header[6], IpAddr::from(source), IpAddr::from(destination), &packet[40..])
        }
        _ => return None,
    };
    let ports = transport.get(..4)?;
    let port = |at: usize| u16::from_be_bytes([ports[at], ports[at + 1]]);
    let (protocol, payload) = match protocol {
        UDP => (Protocol::Udp, transport.get(8..)?.to_vec()),
        TCP => (Protocol::Tcp, transport.to_vec()),
        _ => return None,
    };
    let (source, destination) = (SocketAddr::new(source, port(0)), SocketAddr::new(destination, port(2)));
    Some(Datagram { source, destination, protocol, payload })
}

/// The IP packet that a bare host receives. Checksums are left out: its stack does not look.
pub(crate) fn to_packet(datagram: Datagram) -> Vec<u8> {
    let Datagram { source, destination, protocol, payload } = datagram;
    let (number, mut transport) = match protocol {
        Protocol::Tcp => (TCP, payload),
        Protocol::Udp => {
            let len = u16::try_from(payload.len() + 8).unwrap_or(u16::MAX).to_be_bytes();
            (UDP, [&[0, 0, 0, 0, len[0], len[1], 0, 0][..], &payload].concat())
        }
    };
    transport[..2].copy_from_slice(&source.port().to_be_bytes());
    transport[2..4].copy_from_slice(&destination.port().to_be_bytes());
    let mut packet = header(source.ip(), destination.ip(), number, transport.len());
    packet.append(&mut transport);
    packet
}

fn header(source: IpAddr, destination: IpAddr, protocol: u8, len: usize) -> Vec<u8> {
    let short = |len: usize| u16::try_from(len).unwrap_or(u16::MAX).to_be_bytes();
    match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let [high, low] = short(len + 20);
            let mut header = vec![0x45, 0, high, low, 0, 0, 0x40, 0, 64, protocol, 0, 0];
            header.extend(source.octets());
            header.extend(destination.octets());
            header
        }
        (source, destination) => {
            let [high, low] = short(len);
            let octets = |ip: IpAddr| match ip {
                IpAddr::V6(v6) => v6.octets(),
                IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
            };
            let mut header = vec![0x60, 0, 0, 0, high, low, protocol, 64];
            header.extend(octets(source));
            header.extend(octets(destination));
            header
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_crosses_the_underlay_and_comes_out_with_the_ports_a_router_gave_it() {
        for (here, there, outside) in [
            ("10.0.0.1:7", "10.0.0.2:9", "192.0.2.1:4000"),
            ("[2001:db8::1]:7", "[2001:db8::2]:9", "[2001:db8::9]:4000"),
        ] {
            let at = |text: &str| text.parse::<SocketAddr>().unwrap();
            let sent = Datagram::udp(at(here), at(there), b"hello".to_vec());
            let mut seen = from_packet(&to_packet(sent.clone())).unwrap();
            assert_eq!(seen, sent);
            seen.source = at(outside);
            assert_eq!(from_packet(&to_packet(seen.clone())).unwrap(), seen);
        }
    }

    #[test]
    fn what_is_neither_udp_nor_tcp_is_not_carried() {
        let mut packet = to_packet(Datagram::udp(
            "10.0.0.1:7".parse().unwrap(),
            "10.0.0.2:9".parse().unwrap(),
            Vec::new(),
        ));
        packet[9] = 1;
        assert_eq!(from_packet(&packet), None);
        assert_eq!(from_packet(&[]), None);
        assert_eq!(from_packet(&packet[..19]), None);
    }
}
