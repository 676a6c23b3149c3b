//! How entries begin and end, for each kind of connection.

use std::sync::Arc;

use stead_lct::{Entry, Limits, Refusal, State, Table};
use stead_wire::ip::Protocol;
use stead_wire::time::Duration;

use crate::ground::{ACK, BOB, CAROL, FIN_ACK, RST, SYN, SYN_ACK, at, connection, place};

const PORT: u16 = 40_000;
const DAY: u64 = 24 * 3600;

fn tracked(table: &Table, protocol: Protocol) -> Arc<Entry> {
    table
        .track(connection(protocol, BOB, PORT), BOB, &place("192.0.2.7:51820", 1), at(0))
        .expect("nothing is in the way")
}

fn opened(table: &Table) -> Arc<Entry> {
    let entry = tracked(table, Protocol::TCP);
    entry.count_outbound(1, 60, SYN, at(0));
    entry.count_inbound(1, 60, SYN_ACK, at(0));
    entry.count_outbound(1, 52, ACK, at(0));
    entry
}

/// The entry is there until `last` and gone at `first`, by the table's own word for when to look.
fn assert_expires_between(table: &Table, last: u64, first: u64) {
    table.expire(at(last));
    assert_eq!(table.len(), 1, "there at {last} s");
    let when = table.poll_timeout().expect("something will expire");
    assert!(when > at(last) && when <= at(first), "{when} is no time to look");
    assert_eq!(table.expire(when), 1, "gone at {when}");
    assert!(table.is_empty());
    assert_eq!(table.poll_timeout(), None);
}

#[test]
fn tcp_opens_with_its_handshake_and_counts_each_way() {
    let table = Table::new(Limits::default());
    let entry = tracked(&table, Protocol::TCP);

    entry.count_outbound(1, 60, SYN, at(1));
    assert_eq!(entry.state(), State::Opening);
    entry.count_inbound(1, 60, SYN_ACK, at(2));
    assert_eq!(entry.state(), State::Opening);
    entry.count_outbound(3, 4000, ACK, at(3));

    assert_eq!(entry.state(), State::Open);
    let row = table.snapshot()[0];
    assert_eq!((row.outbound.packets, row.outbound.bytes), (4, 4060));
    assert_eq!((row.inbound.packets, row.inbound.bytes), (1, 60));
    assert_eq!((row.created, row.last_seen, row.moves), (at(0), at(3), 0));
    assert_eq!((row.state, row.peer, row.original), (State::Open, BOB, *entry.original()));
}

#[test]
fn tcp_that_closed_both_sides_is_listed_a_little_longer_and_goes() {
    let table = Table::new(Limits::default());
    let entry = opened(&table);

    entry.count_outbound(1, 52, FIN_ACK, at(1));
    assert_eq!(entry.state(), State::Closing);
    entry.count_inbound(1, 52, FIN_ACK, at(1));
    entry.count_outbound(1, 52, ACK, at(1));

    assert_eq!(entry.state(), State::Closed);
    entry.count_inbound(1, 52, FIN_ACK, at(9));
    assert_expires_between(&table, 10, 11);
    assert!(!entry.is_tracked());
    assert!(!entry.admits(ACK), "whoever kept the entry learns that it left the table");
    assert_eq!(table.stats().expired, 1);
}

#[test]
fn half_closed_tcp_lives_as_long_as_an_open_one() {
    let table = Table::new(Limits::default());
    let entry = opened(&table);
    entry.count_outbound(1, 52, FIN_ACK, at(1));

    for hour in 1..=100 {
        entry.count_inbound(1, 1000, ACK, at(hour * 3600));
        assert_eq!(table.expire(at(hour * 3600)), 0);
    }

    assert_eq!(entry.state(), State::Closing);
    assert_expires_between(&table, 100 * 3600 + 5 * DAY - 1, 100 * 3600 + 5 * DAY);
}

#[test]
fn tcp_without_its_last_acknowledgement_goes_after_a_minute() {
    let table = Table::new(Limits::default());
    let entry = opened(&table);
    entry.count_outbound(1, 52, FIN_ACK, at(5));
    entry.count_inbound(1, 52, FIN_ACK, at(5));

    assert_eq!(entry.state(), State::Closing);
    assert_expires_between(&table, 64, 65);
}

#[test]
fn a_reset_ends_tcp_at_once_and_its_entry_soon() {
    let table = Table::new(Limits::default());
    let entry = opened(&table);

    entry.count_inbound(1, 40, RST, at(3));

    assert_eq!(entry.state(), State::Closed);
    assert_expires_between(&table, 12, 13);
}

#[test]
fn a_syn_reuses_the_ports_of_an_ended_connection_as_a_new_entry() {
    let table = Table::new(Limits::default());
    let old = opened(&table);
    old.count_inbound(1, 40, RST, at(3));
    let there = place("192.0.2.7:51820", 1);
    assert!(old.admits(ACK), "a straggler belongs to the old connection");
    assert!(!old.admits(SYN));

    let straggler = table.find_or_track(*old.original(), BOB, &there, ACK, at(4)).unwrap();
    let new = table.find_or_track(*old.original(), BOB, &there, SYN, at(4)).unwrap();
    let same = table.find_or_track(*old.original(), BOB, &there, SYN, at(4)).unwrap();

    assert!(Arc::ptr_eq(&straggler, &old));
    assert!(!Arc::ptr_eq(&new, &old) && Arc::ptr_eq(&new, &same));
    assert_eq!((new.state(), new.created(), new.token()), (State::Opening, at(4), old.token()));
    assert_eq!((table.len(), table.stats().reopened), (1, 1));
    assert!(!old.is_tracked());
}

