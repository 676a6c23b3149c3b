//! Outages of every length at every moment of a connection's life.

use proptest::prelude::*;
use stead_wire::time::{Duration, Instant};

use crate::stack::Plan;
use crate::world::{DELAY, Outage, World, ms};

const START: Instant = Instant::ZERO;

fn plan(sends: usize) -> Plan {
    Plan { sends, buffer: 64 * 1024, keepalive: None, reads: (usize::MAX, ms(0)), timestamps: true }
}

fn outage(begins: u64, lasts: u64) -> Outage {
    Outage { begins: START + ms(begins), lasts: ms(lasts), noticed: [ms(30); 2], resumed: [DELAY * 2; 2] }
}

prop_compose! {
    fn plans()(
        sends in prop_oneof![1..3000_usize, 3000..300_000_usize],
        buffer in prop_oneof![2000..9000_usize, Just(65_535), 65_536..600_000_usize],
        keepalive in prop::option::of(500..20_000_u64),
        reads in prop_oneof![Just((usize::MAX, 0)), (200..5000_usize, 1..100_u64)],
        timestamps: bool,
    ) -> Plan {
        let keepalive = keepalive.map(ms);
        Plan { sends, buffer, keepalive, reads: (reads.0, ms(reads.1)), timestamps }
    }
}

prop_compose! {
    fn outages()(
        parts in prop::collection::vec(
            (0..4000_u64, 1..60_000_u64, [0..900_u64, 0..900_u64], [0..300_u64, 0..300_u64]),
            1..4,
        ),
    ) -> Vec<Outage> {
        let mut begins = START;
        let mut all = Vec::new();
        for (after, lasts, noticed, resumed) in parts {
            begins += ms(after);
            let (lasts, noticed, resumed) = (ms(lasts), noticed.map(ms), resumed.map(ms));
            all.push(Outage { begins, lasts, noticed, resumed });
            begins += lasts + ms(300);
        }
        all
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]
    #[test]
    fn every_byte_arrives_and_nothing_is_said_that_the_other_did_not_say(
        here in plans(),
        there in plans(),
        outages in outages(),
        before_wrap in prop_oneof![0..5000_u32, 0..200_000_u32],
    ) {
        // smoltcp forgets what was not read 10 s after both sides have closed.
        let bearable = |plan: Plan, reader: Plan| if reader.reads.1 > ms(0) { plan.sends.min(8000) } else { plan.sends };
        let (here, there) = (
            Plan { sends: bearable(here, there), ..here },
            // Both or none, as the handshake agrees.
            Plan { sends: bearable(there, here), timestamps: here.timestamps, ..there },
        );
        let mut world = World::new([here, there], outages, true, before_wrap);
        let done = world.run(START + Duration::from_secs(3600));

        prop_assert_eq!(&world.wrong, &Vec::<String>::new());
        prop_assert!(done, "stuck with {:?}", world.ends.each_ref().map(|end| (end.stack.sent, end.stack.received)));
        for (end, sent) in world.ends.iter().zip([there.sends, here.sends]) {
            prop_assert_eq!((end.stack.received, end.stack.corrupt), (sent, None));
        }
    }
}

/// How long after the line was back the first new byte arrived at the second end.
fn stall(lasts: u64, suspends: bool) -> Duration {
    let slow = Plan { reads: (usize::MAX, ms(0)), ..plan(20_000_000) };
    let mut world = World::new([slow, plan(0)], vec![outage(1000, lasts)], suspends, 1000);
    let back = START + ms(1000 + lasts);
    world.run_until(back, |_| false);
    let before = world.ends[1].stack.received;
    assert!(before > 0 && world.wrong.is_empty(), "{before} {:?}", world.wrong);
    let goes_on =
        world.run_until(back + Duration::from_secs(600), |world| world.ends[1].stack.received > before);
    assert!(goes_on && world.wrong.is_empty(), "{:?}", world.wrong);
    world.now - back
}

#[test]
fn data_flow_within_two_round_trips_of_the_resumption_however_long_it_was_dark() {
    for lasts in [500, 5_000, 30_000, 300_000, 1_200_000] {
        let stalled = stall(lasts, true);
        // One round trip for the proof of the path, which an end waits for before it resumes.
        assert!(stalled <= DELAY * 2 + DELAY * 4, "{stalled:?} after {lasts} ms");
    }
    let plain = stall(30_000, false);
    assert!(plain > Duration::from_secs(1), "without suspension it took {plain:?}: the test shows nothing");
}

#[test]
fn a_keystroke_of_the_dark_is_there_as_soon_as_the_line_is() {
    for lasts in [700, 60_000, 600_000] {
        // Whoever sends first is quiet at the time: its data are read from the queue only in the dark.
        let mut world = World::new([plan(10), plan(1)], vec![outage(5, lasts)], true, 3);
        let back = START + ms(5 + lasts);
        assert!(world.run(back + DELAY * 20), "not done {:?} after the end", DELAY * 20);
        assert_eq!(world.wrong, Vec::<String>::new());
    }
}
