//! The highest rate at which hardly a datagram is lost, by a few volleys.
//!
//! First one volley as fast as it goes: what arrives of it is a first guess. From there the rate is stepped up or down
//! until it lies between one that was kept and one that was not, and that gap is halved a few times.

use super::VolleyReport;

/// What a search found.
#[derive(Clone, Debug, serde::Serialize)]
pub struct RateFound {
    /// The volley that brought the most datagrams a second and lost less than [`MOST_LOSS`]; none if even the slowest
    /// lost more.
    pub best: Option<VolleyReport>,
    /// Whether the sender gave no more: what was measured could carry more than this.
    pub limited_by_sender: bool,
    /// Every volley, in order.
    pub volleys: Vec<VolleyReport>,
}

/// Searches with `fire`, which sends at the rate that it is given, or as fast as it goes.
///
/// # Errors
/// The first error of `fire`.
pub fn highest_rate<E>(mut fire: impl FnMut(Option<u64>) -> Result<VolleyReport, E>) -> Result<RateFound, E> {
    let mut found = RateFound { best: None, limited_by_sender: false, volleys: Vec::new() };
    let all_out = fire(None)?;
    if found.note(all_out) {
        found.limited_by_sender = true;
        return Ok(found);
    }
    let mut rate = all_out.received_per_second.max(LEAST);
    let (mut kept, mut lost) = (None, None);
    for _ in 0..MOST_STEPS {
        let report = fire(Some(rate))?;
        if found.note(report) {
            kept = Some(rate);
            found.limited_by_sender = (report.sent_per_second as f64) < rate as f64 * KEEPS_UP;
        } else {
            lost = Some(rate);
        }
        if kept.is_some() && lost.is_some() || found.limited_by_sender || rate <= LEAST {
            break;
        }
        rate = ((rate as f64 * if kept.is_some() { UP } else { DOWN }) as u64).max(LEAST);
    }
    if let (Some(mut kept), Some(mut lost), false) = (kept, lost, found.limited_by_sender) {
        for _ in 0..HALVINGS {
            let between = (kept as f64 * lost as f64).sqrt() as u64;
            match found.note(fire(Some(between))?) {
                true => kept = between,
                false => lost = between,
            }
        }
    }
    Ok(found)
}

impl RateFound {
    /// Adds a volley; whether it was kept.
    fn note(&mut self, report: VolleyReport) -> bool {
        self.volleys.push(report);
        let kept = report.received > 0 && report.loss() < MOST_LOSS;
        if kept && self.best.is_none_or(|best| best.received_per_second < report.received_per_second) {
            self.best = Some(report);
        }
        kept
    }
}

/// The share of a volley at which it counts as lost.
pub const MOST_LOSS: f64 = 0.01;
/// How the rate is stepped while nothing is known from above, or from below.
const UP: f64 = 1.5;
const DOWN: f64 = 0.7;
/// From a first guess down to a twentieth of it, or up to forty times.
const MOST_STEPS: usize = 9;
/// What a step leaves open is a factor of 1.5: four halvings leave 3 %.
const HALVINGS: usize = 4;
/// A sender that sends less than this share of what it was asked for is what limits.
const KEEPS_UP: f64 = 0.9;
/// Datagrams a second below which nobody looks.
const LEAST: u64 = 200;

#[cfg(test)]
mod tests {
    use super::*;

    fn in_a_second(wanted: Option<u64>, sent: u64, received: u64) -> VolleyReport {
        VolleyReport {
            wanted_per_second: wanted,
            sent,
            received,
            micros: 1_000_000,
            sent_per_second: sent,
            received_per_second: received,
        }
    }

    /// A tunnel that carries `most` datagrams a second, fed by a sender that makes at most `sender`.
    fn search(most: u64, sender: u64) -> RateFound {
        let fire = |wanted: Option<u64>| {
            let sent = wanted.unwrap_or(sender).min(sender);
            let received = sent.min(most);
            Ok::<_, ()>(in_a_second(wanted, sent, received))
        };
        highest_rate(fire).unwrap()
    }

    #[test]
    fn the_rate_that_a_tunnel_carries_is_found_to_four_percent() {
        for most in [1_000, 12_345, 98_765, 600_000] {
            let found = search(most, 2_000_000);
            let best = found.best.expect("some rate is kept").received_per_second;
            assert!(best <= most && best as f64 > most as f64 * 0.96, "{best} of {most}");
            assert!(!found.limited_by_sender);
            assert!(found.volleys.len() <= 10, "{}", found.volleys.len());
        }
    }

    #[test]
    fn a_tunnel_that_breaks_down_under_too_much_is_measured_below_that() {
        // As fast as it goes only a tenth arrives; at 50,000 a second all does.
        let fire = |wanted: Option<u64>| {
            let sent = wanted.unwrap_or(500_000);
            let received = if sent <= 50_000 { sent } else { 5_000 };
            Ok::<_, ()>(in_a_second(wanted, sent, received))
        };
        let best = highest_rate(fire).unwrap().best.expect("some rate is kept").received_per_second;
        assert!((45_000..=50_000).contains(&best), "{best}");
    }

    #[test]
    fn a_line_that_carries_all_the_sender_makes_is_said_to_be_limited_by_it() {
        let found = search(5_000_000, 1_000_000);
        assert!(found.limited_by_sender);
        assert_eq!(found.best.expect("all of it arrived").received_per_second, 1_000_000);
        assert_eq!(found.volleys.len(), 1, "nothing is left to look for");
    }

    #[test]
    fn a_line_that_loses_everything_has_no_rate() {
        let found = search(0, 1_000_000);
        assert!(found.best.is_none());
        assert!(found.volleys.len() <= 10);
    }
}
