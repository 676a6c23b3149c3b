//! A table under a flood: never over its limit, and always the same entries go.

use stead_lct::{ConnectionRow, Limits, Table};
use stead_wire::ip::Protocol;
use stead_wire::time::Duration;

use crate::ground::{ACK, BOB, CAROL, RST, at, connection, place};

fn bounded(entries: usize) -> Table {
    Table::new(Limits { entries, ..Limits::default() })
}

fn ports(table: &Table, protocol: Protocol) -> Vec<u16> {
    let rows = table.snapshot().into_iter().filter(|row| row.original.protocol == protocol);
    rows.map(|row| row.original.local.port()).collect()
}

#[test]
fn the_expired_go_first_then_the_ended_then_the_longest_idle_and_open_tcp_last() {
    let table = bounded(6);
    let there = place("192.0.2.7:51820", 1);
    let track = |protocol, port, now| {
        table.track(connection(protocol, BOB, port), BOB, &there, at(now)).expect("room is made")
    };
    track(Protocol::TCP, 1, 0).count_outbound(1, 52, ACK, at(0));
    track(Protocol::TCP, 2, 1).count_outbound(1, 52, ACK, at(1));
    track(Protocol::ICMP, 3, 2).count_outbound(1, 84, None, at(2));
    let busy = track(Protocol::UDP, 4, 3);
    track(Protocol::UDP, 5, 4);
    track(Protocol::TCP, 6, 5).count_inbound(1, 40, RST, at(25));
    busy.count_outbound(1, 100, None, at(26));

    track(Protocol::UDP, 10, 32);
    assert_eq!(ports(&table, Protocol::ICMP), [0_u16; 0], "its 30 s were over");
    assert_eq!((table.stats().expired, table.stats().evicted), (1, 0));

    track(Protocol::UDP, 11, 33);
    assert_eq!(ports(&table, Protocol::TCP), [1, 2], "the reset one went");

    track(Protocol::UDP, 12, 34);
    assert_eq!(ports(&table, Protocol::UDP), [4, 10, 11, 12], "5 was idle for longest, though 4 is older");

    for port in 20..24 {
        track(Protocol::TCP, port, 40).count_outbound(1, 52, ACK, at(40));
    }
    assert_eq!(ports(&table, Protocol::TCP), [1, 2, 20, 21, 22, 23]);

    track(Protocol::UDP, 13, 41);
    assert_eq!(ports(&table, Protocol::TCP), [2, 20, 21, 22, 23], "only open TCP was left to choose from");
    assert_eq!(table.stats().evicted, 7);
}

#[test]
fn connections_of_a_held_peer_are_the_last_to_be_evicted() {
    let table = bounded(4);
    let there = place("192.0.2.7:51820", 1);
    for port in 0..2 {
        let bobs = table.track(connection(Protocol::TCP, BOB, port), BOB, &there, at(0)).unwrap();
        bobs.count_outbound(1, 52, ACK, at(0));
    }
    table.hold_peer(BOB);
    for port in 0..10 {
        let carols = table.track(connection(Protocol::TCP, CAROL, port), CAROL, &there, at(1)).unwrap();
        carols.count_outbound(1, 52, ACK, at(1));
    }

    assert_eq!(table.entries_of(BOB).len(), 2);
    assert_eq!(table.entries_of(CAROL).len(), 2);
}

#[test]
fn a_held_peer_cannot_fill_the_table_for_good() {
    let table = bounded(4);
    let there = place("192.0.2.7:51820", 1);
    for port in 0..4 {
        let bobs = table.track(connection(Protocol::TCP, BOB, port), BOB, &there, at(0)).unwrap();
        bobs.count_outbound(1, 52, ACK, at(0));
    }
    table.hold_peer(BOB);

    table.track(connection(Protocol::UDP, CAROL, 9), CAROL, &there, at(1)).expect("room is made");

    assert_eq!(table.entries_of(BOB).len(), 3);
}

/// Two open connections under way while 20 000 others come; what is left.
fn flooded() -> (Table, Vec<ConnectionRow>) {
    let table = bounded(500);
    let there = place("192.0.2.7:51820", 1);
    let open: Vec<_> = (0..2)
        .map(|port| table.track(connection(Protocol::TCP, CAROL, port), CAROL, &there, at(0)).unwrap())
        .collect();
    for step in 0..20_000_u32 {
        let now = at(1) + Duration::from_micros(u64::from(step) * 10);
        let protocol = if step % 3 == 0 { Protocol::TCP } else { Protocol::UDP };
        let port = (step % 50_000) as u16;
        table.track(connection(protocol, BOB, port), BOB, &there, now).unwrap();
        open.iter().for_each(|entry| entry.count_inbound(1, 1400, ACK, now));
        assert!(table.len() <= 500);
    }
    let rows = table.snapshot();
    (table, rows)
}

#[test]
fn a_flood_displaces_itself_and_not_what_is_under_way() {
    let (table, rows) = flooded();

    assert_eq!(rows.len(), 500);
    assert_eq!(table.entries_of(CAROL).len(), 2);
    assert_eq!(table.stats().evicted, 20_002 - 500);
    let newest = rows.iter().rev().take(498).map(|row| row.original.local.port());
    assert!(newest.eq((19_502..20_000).rev()), "the oldest of the flood went first");
}

#[test]
fn the_same_flood_leaves_the_same_entries() {
    assert_eq!(flooded().1, flooded().1);
}

#[test]
fn a_limit_of_nothing_still_holds_one_connection() {
    let table = bounded(0);
    let there = place("192.0.2.7:51820", 1);
    for port in 0..3 {
        table.track(connection(Protocol::UDP, BOB, port), BOB, &there, at(0)).unwrap();
    }

    assert_eq!(ports(&table, Protocol::UDP), [2]);
}
