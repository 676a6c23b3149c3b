//! Whether a path still works, told by what comes back over it: seed 002 claims 4 and 8, RFC 9000 §8.2.

use crate::world::{Flight, HostId, World, at, ms, secs};
use stead_node::{Condition, Happening, Suspension};
use stead_wire::time::{Duration, Instant};

/// One of them sends a packet every 20 ms for `duration`.
fn talk(world: &mut World, (from, to): (HostId, HostId), duration: Duration) {
    let end = world.now + duration;
    while world.now < end {
        world.send(from, to, b"tick");
        world.run_for(ms(20));
    }
}

/// Both send a packet every 20 ms for `duration`.
fn converse(world: &mut World, (alice, bob): (HostId, HostId), duration: Duration) {
    let end = world.now + duration;
    while world.now < end {
        world.send(alice, bob, b"tick");
        world.send(bob, alice, b"tock");
        world.run_for(ms(20));
    }
}

fn suspensions(world: &World, host: HostId) -> usize {
    let told = world.happenings(host);
    told.iter().filter(|what| matches!(what, Happening::Suspended { .. })).count()
}

fn from_bob(flight: &Flight) -> bool {
    flight.source == at("10.0.0.2")
}

fn to_bob(flight: &Flight) -> bool {
    flight.destination == at("10.0.0.2")
}

/// When `host`'s condition becomes what is expected, looked at every 10 ms while `from` talks.
fn until(world: &mut World, ends: (HostId, HostId), expected: Condition) -> Instant {
    for _ in 0..500 {
        if world.status(ends.0).condition == expected {
            return world.now;
        }
        world.send(ends.0, ends.1, b"anybody?");
        world.run_for(ms(10));
    }
    panic!("{:?}, not {expected:?}", world.status(ends.0).condition);
}

#[test]
fn an_idle_pair_is_silent_for_an_hour_after_its_last_proof() {
    let (mut world, alice, bob) = World::connected_pair();
    converse(&mut world, (alice, bob), secs(40));
    world.run_for(secs(30));
    let before = world.trace.len();
    world.run_for(secs(3600));
    assert_eq!(world.trace.len(), before);
}

#[test]
fn a_path_that_falls_silent_is_doubted_within_450_ms_and_two_round_trips_and_packets_are_held() {
    for delay in [1, 10, 50] {
        let (mut world, alice, bob) = World::connected_pair();
        world.prompt = true;
        world.delay = ms(delay);
        converse(&mut world, (alice, bob), secs(15));
        let silent = world.now;
        world.loses = Box::new(|_| true);
        let doubted = until(&mut world, (alice, bob), Condition::Held(Suspension::Silent));
        let limit = ms(450) + ms(2 * delay) * 2;
        assert!(doubted - silent <= limit, "{:?} with a delay of {delay} ms", doubted - silent);

        let held = world.status(alice).held.packets;
        world.send(alice, bob, b"held");
        assert_eq!(world.status(alice).held.packets, held + 1);
    }
}

#[test]
fn a_path_that_comes_back_is_used_again_within_an_eighth_of_the_outage() {
    for outage in [1, 3, 10, 60] {
        let (mut world, alice, bob) = World::connected_pair();
        converse(&mut world, (alice, bob), secs(2));
        world.loses = Box::new(|_| true);
        talk(&mut world, (alice, bob), secs(outage));
        world.loses = Box::new(|_| false);
        let healed = world.now;
        talk(&mut world, (alice, bob), secs(9));

        let resumed = world.received_at(bob).into_iter().find(|at| *at > healed).unwrap() - healed;
        assert!(resumed <= secs(outage) / 8 + ms(400), "{resumed:?} after {outage} s");
        assert_eq!(world.status(alice).condition, Condition::Proven);
        assert_eq!(world.status(alice).moves_local, 0, "nobody moved");
        assert_eq!(world.status(alice).moves_remote, 0, "nobody moved");
    }
}

