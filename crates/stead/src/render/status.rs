//! The running node and its peers, for people.
//!
//! Nothing is said of a peer that was not proven: `proven` needs a recent proof in both directions,
//! whatever else is known, and the ages of both proofs stand beside it.

use core::fmt::Write as _;

use stead_config::Paint;
use stead_io::control::{PeerKind, PeerReport, PeerState, RefusalReport, RegistrationReport, StatusReport};

use crate::render::quantity;
use crate::render::table::Table;

/// The node, then its services, its peers, and what was dropped.
pub(crate) fn render(report: &StatusReport, paint: Paint) -> String {
    let mut text = node(report, paint);
    text.push('\n');
    if !report.services.is_empty() {
        text.push_str(&services(&report.services, paint));
        text.push('\n');
    }
    if report.peers.is_empty() {
        text.push_str("No peers are configured\n");
    } else {
        text.push_str(&peers(&report.peers, paint));
    }
    if !report.drops.is_empty() {
        let mut table = Table::new(["DROPPED", "COUNT"]);
        for (reason, count) in &report.drops {
            table.row([reason.clone(), count.to_string()]);
        }
        text.push('\n');
        text.push_str(&table.render(paint));
    }
    text
}

fn node(report: &StatusReport, paint: Paint) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        // Writing into a String cannot fail.
        let _ = writeln!(text, "{} {value}", paint.faint(&format!("{name:<16}")));
    };
    line("interface", &report.interface);
    line("public key", &report.public_key);
    line("addresses", &report.virtual_addresses.join(", "));
    line("listens on", &format!("UDP port {}", report.listen_port));
    let changed = quantity::micros(report.attachment.changed);
    line("attached at", &format!("{}, for {changed}", attached(report)));
    line("connections", &format!("{} of at most {}", report.connections, report.connections_limit));
    line("running for", &quantity::micros(report.uptime));
    text
}

/// The addresses that packets to anywhere leave from; where there is no way out, the ones there are.
fn attached(report: &StatusReport) -> String {
    let attachment = &report.attachment;
    let defaults: Vec<_> =
        [attachment.default_v4, attachment.default_v6].iter().flatten().map(ToString::to_string).collect();
    if !defaults.is_empty() {
        return defaults.join(" and ");
    }
    if attachment.addresses.is_empty() {
        return "no network".into();
    }
    let addresses: Vec<_> = attachment.addresses.iter().map(ToString::to_string).collect();
    format!("{} without a default route", addresses.join(", "))
}

fn services(services: &[RegistrationReport], paint: Paint) -> String {
    let mut table = Table::new(["SERVICE", "ANSWERED", "RTT", "SEES US AT", "REGISTERED", "RELAY"]);
    for service in services {
        table.row([
            service.name.clone(),
            quantity::age(service.last_answered),
            quantity::round_trip(service.rtt),
            seen_at(service),
            registered(service),
            relay(service),
        ]);
    }
    table.render(paint)
}

/// Public or behind NAT (seed 001 figure 19), as the service's word is compared with what we believe.
fn seen_at(service: &RegistrationReport) -> String {
    match (service.apparent, service.public) {
        (Some(apparent), Some(true)) => format!("{apparent}, public"),
        (Some(apparent), _) => format!("{apparent}, behind NAT"),
        (None, _) => "not known yet".into(),
    }
}

fn registered(service: &RegistrationReport) -> String {
    let refused = service.refused.as_ref().map_or(String::new(), |reason| format!(", refused: {reason}"));
    format!("{} of {}{refused}", service.registered, service.peers)
}

fn relay(service: &RegistrationReport) -> String {
    match (service.relay, service.relay_slots) {
        (false, _) => "off".into(),
        (true, 0) => "not needed".into(),
        (true, slots) => format!("ready for {slots}"),
    }
}

