//! Cut, merged, and cut again: random packets come back as they were.

use proptest::prelude::*;

use super::ground::{ACK, CWR, ECE, FIN, PSH, RST, Recipe, SYN, Tcp, cut, expanded, payload, written};
use crate::offload::{Checksums, Coalescer, MergeUdp, Segments, VirtioHeader};

fn recipes() -> impl Strategy<Value = Recipe> {
    let flags =
        prop::sample::select(vec![ACK, ACK | PSH, ACK | FIN, ACK | ECE, ACK | CWR | PSH, ACK | CWR | ECE]);
    let tcp = (any::<u32>(), any::<u32>(), flags, any::<u16>(), prop::collection::vec(any::<u8>(), 0..=10));
    let ip = (any::<bool>(), any::<u8>(), any::<u8>(), any::<u16>(), any::<bool>());
    (ip, any::<(u16, u16)>(), prop::option::of(tcp)).prop_map(|(ip, ports, tcp)| {
        let (v4, tos, ttl, id, dont_fragment) = ip;
        let base = if v4 { Recipe::tcp_v4() } else { Recipe::tcp_v6() };
        let tcp = tcp.map(|(sequence, acknowledgement, flags, window, words)| {
            let options = words.into_iter().flat_map(|word| [word; 4]).collect();
            Tcp { sequence, acknowledgement, flags, window, options }
        });
        Recipe { tos, ttl, id, dont_fragment, ports, tcp, ..base }
    })
}

/// A packet of one of a few flows, as a stream of them may hold it.
#[derive(Clone, Debug)]
struct Next {
    flow: usize,
    size: usize,
    flags: u8,
    mishap: Option<Mishap>,
}

#[derive(Clone, Copy, Debug)]
enum Mishap {
    Damaged,
    Lost,
    Repeated,
    AnotherAcknowledgement,
    Fragment,
    Cut,
}

const FLOWS: usize = 4;

fn nexts() -> impl Strategy<Value = Next> {
    let sizes = prop::sample::select(vec![0, 1, 100, 700, 1400, 1400, 1400]);
    let flags =
        prop::sample::select(vec![ACK, ACK, ACK, ACK, ACK | PSH, ACK | FIN, ACK | RST, SYN, ACK | CWR]);
    let mishaps = prop::sample::select(vec![
        Mishap::Damaged,
        Mishap::Lost,
        Mishap::Repeated,
        Mishap::AnotherAcknowledgement,
        Mishap::Fragment,
        Mishap::Cut,
    ]);
    (0..FLOWS, sizes, flags, prop::option::weighted(0.1, mishaps))
        .prop_map(|(flow, size, flags, mishap)| Next { flow, size, flags, mishap })
}

/// The packets of a stream.
fn stream(nexts: Vec<Next>) -> Vec<Vec<u8>> {
    let mut flows = [Recipe::tcp_v4(), Recipe::tcp_v6(), Recipe::udp_v4(), Recipe::tcp_v4().with_port(9)]
        .map(|recipe| Some(recipe.fragmentable()));
    let mut packets = Vec::new();
    for Next { flow, size, flags, mishap } in nexts {
        let mut recipe = flows[flow].take().expect("put back each time");
        if let Some(tcp) = &mut recipe.tcp {
            tcp.flags = flags;
            tcp.acknowledgement += u32::from(matches!(mishap, Some(Mishap::AnotherAcknowledgement)));
        }
        let mut packet = recipe.packet(&payload(size));
        match mishap {
            Some(Mishap::Damaged) => *packet.last_mut().expect("not empty") ^= 0x10,
            Some(Mishap::Fragment) => packet[6] ^= 0x20,
            Some(Mishap::Cut) => packet.truncate(packet.len() / 2),
            Some(Mishap::Repeated) => packets.push(packet.clone()),
            Some(Mishap::Lost | Mishap::AnotherAcknowledgement) | None => (),
        }
        if !matches!(mishap, Some(Mishap::Lost)) {
            packets.push(packet);
        }
        flows[flow] = Some(recipe.further(size, 1));
    }
    packets
}

