//! Subscriptions: granted, renewed, ended, and how many there may be.

use stead_sns::{Happening, Quotas, Settings};
use stead_wire::options::{Lease, Marks, Reason, Subscription, VcOption, Wishes};

use crate::world::{Id, World, secs, settings};

const HOME: &str = "192.0.2.1:51820";
const OFFICE: &str = "198.51.100.2:51820";

fn ask(world: &mut World, own: Id, peer: Id, seconds: u16) {
    let (topic, lease) = (world.topic(own, peer), Lease::from_secs(seconds));
    world.send(own, &[VcOption::Subscription(Subscription { topic, lease, wishes: Wishes::NONE })]);
}

#[test]
fn a_lease_is_granted_as_asked_within_the_services_bounds() {
    let mut world = World::of(Settings { longest_lease: secs(300), ..settings() });
    let (a, b) = (world.public(HOME), world.public(OFFICE));

    for (asked, granted) in [(120, 120), (1, 10), (65_535, 300)] {
        ask(&mut world, a, b, asked);
        assert_eq!(world.subscribed(a).unwrap().lease, Lease::from_secs(granted));
    }
}

#[test]
fn a_lease_ends_silently_and_a_renewed_one_later() {
    let mut world = World::new();
    let (a, b) = (world.public(HOME), world.public(OFFICE));
    ask(&mut world, a, b, 60);
    world.run_for(secs(40));
    ask(&mut world, a, b, 60);
    world.client(a).heard.clear();

    world.run_for(secs(59));
    assert_eq!(world.status().subscriptions, 1);
    world.run_for(secs(1));

    assert_eq!(world.status().subscriptions, 0);
    assert_eq!(world.clients[a.0].heard, []);
}

#[test]
fn a_subscription_can_be_given_up_at_once() {
    let mut world = World::new();
    let (a, b) = (world.public(HOME), world.public(OFFICE));
    world.acquaint(a, b);

    ask(&mut world, a, b, 0);

    assert_eq!(world.subscribed(a).unwrap().lease, Lease::ENDED);
    assert_eq!((world.status().subscriptions, world.status().pairs), (1, 0));
}

#[test]
fn both_sides_learn_whether_the_other_is_there() {
    let mut world = World::new();
    let (a, b) = (world.public(HOME), world.public(OFFICE));

    ask(&mut world, a, b, 60);
    assert!(!world.subscribed(a).unwrap().present);
    ask(&mut world, b, a, 60);
    assert!(world.subscribed(b).unwrap().present);
    ask(&mut world, a, b, 60);

    assert!(world.subscribed(a).unwrap().present);
}

#[test]
fn a_third_party_finds_no_place_in_a_pairs_topic() {
    let mut world = World::new();
    let (a, b) = (world.public(HOME), world.public(OFFICE));
    world.acquaint(a, b);
    let c = world.public("203.0.113.9:1");
    let (topic, lease) = (world.topic(a, b), Lease::from_secs(60));

    world.send(c, &[VcOption::Subscription(Subscription { topic, lease, wishes: Wishes::WATCH })]);

    assert_eq!((world.declined(c), world.notifications(c)), (vec![Reason::Full], vec![]));
}

/// How many of 30 subscriptions, ten each of three clients of which two share an address, are granted.
fn granted(quotas: Quotas) -> (Vec<usize>, Vec<Reason>) {
    let mut world = World::of(Settings { quotas, ..settings() });
    let clients = [world.public("[2001:db8::1]:1"), world.public("[2001:db8::2]:1"), world.public(HOME)];
    let peers: Vec<Id> = (0..10).map(|n| world.stranger(&format!("10.0.0.{n}:1"))).collect();
    for client in clients {
        for peer in &peers {
            ask(&mut world, client, *peer, 60);
        }
    }
    let of = |id: &Id| {
        let heard = &world.clients[id.0].heard;
        heard.iter().filter(|(_, option)| matches!(option, VcOption::Subscribed(_))).count()
    };
    let mut reasons: Vec<Reason> = clients.iter().flat_map(|id| world.declined(*id)).collect();
    reasons.dedup();
    (clients.iter().map(of).collect(), reasons)
}

#[test]
fn subscriptions_have_a_quota_per_client_per_address_and_in_all() {
    let all = Quotas::default();

    assert_eq!(granted(all), (vec![10, 10, 10], vec![]));
    assert_eq!(granted(Quotas { subscriptions_per_client: 4, ..all }), (vec![4, 4, 4], vec![Reason::Quota]));
    assert_eq!(
        granted(Quotas { subscriptions_per_address: 12, ..all }),
        (vec![10, 2, 10], vec![Reason::Quota])
    );
    assert_eq!(granted(Quotas { subscriptions: 15, ..all }), (vec![10, 5, 0], vec![Reason::Full]));
}

#[test]
fn at_its_limit_the_service_declines_what_is_new_and_goes_on_with_what_it_has() {
    let mut world =
        World::of(Settings { quotas: Quotas { subscriptions: 2, ..Quotas::default() }, ..settings() });
    let (a, b) = (world.private(HOME), world.public(OFFICE));
    world.acquaint(a, b);
    let c = world.public("203.0.113.9:1");
    ask(&mut world, c, a, 60);
    assert_eq!(world.declined(c), [Reason::Full]);

    ask(&mut world, a, b, 60);
    world.publish(b, a, 5, Marks::MOVED);

    assert_eq!(world.declined(a), []);
    assert_eq!(world.notifications(a).last().map(|(_, number, _)| *number), Some(5));
}

#[test]
fn a_client_without_session_and_lease_is_forgotten() {
    let mut world = World::new();
    let (a, b) = (world.public(HOME), world.public(OFFICE));
    ask(&mut world, a, b, 60);

    world.run_for(secs(181));

    assert_eq!(world.status().clients.confirmed, 0);
    assert_eq!(world.happened(a).last(), Some(&Happening::Left));
    assert_eq!(world.service.poll_timeout(), None, "nothing to wake for");
}

#[test]
fn a_lease_outlives_the_session_and_the_next_session_finds_it() {
    let mut world = World::new();
    let (a, b) = (world.private(HOME), world.public(OFFICE));
    ask(&mut world, a, b, 600);
    world.subscribe(b, a, Wishes::NONE);
    world.run_for(secs(200));
    world.connect(b);
    world.publish(b, a, 1, Marks::MOVED);
    assert_eq!(world.notifications(a), [], "no session to tell it in");

    world.connect(a);
    world.publish(a, b, 1, Marks::NONE);

    assert_eq!(world.notifications(a).len(), 1);
}
