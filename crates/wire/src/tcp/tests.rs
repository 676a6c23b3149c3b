use core::net::SocketAddr;

use proptest::prelude::*;

use super::*;

const A: &str = "10.77.0.1:40000";
const B: &str = "10.77.0.2:22";

fn bare(from: &str, to: &str, timestamps: Option<Timestamps>) -> BareAcknowledgement {
    let [from, to]: [SocketAddr; 2] = [from, to].map(|end| end.parse().unwrap());
    let (sequence, acknowledgement) = (Sequence(0xffff_fff0), Sequence(7));
    BareAcknowledgement { from, to, sequence, acknowledgement, window: 513, timestamps }
}

fn stamps() -> Timestamps {
    Timestamps { value: Sequence(0x0102_0304), echo: Sequence(0xf0f1_f2f3) }
}

fn read(packet: &[u8]) -> Segment {
    Segment::read(packet, &IpHeaders::parse(packet).unwrap()).unwrap()
}

/// Sums pseudo-header and segment: all ones if the checksum is right.
pub(crate) fn is_intact(packet: &[u8]) -> bool {
    let headers = IpHeaders::parse(packet).unwrap();
    let (addresses, segment) = (
        match packet[0] >> 4 {
            4 => &packet[12..20],
            _ => &packet[8..40],
        },
        &packet[headers.transport_offset..],
    );
    let len = u16::try_from(segment.len()).unwrap().to_be_bytes();
    let all: Vec<u8> = [addresses, &[0, 6], &len, segment].concat();
    let words = all.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0)));
    let sum: u32 = words.sum();
    let sum = (sum & 0xffff) + (sum >> 16);
    (sum & 0xffff) + (sum >> 16) == 0xffff
}

#[test]
fn a_bare_acknowledgement_says_what_it_was_told_to() {
    for (from, to) in [(A, B), ("[fd00::1]:40000", "[fd00::2]:22")] {
        for timestamps in [None, Some(stamps())] {
            let packet = bare(from, to, timestamps).encode().unwrap();
            let headers = IpHeaders::parse(&packet).unwrap();
            let segment = read(&packet);

            assert_eq!(headers.tuple.source.to_string(), from);
            assert_eq!(headers.tuple.destination.to_string(), to);
            assert_eq!(headers.total_len, packet.len());
            assert_eq!(segment.flags, TcpFlags { ack: true, ..TcpFlags::default() });
            assert_eq!((segment.sequence, segment.acknowledgement), (Sequence(0xffff_fff0), Sequence(7)));
            assert_eq!((segment.window, segment.payload_len, segment.timestamps), (513, 0, timestamps));
            assert!(is_intact(&packet), "{from} {timestamps:?}");
        }
    }
    assert_eq!(bare(A, "[fd00::2]:22", None).encode(), None, "no packet has ends of two families");
}

#[test]
fn the_header_of_version_4_has_a_right_checksum() {
    let packet = bare(A, B, None).encode().unwrap();
    let words = packet[..20].chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1]));
    let sum: u32 = words.sum();
    assert_eq!((sum & 0xffff) + (sum >> 16), 0xffff);
}

/// A segment with options and data behind the header of version 4.
fn segment(flags: u8, options: &[u8], data: &[u8]) -> Vec<u8> {
    let mut packet = bare(A, B, None).encode().unwrap();
    packet[20 + 12] = (((20 + options.len()) / 4) << 4) as u8;
    packet[20 + 13] = flags;
    packet.extend(options);
    packet.extend(data);
    let total_len = u16::try_from(packet.len()).unwrap();
    packet[2..4].copy_from_slice(&total_len.to_be_bytes());
    packet
}

#[test]
fn syn_and_fin_take_a_number_each_and_the_end_wraps() {
    assert_eq!(read(&segment(0x10, &[], &[0; 20])).end(), Sequence(4));
    assert_eq!(read(&segment(0x02, &[], &[])).end(), Sequence(0xffff_fff1));
    assert_eq!(read(&segment(0x11, &[], &[0; 15])).end(), Sequence(0));
    assert_eq!(read(&segment(0x10, &[], &[])).occupied(), 0);
}

