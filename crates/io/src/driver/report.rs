//! From the node's status to the control socket's reports: moments become ages.

use std::sync::Arc;

use stead_node::{
    Answer, Condition, ConnectionStatus, LocalAttachment, NodeStatus, Obeyed, PathStatus, PeerKind,
    PeerStatus, ServiceStatus, StandbyStatus, UnknownPeer,
};
use stead_wire::time::Instant;

use crate::control::{
    self, AttachmentReport, ConnectionReport, CurrentReport, OrderReport, OriginalReport, Outcome,
    PathReport, PeerReport, PeerState, RefusalReport, RegistrationReport, RelayedReport, ResumptionReport,
    StandbyReport, StatusReport,
};
use crate::drops::{IoDrop, IoDrops};
use crate::tun::{Device, VirtualAddress};
use crate::udp::UdpSockets;

/// What reports say of the daemon beside what the node knows.
pub(super) struct About {
    pub(super) interface: String,
    pub(super) addresses: Vec<VirtualAddress>,
    pub(super) connections_limit: usize,
    pub(super) attachment_changed: Instant,
    pub(super) drops: Arc<IoDrops>,
    pub(super) device: Arc<Device>,
    pub(super) sockets: Vec<Arc<UdpSockets>>,
}

impl About {
    /// Counts what the kernel has dropped before the workers saw it.
    fn look_at_queues(&self) {
        let received = self.sockets.iter().map(|sockets| sockets.overflowed()).sum();
        self.drops.set(IoDrop::ReceiveBufferFull, received);
        self.drops.set(IoDrop::TunQueueFull, self.device.overflowed());
    }
}

/// The node's answer to a question about its status.
pub(super) fn status(about: &About, answer: Answer, now: Instant) -> Outcome {
    match answer {
        Answer::Status(status) => Outcome::Status(Box::new(status_report(about, *status, now))),
        Answer::Connections(_) => misunderstood(),
    }
}

/// The node's answer to a question about its connections.
pub(super) fn connections(answer: Answer, now: Instant) -> Outcome {
    match answer {
        Answer::Connections(rows) => {
            Outcome::Connections(rows.into_iter().map(|row| connection_report(row, now)).collect())
        }
        Answer::Status(_) => misunderstood(),
    }
}

/// What became of an order.
pub(super) fn obeyed(obeyed: Result<Vec<Obeyed>, UnknownPeer>, now: Instant) -> Outcome {
    match obeyed {
        Ok(obeyed) => Outcome::Ordered(obeyed.into_iter().map(|one| order_report(one, now)).collect()),
        Err(UnknownPeer { name, peers }) => Outcome::UnknownPeer { name, peers },
    }
}

fn order_report(obeyed: Obeyed, now: Instant) -> OrderReport {
    OrderReport {
        peer: obeyed.peer,
        changed: obeyed.changed,
        held_because: obeyed.suspended.map(|(why, _)| why.label().to_owned()),
        held_since: obeyed.suspended.map(|(_, since)| age(since, now)),
    }
}

fn misunderstood() -> Outcome {
    Outcome::Error("the node answered another question".into())
}

fn status_report(about: &About, status: NodeStatus, now: Instant) -> StatusReport {
    about.look_at_queues();
    let mut drops = about.drops.occurred();
    drops.extend(status.drops);
    StatusReport {
        interface: about.interface.clone(),
        public_key: status.public_key.to_string(),
        virtual_addresses: about.addresses.iter().map(ToString::to_string).collect(),
        listen_port: status.listen_port,
        attachment: attachment_report(&status.attachment, age(about.attachment_changed, now)),
        uptime: age(status.started, now),
        connections: status.connections as u64,
        connections_limit: about.connections_limit as u64,
        services: status.services.into_iter().map(|service| service_report(service, now)).collect(),
        peers: status.peers.into_iter().map(|peer| peer_report(peer, &status.attachment, now)).collect(),
        drops: drops.into_iter().map(|(reason, count)| (reason.to_owned(), count)).collect(),
    }
}

fn attachment_report(attachment: &LocalAttachment, changed: u64) -> AttachmentReport {
    AttachmentReport {
        addresses: attachment.addresses.iter().map(|local| local.ip).collect(),
        default_v4: attachment.default_source_v4.map(Into::into),
        default_v6: attachment.default_source_v6.map(Into::into),
        standby: attachment.standby.clone(),
        metered: attachment.metered.clone(),
        changed,
    }
}

fn service_report(service: ServiceStatus, now: Instant) -> RegistrationReport {
    RegistrationReport {
        name: service.name,
        public_key: service.public_key.to_string(),
        remote: service.remote,
        connected: service.connected,
        last_answered: service.last_answered.map(|at| age(at, now)),
        rtt: service.rtt.map(|rtt| u64::try_from(rtt.as_micros()).unwrap_or(u64::MAX)),
        apparent: service.apparent,
        public: service.public,
        registered: service.registered as u64,
        peers: service.peers as u64,
        handshakes: service.handshakes,
        relay: service.relays,
        relay_slots: service.slots as u64,
        refused: service.refused.map(str::to_owned),
    }
}

