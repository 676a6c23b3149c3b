//! Hosts that sleep: however long, they wake with one round of work, ask at once, and lose nothing that waits.

use crate::world::{HostId, World, at, ms, secs};
use stead_node::{Cause, Condition};
use stead_wire::message::Message;
use stead_wire::time::Duration;

/// Shorter than any timer of a session, longer than a session lives, and a night.
const SLEEPS: [Duration; 3] =
    [Duration::from_secs(4), Duration::from_secs(200), Duration::from_secs(8 * 3600)];

/// Both sleep; every timer that came due meanwhile finds the time at once, before anybody is told of the waking.
fn both_sleep(world: &mut World, [alice, bob]: [HostId; 2], duration: Duration) {
    world.now += duration;
    world.run_for(ms(0));
    world.attach(alice, &["10.0.0.1"], Cause::Woke);
    world.attach(bob, &["10.0.0.2"], Cause::Woke);
}

/// How many datagrams went from `source` since `before`.
fn sent(world: &World, before: usize, source: &str) -> usize {
    world.trace[before..].iter().filter(|flight| flight.source == at(source)).count()
}

#[test]
fn a_pair_that_wakes_asks_at_once_though_it_was_idle_and_no_timers_burst() {
    for duration in SLEEPS {
        let (mut world, alice, bob) = World::connected_pair();
        let before = world.trace.len();
        both_sleep(&mut world, [alice, bob], duration);
        world.run_for(ms(100));

        for source in ["10.0.0.1", "10.0.0.2"] {
            let many = sent(&world, before, source);
            assert!((1..=8).contains(&many), "{source} sent {many} datagrams after {duration:?}");
        }
        world.run_for(ms(200));
        for host in [alice, bob] {
            assert_eq!(world.status(host).condition, Condition::Proven, "after {duration:?}");
        }
    }
}

#[test]
fn after_a_session_s_end_in_sleep_a_handshake_is_begun_at_once_and_what_waits_is_kept() {
    for duration in &SLEEPS[1..] {
        let (mut world, alice, bob) = World::connected_pair();
        // The last words before sleep find nobody any more, and wait.
        world.loses = Box::new(|_| true);
        world.send(bob, alice, b"good night");
        world.run_for(secs(2));
        world.loses = Box::new(|_| false);
        let before = world.trace.len();
        both_sleep(&mut world, [alice, bob], *duration);
        world.send(bob, alice, b"good morning");
        world.run_for(ms(100));

        let initiations = world.trace[before..]
            .iter()
            .filter(|flight| matches!(Message::decode(&flight.datagram), Ok(Message::Initiation(_))))
            .count();
        assert!((1..=4).contains(&initiations), "{initiations} after {duration:?}");
        assert_eq!(world.received(alice).last().unwrap(), b"good morning", "after {duration:?}");
    }
}

#[test]
fn a_host_that_fell_asleep_while_it_looked_for_its_peer_goes_on_looking() {
    for duration in SLEEPS {
        let (mut world, alice, bob) = World::pair();
        world.loses = Box::new(|_| true);
        world.send(bob, alice, b"anybody?");
        world.run_for(secs(3));
        world.loses = Box::new(|_| false);
        both_sleep(&mut world, [alice, bob], duration);
        world.send(bob, alice, b"awake");
        world.run_for(secs(2));
        assert_eq!(world.received(alice).last().unwrap(), b"awake", "after {duration:?}");
    }
}
