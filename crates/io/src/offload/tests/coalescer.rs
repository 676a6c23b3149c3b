//! Merging: what belongs together, and everything that must not be merged.

use std::io::IoSlice;

use super::ground::{ACK, CWR, ECE, FIN, PSH, RST, Recipe, SYN, URG, expanded, payload, written};
use crate::offload::{Checksums, Coalescer, MAX_SLICES, MergeUdp, VirtioHeader};

fn coalesced<'p>(packets: &'p [Vec<u8>]) -> Coalescer<'p> {
    let mut coalescer = Coalescer::new(MergeUdp::Yes);
    packets.iter().for_each(|packet| coalescer.push(packet, Checksums::Complete));
    coalescer
}

/// How many packets are in each write.
fn groups(packets: &[Vec<u8>]) -> Vec<usize> {
    coalesced(packets).super_packets().map(|packet| packet.packets()).collect()
}

fn both() -> [Recipe; 2] {
    [Recipe::tcp_v4(), Recipe::tcp_v6()]
}

#[test]
fn segments_become_the_super_packet_they_were_cut_from() {
    for recipe in [Recipe::tcp_v4(), Recipe::tcp_v6(), Recipe::udp_v4(), Recipe::udp_v6()] {
        let packets = recipe.cut(&payload(5500), 1400);

        assert_eq!(written(&coalesced(&packets)), [recipe.read(&payload(5500), 1400)]);
    }
}

#[test]
fn a_lone_packet_passes_as_it_is() {
    for recipe in [Recipe::tcp_v4(), Recipe::udp_v6()] {
        let packet = recipe.packet(&payload(700));
        let coalescer = coalesced(std::slice::from_ref(&packet));

        assert_eq!(written(&coalescer), [[&VirtioHeader::PLAIN.encode()[..], &packet].concat()]);
    }
}

#[test]
fn a_lone_packet_with_a_partial_checksum_says_so_and_a_damaged_one_does_not_become_one() {
    for recipe in [Recipe::tcp_v4(), Recipe::tcp_v6(), Recipe::udp_v4(), Recipe::udp_v6()] {
        let unfinished = recipe.unfinished(&payload(700));
        let mut damaged = recipe.packet(&payload(700));
        *damaged.last_mut().unwrap() ^= 1;
        let mut coalescer = Coalescer::new(MergeUdp::Yes);
        coalescer.push(&unfinished, Checksums::Partial);
        coalescer.push(&damaged, Checksums::Partial);

        let written = written(&coalescer);
        assert_eq!(expanded(&written[0]), [recipe.packet(&payload(700))], "completed where it goes further");
        assert_eq!(written[1], [&VirtioHeader::PLAIN.encode()[..], &damaged].concat());
    }
}

#[test]
fn nobody_who_did_not_agree_sends_a_partial_checksum() {
    let unfinished = Recipe::tcp_v4().unfinished(&payload(700));
    let mut coalescer = Coalescer::new(MergeUdp::Yes);
    coalescer.push(&unfinished, Checksums::Complete);

    assert_eq!(
        written(&coalescer),
        [[&VirtioHeader::PLAIN.encode()[..], &unfinished].concat()],
        "as it came"
    );
}

#[test]
fn what_is_gathered_is_what_is_written() {
    let packets = [Recipe::tcp_v4().cut(&payload(5500), 1400), vec![vec![1, 2, 3]]].concat();
    let coalescer = coalesced(&packets);

    let gathered = coalescer.super_packets().map(|packet| {
        let mut slices = [IoSlice::new(&[]); MAX_SLICES];
        let count = packet.gather(&mut slices);
        slices[..count].iter().flat_map(|slice| slice.to_vec()).collect::<Vec<u8>>()
    });
    assert!(gathered.eq(written(&coalescer)));
}

#[test]
fn a_push_or_a_fin_ends_its_group_and_is_kept() {
    for (recipe, flag) in both().into_iter().zip([PSH, FIN]) {
        let mut packets = recipe.clone().with_flags(ACK | flag).cut(&payload(3000), 1000);
        packets.extend(recipe.further(3000, 3).cut(&payload(3000), 1000));

        assert_eq!(groups(&packets), [3, 3]);
        let first = &written(&coalesced(&packets))[0];
        assert_eq!(*first, recipe.clone().with_flags(ACK | flag).read(&payload(3000), 1000));
    }
}

