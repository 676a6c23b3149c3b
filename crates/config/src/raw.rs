//! The first half of loading: what the file says, value by value, with the place of each.
//!
//! Nothing here looks beyond the file, and no value is compared with another; that is the second
//! half ([`resolve`](crate::resolve)).

mod network;
mod resend;
mod service;
mod suspension;

use core::ops::RangeInclusive;
use core::time::Duration;

use stead_noise::keys::PublicKey;

use crate::configuration::{CipherChoice, Resend};
use crate::document::Document;
use crate::mistake::Mistake;
use crate::report::{Finding, Position};
use crate::section::{Item, Located, Section};
use crate::value::duration;
use crate::value::endpoint::Endpoint;
use crate::value::interface_name::InterfaceName;
use crate::value::key;
use crate::value::log_filter::LogFilter;
use crate::value::prefix::{InterfaceAddress, Prefix};

pub(crate) use self::network::RawNetwork;
pub(crate) use self::service::RawService;
pub(crate) use self::suspension::RawSuspension;

/// A configuration as it is written.
#[derive(Debug)]
pub(crate) struct Raw {
    pub(crate) interface: Option<Located<InterfaceName>>,
    pub(crate) private_key_file: Option<Located<String>>,
    pub(crate) listen_port: Option<Located<u16>>,
    pub(crate) addresses: Vec<Located<InterfaceAddress>>,
    pub(crate) mtu: Option<Located<u16>>,
    pub(crate) cipher: Option<Located<CipherChoice>>,
    pub(crate) workers: Option<Located<Option<usize>>>,
    pub(crate) mobile: Option<Located<bool>>,
    pub(crate) control_socket: Option<Located<String>>,
    /// `off` for none.
    pub(crate) state_directory: Option<Located<String>>,
    pub(crate) log: Option<Located<LogFilter>>,
    pub(crate) connection_limit: Option<Located<usize>>,
    pub(crate) suspension: RawSuspension,
    pub(crate) networks: Vec<RawNetwork>,
    /// `None` for `off`.
    pub(crate) resend: Option<Resend>,
    pub(crate) path_hook: Option<Located<Vec<String>>>,
    pub(crate) services: Vec<RawService>,
    pub(crate) peers: Vec<RawPeer>,
    /// Whether anything stands under `peers:`, good or bad.
    pub(crate) names_peers: bool,
    /// Where `peers:` stands, or the top.
    pub(crate) peers_place: Position,
}

/// A peer as it is written.
#[derive(Debug)]
pub(crate) struct RawPeer {
    pub(crate) name: String,
    /// Where the name stands.
    pub(crate) place: Position,
    pub(crate) public_key: Option<Located<PublicKey>>,
    pub(crate) preshared_key_file: Option<Located<String>>,
    /// What is said under `endpoints:`, good or bad.
    pub(crate) whereabouts: Whereabouts,
    pub(crate) endpoints: Vec<Located<Endpoint>>,
    pub(crate) allowed_ips: Vec<Located<Prefix>>,
    pub(crate) persistent_keepalive: Option<Located<Option<Duration>>>,
}

/// What a peer's entry says of where it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Whereabouts {
    /// Nothing; perhaps it was forgotten.
    Unsaid,
    /// An empty list: the peer moves about and speaks first.
    Nowhere,
    /// Something, which may have mistakes of its own.
    Named,
}

impl Raw {
    /// Reads everything that can be read and reports the rest.
    ///
    /// `None` if the document is not a set of keys at all.
    pub(crate) fn read(document: &Document, findings: &mut Vec<Finding>) -> Option<Self> {
        let mut top = Section::open(Item::top(document), &TOP_KEYS, findings)?;
        let peers_place = top.item("peers").map_or(document.root.place, |item| item.place);
        Some(Self {
            interface: top.optional("interface", interface_name),
            private_key_file: top.required(
                "private_key_file",
                "the path of this node's secret key, from this file's directory",
                "`stead keygen --out private.key` makes one; then write `private_key_file: private.key`",
                key_file,
            ),
            listen_port: top.optional("listen_port", port),
            addresses: top.list("addresses", |item| item.parsed("an address such as `10.77.0.1/24`", prefix)),
            mtu: top.optional("mtu", mtu),
            cipher: top.optional("cipher", cipher),
            workers: top.optional("workers", workers),
            mobile: top.optional("mobile", true_or_false),
            control_socket: top.optional("control_socket", |item| item.text("the path of a socket")),
            state_directory: top.optional("state_directory", state_directory),
            log: top.optional("log", log_filter),
            connection_limit: connection_limit(&mut top),
            suspension: suspension::suspension(&mut top),
            networks: network::networks(&mut top),
            resend: resend::resend(&mut top),
            path_hook: path_hook(&mut top),
            services: service::services(&mut top),
            names_peers: top.is_attempted("peers") && !top.item("peers").is_some_and(|item| item.is_hollow()),
            peers: peers(&mut top),
            peers_place,
        })
    }
}