/// First what is proven and where, then what it has come to: each narrow enough for a terminal.
fn peers(peers: &[PeerReport], paint: Paint) -> String {
    let mut proofs = Table::new(["PEER", "STATE", "LAST HEARD", "LAST HEARD US", "RTT", "MTU", "PATH"]);
    let mut records =
        Table::new(["PEER", "KIND", "CIPHER", "HANDSHAKE", "SENT", "RECEIVED", "MOVES HERE", "THERE"]);
    for peer in peers {
        proofs.row([
            peer.name.clone(),
            state(peer),
            quantity::age(peer.last_received),
            quantity::age(peer.last_acknowledged),
            quantity::round_trip(peer.path.as_ref().and_then(|path| path.rtt)),
            peer.path.as_ref().and_then(|path| path.mtu).map_or("-".into(), |mtu| mtu.to_string()),
            path(peer),
        ]);
        records.row([
            peer.name.clone(),
            kind(peer).into(),
            peer.cipher.clone().unwrap_or_else(|| "-".into()),
            quantity::age(peer.last_handshake),
            quantity::bytes(peer.bytes_sent),
            quantity::bytes(peer.bytes_received),
            peer.moves_local.to_string(),
            peer.moves_remote.to_string(),
        ]);
    }
    let standby = standby(peers).map_or(String::new(), |table| format!("\n{}", table.render(paint)));
    format!(
        "{}\n{}{standby}{}{}",
        proofs.render(paint),
        records.render(paint),
        resumptions(peers, paint),
        refusals(peers)
    )
}

/// The paths that are kept ready beside those in use, if there are any.
fn standby(peers: &[PeerReport]) -> Option<Table<4>> {
    let mut table = Table::new(["PEER", "STANDBY PATH", "LAST PROVEN", "RTT"]);
    for (peer, path) in peers.iter().flat_map(|peer| peer.standby.iter().map(move |path| (peer, path))) {
        let local = path.local.map_or("any".into(), |local| local.to_string());
        table.row([
            peer.name.clone(),
            format!("{local} -> {}", path.remote),
            quantity::age(path.proven),
            quantity::round_trip(path.rtt),
        ]);
    }
    peers.iter().any(|peer| !peer.standby.is_empty()).then_some(table)
}

/// How traffic last went on, for the peers where something was held or lost.
fn resumptions(peers: &[PeerReport], paint: Paint) -> String {
    let mut table = Table::new(["PEER", "RESUMED", "AFTER PROOF", "SENT AGAIN", "HELD BEFORE"]);
    let known = || peers.iter().filter_map(|peer| Some((peer, peer.resumption.as_ref()?)));
    for (peer, last) in known() {
        table.row([
            peer.name.clone(),
            quantity::age(Some(last.began)),
            quantity::round_trip(Some(last.took)),
            last.resent.to_string(),
            last.released.to_string(),
        ]);
    }
    if known().next().is_none() { String::new() } else { format!("\n{}", table.render(paint)) }
}

/// What this host's own filter refuses, and what would help.
fn refusals(peers: &[PeerReport]) -> String {
    let refused = peers.iter().filter_map(|peer| Some((peer, peer.refusal.as_ref()?)));
    let line = |(peer, refusal): (&PeerReport, &RefusalReport)| {
        let local = refusal.local.map_or("any address".into(), |local| local.to_string());
        let since = quantity::micros(refusal.since);
        format!(
            "\n{}: this host's filter has refused datagrams for {since}; allow UDP from {local} to {} and back\n",
            peer.name.replace(char::is_control, "?"),
            refusal.remote
        )
    };
    refused.map(line).collect()
}