#[test]
fn a_smaller_segment_ends_its_group_and_a_larger_one_does_not_join() {
    let recipe = Recipe::tcp_v4();
    let sizes = |sizes: &[usize]| {
        let mut at = 0;
        let packets = sizes.iter().enumerate().map(|(index, &size)| {
            let packet = recipe.further(at, index).packet(&payload(size));
            at += size;
            packet
        });
        groups(&packets.collect::<Vec<_>>())
    };

    assert_eq!(sizes(&[1000, 1000, 500, 500, 500]), [3, 2]);
    assert_eq!(sizes(&[500, 1000, 1000]), [1, 2]);
}

#[test]
fn segments_out_of_order_are_not_merged() {
    let packets = Recipe::tcp_v4().cut(&payload(4000), 1000);
    let swapped = [0, 2, 1, 3].map(|index: usize| packets[index].clone());

    assert_eq!(groups(&swapped), [1, 1, 1, 1]);
    assert_eq!(groups(&[packets[0].clone(), packets[0].clone()]), [1, 1], "a repetition");
    assert_eq!(groups(&[packets[0].clone(), packets[2].clone(), packets[3].clone()]), [1, 2], "a gap");
}

#[test]
fn headers_that_differ_keep_segments_apart() {
    for base in both() {
        let apart = |change: fn(&mut Recipe)| {
            let first = base.packet(&payload(1000));
            let mut next = base.further(1000, 1);
            change(&mut next);
            groups(&[first, next.packet(&payload(1000))])
        };
        assert_eq!(apart(|_| ()), [2], "alike they merge");

        assert_eq!(apart(|next| next.ports.1 = 444), [1, 1], "port");
        assert_eq!(apart(|next| next.ttl = 63), [1, 1], "time to live");
        assert_eq!(apart(|next| next.tos = 3), [1, 1], "a congestion mark");
        assert_eq!(apart(|next| next.tcp.as_mut().unwrap().acknowledgement += 1), [1, 1], "acknowledgement");
        assert_eq!(apart(|next| next.tcp.as_mut().unwrap().window += 1), [1, 1], "window");
        assert_eq!(apart(|next| next.tcp.as_mut().unwrap().options[7] += 1), [1, 1], "options");
        assert_eq!(apart(|next| next.tcp.as_mut().unwrap().options.clear()), [1, 1], "no options");
        for flag in [SYN, RST, URG, ECE, CWR] {
            let first = base.packet(&payload(1000));
            let next = base.further(1000, 1).with_flags(ACK | flag).packet(&payload(1000));
            assert_eq!(groups(&[first, next]), [1, 1], "flag {flag:#04x}");
        }
    }
}

#[test]
fn segments_that_open_or_abort_begin_no_group() {
    for flags in [ACK | SYN, SYN, ACK | RST, ACK | URG, ACK | PSH, ACK | FIN, 0] {
        let first = Recipe::tcp_v4().with_flags(flags);
        let packets = [first.packet(&payload(10)), first.further(10, 1).packet(&payload(10))];

        assert_eq!(groups(&packets), [1, 1], "{flags:#04x}");
    }
    let acknowledgements = vec![Recipe::tcp_v4().packet(&[]); 2];
    assert_eq!(groups(&acknowledgements), [1, 1]);
}

#[test]
fn a_reduced_window_is_told_by_the_first_segment_alone() {
    let recipe = Recipe::tcp_v6().with_flags(ACK | CWR | ECE);
    let packets = recipe.cut(&payload(3000), 1000);

    let writes = written(&coalesced(&packets));

    assert_eq!(writes, [recipe.read(&payload(3000), 1000)]);
    assert_eq!(writes[0][1], 0x84, "TCPv6 with ECN");
}

#[test]
fn damage_is_never_merged() {
    for recipe in [Recipe::tcp_v4(), Recipe::tcp_v6(), Recipe::udp_v4(), Recipe::udp_v6()] {
        let recipe = recipe.fragmentable();
        let packets = recipe.cut(&payload(4000), 1000);
        let (port, middle) = (recipe.ip_len() + 3, recipe.headers_len() + 500);
        for (damaged, at) in (0..4).flat_map(|damaged| [(damaged, port), (damaged, middle)]) {
            let mut packets = packets.clone();
            packets[damaged][at] ^= 1;

            let writes = written(&coalesced(&packets));

            let alone = [&VirtioHeader::PLAIN.encode()[..], &packets[damaged]].concat();
            assert!(writes.contains(&alone), "byte {at} of {damaged}");
            // With its port changed it is of another flow, and its place among the others means nothing.
            let mut again: Vec<_> = writes.iter().flat_map(|write| expanded(write)).collect();
            if at == port {
                again.sort();
                packets.sort();
            }
            assert!(again == packets, "byte {at} of {damaged}");
        }
    }
}

