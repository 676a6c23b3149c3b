//! Hosts that move, sleep, die and come back.

use crate::ground::{Pair, ms, secs};
use stead_sim::Action;

#[test]
fn figure_8_a_connection_lives_through_a_move_and_stalls_for_little_more_than_the_dark() {
    let mut pair = Pair::new(1);
    let up = pair.shell(pair.a, pair.b, secs(8));
    let down = pair.shell(pair.b, pair.a, secs(8));
    pair.move_at(secs(3), pair.a, pair.cafe, ms(300));
    pair.move_at(secs(5), pair.a, pair.home, ms(0));
    pair.world.run_until(secs(20));

    let (up, down) = (pair.whole(up), pair.whole(down));
    assert!(up < ms(400), "the mover's ticks stall for {up:?}");
    assert!(down < ms(300) + ms(408), "the other's stall for {down:?}, one retransmission timeout included");
    assert_eq!(pair.world.handshakes(pair.a, pair.b), 1);
    pair.sound();
}

#[test]
fn a_second_attachment_takes_over_when_the_first_ends() {
    let mut pair = Pair::new(2);
    let shell = pair.shell(pair.a, pair.b, secs(8));
    pair.world.plan(secs(3), Action::Attach { host: pair.a, network: pair.cafe });
    pair.world.plan(secs(5), Action::Detach { host: pair.a, network: pair.home });
    pair.world.run_until(secs(20));

    let gap = pair.whole(shell);
    assert!(gap < ms(300), "{gap:?}");
    pair.sound();
}

#[test]
fn a_host_without_a_network_goes_on_when_it_has_one_again() {
    let mut pair = Pair::new(3);
    let shell = pair.shell(pair.a, pair.b, secs(8));
    pair.world.plan(secs(3), Action::Unplug { host: pair.a });
    pair.world.plan(secs(13), Action::Attach { host: pair.a, network: pair.cafe });
    pair.world.run_until(secs(60));

    let gap = pair.whole(shell);
    assert!(gap < secs(10) + ms(500), "{gap:?}");
    let outage = pair.world.outages(pair.a)[0];
    assert_eq!(outage.to.unwrap() - outage.from, secs(10));
    pair.sound();
}

#[test]
fn a_program_that_is_killed_and_starts_again_costs_a_handshake_and_no_connection() {
    let mut pair = Pair::new(4);
    let shell = pair.shell(pair.a, pair.b, secs(8));
    pair.world.plan(secs(3), Action::Kill { host: pair.a });
    pair.world.plan(secs(4), Action::Start { host: pair.a });
    pair.world.run_until(secs(60));

    let gap = pair.whole(shell);
    assert!(gap < secs(3), "{gap:?}");
    assert_eq!(pair.world.handshakes(pair.a, pair.b), 2);
    pair.sound();
}

#[test]
fn a_suspended_program_goes_on_with_what_waited() {
    let mut pair = Pair::new(5);
    let call = pair.call(pair.b, pair.a, secs(8));
    pair.world.plan(secs(3), Action::Freeze { host: pair.a, lasts: secs(2) });
    pair.world.run_until(secs(60));

    let gap = pair.whole(call);
    assert!(gap > secs(2) - ms(21) && gap < secs(2) + ms(21), "{gap:?}");
}

#[test]
fn a_host_that_sleeps_is_sent_again_what_it_missed_and_goes_on() {
    let mut pair = Pair::new(6);
    let shell = pair.shell(pair.b, pair.a, secs(8));
    let call = pair.call(pair.b, pair.a, secs(8));
    pair.world.plan(secs(3), Action::Sleep { host: pair.a, lasts: secs(4) });
    pair.world.run_until(secs(60));

    let gap = pair.whole(shell);
    assert!(gap > secs(4) && gap < secs(12), "{gap:?}");
    let heard = pair.world.outcome(call);
    assert_eq!(
        heard.received, heard.sent,
        "what went until the other end noticed was kept, what came later was held"
    );
    pair.sound();
}
