//! Paths that take less than the configured MTU, from the beginning or suddenly, and mostly without a word about it:
//! RFC 8899, and what a longer packet meets (RFC 792, RFC 4443, RFC 9293 §3.7.1).

use crate::world::{Flight, HostId, World, at, ms, secs, udp};
use stead_node::{Discard, Happening};
use stead_wire::ip::IpHeaders;
use stead_wire::time::{Duration, Instant};

/// Loses what is longer than `mtu` with its IPv4 and UDP headers, without a word.
fn narrow(mtu: usize) -> Box<dyn FnMut(&Flight) -> bool> {
    Box::new(move |flight| flight.datagram.len() + 28 > mtu)
}

/// What alice's packets to bob may have at most, as she knows it.
fn limit(world: &World, host: HostId) -> Option<usize> {
    world.status(host).path.and_then(|path| path.mtu)
}

/// A packet of `len` bytes in all that no TCP is.
fn packet(world: &World, (from, to): (HostId, HostId), len: usize) -> Vec<u8> {
    udp(world.virtual_address(from), world.virtual_address(to), &vec![7; len - 48])
}

/// A TCP packet between the virtual addresses: flags, options, `data` bytes.
fn tcp(world: &World, (from, to): (HostId, HostId), flags: u8, options: &[u8], data: &[u8]) -> Vec<u8> {
    let mut segment = vec![0, 7, 0, 9, 0, 0, 0, 1, 0, 0, 0, 1, 0, flags, 1, 1, 0, 0, 0, 0];
    segment.extend_from_slice(options);
    segment[12] = u8::try_from(segment.len() / 4).unwrap() << 4;
    segment.extend_from_slice(data);
    let mut packet = udp(world.virtual_address(from), world.virtual_address(to), &segment[8..]);
    packet[6] = 6;
    packet[40..48].copy_from_slice(&segment[..8]);
    packet
}

/// Alice sends long packets that may be cut every 20 ms until one gets through at once; how long that took.
fn until_whole(world: &mut World, (alice, bob): (HostId, HostId)) -> Duration {
    let began = world.now;
    while world.now < began + secs(10) {
        let before = world.packets(bob).len();
        let sent = tcp(world, (alice, bob), 0x10, &[], &[7; 1300]);
        world.send_packet(alice, &sent);
        world.run_for(ms(20));
        let arrived: usize = world.packets(bob)[before..].iter().map(|packet| packet.len() - 60).sum();
        if arrived == 1300 {
            return world.now - began;
        }
    }
    panic!("nothing long arrives any more; alice believes in {:?}", limit(world, alice));
}

/// Alice sends long packets for a while.
fn flow(world: &mut World, (alice, bob): (HostId, HostId), lasts: Duration) {
    let end = world.now + lasts;
    while world.now < end {
        let sent = packet(world, (alice, bob), 1400);
        world.send_packet(alice, &sent);
        world.run_for(ms(20));
    }
}

#[test]
fn a_path_that_narrows_to_1280_without_a_word_takes_long_packets_again_within_a_second() {
    let (mut world, alice, bob) = World::connected_pair();
    flow(&mut world, (alice, bob), secs(3));
    assert_eq!(limit(&world, alice), Some(1420));
    for moment in 0..8 {
        world.run_for(ms(50 * moment));
        until_whole(&mut world, (alice, bob));
        world.loses = narrow(1280);
        let took = until_whole(&mut world, (alice, bob));
        assert!(took <= ms(1_000), "{took:?}");
        assert_eq!(limit(&world, alice), Some(1200));
        flow(&mut world, (alice, bob), secs(5));
        assert_eq!(limit(&world, alice), Some(1216), "what 1280 bytes have room for");

        world.loses = Box::new(|_| false);
        flow(&mut world, (alice, bob), secs(15));
        assert_eq!(limit(&world, alice), Some(1420), "and wide again");
    }
}

#[test]
fn a_sender_of_what_may_not_be_cut_is_told_and_what_may_is_cut() {
    let (mut world, alice, bob) = World::connected_pair();
    world.loses = narrow(1280);
    flow(&mut world, (alice, bob), secs(5));
    world.run_for(secs(1));
    let (told, before) = (world.packets(alice).len(), world.packets(bob).len());

    let sent = packet(&world, (alice, bob), 1400);
    world.send_packet(alice, &sent);
    world.run_for(ms(100));
    assert_eq!(world.packets(bob).len(), before, "it may not be cut");
    let answer = &world.packets(alice)[told];
    assert_eq!((answer[40], answer[41], &answer[44..48]), (2, 0, &1280_u32.to_be_bytes()[..]));
    assert_eq!(answer[48..], sent[..1232]);
    assert_eq!(answer[24..40], world.virtual_address(alice).octets());

    // Then the system sends 1280 bytes, which every IPv6 path has to take.
    let sent = packet(&world, (alice, bob), 1280);
    world.send_packet(alice, &sent);
    world.run_for(ms(100));
    let pieces = &world.packets(bob)[before..];
    assert_eq!(pieces.iter().map(Vec::len).collect::<Vec<_>>(), [1216, 40 + 8 + 72]);
    let payload: Vec<u8> = pieces.iter().flat_map(|piece| piece[48..].to_vec()).collect();
    assert_eq!(payload, sent[40..], "in two fragments");
}

