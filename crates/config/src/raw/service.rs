//! A subscribe-notify service as it is written under `services:`.

use core::time::Duration;

use stead_noise::keys::PublicKey;

use super::{endpoint, is_plain_name, keepalive, on_or_off, public_key};
use crate::mistake::Mistake;
use crate::report::{Finding, Position};
use crate::section::{Item, Located, Section};
use crate::value::endpoint::Endpoint;

/// A service as it is written.
#[derive(Debug)]
pub(crate) struct RawService {
    pub(crate) name: String,
    pub(crate) public_key: Option<Located<PublicKey>>,
    pub(crate) endpoints: Vec<Located<Endpoint>>,
    pub(crate) relay: Option<Located<bool>>,
    pub(crate) keepalive: Option<Located<Option<Duration>>>,
}

pub(super) fn services(top: &mut Section<'_, '_>) -> Vec<RawService> {
    let Some(item) = top.item("services") else {
        return Vec::new();
    };
    let Some(section) = Section::open_names(item, top.findings()) else {
        return Vec::new();
    };
    let entries = section.entries();
    entries.into_iter().filter_map(|(name, place, item)| service(name, place, item, top.findings())).collect()
}

fn service(name: String, place: Position, item: Item<'_>, findings: &mut Vec<Finding>) -> Option<RawService> {
    if !is_plain_name(&name) {
        findings.push(Finding::mistake(Some(place), Mistake::ServiceName { name: name.clone() }));
    }
    let mut section = Section::open(item.at(place), &SERVICE_KEYS, findings)?;
    let nowhere = section.item("endpoints").is_some_and(|item| item.is_hollow());
    if nowhere || !section.is_attempted("endpoints") {
        let mistake = Mistake::MissingKey {
            key: format!("services.{name}.endpoints"),
            expected: "where the service waits: `ip:port` or `name:port`",
            hint: "whoever runs the service knows it; nobody can look for the one who is to look for others",
        };
        section.findings().push(Finding::mistake(Some(place), mistake));
    }
    Some(RawService {
        public_key: section.required(
            "public_key",
            "the service's public key, 44 characters of base64",
            "`stead pubkey private.key` prints it where the service runs",
            public_key,
        ),
        endpoints: if nowhere { Vec::new() } else { section.list("endpoints", endpoint) },
        relay: section.optional("relay", on_or_off),
        keepalive: section.optional("keepalive", keepalive),
        name,
    })
}

const SERVICE_KEYS: [&str; 4] = ["public_key", "endpoints", "relay", "keepalive"];
