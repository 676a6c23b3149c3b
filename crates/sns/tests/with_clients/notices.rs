//! Who is told of whom, and when (seed 001 figures 10 to 19).

use stead_noise::random::Random;
use stead_sns::{Discard, Settings};
use stead_wire::options::{
    AttachmentPoints, Lease, Marks, Publication, Reason, Subscription, VcOption, Wishes,
};
use stead_wire::time::Duration;

use crate::world::{Id, World, at, ms, secs, settings};

const HOME: &str = "192.0.2.1:51820";
const OFFICE: &str = "198.51.100.2:51820";
const CAFE: &str = "203.0.113.3:51820";
const TRAIN: &str = "203.0.113.4:51820";

/// Two public clients that know of each other.
fn both_public(settings: Settings) -> (World, Id, Id) {
    let mut world = World::of(settings);
    let (a, b) = (world.public(HOME), world.public(OFFICE));
    world.acquaint(a, b);
    (world, a, b)
}

/// A behind a NAT, B public.
fn one_private() -> (World, Id, Id) {
    let mut world = World::new();
    let (a, b) = (world.private(HOME), world.public(OFFICE));
    world.acquaint(a, b);
    (world, a, b)
}

fn clear(world: &mut World) {
    world.clients.iter_mut().for_each(|client| client.heard.clear());
}

#[test]
fn a_public_peer_that_stayed_is_not_told_of_a_move_since_the_mover_tells_it_itself() {
    let (mut world, a, b) = both_public(settings());

    world.relocate(b, CAFE);
    world.publish(b, a, 2, Marks::MOVED);
    world.run_for(secs(5));

    assert_eq!((world.notifications(a), world.notifications(b)), (vec![], vec![]), "figure 8");
}

#[test]
fn two_public_peers_that_move_within_the_window_are_both_told_where_the_other_is() {
    let (mut world, a, b) = both_public(settings());

    world.relocate(a, TRAIN);
    world.publish(a, b, 2, Marks::MOVED);
    world.run_for(ms(999));
    world.relocate(b, CAFE);
    world.publish(b, a, 2, Marks::MOVED);

    assert_eq!(world.notifications(a), [(world.now, 2, at(CAFE))], "figure 12");
    assert_eq!(world.notifications(b), [(world.now, 2, at(TRAIN))], "figure 12");
    assert_eq!(world.status().publications.simultaneous, 1);
}

#[test]
fn moves_further_apart_than_the_window_are_two_moves() {
    let (mut world, a, b) = both_public(settings());

    world.publish(a, b, 2, Marks::MOVED);
    world.run_for(ms(1001));
    world.publish(b, a, 2, Marks::MOVED);
    world.run_for(secs(5));

    assert_eq!((world.notifications(a), world.notifications(b)), (vec![], vec![]));
}

#[test]
fn the_window_is_as_long_as_it_is_configured() {
    let (mut world, a, b) = both_public(Settings { window: secs(3), ..settings() });

    world.publish(a, b, 2, Marks::MOVED);
    world.run_for(ms(2900));
    world.publish(b, a, 2, Marks::MOVED);

    assert_eq!((world.notifications(a).len(), world.notifications(b).len()), (1, 1));
}

#[test]
fn a_peer_behind_nat_is_told_at_once_that_the_public_one_moved() {
    let (mut world, a, b) = one_private();
    clear(&mut world);

    world.relocate(b, CAFE);
    world.publish(b, a, 2, Marks::MOVED);

    assert_eq!(world.notifications(a), [(world.now, 2, at(CAFE))], "figure 14");
    assert_eq!(world.notifications(b), []);
}

#[test]
fn when_both_move_and_one_is_behind_nat_that_one_is_told_when_its_own_publication_opens_its_nat() {
    let (mut world, a, b) = one_private();
    clear(&mut world);

    world.client(a).deaf = true;
    world.relocate(b, CAFE);
    world.publish(b, a, 2, Marks::MOVED);
    world.run_for(ms(700));
    world.client(a).deaf = false;
    world.relocate(a, TRAIN);
    world.publish(a, b, 2, Marks::MOVED);
    world.run_for(secs(5));

    let told = world.notifications(a);
    assert_eq!(told.first().map(|(_, number, from)| (*number, *from)), Some((2, at(CAFE))), "figure 16");
    assert_eq!(world.notifications(b), [], "figure 16: B is not told, A comes to it");
}