fn connection_limit(top: &mut Section<'_, '_>) -> Option<Located<usize>> {
    let item = top.item("connections")?;
    let mut connections = Section::open(item, &CONNECTIONS_KEYS, top.findings())?;
    connections.optional("limit", |item| {
        let expected = "a number of connections from 16 to 16777216";
        let limit = item.number(expected)?;
        usize::try_from(limit)
            .ok()
            .filter(|limit| (16..=1 << 24).contains(limit))
            .ok_or_else(|| out_of_range(item, limit, expected))
    })
}

fn path_hook(top: &mut Section<'_, '_>) -> Option<Located<Vec<String>>> {
    let item = top.item("hooks")?;
    let mut hooks = Section::open(item, &HOOKS_KEYS, top.findings())?;
    hooks.optional("path_changed", |item| {
        let expected = "a program by its absolute path, and its arguments: `[/etc/stead/path-changed]`";
        let words: Vec<String> =
            item.elements().iter().map(|word| word.text(expected)).collect::<Result<_, _>>()?;
        match words.first() {
            Some(program) if std::path::Path::new(program).is_absolute() => Ok(words),
            Some(program) => Err(out_of_range(item, program, expected)),
            None => Err(item.wrong_type(expected)),
        }
    })
}

fn peers(top: &mut Section<'_, '_>) -> Vec<RawPeer> {
    let Some(item) = top.item("peers") else {
        return Vec::new();
    };
    let Some(section) = Section::open_names(item, top.findings()) else {
        return Vec::new();
    };
    let entries = section.entries();
    entries.into_iter().filter_map(|(name, place, item)| peer(name, place, item, top.findings())).collect()
}

fn peer(name: String, place: Position, item: Item<'_>, findings: &mut Vec<Finding>) -> Option<RawPeer> {
    if !is_plain_name(&name) {
        findings.push(Finding::mistake(Some(place), Mistake::PeerName { name: name.clone() }));
    }
    // A missing key is looked for under the peer's name, where it has to be written.
    let mut section = Section::open(item.at(place), &PEER_KEYS, findings)?;
    Some(RawPeer {
        public_key: section.required(
            "public_key",
            "the peer's public key, 44 characters of base64",
            "`stead pubkey private.key` prints it on the peer",
            public_key,
        ),
        preshared_key_file: section.optional("preshared_key_file", key_file),
        whereabouts: match section.item("endpoints") {
            Some(item) if item.is_hollow() => Whereabouts::Nowhere,
            None if !section.is_attempted("endpoints") => Whereabouts::Unsaid,
            Some(_) | None => Whereabouts::Named,
        },
        endpoints: section.list("endpoints", endpoint),
        allowed_ips: section
            .list("allowed_ips", |item| item.parsed("a block such as `10.77.0.2/32`", prefix)),
        persistent_keepalive: section.optional("persistent_keepalive", keepalive),
        name,
        place,
    })
}

fn interface_name(item: &Item<'_>) -> Result<InterfaceName, Mistake> {
    item.parsed("a name such as `stead0`", |key, found, fault| Mistake::InterfaceName { key, found, fault })
}

pub(crate) fn log_filter(item: &Item<'_>) -> Result<LogFilter, Mistake> {
    item.parsed("a level such as `info`", |key, _, fault| Mistake::LogFilter { key, fault })
}

fn endpoint(item: &Item<'_>) -> Result<Endpoint, Mistake> {
    item.parsed("`ip:port` or `name:port`", |key, found, fault| Mistake::Endpoint { key, found, fault })
}

fn prefix(key: String, found: String, fault: crate::value::prefix::PrefixFault) -> Mistake {
    Mistake::Prefix { key, found, fault }
}

pub(crate) fn key_file(item: &Item<'_>) -> Result<String, Mistake> {
    let path = item.text("the path of a file")?;
    if key::preshared(&path).is_ok() {
        return Err(Mistake::KeyInPlaceOfItsFile { key: item.path.clone() });
    }
    Ok(path)
}

pub(crate) fn port(item: &Item<'_>) -> Result<u16, Mistake> {
    let expected = "a UDP port from 1 to 65535, or 0 for any free one";
    let port = item.number(expected)?;
    u16::try_from(port).map_err(|_| out_of_range(item, port, expected))
}

fn mtu(item: &Item<'_>) -> Result<u16, Mistake> {
    match item.number("a number of bytes, 1420 by default")? {
        mtu if mtu < u64::from(MTU_SMALLEST) => Err(Mistake::MtuTooSmall { mtu }),
        mtu => u16::try_from(mtu).ok().filter(|mtu| *mtu <= MTU_LARGEST).ok_or(Mistake::MtuTooLarge { mtu }),
    }
}

