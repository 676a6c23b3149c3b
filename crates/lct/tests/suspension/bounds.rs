//! What is held stays within its bounds, whatever this side's applications do.

use std::sync::Arc;

use proptest::prelude::*;
use stead_lct::{Budget, Held, Limits, Losses, OriginalSpecification, PeerId, Rules, Table};
use stead_wire::ip::IpHeaders;
use stead_wire::tcp::{BareAcknowledgement, Segment, Sequence};
use stead_wire::time::{Duration, Instant};

use crate::world::{PEER, attachment};

const NOW: Instant = Instant::from_micros(1_000_000);

/// A TCP packet of this side with `len` bytes of data, each of which tells its sequence number.
fn segment(connection: u16, sequence: u32, flags: u8, len: usize) -> Vec<u8> {
    let bare = BareAcknowledgement {
        from: ([10, 0, 0, 1], connection).into(),
        to: ([10, 0, 0, 2], 22).into(),
        sequence: Sequence(sequence),
        acknowledgement: Sequence(1),
        window: 500,
        timestamps: None,
    };
    let mut packet = bare.encode().unwrap();
    packet[33] = flags;
    packet.extend((0..len).map(|at| sequence.wrapping_add(at as u32) as u8));
    let total_len = u16::try_from(packet.len()).unwrap();
    packet[2..4].copy_from_slice(&total_len.to_be_bytes());
    packet
}

fn datagram(len: usize) -> Vec<u8> {
    let mut packet = segment(9, 0, 0, len);
    packet[9] = 17;
    packet
}

fn read(packet: &[u8]) -> Segment {
    Segment::read(packet, &IpHeaders::parse(packet).unwrap()).unwrap()
}

/// The connection is known, and the peer has acknowledged everything before `number`.
fn known(table: &Table, connection: u16, number: u32) {
    let inbound = BareAcknowledgement {
        from: ([10, 0, 0, 2], 22).into(),
        to: ([10, 0, 0, 1], connection).into(),
        sequence: Sequence(1),
        acknowledgement: Sequence(number),
        window: 700,
        timestamps: None,
    };
    let packet = inbound.encode().unwrap();
    let headers = IpHeaders::parse(&packet).unwrap();
    let original = OriginalSpecification::from_inbound(headers.tuple);
    let entry = table.find_or_track(original, PEER, &attachment(), headers.tcp, NOW).unwrap();
    entry.count_inbound(1, 40, headers.tcp, NOW);
    entry.remember_inbound(&packet, &headers);
}

fn held(total: usize) -> (Held, Arc<Budget>, Table) {
    let budget = Arc::new(Budget::new(total));
    (Held::new(PEER, Rules::default(), Arc::clone(&budget)), budget, Table::new(Limits::default()))
}

fn drained(held: &mut Held) -> Vec<Vec<u8>> {
    core::iter::from_fn(|| held.pop(NOW)).collect()
}

#[test]
fn a_thousand_connections_and_senders_that_never_stop_stay_within_the_budget() {
    const TOTAL: usize = 8 << 20;
    let (mut held, budget, table) = held(TOTAL);
    let mut most = 0;
    for round in 0..40_u32 {
        for connection in 1..=1000 {
            if round == 0 {
                known(&table, connection, 100);
            }
            held.push(segment(connection, 100 + round * 1380, 0x10, 1380), &table, NOW);
            most = most.max(budget.used());
            assert!(budget.used() <= TOTAL, "{} in round {round}", budget.used());
        }
        held.push(datagram(1400), &table, NOW);
    }
    assert!(most > TOTAL / 3, "the budget was not even used: {most}");
    assert_eq!(held.count().connections, 1000);
    assert!(held.take_losses().overflow > 30_000);

    // Nobody was starved: each still has its lowest segment, which is what the other side waits for.
    let mut firsts: Vec<u16> = drained(&mut held)
        .iter()
        .filter(|packet| packet[9] == 6 && read(packet).sequence == Sequence(100))
        .map(|packet| u16::from_be_bytes([packet[20], packet[21]]))
        .collect();
    firsts.sort_unstable();
    assert_eq!(firsts, (1..=1000).collect::<Vec<_>>());
    assert_eq!((budget.used(), held.is_empty()), (0, true));
}

