//! Cutting: what well-formed reads give, and what malformed ones do not.

use super::ground::{ACK, CWR, ECE, FIN, PSH, Recipe, expanded, payload};
use crate::offload::{Checksums, Gso, Malformed, Segments, VirtioHeader};

fn all() -> [Recipe; 4] {
    [Recipe::tcp_v4(), Recipe::tcp_v6(), Recipe::udp_v4(), Recipe::udp_v6()]
}

/// A read whose header was tampered with.
fn tampered(recipe: &Recipe, tamper: impl FnOnce(&mut VirtioHeader)) -> Result<usize, Malformed> {
    let mut header = recipe.virtio(1000);
    tamper(&mut header);
    Segments::new(&header, &recipe.unfinished(&payload(5000))).map(|segments| segments.count())
}

#[test]
fn a_super_packet_becomes_the_packets_it_stands_for() {
    for recipe in all() {
        let (read, whole) = (recipe.read(&payload(5500), 1400), payload(5500));

        assert_eq!(expanded(&read), recipe.cut(&whole, 1400));

        let segments = Segments::of_read(&read).unwrap();
        assert_eq!((segments.count(), segments.full_len()), (4, recipe.headers_len() + 1400));
        assert_eq!(segments.len_of(3), recipe.headers_len() + 1300);
        assert_eq!(segments.packet(), recipe.unfinished(&whole));
    }
}

#[test]
fn for_a_narrow_path_a_tcp_super_packet_is_cut_smaller_and_a_udp_one_is_not() {
    for recipe in [Recipe::tcp_v4(), Recipe::tcp_v6()] {
        let (read, whole) = (recipe.read(&payload(5500), 1400), payload(5500));
        let segments = Segments::of_read(&read).unwrap();
        let narrow = segments.shortened(recipe.headers_len() + 1100).unwrap();
        assert_eq!((narrow.count(), narrow.full_len()), (5, recipe.headers_len() + 1100));
        let written: Vec<Vec<u8>> = (0..5)
            .map(|index| {
                let mut packet = vec![0; narrow.len_of(index)];
                narrow.write(index, &mut packet, Checksums::Complete);
                packet
            })
            .collect();
        assert_eq!(written, recipe.cut(&whole, 1100));
        assert_eq!(segments.shortened(9000).map(|same| same.full_len()), Some(segments.full_len()));
        assert!(segments.shortened(recipe.headers_len()).is_none(), "no room for any data");
        assert!(Segments::of_read(&recipe.read(&payload(100), 0)).is_err());
    }
    let udp = Recipe::udp_v4().read(&payload(5500), 1400);
    assert!(Segments::of_read(&udp).unwrap().shortened(1100).is_none());
}

#[test]
fn flags_that_happen_once_stay_on_one_segment() {
    let recipe = Recipe::tcp_v4().with_flags(ACK | PSH | FIN | CWR | ECE);
    let packets = expanded(&recipe.read(&payload(3000), 1000));

    let flags: Vec<_> = packets.iter().map(|packet| packet[33]).collect();
    assert_eq!(flags, [ACK | ECE | CWR, ACK | ECE, ACK | ECE | PSH | FIN]);
}

#[test]
fn sequence_numbers_and_ids_wrap() {
    let mut recipe = Recipe::tcp_v4();
    recipe.id = 0xffff;
    recipe.tcp.as_mut().unwrap().sequence = 0xffff_ff00;

    assert_eq!(expanded(&recipe.read(&payload(3000), 1000)), recipe.cut(&payload(3000), 1000));
}

#[test]
fn the_largest_packet_is_cut() {
    for recipe in all() {
        let most = payload(65_535 - recipe.headers_len());

        assert_eq!(expanded(&recipe.read(&most, 1448)), recipe.cut(&most, 1448));
    }
}

#[test]
fn a_packet_without_segmentation_passes_as_it_is() {
    let packet = Recipe::tcp_v4().packet(&payload(100));
    let read = [&VirtioHeader::PLAIN.encode()[..], &packet].concat();

    assert_eq!(expanded(&read), [packet]);
}

#[test]
fn an_unfinished_checksum_is_completed() {
    for recipe in all() {
        for len in [0, 1, 99, 100] {
            let header = VirtioHeader { gso_type: 0, gso_size: 0, hdr_len: 0, ..recipe.virtio(0) };
            let read = [&header.encode()[..], &recipe.unfinished(&payload(len))].concat();

            assert_eq!(expanded(&read), [recipe.packet(&payload(len))]);
        }
    }
}

#[test]
fn a_segment_that_fits_whole_is_one() {
    let recipe = Recipe::tcp_v6().with_flags(ACK | PSH);

    assert_eq!(expanded(&recipe.read(&payload(10), 1000)), [recipe.packet(&payload(10))]);
    assert_eq!(expanded(&recipe.read(&[], 1000)), [recipe.packet(&[])]);
}