#[test]
fn a_notification_that_nobody_acknowledges_waits_for_its_subscribers_own_publication() {
    let (mut world, a, b) = one_private();
    clear(&mut world);
    world.client(a).deaf = true;
    world.publish(b, a, 2, Marks::MOVED);
    world.run_for(secs(60));
    assert_eq!(world.status().notifications.deferred, 1);

    world.client(a).deaf = false;
    world.run_for(secs(5));
    assert_eq!(world.notifications(a), [], "it is not told over and over");
    world.publish(a, b, 2, Marks::NONE);

    assert_eq!(world.notifications(a), [(world.now, 2, at(OFFICE))]);
}

#[test]
fn what_waited_is_told_as_soon_as_the_subscriber_speaks_from_elsewhere() {
    let (mut world, a, b) = one_private();
    clear(&mut world);
    world.client(a).deaf = true;
    world.publish(b, a, 2, Marks::MOVED);
    world.run_for(secs(5));
    world.client(a).deaf = false;

    // A NAT that forgot everything: the next keepalive comes from another port.
    world.relocate(a, "192.0.2.1:40000");
    let keepalive = world.sealed(a, &[]);
    world.inject(at("192.0.2.1:40000"), keepalive);

    assert_eq!(world.notifications(a), [(world.now, 2, at(OFFICE))]);
}

#[test]
fn a_lost_notification_is_sent_again_three_times_in_all_and_then_no_more() {
    let (mut world, a, b) = one_private();
    clear(&mut world);
    world.client(a).polite = false;
    let began = world.now;
    world.publish(b, a, 2, Marks::MOVED);
    world.run_for(secs(30));

    let times: Vec<Duration> = world.notifications(a).iter().map(|(at, ..)| *at - began).collect();
    assert_eq!(times, [ms(0), ms(100), ms(300)], "in a world without delay");
}

#[test]
fn an_acknowledged_notification_is_not_sent_again() {
    let (mut world, a, b) = one_private();
    clear(&mut world);
    world.publish(b, a, 2, Marks::MOVED);
    world.run_for(secs(30));

    assert_eq!(world.notifications(a).len(), 1);
    assert_eq!(world.status().notifications.acknowledged, world.status().notifications.begun);
}

#[test]
fn two_peers_behind_nats_are_both_told_so_that_both_nats_open() {
    let mut world = World::new();
    let (a, b) = (world.private(HOME), world.private(OFFICE));
    world.acquaint(a, b);
    clear(&mut world);

    world.relocate(b, CAFE);
    world.publish(b, a, 2, Marks::MOVED);

    assert_eq!(world.notifications(a), [(world.now, 2, at(CAFE))]);
    assert_eq!(world.notifications(b), [(world.now, 1, at(HOME))]);
}

#[test]
fn who_looks_for_a_peer_is_told_where_it_is_at_once_and_whenever_that_changes() {
    let (mut world, a, b) = both_public(settings());

    world.subscribe(a, b, Wishes::WATCH);
    assert_eq!(world.notifications(a), [(world.now, 1, at(OFFICE))]);

    world.relocate(b, CAFE);
    world.publish(b, a, 2, Marks::MOVED);
    assert_eq!(world.notifications(a).last(), Some(&(world.now, 2, at(CAFE))));

    world.subscribe(a, b, Wishes::NONE);
    world.publish(b, a, 3, Marks::MOVED);
    assert_eq!(world.notifications(a).len(), 2, "it does not look any more");
}

#[test]
fn who_looks_for_a_peer_that_comes_later_is_told_when_it_comes() {
    let mut world = World::new();
    let (a, b) = (world.public(HOME), world.public(OFFICE));
    world.subscribe(a, b, Wishes::WATCH);
    assert!(!world.subscribed(a).unwrap().present);

    world.subscribe(b, a, Wishes::NONE);
    world.publish(b, a, 1, Marks::NONE);

    assert_eq!(world.notifications(a), [(world.now, 1, at(OFFICE))]);
}