#[test]
fn a_syn_on_a_live_connection_begins_nothing() {
    let table = Table::new(Limits::default());
    let entry = opened(&table);

    assert!(entry.admits(SYN));
    entry.count_inbound(1, 60, SYN, at(1));

    assert_eq!(entry.state(), State::Open);
}

#[test]
fn tcp_that_never_opens_goes_after_three_minutes() {
    let table = Table::new(Limits::default());
    tracked(&table, Protocol::TCP).count_outbound(1, 60, SYN, at(20));

    assert_expires_between(&table, 199, 200);
}

#[test]
fn others_open_by_an_answer_and_go_after_their_own_silence() {
    for (protocol, silence) in
        [(Protocol::UDP, 180), (Protocol::ICMP, 30), (Protocol::ICMPV6, 30), (Protocol(132), 600)]
    {
        let table = Table::new(Limits::default());
        let entry = tracked(&table, protocol);
        entry.count_outbound(1, 100, None, at(1));
        assert_eq!(entry.state(), State::Opening, "{protocol}");
        entry.count_inbound(1, 100, None, at(2));
        assert_eq!(entry.state(), State::Open, "{protocol}");

        assert_expires_between(&table, 2 + silence - 1, 2 + silence);
    }
}

#[test]
fn each_packet_puts_expiry_off() {
    let table = Table::new(Limits::default());
    let entry = tracked(&table, Protocol::UDP);

    for minute in 1..=60 {
        entry.count_outbound(1, 100, None, at(minute * 60));
        assert_eq!(table.expire(at(minute * 60)), 0);
    }

    assert_expires_between(&table, 60 * 60 + 179, 60 * 60 + 180);
}

#[test]
fn an_open_connection_of_a_held_peer_survives_any_silence() {
    let table = Table::new(Limits::default());
    opened(&table);
    table.hold_peer(BOB);

    assert_eq!(table.poll_timeout(), None);
    assert_eq!(table.expire(at(400 * DAY)), 0);

    table.release_peer(BOB, at(400 * DAY));
    assert_expires_between(&table, 405 * DAY - 1, 405 * DAY);
}

#[test]
fn holding_a_peer_keeps_neither_others_nor_what_has_ended() {
    let table = Table::new(Limits::default());
    let ended = opened(&table);
    let there = place("192.0.2.7:51820", 1);
    let udp = table.track(connection(Protocol::UDP, BOB, PORT), BOB, &there, at(0)).unwrap();
    let carol = table.track(connection(Protocol::TCP, CAROL, PORT), CAROL, &there, at(0)).unwrap();
    carol.count_outbound(1, 52, ACK, at(0));
    table.hold_peer(BOB);
    ended.count_inbound(1, 40, RST, at(1));

    assert_eq!(table.expire(at(6 * DAY)), 3);
    assert!([ended, udp, carol].iter().all(|entry| !entry.is_tracked()));
}

#[test]
fn the_same_connection_is_tracked_once() {
    let table = Table::new(Limits::default());
    let first = tracked(&table, Protocol::UDP);
    let again = tracked(&table, Protocol::UDP);

    assert!(Arc::ptr_eq(&first, &again));
    assert_eq!((table.len(), table.stats().tracked), (1, 1));
}

#[test]
fn no_peer_gets_the_packets_of_another_ones_connection() {
    let table = Table::new(Limits::default());
    let bobs = tracked(&table, Protocol::UDP);
    let carols_place = place("192.0.2.8:51820", 2);

    let refusal = table.find_or_track(*bobs.original(), CAROL, &carols_place, None, at(100)).unwrap_err();

    assert_eq!(refusal, Refusal::TakenByAnotherPeer(BOB));
    assert_eq!(table.stats().refused, 1);
    assert_eq!(bobs.attachment().remote.to_string(), "192.0.2.7:51820");
    // Once Bob's has been silent for its time, it is in nobody's way.
    let carols = table.find_or_track(*bobs.original(), CAROL, &carols_place, None, at(180));
    assert_eq!(carols.unwrap().peer(), CAROL);
    assert!(!bobs.is_tracked());
}

#[test]
fn expiry_is_looked_for_at_most_once_a_second() {
    let table = Table::new(Limits::default());
    let there = place("192.0.2.7:51820", 1);
    for port in 0..1000 {
        let now = at(0) + Duration::from_micros(1 + u64::from(port) * 900);
        table.track(connection(Protocol::UDP, BOB, port), BOB, &there, now).unwrap();
    }

    assert_eq!(table.poll_timeout(), Some(at(181)));
    assert_eq!(table.expire(at(181)), 1000);
}
