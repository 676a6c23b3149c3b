//! Workers and the node at the same table at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use stead_lct::{Attachment, Limits, PathId, PeerId, Table};
use stead_wire::ip::Protocol;

use crate::ground::{ACK, BOB, CAROL, FIN_ACK, SYN, at, connection, place};

const CONNECTIONS: u16 = 64;
const ROUNDS: u64 = 300;

fn far(path: u32) -> Arc<Attachment> {
    let remote = format!("198.51.100.{}:51820", path % 250).parse().unwrap();
    Arc::new(Attachment { local: None, remote, path: PathId(path) })
}

#[test]
fn lookups_and_counts_go_on_while_a_peer_moves() {
    let table = Table::new(Limits::default());
    let (home, office) = (place("192.0.2.7:51820", 0), place("203.0.113.5:51820", 0));
    for port in 0..CONNECTIONS {
        table.track(connection(Protocol::TCP, BOB, port), BOB, &home, at(0)).unwrap();
        table.track(connection(Protocol::TCP, CAROL, port), CAROL, &office, at(0)).unwrap();
    }
    let work = |peer: PeerId| {
        for round in 0..ROUNDS {
            for port in 0..CONNECTIONS {
                let entry = table.lookup(&connection(Protocol::TCP, peer, port)).expect("nothing is removed");
                entry.count_outbound(2, 3000, ACK, at(round));
                entry.count_inbound(1, 52, ACK, at(round));
                let attachment = entry.attachment();
                assert_eq!(peer == CAROL, *attachment == *office, "{peer} is never where the other is");
            }
        }
    };

    let moves = AtomicBool::new(true);
    thread::scope(|scope| {
        let workers = [BOB, BOB, CAROL].map(|peer| scope.spawn(move || work(peer)));
        scope.spawn(|| {
            for path in 1.. {
                table.migrate(BOB, &far(path));
                if !moves.load(Ordering::Relaxed) {
                    break;
                }
            }
        });
        let ended = workers.map(|worker| worker.join());
        moves.store(false, Ordering::Relaxed);
        assert!(ended.iter().all(Result::is_ok));
    });

    let last = far(7);
    table.migrate(BOB, &last);
    for entry in table.entries_of(BOB) {
        let row = entry.row();
        assert_eq!(row.outbound.packets, 2 * 2 * ROUNDS, "two workers counted and lost nothing");
        assert_eq!(row.inbound.bytes, 2 * 52 * ROUNDS);
        assert_eq!(entry.attachment(), last);
    }
    assert!(table.entries_of(CAROL).iter().all(|entry| entry.moves() == 0));
}

#[test]
fn no_entry_made_during_a_move_stays_behind() {
    let table = Table::new(Limits::default());
    let mut there = far(0);
    table.track(connection(Protocol::TCP, BOB, 0), BOB, &there, at(0)).unwrap();
    for round in 1..200_u16 {
        let next = far(u32::from(round));
        thread::scope(|scope| {
            scope.spawn(|| table.migrate(BOB, &next));
            scope.spawn(|| table.track(connection(Protocol::TCP, BOB, round), BOB, &there, at(0)).unwrap());
        });

        let behind = table.entries_of(BOB).into_iter().filter(|entry| entry.attachment() != next).count();
        assert_eq!(behind, 0, "round {round}");
        there = next;
    }
}

#[test]
fn connections_that_come_and_go_on_every_worker_leave_a_sound_table() {
    let table = Table::new(Limits { entries: 200, ..Limits::default() });
    let home = place("192.0.2.7:51820", 0);
    thread::scope(|scope| {
        for worker in 0..3_u64 {
            let (table, home) = (&table, &home);
            scope.spawn(move || {
                for step in 0..3000_u64 {
                    // All workers use the same connections, in different orders.
                    let port = (step * (2 * worker + 1) % 300) as u16;
                    let original = connection(Protocol::TCP, BOB, port);
                    let now = at(step / 50);
                    let entry = table.find_or_track(original, BOB, home, SYN, now).unwrap();
                    entry.count_outbound(1, 60, SYN, now);
                    entry.count_inbound(1, 52, FIN_ACK, now);
                    entry.count_outbound(1, 52, FIN_ACK, now);
                    entry.count_inbound(1, 52, ACK, now);
                    if step % 100 == 0 {
                        table.expire(now);
                    }
                }
            });
        }
    });

    let rows = table.snapshot();
    assert!(rows.len() <= 200 && !rows.is_empty());
    for row in &rows {
        assert_eq!(table.lookup(&row.original).map(|entry| entry.row()), Some(*row));
    }
    table.expire(at(10_000_000));
    assert!(table.is_empty());
    assert!(rows.iter().all(|row| table.lookup(&row.original).is_none()));
    let stats = table.stats();
    assert_eq!(stats.tracked, stats.expired + stats.evicted + stats.reopened, "{stats:?}");
}
