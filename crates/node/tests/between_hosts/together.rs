//! Datagrams that arrive together mean what they would mean one by one.

use proptest::prelude::*;
use stead_node::{Arrival, FlowCursor, Notice, Verdict};
use stead_wire::tcp::{BareAcknowledgement, Sequence, Timestamps};

use crate::world::{HostId, World, ms, udp};

/// What the peer sends.
#[derive(Clone, Copy, Debug)]
enum Sent {
    /// The next bytes of one of two TCP connections.
    Segment { connection: u8, len: usize },
    /// Bytes that it sent before.
    Repetition { connection: u8 },
    /// The connection's FIN.
    End { connection: u8 },
    /// A UDP datagram.
    Datagram { len: usize },
    /// From an address that is not the peer's.
    Foreign,
}

/// What is done to its datagram on the way.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Fate {
    Arrives,
    Twice,
    Damaged,
    FromElsewhere,
}

fn sent() -> impl Strategy<Value = (Sent, Fate)> {
    let connection = 0..2_u8;
    let what = prop_oneof![
        20 => (connection.clone(), 1..400_usize).prop_map(|(connection, len)| Sent::Segment { connection, len }),
        2 => connection.clone().prop_map(|connection| Sent::Repetition { connection }),
        1 => connection.prop_map(|connection| Sent::End { connection }),
        5 => (0..400_usize).prop_map(|len| Sent::Datagram { len }),
        1 => Just(Sent::Foreign),
    ];
    let fate = prop_oneof![
        20 => Just(Fate::Arrives), 1 => Just(Fate::Twice), 1 => Just(Fate::Damaged), 1 => Just(Fate::FromElsewhere),
    ];
    (what, fate)
}

/// What became of each datagram.
type Outcome = (Option<Vec<u8>>, Option<Notice>, Verdict);

/// What bob makes of alice's datagrams, `at_once` of them at a time, and what he has counted in the end.
fn taken(what: &[(Sent, Fate)], at_once: usize) -> (Vec<Outcome>, String) {
    let (mut world, alice, bob) = World::connected_pair();
    let datagrams = sealed(&mut world, (alice, bob), what);
    let (path, now) = (world.node(bob).packet_path(), world.now);
    let mut cursor = FlowCursor::default();
    let mut outcomes = Vec::new();
    for batch in datagrams.chunks(at_once) {
        let mut arrivals = path.arrivals(&mut cursor, batch.len(), now);
        for (arrival, datagram) in batch {
            let mut datagram = datagram.clone();
            let inbound = arrivals.open(arrival, &mut datagram);
            let packet = inbound.packet.map(|packet| packet.to_vec());
            outcomes.push((packet, inbound.notice.map(|notice| *notice), inbound.verdict));
        }
    }
    let mut entries: Vec<String> = path
        .table()
        .snapshot()
        .iter()
        .map(|row| format!("{:?}", path.table().lookup(&row.original).expect("it was just there")))
        .collect();
    entries.sort();
    let traffic = world.status(bob).traffic;
    (outcomes, format!("{entries:#?} {traffic:?} {:?}", path.drops().occurred()))
}

/// As they arrive at bob's.
fn sealed(
    world: &mut World,
    (alice, bob): (HostId, HostId),
    what: &[(Sent, Fate)],
) -> Vec<(Arrival, Vec<u8>)> {
    let (ours, theirs) = (world.virtual_address(alice), world.virtual_address(bob));
    let mut sequences = [u32::MAX - 500, 7_000];
    let mut arrived = Vec::new();
    for (index, (sent, fate)) in what.iter().enumerate() {
        let mut segment = |connection: u8, back: u32, len: usize, flags: u8| {
            let next = &mut sequences[usize::from(connection)];
            let bare = BareAcknowledgement {
                from: (ours, 40_000 + u16::from(connection)).into(),
                to: (theirs, 22).into(),
                sequence: Sequence(next.wrapping_sub(back)),
                acknowledgement: Sequence(index as u32),
                window: 500 + index as u16,
                timestamps: Some(Timestamps { value: Sequence(index as u32), echo: Sequence(1) }),
            };
            *next = next.wrapping_add(len as u32 - back.min(len as u32));
            let mut packet = bare.encode().expect("one family");
            packet[53] |= flags;
            packet.resize(packet.len() + len, 0xaa);
            let payload_len = u16::try_from(packet.len() - 40).expect("a short packet");
            packet[4..6].copy_from_slice(&payload_len.to_be_bytes());
            packet
        };
        let packet = match *sent {
            Sent::Segment { connection, len } => segment(connection, 0, len, 0),
            Sent::Repetition { connection } => segment(connection, 100, 100, 0),
            Sent::End { connection } => segment(connection, 0, 0, 1),
            Sent::Datagram { len } => udp(ours, theirs, &vec![7; len]),
            Sent::Foreign => udp("fd00::66".parse().expect("an address"), theirs, b"not mine"),
        };
        let before = world.trace.len();
        world.send_packet(alice, &packet);
        for flight in &world.trace[before..] {
            let mut arrival = Arrival { source: flight.source, local: Some(flight.destination.ip()) };
            let mut datagram = flight.datagram.clone();
            match fate {
                Fate::Damaged => datagram[20] ^= 1,
                Fate::FromElsewhere => arrival.source.set_port(9),
                Fate::Twice => arrived.push((arrival, datagram.clone())),
                Fate::Arrives => {}
            }
            arrived.push((arrival, datagram));
        }
    }
    arrived
}

#[test]
fn a_bulk_transfer_is_counted_to_the_byte() {
    let what: Vec<_> = (0..45).map(|_| (Sent::Segment { connection: 0, len: 300 }, Fate::Arrives)).collect();
    let (outcomes, _) = taken(&what, 45);
    assert!(outcomes.iter().all(|(packet, _, verdict)| packet.is_some() && *verdict == Verdict::Opened));

    let (mut world, alice, bob) = World::connected_pair();
    let before = world.status(bob).traffic;
    let datagrams = sealed(&mut world, (alice, bob), &what);
    let (path, now) = (world.node(bob).packet_path(), world.now + ms(1));
    let mut cursor = FlowCursor::default();
    let mut arrivals = path.arrivals(&mut cursor, datagrams.len(), now);
    for (arrival, mut datagram) in datagrams {
        arrivals.open(&arrival, &mut datagram);
    }
    drop(arrivals);
    let after = world.status(bob).traffic;
    assert_eq!(after.packets_received - before.packets_received, 45);
    assert_eq!(after.bytes_received - before.bytes_received, 45 * (40 + 32 + 300));
    let row = path.table().snapshot().into_iter().find(|row| row.inbound.packets == 45).expect("an entry");
    assert_eq!((row.inbound.bytes, row.last_seen), (45 * 372, now));
}

proptest! {
    #[test]
    fn it_makes_no_difference_how_many_arrive_at_once(
        what in prop::collection::vec(sent(), 1..40), at_once in 2..40_usize,
    ) {
        prop_assert_eq!(taken(&what, at_once), taken(&what, 1));
    }
}
