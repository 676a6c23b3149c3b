//! A traffic beside the same traffic of bare hosts.
//!
//! # Chance
//! What a lossy line takes differs from run to run. Of `n` datagrams a line that loses the share `p` takes `n p`, give
//! or take a standard deviation of `sqrt(n p (1 - p))`; two runs differ by `sqrt(2)` of that. A verdict on losses adds
//! [`DEVIATIONS`] of these to what is allowed: one honest run of 2,000 exceeds it by chance. 1,500 datagrams at 3 %
//! have 1.5 % for chance, 30,000 have 0.3 %, 20 seeds of 30,000 together 0.08 %.

use std::time::Duration;

use super::super::measured::TrafficMeasured;
use super::super::{Allowance, Beside, Kind, Scenario, Traffic};
use super::{Judge, shown, stall_apart};
use crate::address::Family;

impl Judge<'_> {
    pub(super) fn beside(&mut self, row: &Beside) {
        let (scenario, world) = (self.scenario, self.measured);
        let Some(traffic) = scenario.traffic.iter().find(|traffic| traffic.name == row.traffic) else {
            return;
        };
        let (Some(seen), Some(twin)) = (world.traffic.get(&row.traffic), world.bare.first()) else {
            let (expected, found) =
                (format!("{} beside bare hosts", row.traffic), "nothing was seen".to_owned());
            return self.say(row.line, expected, found, false);
        };
        let Some(bare) = twin.traffic.get(&row.traffic) else { return };
        if let Some(share) = row.lost {
            let losses = Losses::of(bare, seen);
            let expected = format!("{} loses {share} more than bare at most", row.traffic);
            self.say(row.line, expected, losses.shown(), losses.within(share.fraction()));
        }
        if let Some(allowance) = row.stall {
            self.stall_beside(row, traffic, seen, allowance);
        }
        if let Some(factor) = row.rate {
            let bound = rate(bare, twin.ended) * header_share(scenario, traffic) * factor.value();
            let found = rate(seen, world.ended);
            let expected = format!("{} is at least {factor} as fast as bare, less the header", row.traffic);
            let said = format!("{:.0} kbit/s, bare {:.0} kbit/s", found / 1e3, rate(bare, twin.ended) / 1e3);
            self.say(row.line, expected, said, found >= bound);
        }
    }

    fn stall_beside(
        &mut self,
        row: &Beside,
        traffic: &Traffic,
        seen: &TrafficMeasured,
        allowance: Allowance,
    ) {
        let (scenario, world) = (self.scenario, self.measured);
        let settling = settling(scenario, row.settles);
        let expected = format!("{} stalls for bare's {allowance} at most", row.traffic);
        if row.seeds.is_some() && world.bare.len() == 1 {
            let found = "left out: only the simulator plays bare hosts with many seeds".to_owned();
            return self.say(row.line, expected, found, true);
        }
        // The twin of the same seed comes first, those of the seeds from 1 on after it.
        let count = |seeds| usize::try_from(seeds).unwrap_or(usize::MAX);
        let (skipped, taken) = row.seeds.map_or((0, 1), |seeds| (1, count(seeds)));
        let twins = world.bare.iter().skip(skipped).take(taken);
        let stalls =
            twins.filter_map(|twin| stall_apart(traffic, twin.traffic.get(&row.traffic)?, twin, &settling));
        let worst = stalls.max();
        let found = stall_apart(traffic, seen, world, &settling);
        let of = row.seeds.map_or_else(String::new, |seeds| format!(", the worst of {seeds} seeds"));
        let said = |time: Option<Duration>| time.map_or_else(|| "nothing ever arrived".to_owned(), shown);
        let held = worst.zip(found).is_some_and(|(bare, found)| found <= allowance.beside(bare));
        self.say(row.line, expected, format!("{}, bare {}{of}", said(found), said(worst)), held);
    }
}

/// Datagrams that never arrived, without and with the tunnel.
#[derive(Clone, Copy, Debug, Default)]
pub struct Losses {
    bare: (u64, u64),
    tunnel: (u64, u64),
}

impl Losses {
    /// Of one run of each.
    #[must_use]
    pub fn of(bare: &TrafficMeasured, tunnel: &TrafficMeasured) -> Self {
        let of = |seen: &TrafficMeasured| (seen.sent.saturating_sub(seen.received), seen.sent);
        Self { bare: of(bare), tunnel: of(tunnel) }
    }

    /// Of more runs.
    pub fn add(&mut self, more: Self) {
        let sum = |one: &mut (u64, u64), other: (u64, u64)| *one = (one.0 + other.0, one.1 + other.1);
        sum(&mut self.bare, more.bare);
        sum(&mut self.tunnel, more.tunnel);
    }

    /// The share that bare hosts lost.
    #[must_use]
    pub fn bare(&self) -> f64 {
        share(self.bare)
    }

