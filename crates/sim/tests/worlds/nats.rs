//! Hosts behind NATs.

use crate::ground::{Pair, ms, secs};
use stead_sim::{Action, NatPlan, Role};

#[test]
fn a_host_that_moves_behind_any_nat_keeps_its_connections() {
    for (seed, nat) in (0..).zip([
        NatPlan::full_cone(),
        NatPlan::address_restricted(),
        NatPlan::port_restricted(),
        NatPlan::symmetric(),
    ]) {
        let mut pair = Pair::with(seed, Role::Node, Some(nat));
        let up = pair.shell(pair.a, pair.b, secs(6));
        let down = pair.shell(pair.b, pair.a, secs(6));
        pair.move_at(secs(3), pair.a, pair.cafe, ms(300));
        pair.world.run_until(secs(30));

        let (up, down) = (pair.whole(up), pair.whole(down));
        assert!(up < ms(400) && down < ms(750), "{nat:?}: {up:?}, {down:?}");
        assert_eq!(pair.world.handshakes(pair.a, pair.b), 1);
        pair.sound();
    }
}

#[test]
fn a_nat_that_reboots_is_healed_by_the_next_datagram_from_inside() {
    let mut pair = Pair::with(5, Role::Node, Some(NatPlan::port_restricted()));
    let shell = pair.shell(pair.a, pair.b, secs(8));
    pair.move_at(secs(2), pair.a, pair.cafe, ms(0));
    pair.world.plan(secs(5), Action::RebootNat { network: pair.cafe });
    pair.world.run_until(secs(30));

    let gap = pair.whole(shell);
    assert!(gap < ms(500), "{gap:?}");
    pair.sound();
}