#[test]
fn while_packets_wait_the_end_of_an_outage_is_noticed_within_a_hundredth_of_it() {
    for outage in [20, 100, 170, 600, 3600] {
        let (mut world, alice, bob) = World::connected_pair();
        converse(&mut world, (alice, bob), secs(2));
        world.loses = Box::new(|_| true);
        for _ in 0..outage {
            world.send(alice, bob, b"tick");
            world.run_for(secs(1));
        }
        world.loses = Box::new(|_| false);
        let healed = world.now;
        for _ in 0..50 {
            world.run_for(secs(1));
            world.send(alice, bob, b"tick");
        }

        let resumed = world.received_at(bob).into_iter().find(|at| *at > healed).map(|at| at - healed);
        // Without a session it is a handshake that is answered, asked for every second.
        let bound = (secs(outage) / 100).max(secs(1)) + ms(500);
        assert!(resumed.is_some_and(|resumed| resumed <= bound), "{resumed:?} after {outage} s");
    }
}

#[test]
fn two_that_look_for_each_other_both_go_on_two_round_trips_after_the_first_question_that_arrives() {
    for outage in [5, 20, 100] {
        let (mut world, alice, bob) = World::connected_pair();
        world.delay = ms(20);
        converse(&mut world, (alice, bob), secs(2));
        world.loses = Box::new(|_| true);
        converse(&mut world, (alice, bob), secs(outage));
        world.loses = Box::new(|_| false);
        let (healed, before) = (world.now, world.trace.len());
        converse(&mut world, (alice, bob), secs(4));

        let asked = world.trace[before..].first().expect("somebody asks").sent;
        for host in [alice, bob] {
            let resumed = world.received_at(host).into_iter().find(|at| *at > healed).unwrap();
            assert!(
                resumed - asked <= ms(2 * 40 + 1),
                "{:?} after the question, {outage} s",
                resumed - asked
            );
        }
    }
}

#[test]
fn a_peer_that_is_gone_for_good_costs_fifteen_datagrams_a_minute_in_the_end() {
    let (mut world, alice, bob) = World::connected_pair();
    converse(&mut world, (alice, bob), secs(2));
    world.loses = Box::new(|_| true);
    world.send(alice, bob, b"tick");
    world.run_for(secs(3600));
    let before = world.trace.len();
    world.run_for(secs(3600));
    assert!(world.trace.len() - before <= 60 * 15, "{} in an hour", world.trace.len() - before);
}

#[test]
fn packets_one_way_cost_a_challenge_a_second_and_suspend_nothing() {
    let (mut world, alice, bob) = World::connected_pair();
    talk(&mut world, (alice, bob), secs(5));
    let before = world.trace.len();
    talk(&mut world, (alice, bob), secs(60));

    let answers = world.trace[before..].iter().filter(|flight| from_bob(flight)).count();
    assert!(answers <= 66, "{answers} answers in a minute");
    assert_eq!(suspensions(&world, alice), 0);
    assert_eq!(world.received(bob).len(), 1 + 65 * 50);
}

#[test]
fn a_queue_of_a_second_before_a_megabit_suspends_nothing() {
    let (mut world, alice, bob) = World::connected_pair();
    converse(&mut world, (alice, bob), secs(5));
    let mut free_at = [world.now; 2];
    world.disorder = Some(Box::new(move |flight| {
        let free_at = &mut free_at[usize::from(from_bob(flight))];
        let starts = flight.sent.max(*free_at);
        let bits = (flight.datagram.len() as u64 + 28) * 8;
        let ends = starts + Duration::from_micros(bits);
        // What does not fit whole is dropped.
        if ends - flight.sent > secs(1) {
            return Vec::new();
        }
        *free_at = ends;
        vec![*free_at - flight.sent + ms(10)]
    }));
    // Alice sends more than goes, in bursts of ten seconds.
    for _ in 0..6 {
        let end = world.now + secs(10);
        while world.now < end {
            world.send(alice, bob, &[7; 1300]);
            world.send(bob, alice, b"tock");
            world.run_for(ms(8));
        }
        converse(&mut world, (alice, bob), secs(10));
    }
    assert_eq!((suspensions(&world, alice), suspensions(&world, bob)), (0, 0));
    let rtt = world.status(alice).path.and_then(|path| path.rtt);
    assert!(rtt.is_some_and(|rtt| rtt < ms(500)), "{rtt:?}: the estimate follows the queue down");
}

#[test]
fn packets_one_way_over_a_path_with_losses_arrive_nearly_all() {
    let (mut world, alice, bob) = World::connected_pair();
    let mut state = 7_u32;
    world.loses = Box::new(move |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state >> 24 < 25
    });
    talk(&mut world, (alice, bob), secs(300));
    let arrived = world.received(bob).len();
    assert!(arrived > 300 * 50 * 85 / 100, "{arrived} of 15,000 where every tenth is lost");
    assert_eq!(suspensions(&world, alice), 0);
}