/// In words; `proven` only if both proofs are there and recent.
fn state(peer: &PeerReport) -> String {
    match peer.state {
        PeerState::NoSession => "no session".into(),
        PeerState::Handshaking => "handshaking".into(),
        PeerState::Held => {
            let since =
                peer.held_since.map_or(String::new(), |since| format!(" for {}", quantity::micros(since)));
            let why = peer.held_because.as_deref().map_or("", because);
            let amount = match (peer.held_packets, peer.held_connections) {
                (0, _) => "nothing waits".into(),
                (packets, 0) => format!("{packets} waiting, {}", quantity::bytes(peer.held_bytes)),
                (packets, connections) => format!(
                    "{packets} of {connections} connections waiting, {}",
                    quantity::bytes(peer.held_bytes)
                ),
            };
            format!("held{since}{why}, {amount}")
        }
        PeerState::Proven if is_recent(peer.last_received) && is_recent(peer.last_acknowledged) => {
            "proven".into()
        }
        PeerState::Proven | PeerState::Unproven => "unproven".into(),
    }
}

/// Why a peer is held, where there is something to be done about it.
fn because(label: &str) -> &'static str {
    match label {
        "ordered" => " on order",
        "resuming" | "moving" => ": not confirmed yet",
        "detached" => ": no network",
        "peer-moving" => ": it moves",
        "silent" => ": it is silent",
        "refused" => ": this host's filter refuses",
        _ => "",
    }
}

fn is_recent(proof: Option<u64>) -> bool {
    proof.is_some_and(|micros_ago| micros_ago <= RECENT_MICROS)
}

fn kind(peer: &PeerReport) -> &'static str {
    match (peer.kind, peer.public) {
        (PeerKind::Unknown, _) => "not known yet",
        (PeerKind::Plain, _) => "plain WireGuard",
        (PeerKind::VcEnhanced, Some(false)) => "VC enhanced, behind NAT",
        (PeerKind::VcEnhanced, _) => "VC enhanced",
    }
}

fn path(peer: &PeerReport) -> String {
    let Some(path) = &peer.path else {
        return match peer.candidates.len() {
            0 => "none, it has to speak first".into(),
            1 => "none, 1 to try".into(),
            many => format!("none, {many} to try"),
        };
    };
    if let Some(relayed) = &peer.relayed {
        let since = quantity::micros(relayed.since);
        return format!("relayed by {} since {since}: no direct path is proven", relayed.by);
    }
    let local = path.local.map_or("any".into(), |local| local.to_string());
    let doubt = if path.validated { "" } else { " (not validated)" };
    let dear = if path.metered { " (metered)" } else { "" };
    format!("{local} -> {}{doubt}{dear}", path.remote)
}

/// Older than this, a proof says nothing about now. The same bound as the daemon's own, which asks for a proof
/// every 10 s while data flows and lets two of its questions be lost: people and programs are told the same.
const RECENT_MICROS: u64 = 30_000_000;

#[cfg(test)]
mod tests {
    use super::*;
    use stead_io::control::{AttachmentReport, PathReport, RelayedReport, ResumptionReport, StandbyReport};

    fn peer() -> PeerReport {
        PeerReport {
            name: "home".into(),
            public_key: "k".into(),
            virtual_addresses: vec!["10.77.0.1/32".into()],
            kind: PeerKind::VcEnhanced,
            cipher: Some("AES-256-GCM".into()),
            state: PeerState::Proven,
            held_since: None,
            held_because: None,
            held_packets: 0,
            held_bytes: 0,
            held_connections: 0,
            suspensions: 0,
            longest_suspension: 0,
            refusal: None,
            resumption: None,
            path: Some(PathReport {
                local: Some("192.0.2.5:51820".parse().unwrap()),
                remote: "198.51.100.3:51820".parse().unwrap(),
                validated: true,
                metered: false,
                rtt: Some(12_300),
                mtu: Some(1420),
            }),
            standby: Vec::new(),
            relayed: None,
            candidates: Vec::new(),
            last_received: Some(400_000),
            last_acknowledged: Some(2_100_000),
            last_handshake: Some(61_000_000),
            handshakes: 1,
            moves_local: 3,
            moves_remote: 0,
            bytes_sent: 1_234_000,
            bytes_received: 99,
            packets_sent: 1000,
            packets_received: 1,
            public: Some(true),
        }
    }