#[test]
fn ipv4_options_and_ipv6_destination_options_are_kept() {
    let mut packet = Recipe::udp_v6().unfinished(&payload(3000));
    packet.splice(40..40, [17, 0, 1, 4, 0, 0, 0, 0]);
    packet[6] = 60;
    packet[4..6].copy_from_slice(&3016_u16.to_be_bytes());
    let header = VirtioHeader { csum_start: 48, ..Recipe::udp_v6().virtio(1000) };

    let segments = Segments::new(&header, &packet).unwrap();
    let mut out = [0; 1056];
    assert_eq!((segments.count(), segments.write(1, &mut out, Checksums::Complete)), (3, 1056));

    let plain = &Recipe::udp_v6().cut(&payload(3000), 1000)[1];
    assert_eq!(out[48..], plain[40..], "the extension header is no part of the checksum");
    assert_eq!(out[40..48], packet[40..48]);
}

#[test]
fn a_header_that_does_not_fit_its_packet_is_refused() {
    let recipe = Recipe::tcp_v4();
    assert_eq!(tampered(&recipe, |_| ()), Ok(5), "untouched it is fine");

    assert_eq!(tampered(&recipe, |header| header.gso_size = 0), Err(Malformed::NoGsoSize));
    assert_eq!(tampered(&recipe, |header| header.gso_type = 3), Err(Malformed::UnknownGsoType(3)));
    assert_eq!(
        tampered(&recipe, |header| header.hdr_len = 60_000),
        Err(Malformed::HeadersBeyondPacket { hdr_len: 60_000, packet_len: 5052 })
    );
    assert_eq!(
        tampered(&recipe, |header| header.csum_start = u16::MAX),
        Err(Malformed::ChecksumBeyondPacket { csum_start: u16::MAX, csum_offset: 16, packet_len: 5052 })
    );
    assert_eq!(
        tampered(&recipe, |header| (header.csum_start, header.csum_offset) = (5050, 1)),
        Err(Malformed::ChecksumBeyondPacket { csum_start: 5050, csum_offset: 1, packet_len: 5052 })
    );
    assert_eq!(tampered(&recipe, |header| header.csum_offset = 6), Err(Malformed::ChecksumMisplaced));
    assert_eq!(tampered(&recipe, |header| header.csum_start = 24), Err(Malformed::ChecksumMisplaced));
}

#[test]
fn a_hint_that_counts_payload_as_headers_changes_nothing() {
    let recipe = Recipe::tcp_v4();
    for hdr_len in [0, 1, 52, 5052] {
        let header = VirtioHeader { hdr_len, ..recipe.virtio(1000) };
        let read = [&header.encode()[..], &recipe.unfinished(&payload(5000))].concat();

        assert_eq!(expanded(&read), recipe.cut(&payload(5000), 1000), "{hdr_len}");
    }
}

#[test]
fn a_packet_that_is_not_what_its_type_promises_is_refused() {
    let whole = payload(3000);
    let tcp = Recipe::tcp_v4().unfinished(&whole);
    let cut = |gso: Gso, packet: &[u8]| {
        let header = VirtioHeader { gso_type: gso.encode(), gso_size: 1000, ..VirtioHeader::PLAIN };
        Segments::new(&header, packet).map(|segments| segments.count())
    };
    let changed = |at: usize, byte: u8| {
        let mut packet = tcp.clone();
        packet[at] = byte;
        packet
    };
    assert_eq!(cut(Gso::Tcpv4, &tcp), Ok(3));

    assert_eq!(cut(Gso::Tcpv6, &tcp), Err(Malformed::NotSegmentable));
    assert_eq!(cut(Gso::UdpL4, &tcp), Err(Malformed::NotSegmentable));
    assert_eq!(cut(Gso::Tcpv4, &Recipe::udp_v4().unfinished(&whole)), Err(Malformed::NotSegmentable));
    for (packet, what) in [
        (tcp[..3000].to_vec(), "shorter than its length"),
        (changed(0, 0x44), "header too short"),
        (changed(0, 0x75), "no IP version"),
        (changed(6, 0x20), "a fragment"),
        (changed(32, 0x40), "TCP header too short"),
        (tcp[..30].to_vec(), "TCP header cut off"),
        (Vec::new(), "nothing"),
    ] {
        assert_eq!(cut(Gso::Tcpv4, &packet), Err(Malformed::NotSegmentable), "{what}");
    }
}

#[test]
fn a_read_without_a_whole_header_is_refused() {
    for len in 0..10 {
        assert_eq!(Segments::of_read(&vec![0; len]).err(), Some(Malformed::ShortRead(len)));
    }
    assert_eq!(Segments::of_read(&[0; 10]).map(|segments| segments.count()).ok(), Some(1), "an empty packet");
}