#[test]
fn a_path_that_works_one_way_neither_flaps_nor_sticks() {
    let (mut world, alice, bob) = World::connected_pair();
    converse(&mut world, (alice, bob), secs(5));
    world.loses = Box::new(to_bob);
    let broken = world.now;
    converse(&mut world, (alice, bob), secs(2));
    for host in [alice, bob] {
        assert_eq!(world.status(host).condition, Condition::Held(Suspension::Silent));
    }
    let before = world.trace.len();
    converse(&mut world, (alice, bob), secs(60));
    assert_eq!((suspensions(&world, alice), suspensions(&world, bob)), (1, 1), "neither flaps");
    // Both ask, two or three times a second while something waits, and one of them is answered.
    assert!(world.trace.len() - before < 700, "{} datagrams", world.trace.len() - before);

    world.loses = Box::new(|_| false);
    let healed = world.now;
    converse(&mut world, (alice, bob), secs(10));
    for host in [alice, bob] {
        let resumed = world.received_at(host).into_iter().find(|at| *at > healed).unwrap() - healed;
        assert!(resumed <= (healed - broken) / 8 + ms(400), "{resumed:?}");
        assert_eq!(world.status(host).condition, Condition::Proven);
    }
    assert!(world.initiations() < 200, "{}", world.initiations());
}

#[test]
fn what_comes_from_elsewhere_does_not_keep_a_dead_path_alive() {
    // All that bob sends comes from an address that nothing reaches, and nothing reaches bob.
    let (mut world, alice, bob) = World::connected_pair();
    converse(&mut world, (alice, bob), secs(2));
    world.rebind_port(bob, 40_000);
    world.loses = Box::new(|flight| flight.source == at("10.0.0.1"));
    for _ in 0..30 {
        world.send(alice, bob, b"tick");
        world.send(bob, alice, b"tock");
        world.run_for(ms(50));
    }
    assert!(matches!(world.status(alice).condition, Condition::Held(_)));
    assert_eq!(world.remote(alice), at("10.0.0.2"));
    converse(&mut world, (alice, bob), secs(30));
    assert_eq!(suspensions(&world, alice), 1, "and so it stays");
}

#[test]
fn a_nat_that_forgets_is_opened_again_by_whoever_is_behind_it() {
    // Alice alone talks. What she sends to the old mapping is lost; bob's next datagram shows the new one.
    let (mut world, alice, bob) = World::connected_pair();
    talk(&mut world, (alice, bob), secs(3));
    world.rebind_port(bob, 40_000);
    talk(&mut world, (alice, bob), secs(5));
    assert_eq!(world.status(alice).condition, Condition::Held(Suspension::Silent));

    let spoke = world.now;
    world.send(bob, alice, b"by the way");
    talk(&mut world, (alice, bob), secs(1));
    let resumed = world.received_at(bob).into_iter().find(|at| *at > spoke).unwrap() - spoke;
    assert!(resumed <= ms(60), "the packet, the request, the answer, and what was held; not {resumed:?}");
    assert_eq!(world.remote(alice), "10.0.0.2:40000".parse().unwrap());
    assert_eq!(world.status(alice).condition, Condition::Proven);
}

#[test]
fn a_frozen_peer_costs_no_handshake_if_it_thaws_soon() {
    let (mut world, alice, bob) = World::connected_pair();
    converse(&mut world, (alice, bob), secs(2));
    world.loses = Box::new(to_bob);
    talk(&mut world, (alice, bob), secs(2));
    world.loses = Box::new(|_| false);
    talk(&mut world, (alice, bob), secs(8));
    assert_eq!(world.status(alice).condition, Condition::Proven);
    assert_eq!(world.status(alice).handshakes, 1, "what was asked for in doubt is not asked for again");
}

#[test]
fn a_peer_that_is_gone_is_asked_ever_more_seldom() {
    let (mut world, alice, bob) = World::connected_pair();
    talk(&mut world, (alice, bob), secs(2));
    world.loses = Box::new(|_| true);
    talk(&mut world, (alice, bob), secs(2));
    world.run_for(secs(598));
    let before = world.trace.len();
    world.run_for(secs(3600));
    let sent = world.trace.len() - before;
    assert!(sent <= 12 * 60, "{sent} datagrams in an hour");
    assert!(sent >= 60, "but it is not forgotten: {sent} datagrams in an hour");
}
