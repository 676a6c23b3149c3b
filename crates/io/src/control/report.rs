//! What the daemon reports of itself, as plain data. Ages and durations are whole microseconds.

use core::net::{IpAddr, SocketAddr};
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The daemon and its peers.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct StatusReport {
    /// Name of the TUN device.
    pub interface: String,
    /// This node's public key, base64.
    pub public_key: String,
    /// The addresses applications bind to, as CIDR.
    pub virtual_addresses: Vec<String>,
    /// UDP port of both sockets.
    pub listen_port: u16,
    /// Where this host is attached now.
    pub attachment: AttachmentReport,
    /// Microseconds since the daemon was ready.
    pub uptime: u64,
    /// Active connections.
    pub connections: u64,
    /// How many connections are tracked at most.
    pub connections_limit: u64,
    /// Every configured subscribe-notify service; a daemon of before knows none.
    #[serde(default)]
    pub services: Vec<RegistrationReport>,
    /// Every configured peer.
    pub peers: Vec<PeerReport>,
    /// Datagrams and packets dropped, by the reason's name; reasons that never occurred are left out.
    pub drops: BTreeMap<String, u64>,
}

/// Where the host is attached to the underlay.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct AttachmentReport {
    /// Usable local addresses.
    pub addresses: Vec<IpAddr>,
    /// Source address of the IPv4 default route.
    pub default_v4: Option<IpAddr>,
    /// Source address of the IPv6 default route.
    pub default_v6: Option<IpAddr>,
    /// Source addresses of further networks that lead outside, beside the default routes'.
    #[serde(default)]
    pub standby: Vec<IpAddr>,
    /// Addresses on metered networks, which are used only if nothing else leads to a peer.
    #[serde(default)]
    pub metered: Vec<IpAddr>,
    /// Microseconds since any of this changed.
    pub changed: u64,
}

/// One subscribe-notify service, as far as it answered.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct RegistrationReport {
    /// Its name in the configuration.
    pub name: String,
    /// Its public key, base64.
    pub public_key: String,
    /// Where it last answered.
    pub remote: Option<SocketAddr>,
    /// Whether there is a session with it.
    pub connected: bool,
    /// Microseconds since it last answered.
    pub last_answered: Option<u64>,
    /// Round trip time in microseconds.
    pub rtt: Option<u64>,
    /// Where it sees this node's datagrams come from.
    pub apparent: Option<SocketAddr>,
    /// Whether that is where this node believes to be: `false` behind a NAT (seed 001 figure 19).
    pub public: Option<bool>,
    /// For how many peers it keeps this node subscribed.
    pub registered: u64,
    /// How many peers there are.
    pub peers: u64,
    /// Handshakes completed.
    pub handshakes: u64,
    /// Whether it may relay for this node.
    pub relay: bool,
    /// For how many peers it is ready to relay.
    pub relay_slots: u64,
    /// Why it last refused something: `full`, `quota`, `not-served`, `relay-off`, `stale`.
    pub refused: Option<String>,
}

/// One peer, as far as it is proven.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct PeerReport {
    /// Its name in the configuration.
    pub name: String,
    /// Its public key, base64.
    pub public_key: String,
    /// Its allowed IPs, as CIDR.
    pub virtual_addresses: Vec<String>,
    /// What it answered to our probe.
    pub kind: PeerKind,
    /// What seals to it now; absent without a session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cipher: Option<String>,
    /// How sure we are of it.
    pub state: PeerState,
    /// Microseconds for which its traffic has been held; absent unless held.
    pub held_since: Option<u64>,
    /// Why: `ordered`, `resuming`, `detached`, `moving`, `peer-moving`, `silent`, `refused`; absent unless held.
    #[serde(default)]
    pub held_because: Option<String>,
    /// Packets held now.
    pub held_packets: u64,
    /// Their bytes.
    #[serde(default)]
    pub held_bytes: u64,
    /// TCP connections of which something is held.
    #[serde(default)]
    pub held_connections: u64,
    /// How often its traffic was held since the node began.
    #[serde(default)]
    pub suspensions: u64,
    /// Microseconds for which it was held at most.
    #[serde(default)]
    pub longest_suspension: u64,
    /// What this host's own filter refuses to send to it now.
    #[serde(default)]
    pub refusal: Option<RefusalReport>,
    /// How traffic last went on.
    #[serde(default)]
    pub resumption: Option<ResumptionReport>,
    /// The active path, once there is one.
    pub path: Option<PathReport>,
    /// Paths that are kept ready beside it.
    #[serde(default)]
    pub standby: Vec<StandbyReport>,
    /// Who relays its packets; absent on a direct path.
    pub relayed: Option<RelayedReport>,
    /// Attachment points it may be reached at.
    pub candidates: Vec<SocketAddr>,
    /// Microseconds since the last authenticated datagram from it.
    pub last_received: Option<u64>,
    /// Microseconds since the last proof that something of ours reached it.
    pub last_acknowledged: Option<u64>,
    /// Microseconds since the last handshake was completed.
    pub last_handshake: Option<u64>,
    /// Handshakes completed.
    pub handshakes: u64,
    /// How often we moved.
    pub moves_local: u64,
    /// How often it moved.
    pub moves_remote: u64,
    /// Inner bytes sent to it.
    pub bytes_sent: u64,
    /// Inner bytes received from it.
    pub bytes_received: u64,
    /// Inner packets sent to it.
    pub packets_sent: u64,
    /// Inner packets received from it.
    pub packets_received: u64,
    /// Whether it can be reached where it claims to be; `None` while unknown, `false` behind a NAT.
    pub public: Option<bool>,
}