    fn report(peers: Vec<PeerReport>) -> StatusReport {
        StatusReport {
            interface: "stead0".into(),
            public_key: "HIgo9xNzJMWLKASShiTqIybxZ0U3wGLiUeJ1PKf8ykw=".into(),
            virtual_addresses: vec!["fd73:7465:6164::1/128".into(), "10.77.0.2/24".into()],
            listen_port: 51820,
            attachment: AttachmentReport {
                addresses: vec!["192.0.2.5".parse().unwrap()],
                default_v4: Some("192.0.2.5".parse().unwrap()),
                default_v6: None,
                standby: Vec::new(),
                metered: Vec::new(),
                changed: 7_000_000,
            },
            uptime: 3_700_000_000,
            connections: 4,
            connections_limit: 65536,
            services: Vec::new(),
            peers,
            drops: [("replayed".to_owned(), 2)].into(),
        }
    }

    #[test]
    fn a_report_shows_the_node_its_peers_and_the_drops() {
        let text = render(&report(vec![peer()]), Paint::Plain);
        assert_eq!(
            text,
            "interface        stead0\n\
             public key       HIgo9xNzJMWLKASShiTqIybxZ0U3wGLiUeJ1PKf8ykw=\n\
             addresses        fd73:7465:6164::1/128, 10.77.0.2/24\n\
             listens on       UDP port 51820\n\
             attached at      192.0.2.5, for 7.0 s\n\
             connections      4 of at most 65536\n\
             running for      1h 1m\n\
             \n\
             PEER  STATE   LAST HEARD  LAST HEARD US  RTT    MTU   PATH\n\
             home  proven  0.4 s ago   2.1 s ago      12 ms  1420  192.0.2.5:51820 -> 198.51.100.3:51820\n\
             \n\
             PEER  KIND         CIPHER       HANDSHAKE  SENT    RECEIVED  MOVES HERE  THERE\n\
             home  VC enhanced  AES-256-GCM  1m 1s ago  1.2 MB  99 B      3           0\n\
             \n\
             DROPPED   COUNT\n\
             replayed  2\n"
        );
    }

    #[test]
    fn proven_is_said_only_with_a_recent_proof_in_both_directions() {
        assert_eq!(state(&peer()), "proven");
        for doubt in [None, Some(30_000_001)] {
            assert_eq!(state(&PeerReport { last_received: doubt, ..peer() }), "unproven");
            assert_eq!(state(&PeerReport { last_acknowledged: doubt, ..peer() }), "unproven");
        }
    }

    #[test]
    fn a_held_peer_tells_for_how_long_and_how_much() {
        let held = PeerReport {
            state: PeerState::Held,
            held_since: Some(3_200_000),
            held_packets: 14,
            held_bytes: 2_400,
            ..peer()
        };
        assert_eq!(state(&held), "held for 3.2 s, 14 waiting, 2.4 kB");
        let ordered = PeerReport { held_because: Some("ordered".into()), held_connections: 3, ..held };
        assert_eq!(state(&ordered), "held for 3.2 s on order, 14 of 3 connections waiting, 2.4 kB");
    }

