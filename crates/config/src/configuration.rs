//! A configuration that can be used: every value present, every key loaded, no two in conflict.

use core::time::Duration;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use stead_noise::keys::{PresharedKey, PublicKey, StaticSecret};

use crate::document::Document;
use crate::mistake::Mistake;
use crate::raw::Raw;
use crate::report::{Finding, Report};
use crate::value::endpoint::Endpoint;
use crate::value::interface_name::InterfaceName;
use crate::value::interface_pattern::InterfacePattern;
use crate::value::log_filter::LogFilter;
use crate::value::prefix::{InterfaceAddress, Prefix};

/// A checked configuration. Made by [`Configuration::load`] only.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Configuration {
    /// The TUN device's name.
    pub interface: InterfaceName,
    /// This node's static secret.
    pub secret: StaticSecret,
    /// The UDP port to listen on; 0 for any free one.
    pub listen_port: u16,
    /// This node's virtual addresses: first the one that belongs to its key, then the configured ones.
    pub addresses: Vec<InterfaceAddress>,
    /// The largest inner packet, in bytes.
    pub mtu: u16,
    /// What may seal towards VC-enhanced peers.
    pub cipher: CipherChoice,
    /// Threads that carry packets; `None` leaves it to the number of processors.
    pub workers: Option<usize>,
    /// Whether this node may be attached elsewhere one day.
    pub mobile: bool,
    /// Where `stead status` and its like reach the running program.
    pub control_socket: PathBuf,
    /// Where it is kept, below a directory of the interface's name, where peers were.
    pub state_directory: StateDirectory,
    /// What to log.
    pub log: LogFilter,
    /// How many entries the LCT table may have.
    pub connection_limit: usize,
    /// How packets wait for a peer that cannot be reached.
    pub suspension: Suspension,
    /// Interfaces of networks that are to be used only if nothing else leads to a peer.
    pub metered: Vec<InterfacePattern>,
    /// What is kept of what was sent, to send it again when a move has lost it; `None` for nothing.
    pub resend: Option<Resend>,
    /// The program, with its arguments, that is told of each 5-tuple before it is used.
    pub path_hook: Option<Vec<String>>,
    /// The subscribe-notify services, by name.
    pub services: Vec<Service>,
    /// The peers, by name.
    pub peers: Vec<Peer>,
    /// Doubts that do not forbid using it.
    pub warnings: Report,
}

/// How much of what was sent is kept, and for how long.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Resend {
    /// Bytes per peer.
    pub memory: usize,
    /// Bytes for all peers together.
    pub memory_of_all: usize,
    /// What was sent longer ago is not sent again.
    pub age: Duration,
}

impl Default for Resend {
    /// A window of a fast TCP connection per peer, 16 such peers at once, and a time after which applications have
    /// repeated themselves.
    fn default() -> Self {
        Self { memory: 4_000_000, memory_of_all: 64_000_000, age: Duration::from_secs(10) }
    }
}

/// Where state is kept from one start to the next.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum StateDirectory {
    /// Where the system keeps such things for this user.
    #[default]
    Usual,
    /// Here.
    At(PathBuf),
    /// Nowhere.
    Off,
}

/// What may seal towards VC-enhanced peers; plain WireGuard peers know ChaCha20-Poly1305 only.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum CipherChoice {
    /// AES-256-GCM where both processors have instructions for it, else ChaCha20-Poly1305.
    #[default]
    Auto,
    /// Always WireGuard's own.
    ChaCha20Poly1305,
}

/// A checked peer.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Peer {
    /// What people call it.
    pub name: String,
    /// Who it is.
    pub public_key: PublicKey,
    /// The secret that this pair shares besides.
    pub preshared_key: Option<PresharedKey>,
    /// Where to try first, in the written order, none twice.
    pub endpoints: Vec<Endpoint>,
    /// What it answers for: first the address that belongs to its key, then the configured blocks.
    pub allowed_ips: Vec<Prefix>,
    /// How often to say something when there is nothing to say.
    pub persistent_keepalive: Option<Duration>,
}