#[test]
fn one_connection_that_never_stops_leaves_room_for_the_others() {
    let (mut held, budget, table) = held(64 << 20);
    for number in 0..20_000_u32 {
        held.push(segment(1, 100 + number * 1380, 0x10, 1380), &table, NOW);
    }
    assert!(budget.used() <= 4 << 20, "{}", budget.used());
    assert_eq!(read(&held.pop(NOW).unwrap()).sequence, Sequence(100), "the lowest is worth most");
}

#[test]
fn whatever_a_connection_can_have_under_way_is_held() {
    let (mut held, _, table) = held(64 << 20);
    // A window of 3.5 MB, which its sender lets out before it sees that the other side's is closed.
    for number in 0..2_500_u32 {
        held.push(segment(1, 100 + number * 1380, 0x10, 1380), &table, NOW);
    }
    assert_eq!((held.len(), held.take_losses()), (2_500, Losses::default()));
}

#[test]
fn it_is_crowded_long_before_anything_is_given_up() {
    let fill = |total: usize, connections: u16| {
        let (mut held, _, table) = held(total);
        let pushed = (0..4_000_u16).find(|number| {
            let sequence = 100 + u32::from(*number) * 1380;
            held.push(segment(1 + number % connections, sequence, 0x10, 1380), &table, NOW);
            held.is_crowded()
        });
        assert_eq!(held.take_losses(), Losses::default());
        let many = pushed.expect("sooner or later");
        assert!(held.pop(NOW).is_some() && !held.is_crowded(), "one less, and it is no more");
        many
    };
    assert_eq!(fill(64 << 20, 1), 1354, "two megabytes of one connection");
    assert_eq!(fill(4 << 20, 40), 677, "half of what one peer may hold");
}

#[test]
fn tcp_goes_before_datagrams_and_connections_take_turns() {
    let (mut held, _, table) = held(1 << 20);
    for number in 0..3 {
        held.push(datagram(100 + number), &table, NOW);
    }
    for connection in [1, 2] {
        held.push(segment(connection, 100, 0x10, 50), &table, NOW);
        held.push(segment(connection, 150, 0x10, 50), &table, NOW);
    }
    assert_eq!((held.holds_tcp(), held.bytes()), (true, 4 * 90 + 3 * 40 + 303));
    let first: Vec<_> = (0..4).map(|_| read(&held.pop(NOW).unwrap()).sequence.0).collect();
    assert_eq!((first, held.holds_tcp()), (vec![100, 100, 150, 150], false));
    let rest: Vec<_> = drained(&mut held).iter().map(Vec::len).collect();
    assert_eq!(rest, [140, 141, 142]);
}

#[test]
fn a_second_peer_gets_its_share_though_the_first_one_was_greedy() {
    let budget = Arc::new(Budget::new(1 << 20));
    let table = Table::new(Limits::default());
    let [mut first, mut second] =
        [PEER, PeerId(1)].map(|peer| Held::new(peer, Rules::default(), Arc::clone(&budget)));
    for number in 0..5000 {
        first.push(segment(1 + number % 50, 100 + u32::from(number / 50) * 1380, 0x10, 1380), &table, NOW);
    }
    for number in 0..100 {
        second.push(segment(7, 100 + number * 1380, 0x10, 1380), &table, NOW);
        assert!(budget.used() <= 1 << 20);
    }
    assert_eq!(second.len(), 100);
}

#[test]
fn datagrams_wait_for_their_time_and_no_longer() {
    let (mut held, _, table) = held(1 << 20);
    held.push(datagram(10), &table, NOW);
    held.push(segment(1, 100, 0x10, 10), &table, NOW);
    let due = held.poll_timeout().unwrap();
    assert_eq!(due, NOW + Rules::default().datagrams_for);

    held.expire(Instant::from_micros(due.as_micros() - 1));
    assert_eq!((held.len(), held.take_losses()), (2, Losses::default()));
    held.expire(due);
    assert_eq!((held.len(), held.take_losses()), (1, Losses { overdue: 1, ..Losses::default() }));
    assert_eq!(held.poll_timeout(), None, "TCP waits for as long as it takes");
}

