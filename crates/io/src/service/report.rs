//! From the service's status to the control socket's report.

use stead_sns::ServiceStatus;

use crate::control::{HeldReport, NotificationReport, PublicationReport, RelayReport, ServiceReport};
use crate::drops::IoDrops;

pub(super) fn report(port: u16, status: ServiceStatus, io_drops: &IoDrops) -> ServiceReport {
    let held = |now: usize, most: usize| HeldReport { now: now as u64, most: most as u64 };
    let own = status.drops.into_iter().map(|(reason, count)| (reason.to_owned(), count));
    let io = io_drops.occurred().into_iter().map(|(reason, count)| (reason.to_owned(), count));
    ServiceReport {
        public_key: status.public_key.to_string(),
        listen_port: port,
        uptime: u64::try_from(status.age.as_micros()).unwrap_or(u64::MAX),
        closed: status.closed,
        clients: held(status.clients.confirmed, status.quotas.clients),
        clients_private: status.clients.private as u64,
        clients_knocking: status.clients.knocking as u64,
        subscriptions: held(status.subscriptions, status.quotas.subscriptions),
        pairs: status.pairs as u64,
        publications: PublicationReport {
            taken: status.publications.taken,
            moves: status.publications.moves,
            simultaneous: status.publications.simultaneous,
        },
        notifications: NotificationReport {
            begun: status.notifications.begun,
            acknowledged: status.notifications.acknowledged,
            deferred: status.notifications.deferred,
        },
        declined: status.declined.iter().map(|(reason, count)| (reason.label().to_owned(), *count)).collect(),
        relay: status.relay.map(|relay| RelayReport {
            slots: relay.slots as u64,
            active: relay.active as u64,
            datagrams: relay.datagrams,
            bytes: relay.bytes,
        }),
        drops: own.chain(io).collect(),
    }
}