    #[test]
    fn the_last_resumption_and_what_the_filter_refuses_are_told() {
        let resumption = Some(ResumptionReport { began: 3_000_000, took: 41_000, resent: 12, released: 7 });
        let refusal = Some(RefusalReport {
            local: Some("10.7.0.2:51820".parse().unwrap()),
            remote: "198.51.100.3:51820".parse().unwrap(),
            since: 2_000_000,
            last: 10_000,
        });
        let text = peers(&[PeerReport { resumption, refusal, ..peer() }], Paint::Plain);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[lines.len() - 5..],
            [
                "",
                "PEER  RESUMED    AFTER PROOF  SENT AGAIN  HELD BEFORE",
                "home  3.0 s ago  41 ms        12          7",
                "",
                "home: this host's filter has refused datagrams for 2.0 s; \
                 allow UDP from 10.7.0.2:51820 to 198.51.100.3:51820 and back",
            ]
        );
    }

    #[test]
    fn a_path_that_is_not_validated_or_not_there_says_so() {
        let unvalidated = PathReport { validated: false, local: None, ..peer().path.unwrap() };
        assert_eq!(
            path(&PeerReport { path: Some(unvalidated), ..peer() }),
            "any -> 198.51.100.3:51820 (not validated)"
        );
        assert_eq!(path(&PeerReport { path: None, ..peer() }), "none, it has to speak first");
        let candidates = vec!["192.0.2.1:1".parse().unwrap()];
        assert_eq!(path(&PeerReport { path: None, candidates, ..peer() }), "none, 1 to try");
    }

    #[test]
    fn standby_paths_are_listed_with_the_age_of_their_proof_and_a_metered_path_says_so() {
        assert!(standby(&[peer()]).is_none(), "no table without any");
        let ready = StandbyReport {
            local: Some("10.8.0.2".parse().unwrap()),
            remote: "198.51.100.3:51820".parse().unwrap(),
            proven: Some(3_000_000),
            rtt: Some(40_000),
        };
        let table = standby(&[PeerReport { standby: vec![ready], ..peer() }]).unwrap().render(Paint::Plain);
        assert!(table.contains("10.8.0.2 -> 198.51.100.3:51820") && table.contains("3.0 s ago"), "{table}");

        let dear = PathReport { metered: true, ..peer().path.unwrap() };
        assert!(path(&PeerReport { path: Some(dear), ..peer() }).ends_with(" (metered)"));
    }

    #[test]
    fn a_relayed_path_says_by_whom_since_when_and_why() {
        let relayed = Some(RelayedReport { by: "rendezvous".into(), since: 12_000_000 });
        assert_eq!(
            path(&PeerReport { relayed, ..peer() }),
            "relayed by rendezvous since 12 s: no direct path is proven"
        );
    }

    #[test]
    fn a_service_tells_when_it_answered_how_it_sees_us_and_what_it_holds() {
        let service = RegistrationReport {
            name: "rendezvous".into(),
            public_key: "k".into(),
            remote: Some("203.0.113.7:51821".parse().unwrap()),
            connected: true,
            last_answered: Some(3_000_000),
            rtt: Some(20_000),
            apparent: Some("198.51.100.9:4242".parse().unwrap()),
            public: Some(false),
            registered: 2,
            peers: 3,
            handshakes: 1,
            relay: true,
            relay_slots: 1,
            refused: Some("quota".into()),
        };
        let silent = RegistrationReport {
            name: "second".into(),
            remote: None,
            connected: false,
            last_answered: None,
            rtt: None,
            apparent: None,
            public: None,
            registered: 0,
            relay: false,
            relay_slots: 0,
            refused: None,
            ..service.clone()
        };
        let with = StatusReport { services: vec![service, silent], ..report(vec![peer()]) };
        let text = render(&with, Paint::Plain);
        let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).skip(7).take(3).collect();
        assert_eq!(
            lines,
            [
                "SERVICE     ANSWERED   RTT    SEES US AT                     REGISTERED              RELAY",
                "rendezvous  3.0 s ago  20 ms  198.51.100.9:4242, behind NAT  2 of 3, refused: quota  ready for 1",
                "second      never      -      not known yet                  0 of 3                  off",
            ]
        );
    }

    #[test]
    fn a_host_without_a_way_out_is_not_called_attached_to_the_world() {
        let mut lost = report(Vec::new());
        lost.attachment.default_v4 = None;
        assert_eq!(attached(&lost), "192.0.2.5 without a default route");
        lost.attachment.addresses.clear();
        assert_eq!(attached(&lost), "no network");
        assert!(render(&lost, Paint::Plain).contains("No peers are configured"));
    }
}
