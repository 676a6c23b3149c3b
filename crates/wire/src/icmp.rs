//! What tells a sender that its packet was too long: ICMP's "fragmentation needed" (RFC 792, RFC 1191) and ICMPv6's
//! "packet too big" (RFC 4443 §3.2); and that it was lost because no path led further: "host unreachable" and "no route
//! to destination" (RFC 4443 §3.1).

use crate::checksum::{addresses, checksum, folded, pseudo_header, sum};
use crate::ip::{IpHeaders, Protocol};

/// The smallest MTU that an IPv6 link may have (RFC 8200 §5), and the smallest that can be told of.
pub const IPV6_LEAST_MTU: usize = 1280;

/// The answer to `packet`, which is longer than `longest`: a whole IP packet to its sender.
///
/// It comes in the name of the packet's destination, as nobody in between has an address. `None` where none may be
/// given (RFC 1122 §3.2.2, RFC 4443 §2.4): to an ICMP error, to a later fragment, to or from more than one host; and
/// to an IPv6 packet that is as short as IPv6 allows.
#[must_use]
pub fn too_big(packet: &[u8], headers: &IpHeaders, longest: usize) -> Option<Vec<u8>> {
    if is_error(packet, headers) || is_later_fragment(packet) || !is_answerable(headers) {
        return None;
    }
    match packet.first()? >> 4 {
        4 => Some(fragmentation_needed(packet, longest)),
        _ => (headers.total_len > IPV6_LEAST_MTU).then(|| packet_too_big(packet, longest)),
    }
}

/// The answer to `packet`, for which there was no path: a whole IP packet to its sender, in the name of its destination.
///
/// A TCP that repeats itself takes it as the sign that its repetition was lost for want of a path and not for
/// congestion, and takes back the backoff (RFC 6069). `None` where no answer may be given, as for [`too_big`].
#[must_use]
pub fn unreachable(packet: &[u8], headers: &IpHeaders) -> Option<Vec<u8>> {
    if is_error(packet, headers) || is_later_fragment(packet) || !is_answerable(headers) {
        return None;
    }
    Some(match packet.first()? >> 4 {
        4 => v4_error(HOST_UNREACHABLE, 0, packet),
        _ => v6_error([NO_DESTINATION, NO_ROUTE], 0, packet),
    })
}

fn fragmentation_needed(packet: &[u8], longest: usize) -> Vec<u8> {
    v4_error(FRAGMENTATION_NEEDED, u16::try_from(longest).unwrap_or(u16::MAX), packet)
}

/// "Destination unreachable", for the reason `code`.
fn v4_error(code: u8, mtu: u16, packet: &[u8]) -> Vec<u8> {
    let quoted = &packet[..packet.len().min(IPV4_QUOTED)];
    let mut message = vec![DESTINATION_UNREACHABLE, code, 0, 0, 0, 0];
    message.extend(mtu.to_be_bytes());
    message.extend_from_slice(quoted);
    let sum = checksum(&message);
    message[2..4].copy_from_slice(&sum.to_be_bytes());

    let mut answer = vec![0x45, 0, 0, 0, 0, 0, 0, 0, HOPS, Protocol::ICMP.0, 0, 0];
    answer[2..4].copy_from_slice(&((20 + message.len()) as u16).to_be_bytes());
    answer.extend_from_slice(&packet[16..20]);
    answer.extend_from_slice(&packet[12..16]);
    let sum = checksum(&answer);
    answer[10..12].copy_from_slice(&sum.to_be_bytes());
    answer.extend(message);
    answer
}

fn packet_too_big(packet: &[u8], longest: usize) -> Vec<u8> {
    let mtu = u32::try_from(longest.max(IPV6_LEAST_MTU)).unwrap_or(u32::MAX);
    v6_error([PACKET_TOO_BIG, 0], mtu, packet)
}

/// An error of this type and code; `value` is its first word.
fn v6_error([kind, code]: [u8; 2], value: u32, packet: &[u8]) -> Vec<u8> {
    let quoted = &packet[..packet.len().min(IPV6_LEAST_MTU - 48)];
    let mut message = vec![kind, code, 0, 0];
    message.extend(value.to_be_bytes());
    message.extend_from_slice(quoted);

    let mut answer = vec![0x60, 0, 0, 0, 0, 0, Protocol::ICMPV6.0, HOPS];
    answer[4..6].copy_from_slice(&(message.len() as u16).to_be_bytes());
    answer.extend_from_slice(&packet[24..40]);
    answer.extend_from_slice(&packet[8..24]);
    let pseudo = pseudo_header(addresses(&answer), Protocol::ICMPV6.0, message.len());
    let checksum = !folded(pseudo + sum(&message));
    message[2..4].copy_from_slice(&checksum.to_be_bytes());
    answer.extend(message);
    answer
}