#[test]
fn what_is_published_reaches_the_other_side_sealed_and_only_that_side_opens_it() {
    let (mut world, a, b) = one_private();
    let points = VcOption::AttachmentPoints(AttachmentPoints::new(&[at(CAFE), at("[2001:db8::1]:51820")]));
    let mut text = Vec::new();
    points.encode(&mut text);
    let mut random = Random::from_seed([1; 32]).stream("test");
    let sealed = world.rendezvous(b, a).seal(9, &text, &mut random).unwrap();
    let topic = world.topic(b, a);

    world.send(b, &[VcOption::Publication(Publication { topic, number: 9, marks: Marks::MOVED, sealed })]);

    let told = world.clients[a.0].heard.iter().rev().find_map(|(_, option)| match option {
        VcOption::Notification(it) if it.number == 9 => Some(it.clone()),
        _ => None,
    });
    assert_eq!(world.rendezvous(a, b).open(9, &told.expect("told").sealed), Ok(text));
}

#[test]
fn an_older_publication_is_refused_and_the_same_one_only_acknowledged_again() {
    let (mut world, a, b) = one_private();
    world.publish(b, a, 7, Marks::MOVED);
    clear(&mut world);

    world.publish(b, a, 6, Marks::MOVED);
    assert_eq!(world.declined(b), [Reason::Stale]);
    world.publish(b, a, 7, Marks::MOVED);

    assert!(world.clients[b.0].heard.iter().any(|(_, option)| matches!(option, VcOption::Published(_))));
    assert_eq!(world.notifications(a), [], "told before");
}

#[test]
fn a_publication_without_a_subscription_is_refused() {
    let mut world = World::new();
    let (a, b) = (world.public(HOME), world.public(OFFICE));

    world.publish(a, b, 1, Marks::NONE);

    assert_eq!(world.declined(a), [Reason::NotServed]);
}

#[test]
fn every_answer_tells_its_receiver_where_its_message_came_from() {
    let mut world = World::new();
    let a = world.private(HOME);
    assert_eq!(world.apparent(a), Some(at(HOME)));

    world.relocate(a, CAFE);
    world.send(a, &[]);

    assert_eq!(world.apparent(a), Some(at(CAFE)));
}

#[test]
fn one_message_may_ask_for_many_things_and_many_answers_share_a_message() {
    let mut world = World::new();
    let a = world.public(HOME);
    let others: Vec<Id> = (0..20).map(|n| world.stranger(&format!("10.0.0.{n}:1"))).collect();
    let wanted: Vec<VcOption> = others
        .iter()
        .map(|other| {
            let topic = world.topic(a, *other);
            let (lease, wishes) = (Lease::from_secs(60), Wishes::NONE);
            VcOption::Subscription(Subscription { topic, lease, wishes })
        })
        .collect();
    clear(&mut world);

    world.send(a, &wanted);

    let heard = &world.clients[a.0].heard;
    assert_eq!(heard.iter().filter(|(_, option)| matches!(option, VcOption::Subscribed(_))).count(), 20);
    let messages = heard.iter().filter(|(_, option)| matches!(option, VcOption::Apparent(_))).count();
    assert_eq!(messages, 1, "each message tells the apparent source once");
}

#[test]
fn a_receipt_for_what_was_never_told_changes_nothing() {
    let (mut world, a, b) = one_private();
    world.client(a).polite = false;
    world.publish(b, a, 2, Marks::MOVED);
    let topic = world.topic(a, b);
    let receipt = |number| VcOption::Notified(stead_wire::options::Receipt { topic, number });

    world.send(a, &[receipt(1), receipt(3)]);

    assert_eq!(world.drops(Discard::UnsolicitedReceipt), 2);
    world.run_for(ms(100));
    assert!(world.notifications(a).len() >= 2, "it is still told again");
}

#[test]
fn who_gives_up_a_subscription_is_not_told_again_of_it() {
    let (mut world, a, b) = one_private();
    world.client(a).polite = false;
    world.publish(b, a, 2, Marks::MOVED);
    let (topic, lease, wishes) = (world.topic(a, b), Lease::ENDED, Wishes::NONE);
    world.send(a, &[VcOption::Subscription(Subscription { topic, lease, wishes })]);
    clear(&mut world);

    world.run_for(secs(5));

    assert_eq!(world.notifications(a), []);
}

#[test]
fn a_publication_that_is_repeated_is_a_word_that_a_notice_waits_for_too() {
    let (mut world, a, b) = one_private();
    clear(&mut world);
    world.client(a).deaf = true;
    world.publish(b, a, 2, Marks::MOVED);
    world.run_for(secs(5));
    world.client(a).deaf = false;

    world.publish(a, b, 1, Marks::NONE);

    assert_eq!(world.notifications(a), [(world.now, 2, at(OFFICE))]);
}