#[test]
fn a_flood_of_packets_that_are_too_long_is_answered_now_and_then() {
    let (mut world, alice, bob) = World::connected_pair();
    world.loses = narrow(1280);
    flow(&mut world, (alice, bob), secs(5));
    let (told, sent) = (world.packets(alice).len(), packet(&world, (alice, bob), 1400));
    for _ in 0..10_000 {
        world.send_packet(alice, &sent);
        world.run_for(Duration::from_micros(100));
    }
    let told = world.packets(alice).len() - told;
    // One every 50 ms, of which a second holds 19 whole ones or 20, and ten that may have been saved up.
    assert!((19..=40).contains(&told), "{told} answers in a second");
    assert!(world.drops(alice, Discard::TooLongForPath) >= 10_000);
}

#[test]
fn connections_that_begin_on_a_narrow_path_ask_for_segments_that_fit_it() {
    let (mut world, alice, bob) = World::connected_pair();
    world.loses = narrow(1280);
    flow(&mut world, (alice, bob), secs(5));
    flow(&mut world, (bob, alice), secs(5));
    let mss = |packet: &[u8]| u16::from_be_bytes([packet[62], packet[63]]);

    // Bob's system says how long alice's segments may be, and the other way round.
    let syn = tcp(&world, (alice, bob), 0x02, &[2, 4, 5, 100], &[]);
    world.send_packet(alice, &syn);
    world.run_for(ms(50));
    assert_eq!(mss(world.packets(bob).last().unwrap()), 1216 - 60);

    world.loses = Box::new(|_| false);
    // Bob forgets what he knew: it is alice's path now that counts.
    world.restart(bob);
    world.send(bob, alice, b"anew");
    world.run_for(ms(200));
    let answer = tcp(&world, (bob, alice), 0x12, &[2, 4, 5, 100], &[]);
    world.send_packet(bob, &answer);
    world.run_for(ms(50));
    assert_eq!(limit(&world, bob), Some(1420));
    let most = limit(&world, alice).unwrap();
    assert_eq!(usize::from(mss(world.packets(alice).last().unwrap())), most - 60);
}

#[test]
fn loss_and_disorder_do_not_narrow_a_path_for_long() {
    for seed in 0..6_u64 {
        let (mut world, alice, bob) = World::connected_pair();
        let mut draw = seed;
        world.disorder = Some(Box::new(move |_| {
            draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let (lost, jitter) = ((draw >> 33) % 100 < 10, (draw >> 40) % 30);
            if lost { Vec::new() } else { vec![ms(10 + jitter)] }
        }));
        let (mut wide, mut looked) = (0, 0);
        for _ in 0..300 {
            flow(&mut world, (alice, bob), ms(200));
            looked += 1;
            wide += usize::from(limit(&world, alice).is_some_and(|limit| limit >= 1376));
        }
        assert!(wide * 10 >= looked * 8, "seed {seed}: wide {wide} times of {looked}");
        assert_eq!(world.initiations(), 1);
    }
}

#[test]
fn a_forged_word_of_a_router_does_not_shrink_a_path_and_a_true_one_is_acted_on_at_once() {
    let (mut world, alice, bob) = World::connected_pair();
    flow(&mut world, (alice, bob), secs(3));
    let before = world.trace.len();
    for _ in 0..1_000 {
        let now = world.now;
        world.node(alice).handle_mtu_hint(at("10.0.0.2"), 576, now);
        world.run_for(ms(1));
    }
    world.run_for(ms(200));
    assert_eq!(limit(&world, alice), Some(1420));
    let asked = world.trace[before..].iter().filter(|flight| flight.source == at("10.0.0.1")).count();
    assert!(asked <= 6, "{asked} probes for a thousand lies in a second");

    world.loses = narrow(1400);
    world.run_for(secs(2));
    let now = world.now;
    world.node(alice).handle_mtu_hint(at("10.0.0.2"), 1400, now);
    // The node acts when it is looked at, which whoever brings the word does.
    world.send(alice, bob, b"short");
    world.run_for(ms(250));
    assert_eq!(limit(&world, alice), Some(1328), "1400 less 60, in steps of 16");
}