/// Whether a peer takes part in virtual connectivity.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PeerKind {
    /// It has not answered a probe yet.
    Unknown,
    /// A plain WireGuard peer.
    Plain,
    /// It answered the probe (seed 001 figure 21).
    VcEnhanced,
}

/// How sure we are of a peer. Never better than what was proven.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PeerState {
    /// No session and none being made.
    NoSession,
    /// A handshake is under way.
    Handshaking,
    /// Traffic is held until its place is known again.
    Held,
    /// A session exists, but one direction has not been proven lately.
    Unproven,
    /// Both directions were proven lately.
    Proven,
}

/// What this host's own filter refuses to send.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct RefusalReport {
    /// From where; absent if the system's routes say.
    pub local: Option<SocketAddr>,
    /// Where to.
    pub remote: SocketAddr,
    /// Microseconds since it was first refused.
    pub since: u64,
    /// Microseconds since it was last refused.
    pub last: u64,
}

/// The last time that traffic went on after it had been held, or lost on the way.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct ResumptionReport {
    /// Microseconds since the path was proven.
    pub began: u64,
    /// Microseconds until traffic flowed.
    pub took: u64,
    /// Datagrams that were sent again.
    pub resent: u64,
    /// Packets that had been held and went first.
    pub released: u64,
}

/// What became of an order to suspend or to resume a peer.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct OrderReport {
    /// Its name in the configuration.
    pub peer: String,
    /// Whether the order changed something; `false` if it had been given before.
    pub changed: bool,
    /// Why its traffic is held now, a stable word as in [`PeerReport::held_because`]; absent if it flows.
    pub held_because: Option<String>,
    /// Microseconds for which it has been held; absent unless held.
    pub held_since: Option<u64>,
}

/// The active path to a peer.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct PathReport {
    /// Our end, if one was chosen.
    pub local: Option<SocketAddr>,
    /// Its end.
    pub remote: SocketAddr,
    /// Whether a challenge came back from there (RFC 9000 §8.2).
    pub validated: bool,
    /// Whether our end is on a metered network.
    #[serde(default)]
    pub metered: bool,
    /// Round trip time in microseconds.
    pub rtt: Option<u64>,
    /// The longest inner packet that it takes, in bytes; absent where nobody can ask.
    #[serde(default)]
    pub mtu: Option<usize>,
}

/// A path that is kept ready beside the active one, so that a move to it needs no round trip.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct StandbyReport {
    /// Our end; absent if the system's routes choose it.
    pub local: Option<IpAddr>,
    /// The peer's end.
    pub remote: SocketAddr,
    /// Microseconds since the peer last proved that it is reached this way; absent if it did not yet.
    pub proven: Option<u64>,
    /// Round trip time in microseconds.
    pub rtt: Option<u64>,
}

/// A path over a relay: used while no direct path is proven.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct RelayedReport {
    /// The name of the service that relays.
    pub by: String,
    /// Microseconds for which it has relayed.
    pub since: u64,
}

/// One entry of the local connection translation table.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct ConnectionReport {
    /// The connection as applications see it; never changes.
    pub original: OriginalReport,
    /// What carries it now.
    pub current: CurrentReport,
    /// The peer's name.
    pub peer: String,
    /// Opening, open, closing or closed.
    pub state: String,
    /// Microseconds since its first packet.
    pub age: u64,
    /// Microseconds since its last packet.
    pub idle: u64,
    /// Packets sent.
    pub packets_sent: u64,
    /// Bytes sent.
    pub bytes_sent: u64,
    /// Packets received.
    pub packets_received: u64,
    /// Bytes received.
    pub bytes_received: u64,
    /// How often it was moved to another attachment point.
    pub moves: u64,
}

/// Original connection specification (seed 001 par. 49).
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct OriginalReport {
    /// Virtual address and port here.
    pub local: SocketAddr,
    /// Virtual address and port there.
    pub remote: SocketAddr,
    /// Upper protocol: `tcp`, `udp`, `icmp`, …
    pub protocol: String,
}

/// Current connection specification (seed 001 par. 50).
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct CurrentReport {
    /// Attachment point here, if one was chosen.
    pub local: Option<SocketAddr>,
    /// Attachment point there.
    pub remote: SocketAddr,
    /// The path's number.
    pub path: u32,
    /// The session's index on our side; 0 while there is none.
    pub session: u32,
    /// Names the connection inside the path: 16 hexadecimal digits.
    pub token: String,
}
