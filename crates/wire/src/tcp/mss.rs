//! The maximum segment size that a SYN offers, made to fit the path (RFC 9293 §3.7.1).

use super::{FIXED_LEN, kind};
use crate::checksum::{addresses, amend, folded, pseudo_header};
use crate::ip::{IpHeaders, Protocol};

/// Whether `packet` is a SYN that invites segments whose packets would be longer than `longest` bytes.
#[inline]
#[must_use]
pub fn invites_longer(packet: &[u8], headers: &IpHeaders, longest: usize) -> bool {
    headers.tcp.is_some_and(|flags| flags.syn) && excess(packet, headers, longest).is_some()
}

/// Lowers the MSS of a SYN so that no packet of its connection need be longer than `longest` bytes, and mends the
/// checksum. False, and nothing changes, if it is no such SYN.
///
/// With `partial` the checksum may be the pseudo-header's sum alone, which the device completes: such a one covers no
/// options yet and stays as it is.
pub fn clamp(packet: &mut [u8], headers: &IpHeaders, longest: usize, partial: bool) -> bool {
    if !headers.tcp.is_some_and(|flags| flags.syn) {
        return false;
    }
    let Some((at, most)) = excess(packet, headers, longest) else { return false };
    let segment_len = headers.total_len - headers.transport_offset;
    let pseudo = folded(pseudo_header(addresses(packet), Protocol::TCP.0, segment_len));
    let segment = &mut packet[headers.transport_offset..headers.total_len];
    let mut checksum = u16::from_be_bytes([segment[CHECKSUM], segment[CHECKSUM + 1]]);
    let complete = !(partial && checksum == pseudo);
    for (offset, byte) in most.to_be_bytes().into_iter().enumerate() {
        let at = at + offset;
        // A byte weighs by its place in its 16-bit word, whatever the option's alignment.
        let weigh = |byte: u8| u16::from(byte) << if at % 2 == 0 { 8 } else { 0 };
        if complete {
            checksum = amend(checksum, weigh(segment[at]), weigh(byte));
        }
        segment[at] = byte;
    }
    segment[CHECKSUM..CHECKSUM + 2].copy_from_slice(&checksum.to_be_bytes());
    true
}

/// Where the MSS stands, counted from the TCP header's start, and what it may be at most, if it is more.
fn excess(packet: &[u8], headers: &IpHeaders, longest: usize) -> Option<(usize, u16)> {
    let segment = packet.get(headers.transport_offset..headers.total_len)?;
    let end = usize::from(*segment.get(12)? >> 4) * 4;
    let most = longest.saturating_sub(headers.transport_offset + FIXED_LEN).max(LEAST);
    let mut at = FIXED_LEN;
    while at < end {
        match *segment.get(at..end)? {
            [] | [kind::END, ..] => return None,
            [kind::NO_OPERATION, ..] => at += 1,
            [kind::MSS, 4, high, low, ..] => {
                let offered = u16::from_be_bytes([high, low]);
                return (usize::from(offered) > most).then_some((at + 2, most as u16));
            }
            [_, len, ..] if len >= 2 => at += usize::from(len),
            [..] => return None,
        }
    }
    None
}

/// Less is nobody's business: what any host takes without asking, less the headers (RFC 9293 §3.7.1).
const LEAST: usize = 216;

/// Where a TCP header has its checksum.
const CHECKSUM: usize = 16;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::is_intact;
    use super::*;
    use crate::checksum::sum;

    /// A SYN whose options are `options`, with a right checksum.
    fn syn(v6: bool, options: &[u8]) -> Vec<u8> {
        let mut segment = vec![0; FIXED_LEN];
        segment[1] = 7;
        segment[3] = 9;
        segment.extend_from_slice(options);
        segment.resize(segment.len().next_multiple_of(4), 0);
        segment[12] = ((segment.len() / 4) << 4) as u8;
        segment[13] = 2;
        let len = segment.len() as u8;
        let mut packet = match v6 {
            true => vec![0x60, 0, 0, 0, 0, len, 6, 64],
            false => vec![0x45, 0, 0, 20 + len, 0, 0, 0x40, 0, 64, 6, 0, 0],
        };
        packet.extend((0..if v6 { 32 } else { 8 }).map(|at| at * 7 + 1));
        let at = packet.len() + CHECKSUM;
        let pseudo = pseudo_header(addresses(&packet), 6, segment.len());
        let checksum = !folded(pseudo + sum(&segment));
        packet.extend(segment);
        packet[at..at + 2].copy_from_slice(&checksum.to_be_bytes());
        packet
    }

    #[test]
    fn a_syn_asks_for_no_more_than_the_path_takes() {
        for (v6, longest, left) in [(false, 1216, 1176_u16), (true, 1200, 1140), (false, 100, 216)] {
            let mut packet = syn(v6, &[2, 4, 0x05, 0xb4, 4, 2]);
            let headers = IpHeaders::parse(&packet).unwrap();
            assert!(invites_longer(&packet, &headers, longest));
            assert!(clamp(&mut packet, &headers, longest, false));
            assert_eq!(excess(&packet, &headers, 0).map(|(at, _)| at), (left > 216).then_some(22));
            assert_eq!(packet[headers.transport_offset + 22..][..2], left.to_be_bytes());
            assert!(is_intact(&packet));
            assert!(!clamp(&mut packet, &headers, longest, false), "once is enough");
        }
    }

    #[test]
    fn what_asks_for_less_or_for_nothing_stays_as_it_is() {
        for options in [&[2, 4, 2, 0x18][..], &[1, 1, 4, 2], &[], &[2, 4], &[8, 0, 2, 4, 5, 0xb4]] {
            let before = syn(false, options);
            let mut packet = before.clone();
            let headers = IpHeaders::parse(&packet).unwrap();
            assert!(!clamp(&mut packet, &headers, 1216, false), "{options:?}");
            assert_eq!(packet, before);
        }
        let mut data = syn(false, &[2, 4, 0x05, 0xb4]);
        data[33] = 0x10;
        let headers = IpHeaders::parse(&data).unwrap();
        assert!(!clamp(&mut data, &headers, 1216, false), "only a SYN has an MSS");
    }

    #[test]
    fn a_partial_checksum_stays_partial() {
        let mut packet = syn(true, &[2, 4, 0x05, 0xb4]);
        let headers = IpHeaders::parse(&packet).unwrap();
        let pseudo = folded(pseudo_header(addresses(&packet), 6, 24));
        packet[40 + CHECKSUM..][..2].copy_from_slice(&pseudo.to_be_bytes());
        assert!(clamp(&mut packet, &headers, 1200, true));
        assert_eq!(packet[40 + CHECKSUM..][..2], pseudo.to_be_bytes());
    }

    proptest! {
        #[test]
        fn whatever_the_options_the_checksum_stays_right(
            options in prop::collection::vec(any::<u8>(), 0..36),
            before in 0_usize..8,
            v6: bool,
            longest in 0_usize..1500,
        ) {
            let mut all = vec![1; before.min(36 - options.len().min(36))];
            all.extend([2, 4, 0x23, 0x28]);
            all.extend(options);
            all.truncate(40);
            let mut packet = syn(v6, &all);
            let headers = IpHeaders::parse(&packet).unwrap();
            prop_assert!(clamp(&mut packet, &headers, longest, false));
            prop_assert!(is_intact(&packet));
        }
    }
}
