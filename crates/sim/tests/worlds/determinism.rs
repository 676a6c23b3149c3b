//! The same seed is the same run.

use crate::ground::{Pair, ms, secs};
use stead_sim::{Action, Attack, LinkPlan, NatPlan, Role};

fn run(seed: u64) -> (Vec<String>, Vec<String>) {
    let mut pair = Pair::with(seed, Role::Node, Some(NatPlan::symmetric()));
    pair.world.keep_trace(1_000_000);
    let link = LinkPlan { loss: 0.05, jitter: ms(20), reorder: 0.05, duplicate: 0.02, ..LinkPlan::default() };
    pair.shell(pair.a, pair.b, secs(8));
    pair.call(pair.b, pair.a, secs(8));
    pair.download(pair.a, pair.b, 500_000, 4_000_000);
    pair.world.plan(secs(2), Action::ChangeLink { network: pair.office, up: link, down: link });
    pair.move_at(secs(3), pair.a, pair.cafe, ms(200));
    let attack = Action::Attack { network: pair.office, attack: Attack::Any, lasts: secs(2) };
    pair.world.plan(secs(4), attack);
    pair.move_at(secs(6), pair.a, pair.home, ms(0));
    pair.world.run_until(secs(12));
    let names = pair.world.names();
    (pair.world.trace().lines(&names), pair.world.trace().diagram(&names, 1_000_000))
}

#[test]
fn the_same_seed_gives_the_same_trace_byte_for_byte_and_another_seed_another() {
    let (lines, diagram) = run(7);
    assert!(lines.len() > 1000, "{} lines", lines.len());
    assert_eq!((lines.clone(), diagram), run(7));
    assert_ne!(lines, run(8).0);
}
