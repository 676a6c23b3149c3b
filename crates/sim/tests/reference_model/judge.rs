//! What must be true of every world.

use stead_sim::{End, HostId, Outcome, TrafficKind, World};

use crate::story::{Played, Story};

/// Packets that a node may hold for a peer, and entries per connection that was ever made: a program that died and came
/// back has forgotten the ones before.
const HELD: usize = 1024;
const ENTRIES_PER_TRAFFIC: usize = 2;

/// What is not as it must be, in words.
pub(crate) fn unmet(story: &Story, played: &Played) -> Vec<String> {
    let names = played.world.names();
    let findings = played.world.findings().iter().map(|finding| finding.told(&names));
    let traffic = story.traffic.iter().zip(&played.traffic).filter_map(|(plan, number)| {
        let outcome = played.world.outcome(*number);
        let wrong = match plan.2 {
            TrafficKind::UdpTicker { .. } => datagrams(outcome),
            TrafficKind::TcpTicker { .. } | TrafficKind::TcpBulk { .. } => connection(outcome),
        };
        Some(format!("traffic {number} from {} to {}: {}", names[plan.0], names[plan.1], wrong?))
    });
    let bounds = played.hosts.iter().filter_map(|host| bounds(&played.world, *host, story.traffic.len()));
    findings.chain(traffic).chain(bounds).collect()
}

fn connection(outcome: &Outcome) -> Option<String> {
    let amount = format!("{} of {}", outcome.received, outcome.sent);
    match outcome.end {
        _ if outcome.corrupt => Some(format!("something else arrived than was sent, after {amount}")),
        End::Closed if outcome.sent == outcome.received => None,
        end @ (End::Closed | End::Unfinished | End::NeverOpened | End::Broken) => {
            Some(format!("{end:?}, {amount}, the last at {:?}", outcome.arrivals.last()))
        }
    }
}

fn datagrams(outcome: &Outcome) -> Option<String> {
    if outcome.corrupt {
        return Some("a datagram came that nobody sent".to_owned());
    }
    (outcome.duplicated > 0).then(|| format!("{} datagrams came twice", outcome.duplicated))
}

fn bounds(world: &World, host: HostId, traffic: usize) -> Option<String> {
    let status = world.status(host)?;
    let held: usize = status.peers.iter().map(|peer| peer.held.packets).sum();
    if held > HELD * status.peers.len() {
        return Some(format!("{host:?} holds {held} packets"));
    }
    let most = traffic * ENTRIES_PER_TRAFFIC;
    (status.connections > most)
        .then(|| format!("{host:?} has {} entries for {traffic} connections", status.connections))
}
