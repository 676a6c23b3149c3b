//! A scenario as the text of a file that reads as the same scenario.

use std::fmt::Write as _;
use std::time::Duration;

use super::beside::{Allowance, Beside};
use super::expect::{AtHost, Between, OfTraffic};
use super::network::{LinkChange, WayChange};
use super::unit::{Rate, Share};
use super::{
    Attack, Deed, Expectation, Host, Kind, Knowledge, Link, Network, Role, Scenario, Traffic, Way, WorldKind,
};
use crate::address::Family;

impl Scenario {
    /// The scenario as YAML. [`Scenario::parse`] reads it as this scenario, lines apart.
    #[must_use]
    pub fn to_yaml(&self) -> String {
        let mut text = format!("name: \"{}\"\n", self.name.replace('"', "'"));
        let worlds: Vec<&str> = self.worlds.iter().copied().map(WorldKind::name).collect();
        push(&mut text, &format!("worlds: [{}]\nends: {}", worlds.join(", "), time(self.ends)));
        push(&mut text, "networks:");
        for (name, plan) in &self.networks {
            push(&mut text, &format!("  {name}: {{ {} }}", network(plan).join(", ")));
        }
        push(&mut text, "hosts:");
        for (name, plan) in &self.hosts {
            push(&mut text, &format!("  {name}: {{ {} }}", host(plan).join(", ")));
        }
        push(&mut text, "peers:");
        for (name, known) in &self.peers {
            let word = |(other, knowledge): (&String, &Knowledge)| match knowledge {
                Knowledge::Key => format!("{other}: key"),
                Knowledge::Endpoint => format!("{other}: endpoint"),
            };
            let known: Vec<String> = known.iter().map(word).collect();
            push(&mut text, &format!("  {name}: {{ {} }}", known.join(", ")));
        }
        rows(&mut text, "traffic", self.traffic.iter().map(traffic));
        let events = self.timeline.iter().map(|event| {
            let mut keys = vec![format!("at: {}", time(event.at))];
            keys.extend(deed(&event.deed));
            if !event.spread.is_zero() {
                keys.push(format!("spread: {}", time(event.spread)));
            }
            keys
        });
        rows(&mut text, "timeline", events);
        rows(&mut text, "expect", self.expect.iter().map(expectation));
        text
    }
}

fn push(text: &mut String, line: &str) {
    let _infallible = writeln!(text, "{line}");
}

fn rows(text: &mut String, key: &str, rows: impl Iterator<Item = Vec<String>>) {
    let rows: Vec<String> = rows.map(|keys| format!("  - {{ {} }}", keys.join(", "))).collect();
    if !rows.is_empty() {
        push(text, &format!("{key}:\n{}", rows.join("\n")));
    }
}

fn network(plan: &Network) -> Vec<String> {
    let Network { v4, v6, nat, expiry, mtu, link } = plan;
    let mut keys = Vec::new();
    keys.extend(v4.map(|prefix| format!("v4: {prefix}")));
    keys.extend(v6.map(|prefix| format!("v6: \"{prefix}\"")));
    if nat.translates() {
        keys.push(format!("nat: {}, expiry: {}", nat.name(), time(*expiry)));
    }
    keys.push(format!("mtu: {mtu}"));
    if *link != Link::default() {
        let ways = [way(&link.up), way(&link.down)];
        keys.push(format!("link: {{ {} }}", both(&ways)));
    }
    keys
}

/// Keys of both directions, once if they are the same.
fn both([up, down]: &[Vec<String>; 2]) -> String {
    if up == down {
        return up.join(", ");
    }
    let one = |name: &str, keys: &[String]| format!("{name}: {{ {} }}", keys.join(", "));
    [("up", up), ("down", down)]
        .into_iter()
        .filter(|(_, keys)| !keys.is_empty())
        .map(|(name, keys)| one(name, keys))
        .collect::<Vec<_>>()
        .join(", ")
}

