//! What a move has lost is sent again, once, in order, before anything newer (seed 002 claims 1 to 19).

use stead_node::{Discard, Happening, Resending};
use stead_wire::ip::IpHeaders;
use stead_wire::tcp::{BareAcknowledgement, Segment, Sequence};
use stead_wire::time::Duration;

use crate::world::{HostId, World, at, ms, peer, secret, secs};

/// The numbers that `from` sent and `to` received, as they came.
fn numbers(world: &World, to: HostId) -> Vec<u8> {
    world.received(to).iter().filter(|payload| payload.len() == 1).map(|payload| payload[0]).collect()
}

/// Sends the numbers of `range` from one to the other, `apart`.
fn tick(world: &mut World, (from, to): (HostId, HostId), range: core::ops::Range<u8>, apart: Duration) {
    for number in range {
        world.send(from, to, &[number]);
        world.run_for(apart);
    }
}

/// One of a TCP connection's segments of full length, from one to the other.
fn segment(world: &World, (from, to): (HostId, HostId), sequence: u32) -> Vec<u8> {
    let bare = BareAcknowledgement {
        from: (world.virtual_address(from), 40_000).into(),
        to: (world.virtual_address(to), 22).into(),
        sequence: Sequence(sequence),
        acknowledgement: Sequence(1),
        window: 500,
        timestamps: None,
    };
    let mut packet = bare.encode().unwrap();
    packet.resize(packet.len() + FULL as usize, 0);
    let len = u16::try_from(packet.len() - 40).unwrap();
    packet[4..6].copy_from_slice(&len.to_be_bytes());
    packet
}

/// Bytes of data in a segment of full length.
const FULL: u32 = 1300;

/// How often `host` said that it has sent something again, and how much.
fn resent(world: &World, host: HostId) -> Vec<u64> {
    let datagrams = |what: &Happening| match what {
        Happening::Resent { datagrams, .. } => Some(*datagrams),
        _ => None,
    };
    world.happenings(host).iter().filter_map(datagrams).collect()
}

#[test]
fn what_was_under_way_to_the_old_place_arrives_at_the_new_one_once_and_in_order() {
    let (mut world, alice, bob) = World::connected_pair();
    world.prompt = true;
    tick(&mut world, (alice, bob), 0..5, ms(5));
    world.move_to(bob, &["10.7.0.2"]);
    tick(&mut world, (alice, bob), 5..30, ms(5));
    world.run_for(ms(100));

    assert_eq!(numbers(&world, bob), (0..30).collect::<Vec<_>>());
    // One was in flight at the move, and for a one-way delay alice did not know.
    let last = world.status(alice).resumption.expect("something was sent again");
    assert_eq!((last.resent, last.released), (3, 4));
    assert_eq!(last.took, Duration::ZERO, "ten may go at once");
    assert_eq!(resent(&world, alice), [3]);
}

#[test]
fn what_left_over_a_dead_link_leaves_again_after_the_move() {
    let (mut world, alice, bob) = World::connected_pair();
    world.prompt = true;
    world.loses = Box::new(|flight| flight.source == at("10.0.0.2"));
    tick(&mut world, (bob, alice), 0..8, ms(20));
    let moved = world.now;
    world.loses = Box::new(|_| false);
    world.move_to(bob, &["10.7.0.2"]);
    tick(&mut world, (bob, alice), 8..20, ms(5));
    world.run_for(ms(100));

    assert_eq!(numbers(&world, alice), (0..20).collect::<Vec<_>>());
    let first = world.received_at(alice)[1];
    assert_eq!(first - moved, world.delay * 3, "there, back, and again");
}

#[test]
fn both_lose_and_both_send_again_when_both_move() {
    let (mut world, alice, bob) = World::connected_pair();
    for number in 0..40_u8 {
        if number == 20 {
            world.move_to(bob, &["10.7.0.2"]);
        }
        world.send(alice, bob, &[number]);
        world.send(bob, alice, &[number]);
        world.run_for(ms(3));
    }
    world.run_for(ms(300));
    assert_eq!(numbers(&world, bob), (0..40).collect::<Vec<_>>());
    assert_eq!(numbers(&world, alice), (0..40).collect::<Vec<_>>());
}

#[test]
fn more_than_a_window_goes_round_by_round_and_what_is_newer_waits() {
    let (mut world, alice, bob) = World::connected_pair();
    world.prompt = true;
    let long = |number: u8| [&[number][..], &[0; 1300]].concat();
    let firsts = |world: &World| -> Vec<u8> {
        let long = world.received(alice).into_iter().filter(|payload| payload.len() == 1301);
        long.map(|payload| payload[0]).collect()
    };
    world.loses = Box::new(|flight| flight.source == at("10.0.0.2"));
    (0..100).for_each(|number| world.send(bob, alice, &long(number)));
    world.loses = Box::new(|_| false);
    world.move_to(bob, &["10.7.0.2"]);
    (100..110).for_each(|number| world.send(bob, alice, &long(number)));
    world.run_for(ms(25));
    assert_eq!(firsts(&world), [], "there, back, and not yet there again");
    world.run_for(ms(10));
    assert_eq!(firsts(&world), (0..11).collect::<Vec<_>>(), "the first window");
    world.send(bob, alice, &long(110));
    world.run_for(ms(200));

    assert_eq!(firsts(&world), (0..111).collect::<Vec<_>>());
    let last = world.status(bob).resumption.expect("something was sent again");
    // 11 + 22 + 43, and 24 of what was lost with 11 that were held.
    assert_eq!((last.resent, last.released, last.took), (100, 11, ms(60)));
}

