//! What a running subscribe-notify service reports of itself, as plain data. Durations are whole microseconds.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The service: what it holds and what it did.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct ServiceReport {
    /// Its public key, base64.
    pub public_key: String,
    /// UDP port of both sockets.
    pub listen_port: u16,
    /// Microseconds since it was ready.
    pub uptime: u64,
    /// Whether it serves a list of keys only.
    pub closed: bool,
    /// Clients with a confirmed session.
    pub clients: HeldReport,
    /// Those of them behind a NAT.
    pub clients_private: u64,
    /// Handshakes answered and not used yet.
    pub clients_knocking: u64,
    /// Subscriptions.
    pub subscriptions: HeldReport,
    /// Pairs of which both sides are subscribed.
    pub pairs: u64,
    /// What was published.
    pub publications: PublicationReport,
    /// What was told.
    pub notifications: NotificationReport,
    /// Requests declined, by the reason's name; reasons that never occurred are left out.
    pub declined: BTreeMap<String, u64>,
    /// The relay; absent if it is off.
    pub relay: Option<RelayReport>,
    /// Datagrams dropped, by the reason's name; reasons that never occurred are left out.
    pub drops: BTreeMap<String, u64>,
}

/// How much is held, and how much may be.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct HeldReport {
    /// Now.
    pub now: u64,
    /// At most.
    pub most: u64,
}

/// Publications so far.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct PublicationReport {
    /// Taken.
    pub taken: u64,
    /// Of these, those of a publisher that moved.
    pub moves: u64,
    /// Pairs of which both sides moved within the window.
    pub simultaneous: u64,
}

/// Notifications so far.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct NotificationReport {
    /// Begun.
    pub begun: u64,
    /// Of these, those acknowledged.
    pub acknowledged: u64,
    /// Of these, those that wait, or waited, for their subscriber's own word.
    pub deferred: u64,
}

/// The relay so far.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct RelayReport {
    /// Pairs with a slot.
    pub slots: u64,
    /// Pairs that sent something within the last second.
    pub active: u64,
    /// Datagrams carried.
    pub datagrams: u64,
    /// Bytes carried.
    pub bytes: u64,
}
