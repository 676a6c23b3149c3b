//! What a node is told at its start: who it is, whom it knows, and what belongs to whom.

use core::fmt;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::collections::BTreeMap;

use stead_lct::Rules;
use stead_noise::keys::{PresharedKey, PublicKey, StaticSecret};
use stead_wire::options::Capabilities;

/// Everything a [`Node`](crate::Node) needs to know before its first packet.
pub struct Settings {
    /// Our static key: our identity (and the source of our own virtual address).
    pub secret: StaticSecret,
    /// UDP port that we claim in attachment points; the driver has bound it.
    pub listen_port: u16,
    /// Largest inner packet, in bytes; the TUN device's MTU. Options ride only where they fit below it.
    pub mtu: u16,
    /// On what terms this node is able to go on with VC-enhanced peers: AES in hardware, packets with partial checksums.
    /// What both ends are able to, they do.
    pub able: Capabilities,
    /// Whether this node may be attached elsewhere one day. Peers of a public node that is not keep nothing ready for that.
    pub mobile: bool,
    /// Most entries the local connection translation table may hold.
    pub connections: usize,
    /// What is kept of what was sent, to send it again when a move has lost it.
    pub resending: Resending,
    /// How packets wait for a peer that cannot be reached.
    pub suspension: SuspensionSettings,
    /// The subscribe-notify services by which peers find each other.
    pub services: Vec<ServiceSettings>,
    /// The peers.
    pub peers: Vec<PeerSettings>,
}

/// How much of what was sent is kept, and for how long.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Resending {
    /// Bytes per peer, in steps of 256 KiB; less than one step: nothing is kept.
    pub memory: usize,
    /// Bytes for all peers together.
    pub memory_of_all: usize,
    /// What was sent longer ago is not sent again.
    pub age: Duration,
}

impl Default for Resending {
    /// A window of a fast TCP connection per peer, 16 such peers at once, and a time after which applications have
    /// repeated themselves.
    fn default() -> Self {
        Self { memory: 4 << 20, memory_of_all: 64 << 20, age: Duration::from_secs(10) }
    }
}

/// How packets wait for a peer that cannot be reached.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SuspensionSettings {
    /// Most bytes held for all peers together.
    pub memory: usize,
    /// How long packets wait that are no TCP.
    pub datagrams_for: Duration,
    /// Whether this host's TCP is told to wait and its segments are held for as long as it takes; without it they
    /// wait as others do.
    pub tcp: bool,
}

impl Default for SuspensionSettings {
    fn default() -> Self {
        let Rules { datagrams_for, tcp } = Rules::default();
        Self { memory: 64_000_000, datagrams_for, tcp }
    }
}

impl SuspensionSettings {
    pub(crate) const fn rules(&self) -> Rules {
        Rules { datagrams_for: self.datagrams_for, tcp: self.tcp }
    }
}

/// One subscribe-notify service as configured.
#[derive(Clone, Debug)]
pub struct ServiceSettings {
    /// The name people gave it; used in logs and reports only.
    pub name: String,
    /// Its identity.
    pub public_key: PublicKey,
    /// Where it waits.
    pub endpoints: Vec<SocketAddr>,
    /// Whether it may relay for us what no direct path carries.
    pub relay: bool,
    /// Behind a NAT, say something after this much silence; `None`: never, and be found only when we speak first.
    pub keepalive: Option<Duration>,
}

/// One peer as configured.
#[derive(Clone)]
pub struct PeerSettings {
    /// The name people gave it; used in logs and reports only.
    pub name: String,
    /// Its identity.
    pub public_key: PublicKey,
    /// Mixed into the handshake when both sides have it.
    pub preshared_key: Option<PresharedKey>,
    /// Where it may be found at first. Empty: it has to speak first.
    pub endpoints: Vec<SocketAddr>,
    /// Where it was last proven to be, the newest first, as [`Node::proven_points`](crate::Node::proven_points) told a
    /// program that ran before. Hints: it is asked there at the start, and proven anew.
    pub remembered: Vec<SocketAddr>,
    /// Virtual addresses and subnets that belong to it. Its key-derived address is always added.
    pub allowed_ips: Vec<Prefix>,
    /// Send a keepalive after this much silence in both directions, to keep a NAT's mapping.
    pub persistent_keepalive: Option<Duration>,
}

/// A block of addresses: the first `len` bits of `address`. Host bits are cleared on construction.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Prefix {
    address: IpAddr,
    len: u8,
}

impl Prefix {
    /// The block of `len` leading bits around `address`; `None` if `len` is more than the family has.
    #[must_use]
    pub fn new(address: IpAddr, len: u8) -> Option<Self> {
        let address = match address {
            IpAddr::V4(v4) if len <= 32 => IpAddr::V4((v4.to_bits() & mask_v4(len)).into()),
            IpAddr::V6(v6) if len <= 128 => IpAddr::V6((v6.to_bits() & mask_v6(len)).into()),
            _ => return None,
        };
        Some(Self { address, len })
    }

    /// The block that holds just `address`.
    #[must_use]
    pub const fn host(address: IpAddr) -> Self {
        let len = if address.is_ipv4() { 32 } else { 128 };
        Self { address, len }
    }

    /// First address of the block.
    #[must_use]
    pub const fn address(&self) -> IpAddr {
        self.address
    }

    /// How many leading bits are fixed.
    #[must_use]
    pub const fn prefix_len(&self) -> u8 {
        self.len
    }