#[test]
fn a_sender_that_goes_on_meanwhile_with_more_than_can_be_held_loses_nothing() {
    let (mut world, alice, bob) = World::connected_pair();
    world.prompt = true;
    world.loses = Box::new(|flight| flight.source == at("10.0.0.2"));
    (0..60).for_each(|_| world.send(bob, alice, &[0; 1300]));
    world.loses = Box::new(|_| false);
    world.move_to(bob, &["10.7.0.2"]);
    world.run_for(ms(25));
    // Two windows of what was lost are still to go. The first bytes that arrived again let its TCP send five megabytes,
    // and the path does not take them all at once.
    let sequences: Vec<u32> = (0..3500).map(|number| 1 + number * FULL).collect();
    let mut count = 0;
    world.loses = Box::new(move |flight| {
        count += u32::from(flight.datagram.len() > FULL as usize);
        count % 50 == 25
    });
    for sequence in &sequences {
        let packet = segment(&world, (bob, alice), *sequence);
        world.send_packet(bob, &packet);
    }
    world.loses = Box::new(|_| false);
    assert!(world.status(bob).held.bytes > 400_000, "the rest waits");
    world.run_for(ms(300));

    assert_eq!(world.drops(bob, Discard::HeldOverflow), 0);
    let read = |packet: &Vec<u8>| {
        let headers = IpHeaders::parse(packet).unwrap();
        Segment::read(packet, &headers).filter(|segment| segment.payload_len > 0)
    };
    let mut arrived: Vec<u32> =
        world.packets(alice).iter().filter_map(read).map(|segment| segment.sequence.0).collect();
    assert_eq!(arrived.len(), sequences.len(), "each once");
    arrived.sort_unstable();
    assert_eq!(arrived, sequences);
}

#[test]
fn small_packets_that_were_held_go_together() {
    let (mut world, alice, bob) = World::connected_pair();
    world.move_to(bob, &[]);
    (0..200).for_each(|number| world.send(bob, alice, &[number]));
    world.move_to(bob, &["10.7.0.2"]);
    // There, back, and what was held in two rounds.
    world.run_for(ms(10 * 5 + 1));
    assert_eq!(numbers(&world, alice), (0..200).collect::<Vec<_>>());
}

#[test]
fn a_lost_round_a_lost_question_and_a_lost_answer_only_cost_time() {
    for lost in 1..12_usize {
        let (mut world, alice, bob) = World::connected_pair();
        world.loses = Box::new(|flight| flight.source == at("10.0.0.2"));
        (0..30).for_each(|number| world.send(bob, alice, &[number]));
        // Of everything that goes either way after the move, the first, the second, … and then every seventh.
        let mut count = 0;
        world.loses = Box::new(move |_| {
            count += 1;
            count == lost || (count > lost && (count - lost) % 7 == 0 && count < 40)
        });
        world.move_to(bob, &["10.7.0.2"]);
        (30..40).for_each(|number| world.send(bob, alice, &[number]));
        world.run_for(secs(3));

        let mut arrived = numbers(&world, alice);
        arrived.sort_unstable();
        assert_eq!(arrived, (0..40).collect::<Vec<_>>(), "datagram {lost} lost");
    }
}

#[test]
fn a_peer_that_never_tells_what_it_received_does_not_stop_the_flow() {
    let (mut world, alice, bob) = World::connected_pair();
    tick(&mut world, (alice, bob), 0..3, ms(5));
    world.move_to(bob, &["10.7.0.2"]);
    world.run_for(ms(100));
    world.loses = Box::new(|flight| flight.source == at("10.7.0.2"));
    tick(&mut world, (bob, alice), 3..60, ms(1));
    world.move_to(bob, &["10.8.0.2"]);
    world.run_for(ms(35));
    // From now on nothing comes back, but what bob sends arrives.
    world.loses = Box::new(|flight| flight.source == at("10.0.0.1"));
    let stopped = world.now;
    world.send(bob, alice, &[60]);
    world.run_for(secs(1));
    assert!(numbers(&world, alice).contains(&60), "not held for ever");
    assert!(world.now - stopped <= secs(1));
}

#[test]
fn what_was_sent_before_a_rekey_is_sent_again_after_it() {
    let (mut world, alice, bob) = World::connected_pair();
    world.run_for(secs(119));
    world.loses = Box::new(|flight| flight.source == at("10.0.0.2") && flight.datagram[0] == 4);
    // Bob asked for the first session. He asks for the next one when this one is two minutes old, and when it is silent.
    tick(&mut world, (bob, alice), 0..100, ms(20));
    assert!(world.initiations() >= 2, "the session was renewed meanwhile");
    world.loses = Box::new(|_| false);
    world.move_to(bob, &["10.7.0.2"]);
    tick(&mut world, (bob, alice), 100..120, ms(5));
    world.run_for(secs(1));
    assert_eq!(numbers(&world, alice), (0..120).collect::<Vec<_>>());
}

