//! What ICMP tells a host's stack about the way to a destination: the longest packet that gets there (RFC 1191, RFC 8201).

use core::net::IpAddr;

const ICMP: u8 = 1;
const ICMPV6: u8 = 58;
const UNREACHABLE: [u8; 2] = [3, 4];
const PACKET_TOO_BIG: u8 = 2;

/// Where a packet that was too long was to go, and the longest that gets there; `None` if `packet` says nothing of that.
pub(super) fn too_big(packet: &[u8]) -> Option<(IpAddr, usize)> {
    match packet.first()? >> 4 {
        4 if *packet.get(9)? == ICMP => {
            let message = packet.get(usize::from(packet[0] & 15) * 4..)?;
            let destination = <[u8; 4]>::try_from(message.get(24..28)?).ok()?;
            let longest = u16::from_be_bytes([message[6], message[7]]);
            (message[..2] == UNREACHABLE).then(|| (destination.into(), usize::from(longest)))
        }
        6 if *packet.get(6)? == ICMPV6 => {
            let message = packet.get(40..)?;
            let destination = <[u8; 16]>::try_from(message.get(32..48)?).ok()?;
            let longest = u32::from_be_bytes(*message[4..].first_chunk()?);
            (message[0] == PACKET_TOO_BIG)
                .then(|| (destination.into(), usize::try_from(longest).unwrap_or(usize::MAX)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use stead_wire::icmp;
    use stead_wire::ip::IpHeaders;

    use super::*;
    use crate::bare::to_packet;
    use crate::datagram::Datagram;

    #[test]
    fn what_a_node_answers_to_a_packet_that_is_too_long_is_understood() {
        for (here, there, family) in [("10.0.0.1:7", "10.0.0.2:9", 4), ("[fd00::1]:7", "[fd00::2]:9", 6)] {
            let there: core::net::SocketAddr = there.parse().unwrap();
            let sent = to_packet(Datagram::udp(here.parse().unwrap(), there, vec![0; 1360]));
            let answer = icmp::too_big(&sent, &IpHeaders::parse(&sent).unwrap(), 1300).unwrap();

            assert_eq!(too_big(&answer), Some((there.ip(), 1300)), "IPv{family}");
            assert_eq!(too_big(&sent), None);
            assert_eq!(too_big(&answer[..30]), None);
        }
    }
}