/// How packets wait for a peer that cannot be reached.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Suspension {
    /// Most bytes held for all peers together.
    pub memory: usize,
    /// How long packets wait that are no TCP.
    pub datagrams_for: Duration,
    /// Whether the host's TCP is told to wait, and held for as long as it takes.
    pub tcp: bool,
}

/// A checked subscribe-notify service.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Service {
    /// What people call it.
    pub name: String,
    /// Who it is.
    pub public_key: PublicKey,
    /// Where it waits, in the written order, none twice.
    pub endpoints: Vec<Endpoint>,
    /// Whether it may relay what no direct path carries.
    pub relay: bool,
    /// How often a node behind a NAT says something to it, so that it can be told where its peers are.
    pub keepalive: Option<Duration>,
}

/// A route into the tunnel.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Route<'a> {
    /// Where to.
    pub prefix: Prefix,
    /// Who answers there.
    pub peer: &'a str,
}

impl Configuration {
    /// Loads and checks a configuration and the key files that it names.
    ///
    /// # Errors
    /// A [`Report`] of everything that is wrong, not only of the first mistake, with the warnings
    /// among it.
    pub fn load(path: &Path) -> Result<Self, Report> {
        let mut findings = Vec::new();
        let loaded = Self::read(path, &mut findings);
        let report = Report::new(path, findings);
        match loaded {
            Some(configuration) if report.errors() == 0 => Ok(Self { warnings: report, ..configuration }),
            _ => Err(report),
        }
    }

    /// This node's public key. Costs a scalar multiplication.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        self.secret.public_key()
    }

    /// The routes into the tunnel: every block that a peer answers for, the longest first.
    #[must_use]
    pub fn routes(&self) -> Vec<Route<'_>> {
        let mut routes: Vec<_> = self
            .peers
            .iter()
            .flat_map(|peer| {
                peer.allowed_ips.iter().map(|prefix| Route { prefix: *prefix, peer: &peer.name })
            })
            .collect();
        routes.sort_by_key(|route| {
            (route.prefix.address().is_ipv6(), core::cmp::Reverse(route.prefix.length()), route.prefix)
        });
        routes
    }

    /// Where the program that runs this configuration can be asked, without touching any key file.
    ///
    /// # Errors
    /// A [`Report`], as of [`Configuration::load`], if the file itself has mistakes.
    pub fn control_socket_of(path: &Path) -> Result<PathBuf, Report> {
        let mut findings = Vec::new();
        let socket =
            read_raw(path, &mut findings).map(|raw| raw.control_socket(directory_of(path), &mut findings));
        let report = Report::new(path, findings);
        socket.filter(|_| report.errors() == 0).ok_or(report)
    }

    fn read(path: &Path, findings: &mut Vec<Finding>) -> Option<Self> {
        read_raw(path, findings)?.resolve(directory_of(path), findings)
    }
}

fn read_raw(path: &Path, findings: &mut Vec<Finding>) -> Option<Raw> {
    let document = read_document(path, findings)?;
    Raw::read(&document, findings)
}

/// The file as YAML, or what kept it from being that.
pub(crate) fn read_document(path: &Path, findings: &mut Vec<Finding>) -> Option<Document> {
    let bytes = match read_bounded(path) {
        Ok(bytes) => bytes,
        Err(mistake) => {
            findings.push(Finding::mistake(None, mistake));
            return None;
        }
    };
    Document::parse(&bytes).map_err(|mut found| findings.append(&mut found)).ok()
}

/// Where paths in a configuration begin.
pub(crate) fn directory_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new(""))
}

fn read_bounded(path: &Path) -> Result<Vec<u8>, Mistake> {
    let unreadable = |error: std::io::Error| Mistake::Unreadable { reason: crate::plain_reason(&error) };
    let file = File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > LARGEST {
        return Err(Mistake::TooLarge { limit: LARGEST });
    }
    Ok(bytes)
}

/// Room for some twenty thousand peers, and a bound for whoever names a disk.
const LARGEST: u64 = 4 << 20;