fn way(way: &Way) -> Vec<String> {
    let duration = |time: Duration| Some(time).filter(|time| !time.is_zero());
    let share = |share: Share| Some(share).filter(|share| share.0 > 0);
    changes(&WayChange {
        delay: duration(way.delay),
        jitter: duration(way.jitter),
        loss: share(way.loss),
        reorder: share(way.reorder),
        duplicate: share(way.duplicate),
        rate: way.rate,
        mtu: way.mtu,
    })
}

fn changes(change: &WayChange) -> Vec<String> {
    let keys = [
        change.delay.map(|delay| format!("delay: {}", time(delay))),
        change.jitter.map(|jitter| format!("jitter: {}", time(jitter))),
        change.loss.map(|loss| format!("loss: {loss}")),
        change.reorder.map(|reorder| format!("reorder: {reorder}")),
        change.duplicate.map(|duplicate| format!("duplicate: {duplicate}")),
        change.rate.map(|bits| format!("rate: {}", rate(bits))),
        change.mtu.map(|mtu| format!("mtu: {mtu}")),
    ];
    keys.into_iter().flatten().collect()
}

fn host(host: &Host) -> Vec<String> {
    let at = if host.at.is_empty() { "nowhere".to_owned() } else { format!("[{}]", host.at.join(", ")) };
    let role = match host.role {
        Role::Node => "role: node".to_owned(),
        Role::Sns { window, relay } => {
            format!("role: sns, window: {}, relay: {}", time(window), if relay { "on" } else { "off" })
        }
        Role::WireGuard => "role: wireguard".to_owned(),
        Role::Bare => "role: bare".to_owned(),
    };
    vec![format!("at: {at}"), role]
}

fn traffic(traffic: &Traffic) -> Vec<String> {
    let Traffic { name, kind, from, to, start, over, line: _ } = traffic;
    let ticks = |every, lasts| format!("every: {}, for: {}", time(every), time(lasts));
    let (kind, keys) = match *kind {
        Kind::TcpTicker { every, lasts } => ("tcp-ticker", ticks(every, lasts)),
        Kind::UdpTicker { every, lasts } => ("udp-ticker", ticks(every, lasts)),
        Kind::TcpBulk { bytes, rate: None } => ("tcp-bulk", format!("bytes: {bytes}")),
        Kind::TcpBulk { bytes, rate: Some(bits) } => {
            ("tcp-bulk", format!("bytes: {bytes}, rate: {}", rate(bits)))
        }
    };
    let head = format!("name: {name}, kind: {kind}, from: {from}, to: {to}, start: {}", time(*start));
    let over = over.map(|family| match family {
        Family::V4 => "over: v4".to_owned(),
        Family::V6 => "over: v6".to_owned(),
    });
    [head, keys].into_iter().chain(over).collect()
}

fn deed(deed: &Deed) -> Vec<String> {
    let host = |host: &str, verb: String| vec![format!("host: {host}"), verb];
    let network = |network: &str, verb: String| vec![format!("network: {network}"), verb];
    match deed {
        Deed::Move { host: who, to, dark, takes } => {
            let mut keys = host(who, format!("move: {to}"));
            if !dark.is_zero() {
                keys.push(format!("dark: {}", time(*dark)));
            }
            keys.extend(takes.as_ref().map(|other| format!("takes: {other}")));
            keys
        }
        Deed::Attach { host: who, network } => host(who, format!("attach: {network}")),
        Deed::Detach { host: who, network } => host(who, format!("detach: {network}")),
        Deed::Unplug { host: who } => host(who, "unplug: true".to_owned()),
        Deed::Plug { host: who, network } => host(who, format!("plug: {network}")),
        Deed::Kill { host: who } => host(who, "kill: true".to_owned()),
        Deed::Stop { host: who } => host(who, "stop: true".to_owned()),
        Deed::Start { host: who } => host(who, "start: true".to_owned()),
        Deed::Freeze { host: who, lasts } => host(who, format!("freeze: {}", time(*lasts))),
        Deed::RebootNat { network: which } => network(which, "nat: reboot".to_owned()),
        Deed::RebindNat { network: which } => network(which, "nat: rebind".to_owned()),
        Deed::ChangeLink { network: which, change } => network(which, link(change)),
        Deed::Attack { network: which, attack, lasts } => {
            network(which, format!("attack: {}, for: {}", attacker(*attack), time(*lasts)))
        }
    }
}

