//! When two nodes can reach each other, as a pure function of what happened to them.
//!
//! A *usable path* exists between two nodes at a moment if all of this holds:
//! - Both are attached: each is in a network whose line carries packets, and is not dark. A host is dark while it
//!   is nowhere, while its program does not run, and while its program is frozen ([`Dark`], as executed).
//! - They can be joined in one of two ways:
//!   - *served*: a service is up (not dark, its line carries packets) and has a family in common with each of the
//!     two; it relays, or a direct path is possible;
//!   - *located*: a direct path is possible, and one of the two knows where the other is and can be heard there.
//!     That is so if the other is public in a family that both have, or if its NAT still has the mapping through
//!     which the two last spoke and lets in what comes from where the one is now.
//! - A *direct path is possible* if both are in the same network, or both have IPv6 (which no NAT of a scenario
//!   translates), or both have IPv4 and their NATs can be traversed: every pair but symmetric with symmetric or
//!   port-restricted (RFC 4787).
//!
//! What a node knows: after a usable path existed for [`SETTLED`], each knows where the other is. It no longer
//! does once the other has changed its attachment, its NAT has forgotten its mappings, or its own program was
//! killed. In the beginning neither knows anything.

mod world;

use std::collections::BTreeSet;
use std::time::Duration;

use self::world::Standing;
use crate::scenario::Scenario;
use crate::scenario::measured::Dark;

/// How long a usable path must have existed until both ends know where the other is: the two ends of a direct path
/// that succeeds a relayed one have exchanged their proofs by then.
pub const SETTLED: Duration = Duration::from_secs(1);

/// When two hosts had a usable path, from a scenario's beginning to its end.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reach {
    /// Times without a usable path: in order, and none touches another.
    outages: Vec<(Duration, Duration)>,
    /// Times in which the pair would have no usable path without a service.
    served: Vec<(Duration, Duration)>,
    ended: Duration,
}

impl Reach {
    /// Follows the timeline, with the hosts dark when they really were.
    #[must_use]
    pub fn of(scenario: &Scenario, dark: &[Dark], pair: [&str; 2], ended: Duration) -> Self {
        let mut standing = Standing::new(scenario, dark, pair);
        let mut moments: BTreeSet<Duration> = scenario.timeline.iter().map(|event| event.at).collect();
        moments.extend(dark.iter().flat_map(|dark| [dark.from, dark.to]));
        moments.insert(Duration::ZERO);
        let (mut outages, mut served) = (Vec::new(), Vec::new());
        while let Some(now) = moments.pop_first().filter(|now| *now < ended) {
            standing.move_to(now);
            moments.extend(standing.settles_at());
            let until = moments.first().copied().unwrap_or(ended).min(ended);
            if !standing.is_usable() {
                lengthen(&mut outages, now, until);
            } else if !standing.is_located() {
                lengthen(&mut served, now, until);
            }
        }
        Self { outages, served, ended }
    }

    /// The first moment from `moment` on at which a usable path exists; `None` if there is none before the end.
    #[must_use]
    pub fn ready(&self, moment: Duration) -> Option<Duration> {
        let ready = self.outage_at(moment).map_or(moment, |(_, to)| to);
        (ready < self.ended).then_some(ready)
    }

    /// The time without a usable path that `moment` is in.
    #[must_use]
    pub fn outage_at(&self, moment: Duration) -> Option<(Duration, Duration)> {
        self.outages.iter().copied().find(|(from, to)| *from <= moment && moment < *to)
    }

    /// Every time without a usable path.
    #[must_use]
    pub fn outages(&self) -> &[(Duration, Duration)] {
        &self.outages
    }

    /// Whether the pair needs a service at this moment.
    #[must_use]
    pub fn needs_service(&self, moment: Duration) -> bool {
        self.outage_at(moment).is_some()
            || self.served.iter().any(|(from, to)| *from <= moment && moment < *to)
    }
}

/// Adds a time, or makes the last one longer if it touches it.
fn lengthen(times: &mut Vec<(Duration, Duration)>, from: Duration, to: Duration) {
    match times.last_mut() {
        Some(last) if last.1 == from => last.1 = to,
        Some(_) | None => times.push((from, to)),
    }
}

#[cfg(test)]
mod tests;