    /// The share that was lost through the tunnel.
    #[must_use]
    pub fn tunnel(&self) -> f64 {
        share(self.tunnel)
    }

    /// What is to be granted to chance; see the module.
    #[must_use]
    pub fn chance(&self) -> f64 {
        // A line that took nothing from this many may still take one from as many more.
        let variance = |(lost, sent): (u64, u64)| {
            let (sent, p) = (sent.max(1) as f64, share((lost.max(1), sent.max(1))).min(0.5));
            p * (1.0 - p) / sent
        };
        DEVIATIONS * (2.0 * variance(self.bare)).sqrt()
    }

    /// Whether no more is lost than bare hosts lose, `allowed` and chance.
    #[must_use]
    pub fn within(&self, allowed: f64) -> bool {
        self.tunnel.1 > 0 && self.tunnel() <= self.bare() + allowed + self.chance()
    }

    fn shown(&self) -> String {
        let percent = |share: f64| share * 100.0;
        let (found, bare, chance) = (percent(self.tunnel()), percent(self.bare()), percent(self.chance()));
        format!("{found:.2} %, bare {bare:.2} % ({chance:.2} % for chance)")
    }
}

fn share((part, whole): (u64, u64)) -> f64 {
    part as f64 / whole.max(1) as f64
}

/// Bits per second from the start to the end, or until the world stopped looking.
#[must_use]
pub fn rate(seen: &TrafficMeasured, ended: Duration) -> f64 {
    let took = seen.over.unwrap_or(ended).saturating_sub(seen.start);
    seen.received as f64 * 8.0 / took.as_secs_f64().max(1e-3)
}

/// The times after deeds.
fn settling(scenario: &Scenario, settles: Duration) -> Vec<(Duration, Duration)> {
    let after = |at: Duration| (at, at + settles);
    let times = scenario.timeline.iter().map(|event| after(event.at));
    if settles.is_zero() { Vec::new() } else { super::merged(times.collect()) }
}

/// How much less of a full packet is payload in the tunnel than without: what the header takes from a transfer that
/// fills its line.
fn header_share(scenario: &Scenario, traffic: &Traffic) -> f64 {
    let narrowest = scenario.networks.values().flat_map(|network| {
        let ways = [network.link.up.mtu, network.link.down.mtu];
        ways.into_iter().flatten().chain([network.mtu])
    });
    let mtu = f64::from(narrowest.min().unwrap_or(1500));
    let inner = (mtu - TUNNEL).min(INNER);
    let inner_headers = match traffic.over {
        Some(Family::V4) => TCP_V4,
        Some(Family::V6) | None => TCP_V4 + V6_MORE,
    };
    ((inner - inner_headers) / (inner + TUNNEL)) / ((mtu - TCP_V4) / mtu)
}

impl Kind {
    /// Whether it has a rate that the line decides.
    #[must_use]
    pub const fn fills_the_line(self) -> bool {
        matches!(self, Self::TcpBulk { .. })
    }
}

/// Standard deviations that chance is granted: a normal variable exceeds so many once in 2,000 times.
const DEVIATIONS: f64 = 3.3;
/// Bytes of the outer headers over IPv4: IP 20, UDP 8, a sealed message's own 32.
const TUNNEL: f64 = 60.0;
/// The longest inner packet, in bytes.
const INNER: f64 = 1420.0;
/// Bytes of IPv4's and TCP's headers, and how many more IPv6's has.
const TCP_V4: f64 = 40.0;
const V6_MORE: f64 = 20.0;

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(sent: u64, received: u64) -> TrafficMeasured {
        TrafficMeasured { sent, received, ..TrafficMeasured::default() }
    }

    #[test]
    fn more_runs_leave_less_to_chance() {
        let one = Losses::of(&seen(1500, 1455), &seen(1500, 1455));
        let mut many = Losses::default();
        (0..20).for_each(|_| many.add(one));
        assert!((0.020..0.021).contains(&one.chance()), "{}", one.chance());
        assert!((0.0045..0.0047).contains(&many.chance()), "{}", many.chance());
    }

    #[test]
    fn a_tunnel_that_loses_more_than_is_allowed_and_chance_is_found_out() {
        let lost = |more: u64| Losses::of(&seen(30_000, 29_100), &seen(30_000, 29_100 - more)).within(0.005);
        assert!(lost(0) && lost(150) && lost(280), "0.5 % are 150, and chance takes 137 at most");
        assert!(!lost(290) && !lost(3000));
        assert!(!Losses::of(&seen(100, 100), &seen(0, 0)).within(0.5), "nothing was sent at all");
    }

    #[test]
    fn a_clean_line_leaves_next_to_nothing_to_chance() {
        let clean = Losses::of(&seen(30_000, 30_000), &seen(30_000, 29_990));
        assert!(clean.within(0.005) && !clean.within(0.0), "{}", clean.chance());
    }
}