fn link(change: &LinkChange) -> String {
    format!("link: {{ {} }}", both(&[changes(&change.up), changes(&change.down)]))
}

const fn attacker(attack: Attack) -> &'static str {
    match attack {
        Attack::Replay => "replay",
        Attack::Delay => "delay",
        Attack::Resource => "resource",
        Attack::Forge => "forge",
    }
}

fn expectation(expectation: &Expectation) -> Vec<String> {
    let told = |key: &str, said: Option<String>| said.map(|said| format!("{key}: {said}"));
    let keys = match expectation {
        Expectation::Traffic(row) => {
            let OfTraffic {
                ref traffic,
                intact,
                survives,
                opens,
                stall,
                resumes,
                ends,
                lost,
                duplicated,
                line: _,
            } = *row;
            vec![
                Some(format!("traffic: {traffic}")),
                told("intact", intact.map(|held| held.to_string())),
                told("survives", survives.map(|held| held.to_string())),
                told("opens", opens.map(time)),
                told("stall", stall.map(time)),
                told("resumes", resumes.map(time)),
                told("ends", ends.map(time)),
                told("lost", lost.map(|count| count.to_string())),
                told("duplicated", duplicated.map(|count| count.to_string())),
            ]
        }
        Expectation::Beside(row) => {
            let Beside { traffic, lost, stall, rate, seeds, settles, line: _ } = row;
            let stall = stall.map(|allowance| match allowance {
                Allowance::More(more) => time(more),
                Allowance::Times(factor) => format!("{factor}x"),
            });
            let settles = Some(*settles).filter(|settles| !settles.is_zero());
            vec![
                Some(format!("traffic: {traffic}, beside: bare")),
                told("lost", lost.map(|share| share.to_string())),
                told("stall", stall),
                told("rate", rate.map(|factor| format!("{factor}x"))),
                told("seeds", seeds.map(|count| count.to_string())),
                told("settles", settles.map(time)),
            ]
        }
        Expectation::Between(row) => {
            let Between {
                hosts: [first, second],
                handshakes,
                suspensions,
                suspended,
                path,
                enhanced,
                cipher,
                line: _,
            } = row;
            vec![
                Some(format!("between: [{first}, {second}]")),
                told("handshakes", handshakes.map(|count| count.to_string())),
                told("suspensions", suspensions.map(|count| count.to_string())),
                told("suspended", suspended.map(time)),
                told("path", path.map(|kind| kind.name().to_owned())),
                told("enhanced", enhanced.map(|held| held.to_string())),
                told("cipher", cipher.map(str::to_owned)),
            ]
        }
        Expectation::Host(AtHost { host, forged, .. }) => {
            vec![Some(format!("host: {host}")), told("forged", forged.map(|count| count.to_string()))]
        }
    };
    keys.into_iter().flatten().collect()
}

/// In the largest unit that leaves a whole number; finer than a millisecond no file can say.
fn time(time: Duration) -> String {
    let millis = time.as_millis();
    if millis.is_multiple_of(1_000) { format!("{}s", millis / 1_000) } else { format!("{millis}ms") }
}