fn merged(packets: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut coalescer = Coalescer::new(MergeUdp::Yes);
    packets.iter().for_each(|packet| coalescer.push(packet, Checksums::Complete));
    written(&coalescer)
}

/// Which flow a packet is of: version, protocol and source port tell, whatever befell the rest.
fn flow_of(packet: &[u8]) -> usize {
    match (packet[0] >> 4, packet[9], packet.get(20..22)) {
        (6, ..) => 1,
        (_, 17, _) => 2,
        (_, _, Some([0, 9])) => 3,
        _ => 0,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_super_packet_survives_being_cut_and_merged(
        recipe in recipes(),
        size in 1..1460_usize,
        len in 1..65_000_usize,
    ) {
        let most = if recipe.tcp.is_some() { 128 } else { 64 };
        let whole = payload(len.min(size * most).min(65_535 - recipe.headers_len()));
        let read = recipe.read(&whole, size as u16);

        let packets = expanded(&read);
        prop_assert_eq!(&packets, &recipe.cut(&whole, size));
        let again = merged(&packets);
        if packets.len() == 1 {
            let plain = [&VirtioHeader::PLAIN.encode()[..], &packets[0]].concat();
            prop_assert_eq!(again, [plain]);
        } else {
            prop_assert_eq!(again, [read]);
        }
    }

    #[test]
    fn partial_checksums_are_complete_once_the_packets_go_further(
        recipe in recipes(),
        size in 1..1460_usize,
        len in 1..20_000_usize,
    ) {
        let most = if recipe.tcp.is_some() { 128 } else { 64 };
        let whole = payload(len.min(size * most));

        let through_the_tunnel = cut(&recipe.read(&whole, size as u16), Checksums::Partial);
        let mut coalescer = Coalescer::new(MergeUdp::Yes);
        through_the_tunnel.iter().for_each(|packet| coalescer.push(packet, Checksums::Partial));

        let out: Vec<_> = written(&coalescer).iter().flat_map(|write| expanded(write)).collect();
        prop_assert_eq!(out, recipe.cut(&whole, size));
    }

    #[test]
    fn any_stream_comes_out_as_it_went_in(nexts in prop::collection::vec(nexts(), 0..120)) {
        let packets = stream(nexts);

        let out: Vec<_> = merged(&packets).iter().flat_map(|write| expanded(write)).collect();

        prop_assert_eq!(out.len(), packets.len());
        for flow in 0..FLOWS {
            let of_flow = |packets: &[Vec<u8>]| -> Vec<Vec<u8>> {
                packets.iter().filter(|packet| flow_of(packet) == flow).cloned().collect()
            };
            prop_assert!(of_flow(&out) == of_flow(&packets), "flow {}", flow);
        }
    }

    #[test]
    fn random_reads_are_refused_or_cut_but_never_panic(
        header in any::<[u8; 10]>(),
        recipe in recipes(),
        gso_type in prop::sample::select(vec![0_u8, 1, 4, 5, 0x81]),
        flips in prop::collection::vec((0..80_usize, any::<u8>()), 0..6),
        len in 0..3000_usize,
    ) {
        let mut packet = recipe.unfinished(&payload(len));
        for (at, byte) in flips {
            if let Some(target) = packet.get_mut(at) {
                *target = byte;
            }
        }
        let mut header = VirtioHeader::decode(&header);
        header.gso_type = gso_type;
        for header in [header, VirtioHeader { gso_type, ..recipe.virtio(700) }] {
            if let Ok(segments) = Segments::new(&header, &packet) {
                let mut out = vec![0; segments.full_len()];
                let total: usize = (0..segments.count()).map(|index| segments.write(index, &mut out, Checksums::Complete)).sum();
                prop_assert!(total >= packet.len());
            }
        }
        let mut coalescer = Coalescer::new(MergeUdp::Yes);
        coalescer.push(&packet, Checksums::Partial);
        coalescer.push(&packet, Checksums::Partial);
        prop_assert_eq!(coalescer.super_packets().map(|merged| merged.packets()).sum::<usize>(), 2);
    }
}