    /// Whether `address` lies in the block.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        address.is_ipv4() == self.address.is_ipv4()
            && Self::new(address, self.len).is_some_and(|block| block.address == self.address)
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.len)
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a node refuses its settings.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SettingsError {
    /// One key twice.
    #[error("peers `{0}` and `{1}` have the same public key")]
    SameKey(String, String),
    /// Our own key as a peer's.
    #[error("peer `{0}` has this node's own public key")]
    OwnKey(String),
    /// One block of addresses, two owners.
    #[error("peers `{first}` and `{second}` both claim {prefix}")]
    SamePrefix {
        /// Who claimed it first.
        first: String,
        /// Who claimed it again.
        second: String,
        /// What they claim.
        prefix: Prefix,
    },
    /// A service with the key of a peer, of another service, or our own.
    #[error("service `{0}` has a public key that is somebody else's")]
    ServiceKey(String),
    /// A key for which no handshake can succeed.
    #[error("`{0}` has a low-order public key, which anyone could speak for")]
    LowOrderKey(String),
}

impl Settings {
    /// Refuses what could not work or could not be safe.
    ///
    /// # Errors
    /// The first thing found wrong, see [`SettingsError`].
    pub fn check(&self) -> Result<(), SettingsError> {
        let own = self.secret.public_key();
        let mut keys = BTreeMap::new();
        let mut owners = BTreeMap::new();
        for peer in &self.peers {
            if peer.public_key == own {
                return Err(SettingsError::OwnKey(peer.name.clone()));
            }
            if peer.public_key.is_low_order() {
                return Err(SettingsError::LowOrderKey(peer.name.clone()));
            }
            if let Some(first) = keys.insert(peer.public_key, &peer.name) {
                return Err(SettingsError::SameKey(first.clone(), peer.name.clone()));
            }
            for prefix in &peer.allowed_ips {
                match owners.insert(*prefix, &peer.name) {
                    Some(first) if *first != peer.name => {
                        return Err(SettingsError::SamePrefix {
                            first: first.clone(),
                            second: peer.name.clone(),
                            prefix: *prefix,
                        });
                    }
                    _ => {}
                }
            }
        }
        for service in &self.services {
            if service.public_key.is_low_order() {
                return Err(SettingsError::LowOrderKey(service.name.clone()));
            }
            if service.public_key == own || keys.insert(service.public_key, &service.name).is_some() {
                return Err(SettingsError::ServiceKey(service.name.clone()));
            }
        }
        Ok(())
    }
}

pub(crate) const fn mask_v4(len: u8) -> u32 {
    if len == 0 { 0 } else { u32::MAX << (32 - len) }
}

pub(crate) const fn mask_v6(len: u8) -> u128 {
    if len == 0 { 0 } else { u128::MAX << (128 - len) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(name: &str, key: u8, prefixes: &[&str]) -> PeerSettings {
        PeerSettings {
            name: name.into(),
            public_key: StaticSecret::from_random([key; 32]).public_key(),
            preshared_key: None,
            endpoints: Vec::new(),
            remembered: Vec::new(),
            allowed_ips: prefixes.iter().map(|text| prefix(text)).collect(),
            persistent_keepalive: None,
        }
    }

    fn prefix(text: &str) -> Prefix {
        let (address, len) = text.split_once('/').expect("a slash");
        Prefix::new(address.parse().expect("an address"), len.parse().expect("a length")).expect("a prefix")
    }

    fn settings(peers: Vec<PeerSettings>) -> Settings {
        Settings {
            secret: StaticSecret::from_random([1; 32]),
            listen_port: 1,
            mtu: 1420,
            connections: 16,
            resending: Resending::default(),
            suspension: SuspensionSettings::default(),
            able: Capabilities::NONE,
            mobile: true,
            services: Vec::new(),
            peers,
        }
    }

    #[test]
    fn a_prefix_clears_host_bits_and_knows_what_it_holds() {
        let block = prefix("10.1.2.3/16");
        assert_eq!(block.to_string(), "10.1.0.0/16");
        assert!(block.contains("10.1.255.255".parse().unwrap()));
        assert!(!block.contains("10.2.0.0".parse().unwrap()));
        assert!(!block.contains("::1".parse().unwrap()));
        assert!(prefix("::/0").contains("fd00::1".parse().unwrap()));
        assert!(Prefix::new("10.0.0.0".parse().unwrap(), 33).is_none());
    }

    #[test]
    fn two_owners_of_one_prefix_are_refused_but_a_more_specific_one_is_fine() {
        let overlap = settings(vec![peer("a", 2, &["10.0.0.0/8"]), peer("b", 3, &["10.1.0.0/16"])]);
        assert_eq!(overlap.check(), Ok(()));

        let clash = settings(vec![peer("a", 2, &["10.0.0.0/8"]), peer("b", 3, &["10.0.0.0/8"])]);
        assert!(matches!(clash.check(), Err(SettingsError::SamePrefix { .. })));
    }

    #[test]
    fn a_service_is_neither_us_nor_a_peer_nor_another_service() {
        let service = |name: &str, key: u8| ServiceSettings {
            name: name.into(),
            public_key: StaticSecret::from_random([key; 32]).public_key(),
            endpoints: Vec::new(),
            relay: true,
            keepalive: None,
        };
        let with = |services| Settings { services, ..settings(vec![peer("a", 2, &[])]) };
        assert_eq!(with(vec![service("s", 3), service("t", 4)]).check(), Ok(()));
        for services in [vec![service("t", 1)], vec![service("t", 2)], vec![service("s", 3), service("t", 3)]]
        {
            assert_eq!(with(services).check(), Err(SettingsError::ServiceKey("t".into())));
        }
    }

    #[test]
    fn our_own_key_and_a_key_twice_are_refused() {
        assert_eq!(settings(vec![peer("me", 1, &[])]).check(), Err(SettingsError::OwnKey("me".into())));
        let twice = settings(vec![peer("a", 2, &[]), peer("b", 2, &[])]);
        assert_eq!(twice.check(), Err(SettingsError::SameKey("a".into(), "b".into())));
    }
}
