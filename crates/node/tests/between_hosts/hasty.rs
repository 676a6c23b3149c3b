//! One move after the other, faster than any of them can be told: over a path that jitters and loses.

use crate::world::{Flight, HostId, World, ms, secs};
use stead_wire::time::{Duration, Instant};

/// A few draws from a seed.
struct Draws(u64);

impl Draws {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }
}

/// Bob moves through a dozen places, 60 ms in each, while both speak every 5 ms; then how long after the last move
/// each hears the other again.
fn dozen(seed: u64, loss: u64) -> [Duration; 2] {
    let (mut world, alice, bob) = World::connected_pair();
    let mut draws = Draws(seed);
    world.disorder = Some(Box::new(move |_: &Flight| {
        let jitter = Duration::from_micros(draws.next() % 8_000);
        if draws.next() % 1000 < loss { Vec::new() } else { vec![ms(4) + jitter] }
    }));
    let mut last = world.now;
    for place in 3..15_u8 {
        let address = format!("10.7.{}.2", place % 4);
        world.move_to(bob, &[&address]);
        last = world.now;
        converse(&mut world, (alice, bob), ms(60));
    }
    converse(&mut world, (alice, bob), secs(4));
    [alice, bob].map(|host| silence(&world, host, last))
}

fn converse(world: &mut World, (alice, bob): (HostId, HostId), duration: Duration) {
    let end = world.now + duration;
    while world.now < end {
        world.send(alice, bob, b"tick");
        world.send(bob, alice, b"tock");
        world.run_for(ms(5));
    }
}

/// The longest time after `since` in which nothing reached a host.
fn silence(world: &World, host: HostId, since: Instant) -> Duration {
    let arrivals: Vec<Instant> = world.received_at(host).into_iter().filter(|at| *at > since).collect();
    let starts = core::iter::once(since).chain(arrivals.iter().copied());
    let ends = arrivals.iter().copied().chain([world.now]);
    starts.zip(ends).map(|(from, to)| to - from).max().unwrap_or(world.now - since)
}

#[test]
fn after_a_dozen_hasty_moves_both_hear_each_other_again_at_once() {
    for (loss, limit) in [(0, ms(250)), (20, ms(900))] {
        for seed in 0..5 {
            let silences = dozen(seed, loss);
            assert!(
                silences.iter().all(|silence| *silence <= limit),
                "seed {seed}, {loss} of 1000 lost: {silences:?}, allowed {limit:?}"
            );
        }
    }
}
