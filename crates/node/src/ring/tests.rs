use core::time::Duration;

use stead_lct::{Limits, Table};
use stead_noise::cookie::CookieChecker;
use stead_noise::keys::StaticSecret;

use super::*;
use crate::routes::Routes;

const T1: Instant = Instant::from_micros(1_000_000);

fn path(peers: usize, resending: Resending) -> PacketPath {
    let strangers = CookieChecker::new(&StaticSecret::from_random([1; 32]).public_key());
    PacketPath::new(Routes::default(), peers, Table::new(Limits::default()), strangers, resending, 1420)
}

/// A message with this number in the session 7, `len` bytes long.
fn message(number: u64, len: usize) -> Vec<u8> {
    let mut message = [&[4, 0, 0, 0, 7, 0, 0, 0][..], &number.to_le_bytes()].concat();
    message.resize(len, 0xaa);
    message
}

fn kept(path: &PacketPath, peer: u32, now: Instant) -> Vec<u64> {
    path.kept(PeerId(peer), usize::MAX, Instant::ZERO, |_, _| true, now)
        .iter()
        .map(|sent| sent.key.1.0)
        .collect()
}

#[test]
fn a_row_is_cut_into_its_messages_and_a_short_last_one_is_one_too() {
    let path = path(1, Resending::default());
    let mut chunk = path.take_chunk(PeerId(0), T1).unwrap();
    let row = [message(1, 100), message(2, 100), message(3, 40)].concat();
    chunk.row_mut()[..row.len()].copy_from_slice(&row);
    assert_eq!(kept(&path, 0, T1), [], "not while it is taken out");
    path.give_chunk(PeerId(0), chunk, (row.len(), 100), T1);

    let sent = path.kept(PeerId(0), 101, Instant::ZERO, |(_, counter), _| counter.0 != 1, T1);
    assert_eq!(sent.iter().map(|sent| &sent.datagram).collect::<Vec<_>>(), [&row[100..200], &row[200..]]);
    assert_eq!(path.kept(PeerId(0), 100, Instant::ZERO, |_, _| true, T1).len(), 1);
}

#[test]
fn what_went_over_a_relay_comes_out_as_it_was_sealed() {
    let path = path(1, Resending::default());
    let mut relayed = message(1, 64);
    let slot = stead_wire::options::RelaySlot::new(9).unwrap();
    assert!(stead_wire::relayed::wrap(&mut relayed, slot));
    path.keep(PeerId(0), &relayed, T1);
    assert_eq!(path.kept(PeerId(0), 1, Instant::ZERO, |_, _| true, T1)[0].datagram, message(1, 64));
}

#[test]
fn the_oldest_goes_when_the_memory_is_used_up_and_when_it_is_too_old() {
    let resending = Resending { memory: 2 * chunk::BYTES, ..Resending::default() };
    let path = path(1, resending);
    (0..40).for_each(|number| path.keep(PeerId(0), &message(number, 40_000), T1));
    let left = kept(&path, 0, T1);
    assert_eq!(*left.last().unwrap(), 39);
    assert!(left.len() >= 5 && left.len() <= 12, "{left:?}");

    let later = T1 + Duration::from_secs(9);
    path.keep(PeerId(0), &message(40, 40), later);
    assert_eq!(kept(&path, 0, T1 + Duration::from_secs(11)), [40]);
    path.forget_old(PeerId(0), T1 + Duration::from_secs(30));
    assert!(!path.keeps_any(PeerId(0), later));
    assert_eq!(path.stock().chunks.load(Ordering::Relaxed), 0, "the memory is given back");
}

#[test]
fn what_is_kept_grows_no_older_while_nothing_can_flow() {
    let path = path(1, Resending::default());
    path.keep(PeerId(0), &message(1, 40), T1);
    path.set_flowing(PeerId(0), false, T1 + Duration::from_secs(1));
    let later = T1 + Duration::from_secs(100);
    path.forget_old(PeerId(0), later);
    assert_eq!(kept(&path, 0, later), [1]);
    path.set_flowing(PeerId(0), true, later);
    path.keep(PeerId(0), &message(2, 40), later);
    assert_eq!(kept(&path, 0, later + Duration::from_secs(8)), [1, 2]);
    assert_eq!(kept(&path, 0, later + Duration::from_secs(10)), [2], "nine seconds had been left to it");
}

#[test]
fn ten_thousand_peers_use_no_more_than_the_memory_of_all() {
    let of_all = 3 * chunk::BYTES;
    let path = path(10_000, Resending { memory_of_all: of_all, ..Resending::default() });
    (0..10_000).for_each(|peer| path.keep(PeerId(peer), &message(1, 40), T1));
    let held: usize = (0..10_000).map(|peer| path.lane(PeerId(peer)).ring().lock().len()).sum();
    assert!(held <= 3, "{held}");
    assert_eq!(kept(&path, 9_999, T1), [1], "the latest is there");
}

#[test]
fn who_takes_anothers_memory_asks_only_those_who_have_some() {
    let path = path(10_000, Resending { memory_of_all: 3 * chunk::BYTES, ..Resending::default() });
    let mentioned = || path.stock().holders().iter().map(|holder| holder.0).collect::<Vec<_>>();
    (0..3).for_each(|peer| path.keep(PeerId(peer * 4_000), &message(1, 40), T1));
    assert_eq!(mentioned(), [0, 4_000, 8_000]);

    path.keep(PeerId(5), &message(2, 40), T1);
    assert_eq!(mentioned(), [4_000, 8_000, 5], "who was given his longest ago has lost it");
    assert_eq!(kept(&path, 0, T1), []);

    let taken_out = path.take_chunk(PeerId(4_000), T1).unwrap();
    path.keep(PeerId(6), &message(3, 40), T1);
    assert_eq!(mentioned(), [5, 4_000, 6], "what a worker has in its hands cannot go");
    path.give_chunk(PeerId(4_000), taken_out, (0, 1), T1);

    path.set_keeping(PeerId(5), false);
    assert_eq!(mentioned(), [4_000, 6], "memory that was given back has no holder");
    path.keep(PeerId(7), &message(4, 40), T1);
    assert_eq!(mentioned(), [4_000, 6, 7]);
}

#[test]
fn a_peer_that_cannot_tell_what_it_received_costs_nothing() {
    let path = path(1, Resending::default());
    path.keep(PeerId(0), &message(1, 40), T1);
    path.set_keeping(PeerId(0), false);
    assert!(path.take_chunk(PeerId(0), T1).is_none() && !path.keeps_any(PeerId(0), T1));
    path.set_keeping(PeerId(0), true);
    assert!(path.take_chunk(PeerId(0), T1).is_some());
}
