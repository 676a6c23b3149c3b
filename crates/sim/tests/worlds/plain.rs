//! A node with a plain WireGuard peer.

use crate::ground::{Pair, ms, secs};
use stead_sim::Role;

#[test]
fn a_plain_peer_carries_traffic_and_follows_a_node_that_moves() {
    let mut pair = Pair::with(1, Role::WireGuard, None);
    let shell = pair.shell(pair.a, pair.b, secs(8));
    let call = pair.call(pair.b, pair.a, secs(8));
    pair.move_at(secs(4), pair.a, pair.cafe, ms(0));
    pair.world.run_until(secs(30));

    let gap = pair.whole(shell);
    assert!(gap < ms(300), "{gap:?}");
    let heard = pair.world.outcome(call);
    assert!(heard.sent - heard.received < 10, "{} of {}", heard.received, heard.sent);
    pair.sound();
}

#[test]
fn a_session_with_a_plain_peer_is_renewed_every_two_minutes() {
    let mut pair = Pair::with(2, Role::WireGuard, None);
    let shell = pair.shell(pair.b, pair.a, secs(300));
    pair.world.run_until(secs(330));

    assert!(pair.whole(shell) < ms(50));
    assert_eq!(pair.world.handshakes(pair.a, pair.b), 3);
    pair.sound();
}