#[test]
fn a_move_to_a_narrower_path_and_back_is_followed() {
    let (mut world, alice, bob) = World::connected_pair();
    flow(&mut world, (alice, bob), secs(3));
    world.loses = Box::new(|flight| {
        let place = at("10.7.0.2");
        (flight.destination == place || flight.source == place) && flight.datagram.len() + 28 > 1280
    });
    world.move_to(bob, &["10.7.0.2"]);
    world.run_for(ms(50));
    let took = until_whole(&mut world, (alice, bob));
    assert!(took <= ms(600), "{took:?}");
    flow(&mut world, (alice, bob), secs(5));
    assert_eq!(limit(&world, alice), Some(1216));

    world.move_to(bob, &["10.0.0.2"]);
    world.run_for(ms(50));
    assert!(until_whole(&mut world, (alice, bob)) <= ms(40), "at once");
    assert_eq!(limit(&world, alice), Some(1420));

    world.move_to(bob, &["10.7.0.2"]);
    world.run_for(ms(50));
    let took = until_whole(&mut world, (alice, bob));
    assert!(took <= ms(40), "{took:?}, for it is known");
    let told: Vec<usize> = world.happenings(alice).iter().filter_map(takes).collect();
    assert!(told.starts_with(&[1200]) && told.ends_with(&[1216, 1420, 1216]), "{told:?}");
}

fn takes(happening: &Happening) -> Option<usize> {
    match happening {
        Happening::PathTakes { longest } => Some(*longest),
        _ => None,
    }
}

#[test]
fn nothing_long_goes_to_a_place_that_is_not_proven() {
    let (mut world, alice, bob) = World::connected_pair();
    flow(&mut world, (alice, bob), secs(3));
    let before = world.trace.len();
    let place = at("10.7.0.2");
    // Alice hears bob from there, and he never hears her.
    world.loses = Box::new(move |flight| flight.destination == place);
    world.move_to(bob, &["10.7.0.2"]);
    flow(&mut world, (alice, bob), secs(10));
    let heard: usize =
        world.trace[before..].iter().filter(|f| f.source == place).map(|f| f.datagram.len()).sum();
    let said = world.bytes_to(place, before);
    assert!(said <= 3 * heard, "{said} bytes for {heard}");
    let longest = world.trace[before..].iter().filter(|f| f.destination == place).map(|f| f.datagram.len());
    assert!(longest.max().is_some_and(|len| len < 400));
}

#[test]
fn an_idle_pair_asks_nothing_however_long_its_packets_were() {
    let (mut world, alice, bob) = World::connected_pair();
    flow(&mut world, (alice, bob), secs(3));
    world.run_for(secs(30));
    let before = world.trace.len();
    world.run_for(secs(3600));
    assert_eq!(world.trace.len(), before);
}

#[test]
fn what_is_sealed_and_too_long_for_the_new_path_is_not_sent_again() {
    let (mut world, alice, bob) = World::connected_pair();
    flow(&mut world, (alice, bob), secs(1));
    // Known to be narrow from an earlier stay.
    world.loses = Box::new(|flight| {
        let place = at("10.7.0.2");
        (flight.destination == place || flight.source == place) && flight.datagram.len() + 28 > 1280
    });
    world.move_to(bob, &["10.7.0.2"]);
    flow(&mut world, (alice, bob), secs(5));
    world.move_to(bob, &["10.0.0.2"]);
    flow(&mut world, (alice, bob), secs(5));

    world.attach(bob, &[], stead_node::Cause::Changed);
    flow(&mut world, (alice, bob), ms(100));
    let since: Instant = world.now;
    world.move_to(bob, &["10.7.0.2"]);
    world.run_for(ms(500));
    assert!(world.drops(alice, Discard::TooLongToResend) > 0);
    let too_long = world.trace.iter().filter(|flight| {
        flight.sent >= since && flight.destination == at("10.7.0.2") && flight.datagram.len() + 28 > 1280
    });
    assert!(too_long.count() <= 1, "but one probe, after the limit proved right");
}

#[test]
fn what_is_cut_for_a_narrow_path_is_a_packet_each() {
    let (mut world, alice, bob) = World::connected_pair();
    world.loses = narrow(1280);
    flow(&mut world, (alice, bob), secs(5));
    let (before, dropped) = (world.packets(bob).len(), world.drops(alice, Discard::TooLongForPath));
    let sent = tcp(&world, (alice, bob), 0x18, &[], &[5; 1360]);
    world.send_packet(alice, &sent);
    world.run_for(ms(50));
    let pieces = &world.packets(bob)[before..];
    let lens: Vec<usize> = pieces.iter().map(|piece| IpHeaders::parse(piece).unwrap().total_len).collect();
    assert_eq!(lens, [1216, 60 + 1360 - 1156]);
    assert_eq!(world.drops(alice, Discard::TooLongForPath), dropped, "nothing was lost");
}