#[test]
fn options_are_found_wherever_they_stand() {
    let stamp = [8, 10, 1, 2, 3, 4, 0xf0, 0xf1, 0xf2, 0xf3];
    let usual = [&[1, 1][..], &stamp].concat();
    let behind_others = [&[2, 4, 5, 180, 4, 2, 3, 3, 7, 1][..], &stamp].concat();
    for options in [usual, behind_others.clone()] {
        assert_eq!(read(&segment(0x10, &options, b"x")).timestamps, Some(stamps()));
    }
    let syn = segment(0x12, &behind_others, &[]);
    let headers = IpHeaders::parse(&syn).unwrap();
    assert_eq!(window_scale(&syn, &headers), Some(7));
    assert!(!is_guarded(&syn, &headers));
    assert_eq!(window_scale(&segment(0x12, &[], &[]), &headers), None);
}

#[test]
fn what_is_cut_off_or_endless_is_no_option() {
    for options in [&[8, 10, 1, 2][..], &[8, 0, 0, 0], &[1, 1, 1, 8], &[0, 8, 10, 1]] {
        let packet = segment(0x10, options, &[]);
        assert_eq!(read(&packet).timestamps, None, "{options:?}");
        let mut same = packet.clone();
        assert!(!restamp(&mut same, &IpHeaders::parse(&packet).unwrap(), Sequence(9)));
        assert_eq!(same, packet);
    }
    let mut beyond = segment(0x10, &[], &[]);
    beyond[20 + 12] = 0xf0;
    assert_eq!(Segment::read(&beyond, &IpHeaders::parse(&beyond).unwrap()), None);
}

#[test]
fn a_signed_segment_is_left_as_it_is() {
    let signed = [&[19, 18][..], &[0; 16], &[1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0]].concat();
    let mut packet = segment(0x10, &signed[..32], b"x");
    let (before, headers) = (packet.clone(), IpHeaders::parse(&packet).unwrap());

    assert!(is_guarded(&packet, &headers));
    assert!(!restamp(&mut packet, &headers, Sequence(9)));
    assert_eq!(packet, before);
}

proptest! {
    #[test]
    fn a_new_timestamp_keeps_the_checksum_right(value: u32, at_odd: bool, from: u32, echo: u32) {
        let stamps = Timestamps { value: Sequence(from), echo: Sequence(echo) };
        let mut packet = bare(A, B, Some(stamps)).encode().unwrap();
        if at_odd {
            // NOP, option, NOP: the values lie across the 16-bit words, and the checksum is made anew.
            packet[40..52].rotate_left(1);
            packet[36..38].fill(0);
            let headers = IpHeaders::parse(&packet).unwrap();
            let covered = [&packet[12..20], &[0, 6, 0, 32], &packet[headers.transport_offset..]].concat();
            let sum: u32 = covered.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1])).sum();
            let sum = (sum & 0xffff) + (sum >> 16);
            let checksum = !((sum & 0xffff) + (sum >> 16)) as u16;
            packet[36..38].copy_from_slice(&checksum.to_be_bytes());
        }
        prop_assert!(is_intact(&packet));
        let headers = IpHeaders::parse(&packet).unwrap();
        let done = restamp(&mut packet, &headers, Sequence(value));
        prop_assert!(done && is_intact(&packet));
        prop_assert_eq!(read(&packet).timestamps, Some(Timestamps { value: Sequence(value), ..stamps }));
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        let mut packet = segment(0x10, &[], &[]);
        packet.truncate(20);
        packet.extend(bytes);
        let len = u16::try_from(packet.len()).unwrap();
        packet[2..4].copy_from_slice(&len.to_be_bytes());
        if let Ok(headers) = IpHeaders::parse(&packet) {
            let read = Segment::read(&packet, &headers);
            let mut other = packet.clone();
            restamp(&mut other, &headers, Sequence(1));
            prop_assert_eq!(read.is_some(), Segment::read(&other, &headers).is_some());
        }
    }
}