fn rate(rate: Rate) -> String {
    let kilobits = rate.0.div_ceil(1_000);
    if kilobits.is_multiple_of(1_000) {
        format!("{}mbit", kilobits / 1_000)
    } else {
        format!("{kilobits}kbit")
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// Every key that a file may have.
    const EVERYTHING: &str = r#"
name: "everything that can be said"
worlds: [sim]
ends: 70s
networks:
  home: { v4: 10.1.0.0/24, v6: "fd01::/64", mtu: 1400 }
  cafe: { v4: 10.2.0.0/24, nat: symmetric, expiry: 30s, link: { delay: 40ms, jitter: 10ms, loss: 1%,
          reorder: 0.5%, duplicate: 1%, rate: 50mbit, mtu: 1300, up: { loss: 2% }, down: { rate: 1500kbit } } }
hosts:
  a: { at: home }
  b: { at: [cafe, home] }
  c: { at: nowhere, role: wireguard }
  d: { at: home, role: bare }
  e: { at: home, role: bare }
  s: { at: home, role: sns, window: 1500ms, relay: off }
peers:
  a: { b: key, s: endpoint, c: key }
traffic:
  - { name: shell, kind: tcp-ticker, from: a, to: b, start: 1s, every: 20ms, for: 20s }
  - { name: file, kind: tcp-bulk, from: b, to: a, start: 1500ms, bytes: 20MB, rate: 20mbit }
  - { name: all, kind: tcp-bulk, from: d, to: e, bytes: 7 }
  - { name: call, kind: udp-ticker, from: a, to: b, start: 1s, every: 20ms, for: 20s, over: v4 }
timeline:
  - { at: 5s, host: a, move: cafe, dark: 300ms, takes: b, spread: 50ms }
  - { at: 6s, host: a, move: [home, cafe], every: 1s, times: 2 }
  - { at: 8s, host: b, detach: home }
  - { at: 9s, host: b, attach: home }
  - { at: 10s, host: b, unplug: true }
  - { at: 11s, host: b, plug: home }
  - { at: 12s, host: s, kill: true }
  - { at: 13s, host: s, start: true }
  - { at: 14s, host: a, stop: true }
  - { at: 15s, host: a, start: true }
  - { at: 15s, host: a, freeze: 3s }
  - { at: 16s, network: cafe, nat: reboot }
  - { at: 16s, network: cafe, nat: rebind }
  - { at: 17s, network: cafe, link: { loss: 30%, up: { mtu: 1280 } } }
  - { at: 18s, network: cafe, link: { up: { delay: 1ms } } }
  - { at: 18s, network: cafe, attack: resource, for: 2s }
expect:
  - { traffic: file, intact: true, ends: 25s }
  - { traffic: shell, survives: false, opens: 500ms, stall: 400ms, resumes: 100ms }
  - { traffic: call, lost: 15, duplicated: 0 }
  - { traffic: call, beside: bare, lost: 0.5%, stall: 60ms, settles: 2s }
  - { traffic: shell, beside: bare, stall: 1.2x, seeds: 20 }
  - { traffic: file, beside: bare, rate: 0.9x }
  - { between: [a, b], handshakes: 1, path: direct, enhanced: true }
  - { host: a, forged: 0 }
"#;

    #[test]
    fn a_printed_scenario_reads_as_the_same_scenario() {
        let file = Path::new("everything.yaml");
        let read = |text: &str| Scenario::parse(file, text).unwrap_or_else(|wrong| panic!("{wrong}\n{text}"));
        let scenario = read(EVERYTHING);
        let text = scenario.to_yaml();
        let again = read(&text);
        assert_eq!(again.to_yaml(), text);
        assert_eq!(again.networks, scenario.networks);
        assert_eq!(again.peers, scenario.peers);
        assert_eq!(again.ends, scenario.ends);
        let deeds = |of: &Scenario| -> Vec<(Duration, Duration, Deed)> {
            of.timeline.iter().map(|event| (event.at, event.spread, event.deed.clone())).collect()
        };
        assert_eq!(deeds(&again), deeds(&scenario));
        let unplaced = |of: &Scenario| -> Vec<Traffic> {
            of.traffic.iter().map(|traffic| Traffic { line: 0, ..traffic.clone() }).collect()
        };
        assert_eq!(unplaced(&again), unplaced(&scenario));
        assert_eq!(again.expect.len(), scenario.expect.len());
    }
}
