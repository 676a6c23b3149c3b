//! What a service's file says, value by value, with the place of each.

use core::time::Duration;
use std::collections::BTreeSet;

use serde_yaml::Value;
use stead_noise::keys::PublicKey;
use stead_sns::{Quotas, RelayLimits};

use crate::document::Document;
use crate::mistake::Mistake;
use crate::raw::{key_file, log_filter, out_of_range, port, public_key};
use crate::report::Finding;
use crate::section::{Item, Located, Section};
use crate::value::log_filter::LogFilter;
use crate::value::{duration, size};

/// A service's configuration as it is written.
#[derive(Debug)]
pub(super) struct Raw {
    pub(super) private_key_file: Option<Located<String>>,
    pub(super) listen_port: Option<Located<u16>>,
    pub(super) control_socket: Option<Located<String>>,
    pub(super) log: Option<Located<LogFilter>>,
    /// Whom it serves; `None` for everyone.
    pub(super) clients: Option<BTreeSet<PublicKey>>,
    pub(super) longest_lease: Option<Located<Duration>>,
    pub(super) window: Option<Located<Duration>>,
    pub(super) quotas: Quotas,
    pub(super) relay: Option<RelayLimits>,
}

impl Raw {
    /// Reads everything that can be read and reports the rest.
    ///
    /// `None` if the document is not a set of keys at all.
    pub(super) fn read(document: &Document, findings: &mut Vec<Finding>) -> Option<Self> {
        let mut top = Section::open(Item::top(document), &TOP_KEYS, findings)?;
        Some(Self {
            private_key_file: top.required(
                "private_key_file",
                "the path of this service's secret key, from this file's directory",
                "`stead keygen --out private.key` makes one; then write `private_key_file: private.key`",
                key_file,
            ),
            listen_port: top.optional("listen_port", port),
            control_socket: top.optional("control_socket", |item| item.text("the path of a socket")),
            log: top.optional("log", log_filter),
            clients: clients(&mut top),
            longest_lease: top.optional("longest_lease", |item| within(item, &LEASES)),
            window: top.optional("window", |item| within(item, &WINDOWS)),
            quotas: quotas(&mut top),
            relay: relay(&mut top),
        })
    }
}

/// `any`, or a list of keys. An empty list serves nobody, which somebody may want.
fn clients(top: &mut Section<'_, '_>) -> Option<BTreeSet<PublicKey>> {
    let item = top.item("clients")?;
    if item.value.as_str() == Some("any") {
        return None;
    }
    Some(top.list("clients", public_key).into_iter().map(|key| key.value).collect())
}

fn quotas(top: &mut Section<'_, '_>) -> Quotas {
    let mut quotas = Quotas::default();
    let Some(item) = top.item("quotas") else { return quotas };
    let Some(mut section) = Section::open(item, &QUOTA_KEYS, top.findings()) else { return quotas };
    let mut read = |key, place: &mut usize| {
        if let Some(number) = section.optional(key, number) {
            *place = number.value;
        }
    };
    read("clients", &mut quotas.clients);
    read("clients_per_address", &mut quotas.clients_per_address);
    read("subscriptions", &mut quotas.subscriptions);
    read("subscriptions_per_client", &mut quotas.subscriptions_per_client);
    read("subscriptions_per_address", &mut quotas.subscriptions_per_address);
    quotas
}

/// `off`, `on`, or the limits.
fn relay(top: &mut Section<'_, '_>) -> Option<RelayLimits> {
    let mut limits = RelayLimits::default();
    let Some(item) = top.item("relay") else { return Some(limits) };
    match item.value {
        Value::String(word) if word == "off" => return None,
        Value::Bool(false) => return None,
        Value::String(word) if word == "on" => return Some(limits),
        Value::Bool(true) => return Some(limits),
        _ => {}
    }
    let Some(mut section) = Section::open(item, &RELAY_KEYS, top.findings()) else { return Some(limits) };
    let mut read = |key, place: &mut u64| {
        if let Some(bytes) = section.optional(key, bytes) {
            *place = bytes.value;
        }
    };
    read("rate", &mut limits.rate);
    read("burst", &mut limits.burst);
    read("total", &mut limits.total);
    Some(limits)
}

fn number(item: &Item<'_>) -> Result<usize, Mistake> {
    let expected = "a number from 1 to 16777216";
    let found = item.number(expected)?;
    let bounded = usize::try_from(found).ok().filter(|number| (1..=1 << 24).contains(number));
    bounded.ok_or_else(|| out_of_range(item, found, expected))
}

fn bytes(item: &Item<'_>) -> Result<u64, Mistake> {
    let text = item.text("a number of bytes such as `1MB`")?;
    let bytes = size::parse(&text).map_err(|fault| {
        let (key, found) = (item.path.clone(), text.clone());
        Mistake::Size { key, found, fault }
    })?;
    if bytes < LEAST_BYTES {
        return Err(out_of_range(item, text, "at least `2kB`, room for one datagram"));
    }
    Ok(bytes)
}

/// From when to when a time may be, and how a report says so.
struct Range {
    shortest: Duration,
    longest: Duration,
    words: &'static str,
}

fn within(item: &Item<'_>, range: &Range) -> Result<Duration, Mistake> {
    let text = item.text("a duration such as `10m`")?;
    let duration = duration::parse(&text).map_err(|fault| {
        let (key, found) = (item.path.clone(), text.clone());
        Mistake::Duration { key, found, fault }
    })?;
    if !(range.shortest..=range.longest).contains(&duration) {
        return Err(out_of_range(item, text, range.words));
    }
    Ok(duration)
}

/// A lease is told in 16 bits of seconds.
const LEASES: Range = Range {
    shortest: Duration::from_secs(10),
    longest: Duration::from_secs(65_535),
    words: "a duration from 10s to 65535s",
};

/// Longer than a minute nothing moves at once.
const WINDOWS: Range =
    Range { shortest: Duration::ZERO, longest: Duration::from_secs(60), words: "a duration from 0s to 60s" };

/// A full datagram must fit, or the relay would carry handshakes and never data.
const LEAST_BYTES: u64 = 2000;

const TOP_KEYS: [&str; 9] = [
    "private_key_file",
    "listen_port",
    "control_socket",
    "log",
    "clients",
    "longest_lease",
    "window",
    "quotas",
    "relay",
];

const QUOTA_KEYS: [&str; 5] = [
    "clients",
    "clients_per_address",
    "subscriptions",
    "subscriptions_per_client",
    "subscriptions_per_address",
];

const RELAY_KEYS: [&str; 3] = ["rate", "burst", "total"];