#[test]
fn a_reset_lets_everything_else_go_and_goes_itself() {
    let (mut held, _, table) = held(1 << 20);
    known(&table, 1, 100);
    held.push(segment(1, 100, 0x10, 10), &table, NOW);
    held.push(segment(1, 110, 0x11, 10), &table, NOW);
    held.push(segment(1, 121, 0x14, 0), &table, NOW);
    assert!(held.poll_answer(NOW).is_none(), "whoever has reset is told nothing");

    let gone = drained(&mut held);
    assert_eq!(gone.len(), 1);
    assert!(read(&gone[0]).flags.rst);
    assert!(held.poll_update().is_none());
}

#[test]
fn what_the_peer_reset_meanwhile_is_not_sent() {
    let (mut held, _, table) = held(1 << 20);
    known(&table, 1, 100);
    held.push(segment(1, 100, 0x10, 10), &table, NOW);
    let mut reset = segment(22, 1, 0x14, 0);
    reset[12..16].copy_from_slice(&[10, 0, 0, 2]);
    reset[16..20].copy_from_slice(&[10, 0, 0, 1]);
    reset[22..24].copy_from_slice(&1_u16.to_be_bytes());
    let headers = IpHeaders::parse(&reset).unwrap();
    let entry = table.lookup(&OriginalSpecification::from_inbound(headers.tuple)).unwrap();
    entry.remember_inbound(&reset, &headers);

    assert_eq!(drained(&mut held), Vec::<Vec<u8>>::new());
    assert_eq!(held.take_losses(), Losses { reset: 1, ..Losses::default() });
}

#[test]
fn only_who_waits_for_an_answer_gets_one_and_only_if_the_peer_ever_spoke() {
    let (mut held, _, table) = held(1 << 20);
    let answered = |held: &mut Held, packet: Vec<u8>, at: Instant| {
        held.push(packet, &table, at);
        held.poll_answer(at)
    };
    assert!(answered(&mut held, segment(2, 100, 0x10, 5), NOW).is_none(), "of the peer nothing is known");
    known(&table, 1, 100);
    let later = |millis: u64| NOW + Duration::from_millis(millis);
    assert!(answered(&mut held, segment(1, 100, 0x02, 0), later(0)).is_none(), "a SYN waits as it waits");
    known(&table, 1, 100);
    assert!(
        answered(&mut held, segment(1, 101, 0x10, 0), later(10)).is_none(),
        "nobody answers an acknowledgement"
    );
    for (number, (flags, sequence, len)) in
        [(0x10, 100, 5), (0x11, 105, 0), (0x10, 99, 0), (0x10, 99, 1)].into_iter().enumerate()
    {
        let answer = answered(&mut held, segment(1, sequence, flags, len), later(20 + 10 * number as u64));
        let answer = read(&answer.expect("an answer"));
        assert_eq!((answer.acknowledgement, answer.window), (Sequence(100), 0), "to {sequence} {flags:x}");
    }
    let again = answered(&mut held, segment(1, 106, 0x10, 5), later(50));
    assert!(again.is_none(), "one answer stops a whole burst");
    drained(&mut held);
    let update = read(&held.poll_update().expect("the window is opened again"));
    assert_eq!((update.acknowledgement, update.window), (Sequence(100), 700), "as the peer had it");
    assert!(held.poll_update().is_none());
}

proptest! {
    #[test]
    fn the_newest_copy_of_every_byte_leaves_once_or_overlapping_and_in_order(
        base: u32,
        pieces in prop::collection::vec((0..8000_u32, 1..1400_usize), 1..60),
    ) {
        let (mut held, budget, table) = held(16 << 20);
        for (at, len) in &pieces {
            held.push(segment(1, base.wrapping_add(*at), 0x10, *len), &table, NOW);
        }
        let gone = drained(&mut held);
        let mut bytes = vec![false; 10_000];
        let (mut start, mut end) = (None, None);
        for packet in &gone {
            let segment = read(packet);
            let at = segment.sequence.since(Sequence(base)) as usize;
            let until = at + segment.payload_len as usize;
            prop_assert!(start < Some(at) && end < Some(until), "in order, none within another");
            (start, end) = (Some(at), Some(until));
            bytes[at..until].fill(true);
            let right = packet[40..].iter().enumerate().all(|(n, byte)| *byte == segment.sequence.plus(n as u32).0 as u8);
            prop_assert!(right);
        }
        for (at, len) in pieces {
            prop_assert!(bytes[at as usize..at as usize + len].iter().all(|held| *held), "nothing is missing");
        }
        prop_assert_eq!(budget.used(), 0);
    }
}
