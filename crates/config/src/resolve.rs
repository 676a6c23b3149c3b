//! The second half of loading: what the file means.
//!
//! Key files are read, defaults filled in, values compared with each other. Like the first half it
//! goes on after a mistake, so that all of them are reported together.

use core::time::Duration;
use std::path::{Path, PathBuf};

use stead_noise::keys::{PresharedKey, StaticSecret};

use crate::configuration::{Configuration, Peer, Service, StateDirectory, Suspension};
use crate::conflicts;
use crate::control_socket;
use crate::raw::{Raw, RawPeer, RawService, RawSuspension};
use crate::report::{Finding, Report};
use crate::secrets::KeyFile;
use crate::section::Located;
use crate::value::endpoint::Endpoint;
use crate::value::key;
use crate::value::prefix::{InterfaceAddress, Prefix};
use crate::warning::Warning;

impl Raw {
    /// Makes the configuration; `None` only if something without which there is none is missing, and
    /// reported.
    ///
    /// `directory` is where the configuration lies: paths in it begin there.
    pub(crate) fn resolve(self, directory: &Path, findings: &mut Vec<Finding>) -> Option<Configuration> {
        self.doubts(findings);
        let control_socket = self.control_socket(directory, findings);
        let state_directory = match &self.state_directory {
            None => StateDirectory::Usual,
            Some(off) if off.value == "off" => StateDirectory::Off,
            Some(path) => StateDirectory::At(directory.join(&path.value)),
        };
        let interface = self.interface.map(|name| name.value).unwrap_or_default();
        let secret = self.private_key_file.and_then(|file| load_secret(&file, directory, findings));
        let own_key = secret.as_ref().map(StaticSecret::public_key);

        let mut addresses: Vec<_> =
            own_key.iter().map(|key| InterfaceAddress::host(key.virtual_address().into())).collect();
        for address in self.addresses {
            if !addresses.contains(&address.value) {
                addresses.push(address.value);
            }
        }
        conflicts::between_keys(&self.peers, own_key, findings);
        conflicts::between_claims(&self.peers, &addresses, findings);
        conflicts::between_services(&self.services, &self.peers, own_key, findings);
        conflicts::between_endpoints(&self.peers, !self.services.is_empty(), findings);
        let mut peers: Vec<_> =
            self.peers.into_iter().filter_map(|peer| resolve_peer(peer, directory, findings)).collect();
        peers.sort_by(|a, b| a.name.cmp(&b.name));
        let mut services: Vec<_> = self.services.into_iter().filter_map(resolve_service).collect();
        services.sort_by(|a, b| a.name.cmp(&b.name));

        let metered =
            self.networks.into_iter().filter(|network| network.metered.as_ref().is_some_and(|it| it.value));
        let metered = metered.map(|network| network.interfaces);
        let RawSuspension { memory, datagrams_for, tcp } = self.suspension;
        let suspension = Suspension {
            memory: memory.map_or(DEFAULT_MEMORY, |memory| memory.value),
            datagrams_for: datagrams_for.map_or(DEFAULT_DATAGRAMS_FOR, |duration| duration.value),
            tcp: tcp.is_none_or(|tcp| tcp.value),
        };

        Some(Configuration {
            interface,
            secret: secret?,
            listen_port: self.listen_port.map_or(DEFAULT_PORT, |port| port.value),
            addresses,
            mtu: self.mtu.map_or(DEFAULT_MTU, |mtu| mtu.value),
            cipher: self.cipher.map(|cipher| cipher.value).unwrap_or_default(),
            workers: self.workers.and_then(|workers| workers.value),
            mobile: self.mobile.is_none_or(|mobile| mobile.value),
            control_socket,
            state_directory,
            log: self.log.map(|log| log.value).unwrap_or_default(),
            connection_limit: self.connection_limit.map_or(DEFAULT_CONNECTIONS, |limit| limit.value),
            suspension,
            metered: metered.collect(),
            resend: self.resend,
            path_hook: self.path_hook.map(|hook| hook.value),
            services,
            peers,
            warnings: Report::new(directory, Vec::new()),
        })
    }

    /// The control socket that is named, or the one that belongs to the interface.
    pub(crate) fn control_socket(&self, directory: &Path, findings: &mut Vec<Finding>) -> PathBuf {
        let Some(path) = &self.control_socket else {
            let interface = self.interface.as_ref().map(|name| name.value.clone()).unwrap_or_default();
            return control_socket::default_for(&interface);
        };
        let socket = directory.join(&path.value);
        if let Err(mistake) = control_socket::check("control_socket", &socket) {
            findings.push(Finding::mistake(Some(path.place), mistake));
        }
        socket
    }

