//! Watches where this host is attached to the underlay.
//!
//! A [`Monitor`] yields a [`LocalAttachment`] at the start, whenever it changes, and after sleep. It reacts to
//! the first event, without a debounce: a hand-over must not wait for the last address of a new link.
//! What is *done* about a change is the node's.
//!
//! # Invariants
//! - No change is missed: an event only makes the monitor look again, and when events were lost it looks too.
//! - Two snapshots in a row differ, unless the host slept between them.
//! - The own TUN device's addresses are never reported.

use core::net::IpAddr;
use core::time::Duration;
use std::io;

use stead_node::{Cause, LocalAddress, LocalAttachment, LocalRoute, Prefix};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep_until};
use tracing::{debug, warn};

use crate::clock;

mod pattern;

#[cfg(target_os = "linux")]
#[path = "monitor/linux.rs"]
mod platform;
// macOS and Windows.
#[cfg(not(target_os = "linux"))]
#[path = "monitor/netwatch.rs"]
mod platform;

/// Watches the addresses and routes of this host.
pub struct Monitor {
    watch: platform::Watch,
    last: Option<Snapshot>,
    /// Something may have changed since the last look.
    stale: bool,
    looks: Looks,
    sleep: SleepDetector,
}

/// What the tunnel itself is and wants, which is not to be taken for the underlay's.
#[derive(Clone, Debug, Default)]
pub struct Own {
    /// Index of the TUN device.
    pub interface: u32,
    /// What marks the tunnel's own datagrams, where routing rules depend on it.
    pub mark: Option<u32>,
    /// Places that matter whatever the default routes say: where peers are configured to be.
    pub places: Vec<IpAddr>,
    /// Names of interfaces, with `*` for any characters, whose networks are metered.
    pub metered: Vec<String>,
}

impl Own {
    fn is_metered(&self, interface: &str) -> bool {
        self.metered.iter().any(|pattern| pattern::matches(pattern, interface))
    }
}

/// What a look found. More than is reported, so that another gateway behind the same addresses counts as a change.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct Snapshot {
    /// Preferred ones first.
    addresses: Vec<LocalAddress>,
    v4: Option<Route>,
    v6: Option<Route>,
    /// How each of [`Own::places`] is reached, if it is.
    places: Vec<(IpAddr, Route)>,
    /// What leads outside over networks that the default routes do not take.
    standby: Vec<Route>,
    /// Addresses on metered networks.
    metered: Vec<IpAddr>,
}

/// Where a datagram would leave.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Route {
    source: IpAddr,
    gateway: Option<IpAddr>,
    interface: Option<u32>,
}

impl Monitor {
    /// Starts to watch; the first [`next`](Self::next) is then due at once.
    ///
    /// # Errors
    /// What the system reports when it lets nobody watch.
    pub async fn start(own: Own) -> io::Result<Self> {
        Ok(Self {
            watch: platform::Watch::start(own).await?,
            last: None,
            stale: true,
            looks: Looks::default(),
            sleep: SleepDetector::new(),
        })
    }

    /// Waits for the next snapshot: at once the first time, then when something changed or the host slept.
    ///
    /// Cancel safe: what was noticed before the cancellation is reported by the next call.
    pub async fn next(&mut self) -> LocalAttachment {
        loop {
            if self.stale
                && let Some(attachment) = self.look().await
            {
                return attachment;
            }
            self.wait().await;
        }
    }

    /// Looks, and returns what is worth a report.
    async fn look(&mut self) -> Option<LocalAttachment> {
        let now = match self.watch.look().await {
            Ok(snapshot) => snapshot,
            Err(error) => {
                warn!(%error, "Cannot tell where this host is attached; trying again");
                self.stale = false;
                self.looks.schedule();
                return None;
            }
        };
        self.stale = false;
        let cause = match (&self.last, self.sleep.take()) {
            (None, _) => Cause::Start,
            (Some(_), true) => Cause::Woke,
            (Some(last), false) if *last != now => Cause::Changed,
            (Some(_), false) => return None,
        };
        debug!(?cause, ?now, "Attachment");
        self.last = Some(now.clone());
        Some(now.report(cause))
    }