#[test]
fn a_ring_that_is_too_small_keeps_the_newest_and_one_that_is_off_nothing() {
    for (memory, at_least) in [(0, 0), (512 << 10, 100)] {
        let mut world = World::new();
        world.resending = Resending { memory, ..Resending::default() };
        let alice = world.host(1, &["10.0.0.1"], vec![peer("bob", secret(2).public_key(), &[])]);
        let bob =
            world.host(2, &["10.0.0.2"], vec![peer("alice", secret(1).public_key(), &[at("10.0.0.1")])]);
        world.send(bob, alice, b"hello");
        world.run_for(ms(200));
        world.send(alice, bob, b"hello yourself");
        world.run_for(ms(200));

        world.loses = Box::new(|flight| flight.source == at("10.0.0.2"));
        let long = |number: u16| [&number.to_be_bytes()[..], &[0; 1300]].concat();
        (0..300).for_each(|number| world.send(bob, alice, &long(number)));
        world.loses = Box::new(|_| false);
        world.move_to(bob, &["10.7.0.2"]);
        world.send(bob, alice, &long(300));
        world.run_for(secs(1));

        let arrived = world.received(alice).into_iter().filter(|payload| payload.len() == 1302);
        let arrived: Vec<u16> = arrived.map(|payload| u16::from_be_bytes([payload[0], payload[1]])).collect();
        assert!(arrived.len() > at_least && arrived.len() < 250, "{memory}: {}", arrived.len());
        let newest = 301 - u16::try_from(arrived.len()).unwrap();
        assert_eq!(arrived, (newest..301).collect::<Vec<_>>());
    }
}

#[test]
fn nothing_is_sent_again_that_is_too_old() {
    let (mut world, alice, bob) = World::connected_pair();
    for (number, rest) in [(1, secs(9)), (2, secs(2))] {
        // Nobody may take what follows for the end of a silence.
        world.run_for(secs(1));
        world.loses = Box::new(|flight| flight.source == at("10.0.0.2"));
        tick(&mut world, (bob, alice), number..number + 1, ms(20));
        // It was a moment's loss, which nobody noticed: the path is as good as before, and the other side not silent.
        world.loses = Box::new(|_| false);
        world.send(alice, bob, b"still here");
        world.run_for(rest);
    }
    world.move_to(bob, &["10.7.0.2"]);
    world.run_for(ms(200));
    assert_eq!(numbers(&world, alice), [2]);
}

#[test]
fn what_was_under_way_when_the_silence_began_is_sent_again_however_long_it_lasts() {
    for outage in [15, 60, 100] {
        let (mut world, alice, bob) = World::connected_pair();
        tick(&mut world, (bob, alice), 0..5, ms(20));
        world.loses = Box::new(|_| true);
        tick(&mut world, (bob, alice), 5..15, ms(20));
        world.run_for(secs(outage));
        world.loses = Box::new(|_| false);
        world.run_for(secs(4));
        tick(&mut world, (bob, alice), 15..20, ms(20));
        assert_eq!(numbers(&world, alice), (0..20).collect::<Vec<_>>(), "{outage} s");
    }
}

#[test]
fn an_outage_too_short_to_suspend_anything_loses_nothing_either() {
    for outage in [8_u8, 10, 12] {
        let (mut world, alice, bob) = World::connected_pair();
        for number in 0..150_u8 {
            // The path was proven a while ago, so silence is asked about at once.
            let dead = (75..75 + outage).contains(&number);
            world.loses = Box::new(move |_| dead);
            world.send(alice, bob, &[number]);
            world.send(bob, alice, &[number]);
            world.run_for(ms(20));
        }
        world.run_for(ms(300));
        for (host, other) in [(bob, alice), (alice, bob)] {
            let mut arrived = numbers(&world, host);
            arrived.sort_unstable();
            assert_eq!(arrived, (0..150).collect::<Vec<_>>(), "{outage} x 20 ms");
            let suspended = |what: &Happening| matches!(what, Happening::Suspended { .. });
            assert!(!world.happenings(other).iter().any(suspended), "{outage} x 20 ms");
        }
    }
}

#[test]
fn a_host_that_was_away_and_comes_back_to_the_same_address_gets_what_it_missed() {
    let (mut world, alice, bob) = World::connected_pair();
    tick(&mut world, (alice, bob), 0..10, ms(20));
    tick(&mut world, (bob, alice), 0..10, ms(20));
    world.move_to(bob, &[]);
    tick(&mut world, (alice, bob), 10..100, ms(20));
    world.move_to(bob, &["10.0.0.2"]);
    tick(&mut world, (alice, bob), 100..140, ms(20));
    world.run_for(ms(500));

    assert_eq!(numbers(&world, bob), (0..140).collect::<Vec<_>>());
}
