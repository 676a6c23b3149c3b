//! Somebody on a line.

use crate::ground::{Pair, ms, secs};
use stead_sim::{Action, Attack};

/// Two nodes that tick to each other while `attack` goes on at both ends, and one moves; how many datagrams the nodes
/// threw away with these words in the reason.
fn under(attack: Attack, seed: u64, words: &str) -> u64 {
    let mut pair = Pair::new(seed);
    let shells = [pair.shell(pair.a, pair.b, secs(8)), pair.shell(pair.b, pair.a, secs(8))];
    let download = pair.download(pair.b, pair.a, 400_000, 1_000_000);
    for network in [pair.home, pair.office, pair.cafe] {
        pair.world.plan(secs(2), Action::Attack { network, attack, lasts: secs(5) });
    }
    pair.move_at(secs(4), pair.a, pair.cafe, ms(200));
    pair.world.run_until(secs(60));

    for traffic in [shells[0], shells[1], download] {
        pair.whole(traffic);
    }
    pair.sound();
    let drops =
        [pair.a, pair.b].into_iter().filter_map(|host| pair.world.status(host)).flat_map(|it| it.drops);
    drops.filter(|(label, _)| label.contains(words)).map(|(_, count)| count).sum()
}

#[test]
fn replayed_datagrams_change_nothing() {
    assert!(under(Attack::Replay, 1, "replay") > 100);
}

#[test]
fn forged_datagrams_change_nothing() {
    // A copy follows its original by 50 µs, so most are refused as malformed or replayed. Only one whose counter was
    // changed, 8 bytes of 80 to 1,400, gets as far as the authentication.
    assert!(under(Attack::Forge, 2, "forged") > 10);
    assert!(under(Attack::Forge, 2, "") > 1_000);
}

#[test]
fn datagrams_from_made_up_sources_move_nobody() {
    under(Attack::Resource, 3, "");
}

#[test]
fn whatever_somebody_on_the_line_does_connections_go_on() {
    for seed in 10..16 {
        under(Attack::Any, seed, "");
    }
}

#[test]
fn a_calendar_that_was_set_back_locks_nobody_out() {
    let mut pair = Pair::new(4);
    let shell = pair.shell(pair.a, pair.b, secs(8));
    let a = pair.a;
    pair.world.plan(secs(3), Action::Kill { host: a });
    pair.world.plan(secs(3), Action::SetCalendarBack { host: a, by: secs(3600) });
    pair.world.plan(secs(4), Action::Start { host: a });
    pair.world.run_until(secs(60));

    let gap = pair.whole(shell);
    assert!(gap < secs(3), "{gap:?}");
    pair.sound();
}
