use core::net::SocketAddr;

use proptest::prelude::*;

use super::*;
use crate::ip::TcpFlags;
use crate::tcp::{BareAcknowledgement, Sequence, Timestamps};

const V4: (&str, &str) = ("10.77.0.1:40000", "10.77.0.2:22");
const V6: (&str, &str) = ("[fd00::1]:40000", "[fd00::2]:22");

fn segment((from, to): (&str, &str), sequence: u32, len: usize) -> Vec<u8> {
    let [from, to]: [SocketAddr; 2] = [from, to].map(|end| end.parse().unwrap());
    let timestamps = Some(Timestamps { value: Sequence(sequence), echo: Sequence(9) });
    let (sequence, acknowledgement) = (Sequence(sequence), Sequence(7));
    let bare = BareAcknowledgement { from, to, sequence, acknowledgement, window: 513, timestamps };
    with_payload(bare.encode().unwrap(), len)
}

fn datagram((from, to): (&str, &str), len: usize) -> Vec<u8> {
    let mut packet = segment((from, to), 0, 0);
    let transport = if packet[0] >> 4 == 4 { 20 } else { 40 };
    packet[if transport == 20 { 9 } else { 6 }] = Protocol::UDP.0;
    packet.truncate(transport + UDP_HEADER_LEN);
    with_payload(packet, len)
}

fn with_payload(mut packet: Vec<u8>, len: usize) -> Vec<u8> {
    packet.resize(packet.len() + len, 0xaa);
    let (at, counted) = if packet[0] >> 4 == 4 { (2, packet.len()) } else { (4, packet.len() - 40) };
    packet[at..at + 2].copy_from_slice(&u16::try_from(counted).unwrap().to_be_bytes());
    packet
}

fn begun(packet: &[u8]) -> Option<Succession> {
    Succession::begin(packet, &IpHeaders::parse(packet).unwrap())
}

#[test]
fn segments_that_go_on_where_the_one_before_ended_belong_together() {
    for ends in [V4, V6] {
        let mut run = begun(&segment(ends, u32::MAX - 50, 100)).unwrap();
        let mut padded = segment(ends, 49, 1000);
        let len = padded.len();
        padded.extend([0; 16]);
        assert_eq!(run.take(&padded), Some(len), "across the wrap, padding left out");
        assert_eq!(run.take(&segment(ends, 1049, 1)), Some(len - 999), "shorter");
        assert_eq!(run.take(&segment(ends, 1051, 1)), None, "a gap");
        assert_eq!(run.take(&segment(ends, 1049, 1)), None, "a repetition");

        let last = run.segment().unwrap();
        assert_eq!((last.sequence, last.payload_len), (Sequence(1049), 1), "what was refused left no trace");
        assert_eq!(last.timestamps.unwrap().value, Sequence(1049), "and the newest numbers are known");
        assert_eq!(run.take(&segment(ends, 1050, 0)), Some(len - 1000), "an acknowledgement alone");
    }
}

#[test]
fn datagrams_of_one_flow_belong_together_whatever_they_hold() {
    for ends in [V4, V6] {
        let mut run = begun(&datagram(ends, 172)).unwrap();
        for len in [172, 0, 1300] {
            let packet = datagram(ends, len);
            assert_eq!(run.take(&packet), Some(packet.len()));
        }
        assert_eq!(run.segment(), None);
        assert_eq!(run.take(&segment(ends, 0, 10)), None);
    }
}

#[test]
fn what_begins_ends_or_hides_something_stands_alone() {
    for flags in [0x02, 0x11, 0x12, 0x14, 0x04, 0x00] {
        for ends in [V4, V6] {
            let transport = if ends == V4 { 20 } else { 40 };
            let mut packet = segment(ends, 0, 10);
            packet[transport + 13] = flags;
            assert!(begun(&packet).is_none(), "{flags:#x}");
            let mut run = begun(&segment(ends, 0, 0)).unwrap();
            assert_eq!(run.take(&packet), None, "{flags:#x}");
        }
    }
    let mut fragment = segment(V4, 0, 10);
    fragment[6] = 0x20;
    assert!(begun(&fragment).is_none());
    assert_eq!(begun(&segment(V4, 0, 0)).unwrap().take(&fragment), None);
    let mut another = segment(V6, 0, 10);
    another[6] = 132;
    assert!(begun(&another).is_none(), "SCTP");
}

proptest! {
    #[test]
    fn what_is_taken_is_what_a_whole_look_would_find(
        v6 in any::<bool>(), udp in any::<bool>(), len in 0..80_usize,
        places in prop::collection::vec((0..100_usize, any::<u8>()), 0..3), cut in prop_oneof![Just(0), 1..40_usize],
    ) {
        let ends = if v6 { V6 } else { V4 };
        let first = if udp { datagram(ends, 20) } else { segment(ends, 100, 20) };
        let mut next = if udp { datagram(ends, len) } else { segment(ends, 120, len) };
        for (at, value) in &places {
            if let Some(byte) = next.get_mut(*at) {
                *byte = *value;
            }
        }
        next.truncate(next.len().saturating_sub(cut));
        let known = IpHeaders::parse(&first).unwrap();
        let mut run = begun(&first).unwrap();
        let Some(taken) = run.take(&next) else {
            prop_assert!(!places.is_empty() || cut > 0, "nothing is wrong with it");
            return Ok(());
        };
        let found = IpHeaders::parse(&next).unwrap();
        prop_assert_eq!(found.tuple, known.tuple);
        prop_assert_eq!(found.total_len, taken);
        prop_assert_eq!(found.transport_offset, known.transport_offset);
        prop_assert_eq!(found.tcp, (!udp).then_some(TcpFlags { ack: true, ..TcpFlags::default() }));
        let segment = Segment::read(&next, &found);
        prop_assert_eq!(run.segment(), segment);
        prop_assert!(segment.is_none_or(|segment| segment.sequence == Sequence(120)));
    }
}
