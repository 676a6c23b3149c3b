//! Moves: whose entries they touch, and what becomes of an attachment point that a peer abandoned.

use std::sync::Arc;

use stead_lct::{Limits, Table};
use stead_wire::ip::Protocol;

use crate::ground::{ACK, BOB, CAROL, at, connection, place};

#[test]
fn a_move_takes_all_entries_of_its_peer_and_no_other() {
    let table = Table::new(Limits::default());
    let (home, cafe, office) =
        (place("192.0.2.7:51820", 1), place("198.51.100.9:4711", 2), place("203.0.113.5:51820", 3));
    for port in 0..20 {
        table.track(connection(Protocol::TCP, BOB, port), BOB, &home, at(0)).unwrap();
        table.track(connection(Protocol::UDP, BOB, port), BOB, &home, at(0)).unwrap();
        table.track(connection(Protocol::TCP, CAROL, port), CAROL, &office, at(0)).unwrap();
    }
    assert_eq!(table.peers_with_entries(), [BOB, CAROL]);

    assert_eq!(table.migrate(BOB, &cafe), 40);

    assert!(table.entries_of(BOB).iter().all(|entry| Arc::ptr_eq(&entry.attachment(), &cafe)));
    assert!(table.entries_of(BOB).iter().all(|entry| entry.moves() == 1));
    assert!(table.entries_of(CAROL).iter().all(|entry| Arc::ptr_eq(&entry.attachment(), &office)));
    assert!(table.entries_of(CAROL).iter().all(|entry| entry.moves() == 0));
    assert_eq!(table.stats().moved, 40);
}

#[test]
fn a_move_to_where_the_peer_is_already_is_none() {
    let table = Table::new(Limits::default());
    let entry = table.track(connection(Protocol::TCP, BOB, 1), BOB, &place("192.0.2.7:1", 1), at(0)).unwrap();

    assert_eq!(table.migrate(BOB, &place("192.0.2.7:1", 1)), 0, "a repeated CU");
    assert_eq!(table.migrate(BOB, &place("192.0.2.7:2", 1)), 1, "a changed port alone");
    assert_eq!(table.migrate(BOB, &place("192.0.2.7:2", 2)), 1, "another path");
    assert_eq!(table.migrate(BOB, &place("192.0.2.7:1", 1)), 1, "and back");
    assert_eq!(entry.moves(), 3);
}

#[test]
fn the_original_specification_and_the_token_outlive_every_move() {
    let table = Table::new(Limits::default());
    let original = connection(Protocol::TCP, BOB, 1);
    let entry = table.track(original, BOB, &place("192.0.2.7:51820", 1), at(0)).unwrap();
    let token = entry.current().token;

    table.migrate(BOB, &place("[2001:db8::7]:51820", 2));

    assert_eq!(*entry.original(), original);
    assert_eq!(entry.current().token, token);
    assert_eq!(entry.current().attachment, place("[2001:db8::7]:51820", 2));
    assert!(Arc::ptr_eq(&table.lookup(&original).unwrap(), &entry));
}

#[test]
fn tokens_steer_single_connections_of_their_own_peer() {
    let table = Table::new(Limits::default());
    let (home, cafe) = (place("192.0.2.7:51820", 1), place("198.51.100.9:4711", 2));
    let bobs: Vec<_> = (0..4)
        .map(|port| table.track(connection(Protocol::TCP, BOB, port), BOB, &home, at(0)).unwrap())
        .collect();
    let carols = table.track(connection(Protocol::TCP, CAROL, 9), CAROL, &home, at(0)).unwrap();
    let unknown = stead_lct::Token(bobs[0].token().0 ^ 1);

    let moved =
        table.migrate_tokens(BOB, &[bobs[1].token(), carols.token(), unknown, bobs[3].token()], &cafe);

    assert_eq!(moved, 2);
    assert_eq!(bobs.iter().map(|entry| entry.moves()).collect::<Vec<_>>(), [0, 1, 0, 1]);
    assert_eq!(carols.attachment(), home);
}

/// Seed 001 par. 67 to 69: B leaves its attachment point, C takes it, while both talk to A (this table).
#[test]
fn the_peer_that_takes_an_abandoned_attachment_point_takes_nothing_else() {
    let table = Table::new(Limits::default());
    let (home, cafe) = (place("192.0.2.7:51820", 1), place("198.51.100.9:4711", 2));
    let with_bob = connection(Protocol::TCP, BOB, 40_000);
    let with_carol = connection(Protocol::TCP, CAROL, 40_000);
    let bobs = table.track(with_bob, BOB, &home, at(0)).unwrap();
    table.migrate(BOB, &cafe);
    let bobs_home_is_carols_now = place("192.0.2.7:51820", 3);

    let carols = table.track(with_carol, CAROL, &bobs_home_is_carols_now, at(1)).unwrap();
    bobs.count_outbound(1, 1400, ACK, at(2));
    carols.count_inbound(1, 900, ACK, at(2));

    assert_ne!(bobs.current(), carols.current());
    assert_eq!(table.lookup(&with_bob).unwrap().attachment().remote, cafe.remote);
    assert_eq!(table.lookup(&with_carol).unwrap().attachment().remote, home.remote);
    assert_eq!((bobs.peer(), carols.peer()), (BOB, CAROL));
    let rows = table.snapshot();
    assert_eq!((rows[0].outbound.bytes, rows[0].inbound.bytes), (1400, 0));
    assert_eq!((rows[1].outbound.bytes, rows[1].inbound.bytes), (0, 900));
}

/// As above, but C is there before A has heard that B left: for a while two peers share an attachment point.
#[test]
fn two_peers_at_one_attachment_point_keep_distinct_current_specifications() {
    let table = Table::new(Limits::default());
    let home = place("192.0.2.7:51820", 1);
    let bobs = table.track(connection(Protocol::TCP, BOB, 40_000), BOB, &home, at(0)).unwrap();
    let carols = table.track(connection(Protocol::TCP, CAROL, 40_000), CAROL, &home, at(1)).unwrap();

    assert_ne!(bobs.current(), carols.current(), "the token tells them apart");

    let cafe = place("198.51.100.9:4711", 2);
    assert_eq!(table.migrate(BOB, &cafe), 1);
    assert_eq!((bobs.attachment(), carols.attachment()), (cafe, home));
}

#[test]
fn a_worker_that_still_holds_the_left_attachment_lands_at_the_new_one() {
    let table = Table::new(Limits::default());
    let (home, cafe) = (place("192.0.2.7:51820", 1), place("198.51.100.9:4711", 2));
    table.track(connection(Protocol::TCP, BOB, 1), BOB, &home, at(0)).unwrap();
    table.migrate(BOB, &cafe);

    let late = table.track(connection(Protocol::TCP, BOB, 2), BOB, &home, at(1)).unwrap();
    assert!(Arc::ptr_eq(&late.attachment(), &cafe));

    table.migrate(BOB, &home);
    let returned = table.track(connection(Protocol::TCP, BOB, 3), BOB, &home, at(2)).unwrap();
    assert!(Arc::ptr_eq(&returned.attachment(), &home), "a move back is no lateness");
}