    /// Until there is a reason to look again.
    async fn wait(&mut self) {
        tokio::select! {
            () = self.watch.changed() => self.looks.schedule(),
            () = at(self.looks.due) => self.looks.advance(),
            () = self.sleep.slept() => {}
        }
        self.stale = true;
    }
}

impl Snapshot {
    fn report(self, cause: Cause) -> LocalAttachment {
        // A route over a link that lost its carrier may still be there.
        let usable = |route: Route| self.addresses.iter().any(|local| local.ip == route.source);
        let default_source_v4 = match self.v4.filter(|route| usable(*route)) {
            Some(Route { source: IpAddr::V4(source), .. }) => Some(source),
            _ => None,
        };
        let default_source_v6 = match self.v6.filter(|route| usable(*route)) {
            Some(Route { source: IpAddr::V6(source), .. }) => Some(source),
            _ => None,
        };
        let standby = self.standby.iter().filter(|route| usable(**route)).map(|route| route.source).collect();
        let reached: Vec<_> = (self.places.iter())
            .filter(|(_, route)| usable(*route) || route.source.is_loopback())
            .copied()
            .collect();
        let plain = LocalAttachment {
            addresses: self.addresses,
            default_source_v4,
            default_source_v6,
            ..LocalAttachment::detached(cause)
        };
        // Most peers are behind the default route or on a link, which need not be said for each.
        let routes = (reached.into_iter())
            .filter(|(place, route)| plain.source_for(*place) != Some(route.source))
            .map(|(place, route)| LocalRoute { destination: Prefix::host(place), source: route.source })
            .collect();
        LocalAttachment { routes, standby, metered: self.metered, ..plain }
    }
}

/// Looks that follow an event. The kernel tells of an address or link that goes before the routes through it
/// are gone, and tells nothing of those, so one look at the event alone could see a route that is about to die.
#[derive(Debug, Default)]
struct Looks {
    due: Option<Instant>,
    remaining: &'static [Duration],
}

/// From well above the time the kernel holds its lock for a change, to well above that of a loaded machine.
const LOOK_AGAIN: &[Duration] =
    &[Duration::from_millis(3), Duration::from_millis(30), Duration::from_millis(300)];

impl Looks {
    fn schedule(&mut self) {
        self.remaining = LOOK_AGAIN;
        self.advance();
    }

    fn advance(&mut self) {
        self.due = self.remaining.split_off_first().map(|after| Instant::now() + *after);
    }
}

async fn at(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => core::future::pending().await,
    }
}

/// Tells that the machine slept, from the two clocks of which only one goes on meanwhile.
#[derive(Debug)]
struct SleepDetector {
    tick: Interval,
    asleep: Duration,
    slept: bool,
}

/// Costs nothing to speak of and is the longest a wake-up goes unnoticed if no link event tells of it.
const TICK: Duration = Duration::from_secs(1);

/// Shorter sleeps do no harm that the ordinary timers would not repair.
const NAP: Duration = Duration::from_secs(2);

impl SleepDetector {
    fn new() -> Self {
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { tick, asleep: clock::asleep(), slept: false }
    }

    async fn slept(&mut self) {
        while !self.slept {
            self.tick.tick().await;
            self.update(clock::asleep());
        }
    }

    fn update(&mut self, asleep: Duration) {
        if asleep.saturating_sub(self.asleep) > NAP {
            self.slept = true;
        }
        self.asleep = asleep;
    }

    /// Whether it slept since the last call.
    fn take(&mut self) -> bool {
        core::mem::take(&mut self.slept)
    }
}

#[cfg(test)]
mod tests;
