//! What a service says of itself: how much of each it holds and may hold, and what it did so far.

use core::time::Duration;
use std::collections::BTreeMap;

use stead_noise::keys::PublicKey;
use stead_wire::options::Reason;

use crate::settings::Quotas;

/// A service at a moment.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceStatus {
    /// Its identity.
    pub public_key: PublicKey,
    /// Since it was started.
    pub age: Duration,
    /// How much it may hold.
    pub quotas: Quotas,
    /// Whether only configured keys are served.
    pub closed: bool,
    /// Its clients.
    pub clients: ClientCounts,
    /// Subscriptions held.
    pub subscriptions: usize,
    /// Topics to which both sides are subscribed.
    pub pairs: usize,
    /// What was published.
    pub publications: PublicationCounts,
    /// What was told.
    pub notifications: NotificationCounts,
    /// Requests declined, by reason.
    pub declined: BTreeMap<Reason, u64>,
    /// The relay; `None` if it is off.
    pub relay: Option<RelayStatus>,
    /// Reasons for drops, with their counts.
    pub drops: BTreeMap<&'static str, u64>,
}

/// Who is there.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ClientCounts {
    /// Clients with a confirmed session.
    pub confirmed: usize,
    /// Handshakes answered and not used yet.
    pub knocking: usize,
    /// Those of the confirmed whose claimed attachment point is not where they come from (seed 001 figure 19).
    pub private: usize,
}

/// What was published so far.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct PublicationCounts {
    /// Publications taken.
    pub taken: u64,
    /// Of these, those that said that the publisher moved.
    pub moves: u64,
    /// Pairs that moved at once, both within the window (seed 001 figure 12).
    pub simultaneous: u64,
}

/// What was told so far.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct NotificationCounts {
    /// Notifications begun.
    pub begun: u64,
    /// Of these, those acknowledged.
    pub acknowledged: u64,
    /// Of these, those that nobody acknowledged in time and that wait for their subscriber's own word.
    pub deferred: u64,
}

/// What the relay did so far.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct RelayStatus {
    /// Pairs with a slot.
    pub slots: usize,
    /// Pairs that sent something within the last second.
    pub active: usize,
    /// Datagrams carried.
    pub datagrams: u64,
    /// Bytes carried.
    pub bytes: u64,
}