fn peer_report(peer: PeerStatus, attachment: &LocalAttachment, now: Instant) -> PeerReport {
    let age = |at: Option<Instant>| at.map(|at| age(at, now));
    PeerReport {
        name: peer.name,
        public_key: peer.public_key.to_string(),
        virtual_addresses: peer.allowed_ips.iter().map(ToString::to_string).collect(),
        kind: match peer.kind {
            PeerKind::Unknown => control::PeerKind::Unknown,
            PeerKind::Plain => control::PeerKind::Plain,
            PeerKind::Enhanced => control::PeerKind::VcEnhanced,
        },
        cipher: peer.cipher.map(|cipher| cipher.to_string()),
        state: match peer.condition {
            Condition::NoSession => PeerState::NoSession,
            Condition::Handshaking => PeerState::Handshaking,
            Condition::Held(_) => PeerState::Held,
            Condition::Unproven => PeerState::Unproven,
            Condition::Proven => PeerState::Proven,
        },
        held_since: age(peer.held_since),
        held_because: match peer.condition {
            Condition::Held(why) => Some(why.label().to_owned()),
            _ => None,
        },
        held_packets: peer.held.packets as u64,
        held_bytes: peer.held.bytes as u64,
        held_connections: peer.held.connections as u64,
        suspensions: peer.suspensions.count,
        longest_suspension: u64::try_from(peer.suspensions.longest.as_micros()).unwrap_or(u64::MAX),
        refusal: peer.refusal.map(|refusal| RefusalReport {
            local: refusal.ends.local,
            remote: refusal.ends.remote,
            since: self::age(refusal.since, now),
            last: self::age(refusal.last, now),
        }),
        resumption: peer.resumption.map(|last| ResumptionReport {
            began: self::age(last.began, now),
            took: u64::try_from(last.took.as_micros()).unwrap_or(u64::MAX),
            resent: last.resent,
            released: last.released,
        }),
        path: peer.path.map(|path| path_report(path, attachment)),
        standby: peer.standby.into_iter().map(|path| standby_report(path, now)).collect(),
        relayed: peer
            .relayed
            .map(|relayed| RelayedReport { by: relayed.by, since: self::age(relayed.since, now) }),
        candidates: peer.candidates,
        last_received: age(peer.last_received),
        last_acknowledged: age(peer.last_acknowledged),
        last_handshake: age(peer.last_handshake),
        handshakes: peer.handshakes,
        moves_local: peer.moves_local,
        moves_remote: peer.moves_remote,
        bytes_sent: peer.traffic.bytes_sent,
        bytes_received: peer.traffic.bytes_received,
        packets_sent: peer.traffic.packets_sent,
        packets_received: peer.traffic.packets_received,
        public: peer.public,
    }
}

fn standby_report(path: StandbyStatus, now: Instant) -> StandbyReport {
    StandbyReport {
        local: path.local,
        remote: path.remote,
        proven: path.proven.map(|at| age(at, now)),
        rtt: path.rtt.map(|rtt| u64::try_from(rtt.as_micros()).unwrap_or(u64::MAX)),
    }
}

fn path_report(path: PathStatus, attachment: &LocalAttachment) -> PathReport {
    PathReport {
        local: path.local,
        remote: path.remote,
        validated: path.validated,
        metered: path.local.is_some_and(|local| attachment.is_metered(local.ip())),
        rtt: path.rtt.map(|rtt| u64::try_from(rtt.as_micros()).unwrap_or(u64::MAX)),
        mtu: path.mtu,
    }
}

fn connection_report(status: ConnectionStatus, now: Instant) -> ConnectionReport {
    let ConnectionStatus { row, peer, session } = status;
    ConnectionReport {
        original: OriginalReport {
            local: row.original.local,
            remote: row.original.remote,
            protocol: row.original.protocol.to_string(),
        },
        current: CurrentReport {
            local: row.local,
            remote: row.remote,
            path: row.path.0,
            session: session.unwrap_or(0),
            token: row.token.to_string(),
        },
        peer,
        state: row.state.as_str().to_owned(),
        age: age(row.created, now),
        idle: age(row.last_seen, now),
        packets_sent: row.outbound.packets,
        bytes_sent: row.outbound.bytes,
        packets_received: row.inbound.packets,
        bytes_received: row.inbound.bytes,
        moves: row.moves,
    }
}

/// Microseconds since `at`.
fn age(at: Instant, now: Instant) -> u64 {
    u64::try_from((now - at).as_micros()).unwrap_or(u64::MAX)
}