fn cipher(item: &Item<'_>) -> Result<CipherChoice, Mistake> {
    let expected = "`auto` or `chacha20-poly1305`";
    match item.text(expected)?.as_str() {
        "auto" => Ok(CipherChoice::Auto),
        "chacha20-poly1305" => Ok(CipherChoice::ChaCha20Poly1305),
        other => Err(out_of_range(item, other, expected)),
    }
}

fn workers(item: &Item<'_>) -> Result<Option<usize>, Mistake> {
    let expected = "`auto`, or a number of threads from 1 to 8";
    if item.text(expected).is_ok_and(|text| text == "auto") {
        return Ok(None);
    }
    let workers = item.number(expected)?;
    match usize::try_from(workers).ok().filter(|workers| (1..=WORKERS_MOST).contains(workers)) {
        Some(workers) => Ok(Some(workers)),
        None => Err(out_of_range(item, workers, expected)),
    }
}

pub(crate) fn public_key(item: &Item<'_>) -> Result<PublicKey, Mistake> {
    let text = item.text("the peer's public key")?;
    key::public(&text).map_err(|fault| Mistake::PublicKey { key: item.path.clone(), fault })
}

fn keepalive(item: &Item<'_>) -> Result<Option<Duration>, Mistake> {
    let text = item.text("a duration such as `25s`, or `off`")?;
    if text == "off" {
        return Ok(None);
    }
    let bounds = KEEPALIVE_SHORTEST..=KEEPALIVE_LONGEST;
    duration_within(item, text, bounds, "a duration from 1s to 65535s, or `off`").map(Some)
}

/// The duration that `text` of `item` says.
fn duration_within(
    item: &Item<'_>,
    text: String,
    bounds: RangeInclusive<Duration>,
    expected: &'static str,
) -> Result<Duration, Mistake> {
    let duration = duration::parse(&text).map_err(|fault| {
        let (key, found) = (item.path.clone(), text.clone());
        Mistake::Duration { key, found, fault }
    })?;
    if bounds.contains(&duration) { Ok(duration) } else { Err(out_of_range(item, text, expected)) }
}

fn state_directory(item: &Item<'_>) -> Result<String, Mistake> {
    let expected = "the path of a directory, or `off`";
    let path = item.text(expected)?;
    if path.is_empty() { Err(out_of_range(item, path, expected)) } else { Ok(path) }
}

fn true_or_false(item: &Item<'_>) -> Result<bool, Mistake> {
    let expected = "`true` or `false`";
    if let Some(truth) = item.value.as_bool() {
        return Ok(truth);
    }
    match item.text(expected)?.as_str() {
        "on" => Ok(true),
        "off" => Ok(false),
        other => Err(out_of_range(item, other, expected)),
    }
}

pub(crate) fn on_or_off(item: &Item<'_>) -> Result<bool, Mistake> {
    let expected = "`on` or `off`";
    match item.text(expected)?.as_str() {
        "on" => Ok(true),
        "off" => Ok(false),
        other => Err(out_of_range(item, other, expected)),
    }
}

pub(crate) fn out_of_range(item: &Item<'_>, found: impl ToString, expected: &'static str) -> Mistake {
    Mistake::OutOfRange { key: item.path.clone(), found: found.to_string(), expected }
}

/// Names are typed on command lines and shown in tables.
fn is_plain_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=63).contains(&name.len()) && !name.starts_with('-') && name.bytes().all(plain)
}

/// IPv6 needs it (RFC 8200 §5), and the interface always has an IPv6 address, the key's.
pub(crate) const MTU_SMALLEST: u16 = 1280;

/// 65507 bytes fit a UDP datagram over IPv4; header and tag take 32, and the rest is cut to a
/// multiple of 16, WireGuard's padding.
pub(crate) const MTU_LARGEST: u16 = (65507 - 32) / 16 * 16;

/// `wg` counts keepalives in whole seconds, from 1 …
const KEEPALIVE_SHORTEST: Duration = Duration::from_secs(1);

/// … to what fits 16 bits. Longer is longer than any NAT remembers.
const KEEPALIVE_LONGEST: Duration = Duration::from_secs(65535);

/// More threads than this wait for each other.
const WORKERS_MOST: usize = 8;

const TOP_KEYS: [&str; 18] = [
    "interface",
    "private_key_file",
    "listen_port",
    "addresses",
    "mtu",
    "cipher",
    "workers",
    "mobile",
    "control_socket",
    "state_directory",
    "log",
    "connections",
    "suspension",
    "networks",
    "resend",
    "hooks",
    "services",
    "peers",
];

const HOOKS_KEYS: [&str; 1] = ["path_changed"];

const CONNECTIONS_KEYS: [&str; 1] = ["limit"];

const PEER_KEYS: [&str; 5] =
    ["public_key", "preshared_key_file", "endpoints", "allowed_ips", "persistent_keepalive"];
