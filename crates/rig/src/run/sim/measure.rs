//! From a world that was played to what was measured.

use stead_sim::{HostId, Outage, PeerPath, World, since_origin};

use super::plan::Stage;
use crate::scenario::measured::{Arrivals, Dark, End, HostMeasured, PairMeasured, TrafficMeasured};
use crate::scenario::{Measured, PathKind, Role, Scenario, Traffic};

pub(super) fn measure(scenario: &Scenario, stage: &Stage) -> Measured {
    let mut measured = Measured { ended: stage.world.elapsed(), ..Measured::default() };
    for (traffic, number) in scenario.traffic.iter().zip(&stage.traffic) {
        measured.traffic.insert(traffic.name.clone(), traffic_measured(traffic, &stage.world, *number));
    }
    let nodes = stage.hosts.iter().filter(|(name, _)| scenario.hosts[*name].role == Role::Node);
    for (name, id) in nodes {
        for other in scenario.peers.get(name).into_iter().flatten().map(|(other, _)| other) {
            if let Some(pair) = stage.host(other).and_then(|other| pair_measured(&stage.world, *id, other)) {
                measured.pairs.insert((name.clone(), other.clone()), pair);
            }
        }
        measured.hosts.insert(name.clone(), host_measured(&stage.world, *id));
    }
    for (name, id) in &stage.hosts {
        let dark = |outage: &Outage| Dark {
            host: name.clone(),
            from: since_origin(outage.from),
            to: outage.to.map_or(measured.ended, since_origin),
        };
        measured.dark.extend(stage.world.outages(*id).iter().map(dark));
    }
    let names = stage.world.names();
    measured.impossible = stage.world.findings().iter().map(|finding| finding.told(&names)).collect();
    measured
}

fn traffic_measured(traffic: &Traffic, world: &World, number: usize) -> TrafficMeasured {
    let outcome = world.outcome(number);
    let mut arrivals = Arrivals::default();
    outcome.arrivals.iter().for_each(|at| arrivals.record(*at));
    TrafficMeasured {
        end: match outcome.end {
            stead_sim::End::Closed => End::Closed,
            stead_sim::End::Unfinished => End::Unfinished,
            stead_sim::End::NeverOpened => End::NeverOpened,
            stead_sim::End::Broken => End::Broken("reset".to_owned()),
        },
        sent: outcome.sent,
        received: outcome.received,
        duplicated: outcome.duplicated,
        correct: !outcome.corrupt,
        start: traffic.start,
        arrivals,
        losses: outcome.missing.values().copied().collect(),
        over: outcome.over,
    }
}

fn pair_measured(world: &World, host: HostId, other: HostId) -> Option<PairMeasured> {
    let seen = world.peer(host, other)?;
    let suspensions = world.suspensions(host, other);
    Some(PairMeasured {
        handshakes: world.handshakes(host, other),
        suspensions: suspensions.count,
        suspended: suspensions.longest,
        path: seen.path.map(|path| match path {
            PeerPath::Direct(_) => PathKind::Direct,
            PeerPath::Relayed(_) => PathKind::Relayed,
        }),
        remote: seen.path.map(|path| path.remote().to_string()),
        enhanced: seen.enhanced,
        cipher: seen.cipher.map(str::to_lowercase),
    })
}

fn host_measured(world: &World, host: HostId) -> HostMeasured {
    let drops = world.status(host).map(|status| status.drops).unwrap_or_default();
    HostMeasured {
        forged: drops.iter().filter(|(label, _)| label.starts_with(FORGED)).map(|(_, count)| count).sum(),
        drops: drops.into_iter().map(|(label, count)| (label.to_owned(), count)).collect(),
    }
}

/// How the labels of drops begin that failed authentication.
const FORGED: &str = "forged-";
