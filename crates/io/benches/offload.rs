//! Cutting what one read of the device gave into packets, and putting such packets together again for one write.

use stead_gauge::{Case, Gauge};
use stead_io::offload::{Checksums, Coalescer, Gso, MAX_SLICES, MergeUdp, Segments, VirtioHeader};

/// Payload of each segment, and of a whole super-packet.
const SEGMENT: usize = 1348;
const PAYLOAD: usize = 46 * SEGMENT;

const IP_V4: usize = 20;
const TCP: usize = 32;

fn main() {
    let mut gauge = Gauge::from_arguments();
    // As to a peer that computes checksums itself, and as to one that agreed on partial ones.
    for (kind, checksums) in [("complete", Checksums::Complete), ("partial", Checksums::Partial)] {
        let case = |what: &str, bytes| Case::new(format!("{what}-{kind}")).of_bytes(bytes);
        gauge.case(case("segment/tcp-64k", PAYLOAD), || {
            let (header, packet) = super_packet();
            let mut row = vec![0; SEGMENT + 100];
            move || {
                let segments = Segments::new(&header, &packet).expect("it can be cut");
                (0..segments.count()).map(|index| segments.write(index, &mut row, checksums)).sum::<usize>()
            }
        });
        gauge.case(case("coalesce/tcp-64k", PAYLOAD), || {
            let packets = segments_of_one(PAYLOAD, checksums);
            move || coalesced(&packets, checksums)
        });
    }
    gauge.case(Case::new("segment/tcp-lone-64").of_bytes(64), || {
        let packet = lone();
        let mut out = vec![0; packet.len()];
        move || {
            let segments = Segments::new(&VirtioHeader::PLAIN, &packet).expect("it is a packet");
            segments.write(0, &mut out, Checksums::Complete)
        }
    });
    gauge.case(Case::new("coalesce/tcp-lone-64").of_bytes(64), || {
        let packets = [lone()];
        move || coalesced(&packets, Checksums::Complete)
    });
}

/// One batch, as after one system call that received so many; how many slices are to be written.
fn coalesced(packets: &[Vec<u8>], checksums: Checksums) -> usize {
    let mut coalescer = Coalescer::new(MergeUdp::Yes);
    packets.iter().for_each(|packet| coalescer.push(packet, checksums));
    gathered(&coalescer)
}

fn lone() -> Vec<u8> {
    segments_of_one(64 - IP_V4 - TCP, Checksums::Complete).remove(0)
}

/// How many slices are to be written.
fn gathered(coalescer: &Coalescer<'_>) -> usize {
    let super_packets = coalescer.super_packets().map(|packet| {
        let mut slices = [std::io::IoSlice::new(&[]); MAX_SLICES];
        packet.gather(&mut slices)
    });
    super_packets.sum()
}

/// A TCP super-packet over IPv4, as the device hands it out.
fn super_packet() -> (VirtioHeader, Vec<u8>) {
    let header = VirtioHeader {
        flags: VirtioHeader::NEEDS_CSUM,
        gso_type: Gso::Tcpv4.encode(),
        hdr_len: (IP_V4 + TCP) as u16,
        gso_size: SEGMENT as u16,
        csum_start: IP_V4 as u16,
        csum_offset: 16,
    };
    (header, tcp(PAYLOAD))
}

/// The packets that a super-packet with so much payload stands for.
fn segments_of_one(payload: usize, checksums: Checksums) -> Vec<Vec<u8>> {
    let packet = tcp(payload);
    let segments = Segments::new(&super_packet().0, &packet).expect("it can be cut");
    let cut = |index| {
        let mut out = vec![0; segments.len_of(index)];
        segments.write(index, &mut out, checksums);
        out
    };
    (0..segments.count()).map(cut).collect()
}

fn tcp(payload: usize) -> Vec<u8> {
    let total = (IP_V4 + TCP + payload) as u16;
    let mut packet = vec![0x45, 0, 0, 0, 0, 1, 0x40, 0, 64, 6, 0, 0, 10, 77, 0, 1, 10, 77, 0, 2];
    packet[2..4].copy_from_slice(&total.to_be_bytes());
    let acknowledges = 0x10;
    packet.extend([
        0x9c,
        0x40,
        0x01,
        0xbb,
        0,
        0,
        0x13,
        0x88,
        0,
        0,
        0,
        77,
        0x80,
        acknowledges,
        0x01,
        0xf5,
        0,
        0,
        0,
        0,
    ]);
    packet.extend([1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2]);
    packet.extend((0..payload).map(|at| at as u8));
    packet
}