fn is_error(packet: &[u8], headers: &IpHeaders) -> bool {
    let kind = packet.get(headers.transport_offset).copied();
    match headers.tuple.protocol {
        // All but questions and their answers.
        Protocol::ICMP => !matches!(kind, Some(0 | 8 | 13 | 14)),
        Protocol::ICMPV6 => kind.is_none_or(|kind| kind < 128),
        _ => false,
    }
}

fn is_later_fragment(packet: &[u8]) -> bool {
    match packet {
        [0x40..=0x4f, _, _, _, _, _, high, low, ..] => u16::from_be_bytes([*high, *low]) & 0x1fff != 0,
        [0x60..=0x6f, ..] if packet.get(6) == Some(&44) => {
            packet.get(42..44).is_some_and(|offset| u16::from_be_bytes([offset[0], offset[1]]) >> 3 != 0)
        }
        _ => false,
    }
}

fn is_answerable(headers: &IpHeaders) -> bool {
    let one = |ip: core::net::IpAddr| {
        let broadcast = matches!(ip, core::net::IpAddr::V4(v4) if v4.is_broadcast());
        !(ip.is_multicast() || ip.is_unspecified() || broadcast)
    };
    one(headers.source()) && one(headers.destination())
}

const DESTINATION_UNREACHABLE: u8 = 3;
const HOST_UNREACHABLE: u8 = 1;
const FRAGMENTATION_NEEDED: u8 = 4;
const NO_DESTINATION: u8 = 1;
const NO_ROUTE: u8 = 0;
const PACKET_TOO_BIG: u8 = 2;

/// What most systems begin with.
const HOPS: u8 = 64;

/// As much as leaves the answer within 576 bytes (RFC 1812 §4.3.2.3).
const IPV4_QUOTED: usize = 576 - 28;

#[cfg(test)]
mod tests {
    use super::*;

    fn v4(protocol: u8, len: usize) -> Vec<u8> {
        let mut packet = vec![0x45, 0, (len >> 8) as u8, len as u8, 0, 0, 0x40, 0, 64, protocol, 0, 0];
        packet.extend([10, 0, 0, 1, 10, 0, 0, 2]);
        packet.resize(len, 8);
        packet
    }

    fn v6(next: u8, len: usize) -> Vec<u8> {
        let payload = len - 40;
        let mut packet = vec![0x60, 0, 0, 0, (payload >> 8) as u8, payload as u8, next, 64];
        packet.extend([0xfd; 16]);
        packet.extend([0xfc; 16]);
        packet.resize(len, 0x80);
        packet
    }

    fn answer(packet: &[u8], longest: usize) -> Option<Vec<u8>> {
        too_big(packet, &IpHeaders::parse(packet).unwrap(), longest)
    }

    #[test]
    fn ipv4_is_told_the_next_hop_s_mtu_and_what_it_concerns() {
        let packet = v4(17, 1400);
        let told = answer(&packet, 1216).unwrap();
        let headers = IpHeaders::parse(&told).unwrap();
        assert_eq!(headers.destination().to_string(), "10.0.0.1");
        assert_eq!(headers.source().to_string(), "10.0.0.2");
        assert_eq!((told[20], told[21], &told[26..28]), (3, 4, &1216_u16.to_be_bytes()[..]));
        assert_eq!(told.len(), 576);
        assert_eq!(told[28..], packet[..548]);
        assert_eq!((folded(sum(&told[..20])), folded(sum(&told[20..]))), (0xffff, 0xffff));
    }

    #[test]
    fn ipv6_is_never_told_of_less_than_its_least() {
        for (longest, told) in [(1200, 1280_u32), (1376, 1376)] {
            let packet = v6(17, 1420);
            let answer = answer(&packet, longest).unwrap();
            assert_eq!((answer[40], answer[41], &answer[44..48]), (2, 0, &told.to_be_bytes()[..]));
            assert_eq!(answer.len(), 1280);
            let pseudo = pseudo_header(addresses(&answer), 58, answer.len() - 40);
            assert_eq!(folded(pseudo + sum(&answer[40..])), 0xffff);
        }
        assert_eq!(answer(&v6(17, 1280), 1200), None, "no sender could make it shorter");
    }

    #[test]
    fn errors_fragments_and_groups_get_no_answer() {
        let mut error = v4(1, 1400);
        error[20] = 3;
        let mut fragment = v4(17, 1400);
        fragment[7] = 9;
        let mut group = v4(17, 1400);
        group[16] = 224;
        let mut error_v6 = v6(58, 1400);
        error_v6[40] = 1;
        let mut fragment_v6 = v6(44, 1400);
        fragment_v6[40..48].copy_from_slice(&[17, 0, 1, 0, 0, 0, 0, 1]);
        for packet in [error, fragment, group, error_v6, fragment_v6] {
            assert_eq!(answer(&packet, 1216), None);
        }
        assert!(answer(&v6(58, 1400), 1216).is_some(), "an echo request is no error");
    }
}
