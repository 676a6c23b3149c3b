//! Traffic between hosts that stay where they are.

use crate::ground::{Pair, ms, secs};
use stead_sim::{LinkPlan, ROUND_TRIP, Role};

#[test]
fn two_nodes_carry_ticks_a_call_and_a_transfer() {
    let mut pair = Pair::new(1);
    let shell = pair.shell(pair.a, pair.b, secs(5));
    let call = pair.call(pair.b, pair.a, secs(5));
    let download = pair.download(pair.b, pair.a, 2_000_000, 8_000_000);
    pair.world.run_until(secs(10));

    assert!(pair.whole(shell) <= ms(25));
    assert!(pair.whole(call) <= ms(25));
    pair.whole(download);
    let sent = pair.world.outcome(shell).sent;
    assert!((245..=250).contains(&sent), "{sent} in five seconds");
    assert_eq!(pair.world.outcome(download).received, 2_000_000);
    let (a, b) = (pair.a, pair.b);
    assert_eq!((pair.world.handshakes(a, b), pair.world.handshakes(b, a)), (1, 1));
    pair.sound();
}

#[test]
fn bare_hosts_speak_from_their_own_addresses_and_a_move_breaks_what_they_said() {
    let mut pair = Pair::with(2, Role::Bare, None);
    let c = pair.world.host(stead_sim::HostPlan::node("c", pair.home).with_role(Role::Bare));
    let staying = pair.shell(c, pair.b, secs(2));
    let moving = pair.shell(c, pair.b, secs(10));
    pair.move_at(secs(5), c, pair.cafe, ms(0));
    pair.world.run_until(secs(60));

    pair.whole(staying);
    assert!(!pair.world.outcome(moving).is_whole());
    let first = pair.world.outcome(staying).arrivals[0];
    assert!(first - secs(1) < ROUND_TRIP * 2, "no handshake but TCP's: {first:?}");
}

#[test]
fn losses_are_made_up_for_by_the_hosts_own_tcp() {
    let mut pair = Pair::new(3);
    let link = LinkPlan { loss: 0.05, delay: ms(10), jitter: ms(5), ..LinkPlan::default() };
    let change = stead_sim::Action::ChangeLink { network: pair.home, up: link, down: link };
    pair.world.plan(ms(0), change);
    let download = pair.download(pair.b, pair.a, 1_000_000, 4_000_000);
    let call = pair.call(pair.b, pair.a, secs(20));
    pair.world.run_until(secs(60));

    pair.whole(download);
    let heard = pair.world.outcome(call);
    assert!((900..999).contains(&heard.received), "{} of {}", heard.received, heard.sent);
    pair.sound();
}

#[test]
fn a_rate_is_kept() {
    let mut pair = Pair::new(4);
    let link = LinkPlan { rate: Some(10_000_000), ..LinkPlan::default() };
    let change = stead_sim::Action::ChangeLink { network: pair.home, up: link, down: link };
    pair.world.plan(ms(0), change);
    let download = pair.download(pair.b, pair.a, 5_000_000, 1_000_000_000);
    pair.world.run_until(secs(60));

    pair.whole(download);
    let took = pair.world.outcome(download).over.unwrap() - secs(1);
    assert!((secs(4)..secs(8)).contains(&took), "40 Mbit at 10 Mbit/s took {took:?}");
}

#[test]
fn traffic_goes_over_ipv4_where_it_is_told_to() {
    let mut pair = Pair::new(5);
    let kind = stead_sim::TrafficKind::TcpTicker { every: ms(20), lasts: secs(2) };
    let (name, from, to) = ("four".to_owned(), pair.a, pair.b);
    let over = Some(stead_sim::Family::V4);
    let four = pair.world.traffic(stead_sim::TrafficPlan { name, kind, from, to, start: secs(1), over });
    pair.world.run_until(secs(5));

    pair.whole(four);
    let entry = &pair.world.connections(pair.b)[0];
    assert_eq!(entry.row.original.remote.ip(), "100.64.0.1".parse::<std::net::IpAddr>().unwrap());
    pair.sound();
}