    fn doubts(&self, findings: &mut Vec<Finding>) {
        if !self.names_peers {
            findings.push(Finding::warning(Some(self.peers_place), Warning::NoPeers));
        }
        if let Some(mtu) = self.mtu.as_ref().filter(|mtu| mtu.value > DEFAULT_MTU) {
            findings.push(Finding::warning(Some(mtu.place), Warning::LargeMtu { mtu: mtu.value }));
        }
    }
}

fn resolve_peer(raw: RawPeer, directory: &Path, findings: &mut Vec<Finding>) -> Option<Peer> {
    let preshared_key =
        raw.preshared_key_file.and_then(|file| load_preshared(&raw.name, &file, directory, findings));
    let public_key = raw.public_key?.value;
    let endpoints = none_twice(raw.endpoints);
    let mut allowed_ips = vec![Prefix::host(public_key.virtual_address().into())];
    for prefix in raw.allowed_ips {
        if !allowed_ips.contains(&prefix.value) {
            allowed_ips.push(prefix.value);
        }
    }
    let persistent_keepalive = raw.persistent_keepalive.and_then(|keepalive| keepalive.value);
    Some(Peer { name: raw.name, public_key, preshared_key, endpoints, allowed_ips, persistent_keepalive })
}

fn resolve_service(raw: RawService) -> Option<Service> {
    Some(Service {
        name: raw.name,
        public_key: raw.public_key?.value,
        endpoints: none_twice(raw.endpoints),
        relay: raw.relay.is_none_or(|relay| relay.value),
        keepalive: raw.keepalive.map_or(Some(DEFAULT_KEEPALIVE), |keepalive| keepalive.value),
    })
}

fn none_twice(written: Vec<Located<Endpoint>>) -> Vec<Endpoint> {
    let mut endpoints: Vec<Endpoint> = Vec::new();
    for endpoint in written {
        if !endpoints.contains(&endpoint.value) {
            endpoints.push(endpoint.value);
        }
    }
    endpoints
}

pub(crate) fn load_secret(
    file: &Located<String>,
    directory: &Path,
    findings: &mut Vec<Finding>,
) -> Option<StaticSecret> {
    let key_file =
        KeyFile { key: "private_key_file", path: directory.join(&file.value), maker: "stead keygen --out" };
    load(&key_file, file, key::secret, findings)
}

fn load_preshared(
    peer: &str,
    file: &Located<String>,
    directory: &Path,
    findings: &mut Vec<Finding>,
) -> Option<PresharedKey> {
    let key = format!("peers.{peer}.preshared_key_file");
    let path = directory.join(&file.value);
    let key_file = KeyFile { key: &key, path, maker: "stead keygen --preshared --out" };
    load(&key_file, file, key::preshared, findings)
}

fn load<K>(
    key_file: &KeyFile<'_>,
    file: &Located<String>,
    parse: impl FnOnce(&str) -> Result<K, key::KeyFault>,
    findings: &mut Vec<Finding>,
) -> Option<K> {
    match key_file.load(parse) {
        Ok((key, warning)) => {
            findings.extend(warning.map(|warning| Finding::warning(Some(file.place), warning)));
            Some(key)
        }
        Err(mistake) => {
            findings.push(Finding::mistake(Some(file.place), mistake));
            None
        }
    }
}

/// WireGuard's customary port.
const DEFAULT_PORT: u16 = 51820;

/// What is left of Ethernet's 1500 bytes after IPv6 (40), UDP (8), header and tag (32).
const DEFAULT_MTU: u16 = 1420;

/// Shorter than NATs remember a silent mapping: 30 s is common, though RFC 4787 asks for two minutes.
const DEFAULT_KEEPALIVE: Duration = Duration::from_secs(25);

/// A window of a fast connection for each of some tens of peers.
const DEFAULT_MEMORY: usize = 64_000_000;

/// Longer than a lost handshake's retry takes, which is after 5 s.
const DEFAULT_DATAGRAMS_FOR: Duration = Duration::from_secs(10);

/// Some tens of megabytes: more than a host's own applications open, enough for a hub of many.
const DEFAULT_CONNECTIONS: usize = 65536;
