use proptest::prelude::*;

use super::*;
use crate::tcp::tests::is_intact;

fn v6(next: u8, payload: &[u8]) -> Vec<u8> {
    let len = payload.len();
    let mut packet = vec![0x60, 0, 0, 0, (len >> 8) as u8, len as u8, next, 64];
    packet.extend([0xfd; 16]);
    packet.extend([0xfc; 16]);
    packet.extend_from_slice(payload);
    packet
}

fn v4(protocol: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
    let len = 20 + payload.len();
    let mut packet = vec![0x45, 0, (len >> 8) as u8, len as u8, 0xff, 0xff, flags, 0, 64, protocol, 0, 0];
    packet.extend([10, 0, 0, 1, 10, 0, 0, 2]);
    packet.extend_from_slice(payload);
    packet
}

/// A TCP segment with timestamps and these flags; its checksum is not set.
fn tcp(flags: u8, data: &[u8]) -> Vec<u8> {
    let mut segment = vec![0, 7, 0, 9, 0xff, 0xff, 0xff, 0x00, 0, 0, 0, 1, 8 << 4, flags, 1, 1, 0, 0, 0, 0];
    segment.extend([1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2]);
    segment.extend_from_slice(data);
    segment
}

fn data(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at * 7 + at / 256) as u8).collect()
}

fn cut_to(packet: &[u8], longest: usize) -> Option<Vec<Vec<u8>>> {
    cut(packet, &IpHeaders::parse(packet).unwrap(), longest, 0x0102_0304)
}

/// What a receiver makes of IPv4 or IPv6 fragments that came in order: what followed the headers of the whole.
fn reassembled(pieces: &[Vec<u8>]) -> (u8, Vec<u8>) {
    let (mut whole, mut upper) = (Vec::new(), 0);
    for (index, piece) in pieces.iter().enumerate() {
        let (protocol, place, more, payload) = match piece[0] >> 4 {
            4 => {
                let place = u16::from_be_bytes([piece[6], piece[7]]);
                (piece[9], usize::from(place & 0x1fff) * 8, place & 0x2000 != 0, &piece[20..])
            }
            _ => {
                let place = u16::from_be_bytes([piece[42], piece[43]]);
                (piece[40], usize::from(place & !7), place & 1 != 0, &piece[48..])
            }
        };
        assert_eq!((place, more), (whole.len(), index + 1 < pieces.len()));
        upper = protocol;
        whole.extend_from_slice(payload);
    }
    (upper, whole)
}

#[test]
fn a_segment_becomes_segments_of_the_same_stream() {
    const ALL: u8 = 0x10 | FIN | PSH | CWR;
    for packet in [v6(6, &tcp(ALL, &data(1300))), v4(6, DONT_FRAGMENT, &tcp(ALL, &data(1300)))] {
        let pieces = cut_to(&packet, 1216).unwrap();
        let at = IpHeaders::parse(&packet).unwrap().transport_offset;
        let mut stream = Vec::new();
        for piece in &pieces {
            assert!(piece.len() <= 1216);
            assert!(is_intact(piece));
            let sequence = u32::from_be_bytes(*piece[at + 4..].first_chunk().unwrap());
            assert_eq!(sequence, 0xffff_ff00_u32.wrapping_add(stream.len() as u32));
            stream.extend_from_slice(&piece[at + 32..]);
        }
        assert_eq!(stream, data(1300));
        assert_eq!(pieces.iter().map(|piece| piece[at + 13]).collect::<Vec<_>>(), [0x10 | CWR, ALL & !CWR]);
        assert_eq!(pieces[1][at + 20..at + 32], packet[at + 20..at + 32], "options go with every segment");
    }
}

#[test]
fn what_opens_aborts_hurries_or_is_signed_is_not_cut() {
    for flags in [0x12, 0x14, 0x30, 0x00] {
        assert_eq!(cut_to(&v4(6, DONT_FRAGMENT, &tcp(flags, &data(1300))), 1216), None, "{flags:#04x}");
    }
    let mut signed = tcp(0x10, &data(1300));
    signed[20..32].copy_from_slice(&[19, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(cut_to(&v4(6, DONT_FRAGMENT, &signed), 1216), None);
}

#[test]
fn ipv6_of_up_to_1280_bytes_becomes_fragments_and_a_longer_one_does_not() {
    let packet = v6(17, &data(1240));
    let pieces = cut_to(&packet, 1200).unwrap();
    assert_eq!(pieces.iter().map(Vec::len).collect::<Vec<_>>(), [1200, 40 + 8 + 88]);
    assert_eq!(reassembled(&pieces), (17, data(1240)));
    for piece in &pieces {
        assert_eq!(piece[44..48], [1, 2, 3, 4]);
        assert!(IpHeaders::parse(piece).is_ok());
    }
    assert_eq!(cut_to(&v6(17, &data(1241)), 1200), None);
    assert_eq!(cut_to(&v6(0, &[&[17, 0, 1, 4, 0, 0, 0, 0], &data(1200)[..]].concat()), 1200), None);
}

#[test]
fn a_fragment_becomes_fragments_of_the_same_packet() {
    let last = v6(FRAGMENT, &[&[17, 0, 4, 208, 9, 9, 9, 9], &data(1232)[..]].concat());
    let pieces = cut_to(&last, 1200).unwrap();
    let places: Vec<u16> = pieces.iter().map(|piece| u16::from_be_bytes([piece[42], piece[43]])).collect();
    assert_eq!(places, [1232 | 1, 1232 + 1152]);
    assert!(pieces.iter().all(|piece| piece[44..48] == [9; 4]));
}

#[test]
fn ipv4_that_may_be_cut_is_cut_and_that_may_not_is_not() {
    let packet = v4(17, 0, &data(1400));
    let pieces = cut_to(&packet, 1216).unwrap();
    assert_eq!(reassembled(&pieces), (17, data(1400)));
    for piece in &pieces {
        assert_eq!((piece[4], piece[5], folded(sum(&piece[..20]))), (0xff, 0xff, 0xffff));
    }
    assert_eq!(cut_to(&v4(17, DONT_FRAGMENT, &data(1400)), 1216), None);
}

proptest! {
    #[test]
    fn no_piece_is_too_long_and_nothing_is_lost(len in 8_usize..1240, longest in 512_usize..1300) {
        for packet in [v6(17, &data(len)), v4(17, 0, &data(len))] {
            let whole = packet.len() > longest;
            let Some(pieces) = cut_to(&packet, longest).filter(|_| whole) else { continue };
            prop_assert!(pieces.iter().all(|piece| piece.len() <= longest));
            prop_assert_eq!(reassembled(&pieces), (17, data(len)));
        }
    }

    #[test]
    fn whatever_is_called_a_packet_is_cut_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), longest in 0_usize..400) {
        if let Ok(headers) = IpHeaders::parse(&bytes) {
            let _ = cut(&bytes, &headers, longest, 7);
            let _ = crate::icmp::too_big(&bytes, &headers, longest);
            let _ = crate::tcp::clamp_mss(&mut bytes.clone(), &headers, longest, false);
        }
    }
}