#[test]
fn udp_without_a_checksum_is_not_given_one() {
    let mut packets = Recipe::udp_v4().cut(&payload(3000), 1000);
    packets.iter_mut().for_each(|packet| packet[26..28].fill(0));

    assert_eq!(groups(&packets), [1, 1, 1]);
}

#[test]
fn udp_is_merged_only_for_kernels_that_take_it() {
    let packets = Recipe::udp_v4().cut(&payload(3000), 1000);
    let mut coalescer = Coalescer::new(MergeUdp::No);
    packets.iter().for_each(|packet| coalescer.push(packet, Checksums::Complete));

    assert!(coalescer.super_packets().all(|packet| packet.packets() == 1));
    assert_eq!(groups(&packets), [3]);
}

#[test]
fn fragmentable_packets_must_count_their_ids_and_others_need_not() {
    let mut recipe = Recipe::tcp_v4();
    recipe.id = 7;
    let same_id = |recipe: &Recipe| {
        let mut next = recipe.further(100, 1);
        next.id = recipe.id;
        groups(&[recipe.packet(&payload(100)), next.packet(&payload(100))])
    };

    assert_eq!(same_id(&recipe), [2]);
    recipe.dont_fragment = false;
    assert_eq!(same_id(&recipe), [1, 1]);
    assert_eq!(groups(&recipe.cut(&payload(200), 100)), [2]);
}

#[test]
fn interleaved_flows_are_merged_each_for_itself() {
    let flows = [Recipe::tcp_v4(), Recipe::tcp_v4().with_port(2), Recipe::tcp_v6(), Recipe::udp_v4()];
    let cut = flows.clone().map(|flow| flow.cut(&payload(5000), 1000));
    let packets: Vec<_> = (0..5).flat_map(|index| cut.iter().map(move |flow| flow[index].clone())).collect();

    let expected: Vec<_> = flows.iter().map(|flow| flow.read(&payload(5000), 1000)).collect();
    assert_eq!(written(&coalesced(&packets)), expected);
}

#[test]
fn nothing_overtakes_a_packet_whose_flow_is_unknown() {
    let mut fragment = Recipe::udp_v4().packet(&payload(500));
    fragment[6] = 0x20;
    let packets = Recipe::udp_v4().cut(&payload(4000), 1000);
    let stream = [&packets[..2], &[fragment], &packets[2..]].concat();

    assert_eq!(groups(&stream), [2, 1, 2]);
}

#[test]
fn no_super_packet_is_larger_than_ip_allows() {
    for recipe in [Recipe::tcp_v4(), Recipe::tcp_v6(), Recipe::udp_v6()] {
        let mut packets = Vec::new();
        for index in 0..100 {
            packets.push(recipe.further(index * 1400, index).packet(&payload(1400)));
        }
        let coalescer = coalesced(&packets);

        assert!(coalescer.super_packets().all(|packet| packet.len() <= 65_535));
        assert!(coalescer.super_packets().any(|packet| packet.len() > 65_535 - 1400));
        let again: Vec<_> = written(&coalescer).iter().flat_map(|write| expanded(write)).collect();
        assert_eq!(again, packets);
    }
}

#[test]
fn no_write_has_more_pieces_than_a_system_takes() {
    let small = |recipe: Recipe| -> Vec<_> {
        (0..300).map(|index| recipe.further(index * 8, index).packet(&payload(8))).collect()
    };

    assert_eq!(groups(&small(Recipe::tcp_v4())), [128, 128, 44]);
    assert_eq!(groups(&small(Recipe::udp_v4())), [64, 64, 64, 64, 44]);
}

#[test]
fn recycling_keeps_the_memory_and_nothing_else() {
    let packets = Recipe::tcp_v4().cut(&payload(60_000), 1000);
    let coalescer = coalesced(&packets);
    let capacity = coalescer.memory();

    let mut again = coalescer.recycle();
    assert!(again.is_empty());
    assert_eq!(again.memory(), capacity);

    let other = Recipe::udp_v6().packet(&payload(10));
    again.push(&other, Checksums::Complete);
    assert_eq!(written(&again), [[&VirtioHeader::PLAIN.encode()[..], &other].concat()]);
}
