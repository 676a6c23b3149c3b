//! What no value shows by itself: peers that contradict each other or this node.

use std::collections::HashMap;

use stead_noise::keys::PublicKey;

use crate::mistake::Mistake;
use crate::raw::{RawPeer, RawService, Whereabouts};
use crate::report::Finding;
use crate::value::endpoint::Endpoint;
use crate::value::prefix::{InterfaceAddress, Prefix};
use crate::warning::Warning;

/// No peer is this node, and no two are one.
pub(crate) fn between_keys(peers: &[RawPeer], own_key: Option<PublicKey>, findings: &mut Vec<Finding>) {
    let mut owners: HashMap<PublicKey, (&str, usize)> = HashMap::new();
    for raw in peers {
        let Some(key) = &raw.public_key else { continue };
        let peer = raw.name.clone();
        if Some(key.value) == own_key {
            findings.push(Finding::mistake(Some(key.place), Mistake::OwnKey { peer }));
        } else if let Some((first, first_line)) = owners.get(&key.value) {
            let mistake = Mistake::SameKey { peer, first: (*first).into(), first_line: *first_line };
            findings.push(Finding::mistake(Some(key.place), mistake));
        } else {
            owners.insert(key.value, (&raw.name, key.place.line));
        }
    }
}

/// A service is neither this node, nor a peer, nor another service.
pub(crate) fn between_services(
    services: &[RawService],
    peers: &[RawPeer],
    own_key: Option<PublicKey>,
    findings: &mut Vec<Finding>,
) {
    let mut owners: HashMap<PublicKey, String> = HashMap::new();
    owners.extend(own_key.map(|key| (key, "this node".to_owned())));
    for raw in peers {
        owners.extend(raw.public_key.as_ref().map(|key| (key.value, format!("peer `{}`", raw.name))));
    }
    for raw in services {
        let Some(key) = &raw.public_key else { continue };
        let service = raw.name.clone();
        if let Some(owner) = owners.insert(key.value, format!("service `{service}`")) {
            findings.push(Finding::mistake(Some(key.place), Mistake::ServiceKey { service, owner }));
        }
    }
}

/// No block has two owners; a longer block inside another is how a part is given to someone else.
pub(crate) fn between_claims(peers: &[RawPeer], own: &[InterfaceAddress], findings: &mut Vec<Finding>) {
    let mut owners: HashMap<Prefix, (&str, usize)> = HashMap::new();
    for raw in peers {
        let derived = raw.public_key.as_ref().map(|key| Prefix::host(key.value.virtual_address().into()));
        for claim in &raw.allowed_ips {
            let (peer, prefix) = (raw.name.clone(), claim.value);
            let (first, first_line) = *owners.entry(prefix).or_insert((&raw.name, claim.place.line));
            let mistake = if own.iter().any(|address| Prefix::host(address.address()) == prefix) {
                Mistake::OwnAddress { peer, prefix }
            } else if is_derived(prefix) && Some(prefix) != derived {
                Mistake::ForeignVirtualAddress { peer, prefix }
            } else if first != raw.name {
                Mistake::PrefixTwice { peer, first: first.into(), first_line, prefix }
            } else {
                continue;
            };
            findings.push(Finding::mistake(Some(claim.place), mistake));
        }
    }
}

/// One address of those that belong to keys (D3), fd73:7465:6164::/48.
fn is_derived(prefix: Prefix) -> bool {
    match prefix.address() {
        core::net::IpAddr::V6(address) => prefix.is_host() && address.octets().starts_with(b"\xfdstead"),
        core::net::IpAddr::V4(_) => false,
    }
}

/// Who can speak first, and whether two peers are said to be in one place. With a service, everybody can be found.
pub(crate) fn between_endpoints(peers: &[RawPeer], found_by_service: bool, findings: &mut Vec<Finding>) {
    let mut owners: HashMap<&Endpoint, (&str, usize)> = HashMap::new();
    for raw in peers {
        if raw.whereabouts == Whereabouts::Unsaid && !found_by_service {
            findings.push(Finding::warning(Some(raw.place), Warning::NoEndpoint { peer: raw.name.clone() }));
        }
        if raw.whereabouts != Whereabouts::Named && !found_by_service {
            findings.extend(idle_keepalive(raw));
        }
        for endpoint in &raw.endpoints {
            let (first, first_line) =
                *owners.entry(&endpoint.value).or_insert((&raw.name, endpoint.place.line));
            if first != raw.name {
                let (peer, first, endpoint_text) =
                    (raw.name.clone(), first.into(), endpoint.value.to_string());
                let warning = Warning::SharedEndpoint { peer, first, first_line, endpoint: endpoint_text };
                findings.push(Finding::warning(Some(endpoint.place), warning));
            }
        }
    }
}

fn idle_keepalive(raw: &RawPeer) -> Option<Finding> {
    let keepalive = raw.persistent_keepalive.as_ref().filter(|keepalive| keepalive.value.is_some())?;
    let key = format!("peers.{}.persistent_keepalive", raw.name);
    let warning = Warning::KeepaliveWithoutEndpoint { key, peer: raw.name.clone() };
    Some(Finding::warning(Some(keepalive.place), warning))
}
