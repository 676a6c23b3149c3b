//! `stead up`: runs the node in the foreground until it is told to stop.

use core::net::SocketAddr;
use core::pin::pin;
use core::time::Duration;
use std::path::PathBuf;

use stead_config::{CipherChoice, Configuration, Endpoint, Peer, Resend, Service, StateDirectory};
use stead_io::driver::{Daemon, DaemonSettings, StartError};
use stead_io::tun::VirtualAddress;
use stead_node::{PeerSettings, Prefix, Resending, ServiceSettings, Settings, SuspensionSettings};
use stead_wire::options::Capabilities;
use tokio::net::lookup_host;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tracing::{info, warn};

use crate::cli::UpArgs;
use crate::failure::Failure;
use crate::foreground::{log_to_stderr, runtime, split_hint, stop_signal};
use crate::terminal;

pub(crate) fn run(arguments: &UpArgs) -> Result<(), Failure> {
    let configuration = Configuration::load(&arguments.file)?;
    terminal::warn(&configuration.warnings.render(terminal::stderr_paint()));
    log_to_stderr(configuration.log.as_str());
    let runtime = runtime()?;
    let outcome = runtime.block_on(serve(configuration));
    // The system's resolver may still wait for an answer that nobody needs any more.
    runtime.shutdown_background();
    outcome
}

/// From the configuration to the end of the program.
async fn serve(configuration: Configuration) -> Result<(), Failure> {
    // Asked for before anything is made, so that no signal finds something that it would leave behind.
    let mut stop = pin!(stop_signal()?);
    let settings = tokio::select! {
        settings = daemon_settings(configuration) => settings,
        () = &mut stop => return Ok(()),
    };
    let daemon = Daemon::start(settings).await.map_err(|error| refusal(&error))?;
    let addresses: Vec<_> = daemon.addresses().iter().map(ToString::to_string).collect();
    info!(interface = daemon.interface(), addresses = addresses.join(" "), "Up");
    terminal::print("stead: ready\n")?;
    daemon.run_until(stop).await.map_err(|error| split_hint(&error.to_string()))?;
    info!("Stopped; nothing is left behind");
    Ok(())
}

/// What the daemon is told: the configuration, with its names looked up.
async fn daemon_settings(configuration: Configuration) -> DaemonSettings {
    // All names at once: many that nobody knows take no longer than one.
    let sought = |service: Service| (look_up_all(&service.name, &service.endpoints), service);
    let sought: Vec<_> = configuration.services.into_iter().map(sought).collect();
    let wanted = |peer: Peer| (look_up_all(&peer.name, &peer.endpoints), peer);
    let wanted: Vec<_> = configuration.peers.into_iter().map(wanted).collect();
    let mut services = Vec::new();
    for (lookups, service) in sought {
        services.push(service_settings(service, lookups).await);
    }
    let mut peers = Vec::new();
    for (lookups, peer) in wanted {
        peers.push(peer_settings(peer, lookups).await);
    }
    let addresses = configuration
        .addresses
        .iter()
        .map(|address| VirtualAddress { ip: address.address(), prefix_len: address.length() })
        .collect();
    DaemonSettings {
        interface: configuration.interface.as_str().to_owned(),
        addresses,
        control_socket: configuration.control_socket,
        state_directory: state_directory(&configuration.state_directory),
        path_hook: configuration.path_hook,
        metered: configuration.metered.iter().map(ToString::to_string).collect(),
        workers: configuration.workers.unwrap_or_else(stead_io::workers),
        node: Settings {
            secret: configuration.secret,
            listen_port: configuration.listen_port,
            mtu: configuration.mtu,
            able: able(configuration.cipher),
            mobile: configuration.mobile,
            connections: configuration.connection_limit,
            resending: resending(configuration.resend),
            suspension: SuspensionSettings {
                memory: configuration.suspension.memory,
                datagrams_for: configuration.suspension.datagrams_for,
                tcp: configuration.suspension.tcp,
            },
            services,
            peers,
        },
    }
}

/// Where the daemon remembers where its peers are.
pub(super) fn state_directory(configured: &StateDirectory) -> Option<PathBuf> {
    match configured {
        StateDirectory::Usual => stead_io::state_directory(),
        StateDirectory::At(path) => Some(path.clone()),
        StateDirectory::Off => None,
    }
}

fn resending(resend: Option<Resend>) -> Resending {
    let off = Resending { memory: 0, ..Resending::default() };
    resend.map_or(off, |Resend { memory, memory_of_all, age, .. }| Resending { memory, memory_of_all, age })
}

/// What this host is able to and may do.
fn able(cipher: CipherChoice) -> Capabilities {
    match cipher {
        CipherChoice::Auto => stead_io::ability(),
        CipherChoice::ChaCha20Poly1305 => stead_io::ability().without(Capabilities::FAST_AES),
    }
}

/// Begins to look up the endpoints of a peer or a service; their order stays.
fn look_up_all(name: &str, endpoints: &[Endpoint]) -> Vec<JoinHandle<Vec<SocketAddr>>> {
    let look_up = |endpoint: &Endpoint| tokio::spawn(look_up(endpoint.clone(), name.to_owned()));
    endpoints.iter().map(look_up).collect()
}

/// What was found, in order, none twice.
async fn found(lookups: Vec<JoinHandle<Vec<SocketAddr>>>) -> Vec<SocketAddr> {
    let mut endpoints = Vec::new();
    for lookup in lookups {
        for address in lookup.await.unwrap_or_default() {
            if !endpoints.contains(&address) {
                endpoints.push(address);
            }
        }
    }
    endpoints
}

async fn service_settings(service: Service, lookups: Vec<JoinHandle<Vec<SocketAddr>>>) -> ServiceSettings {
    ServiceSettings {
        endpoints: found(lookups).await,
        name: service.name,
        public_key: service.public_key,
        relay: service.relay,
        keepalive: service.keepalive,
    }
}

async fn peer_settings(peer: Peer, lookups: Vec<JoinHandle<Vec<SocketAddr>>>) -> PeerSettings {
    let endpoints = found(lookups).await;
    let allowed_ips =
        peer.allowed_ips.iter().filter_map(|prefix| Prefix::new(prefix.address(), prefix.length())).collect();
    PeerSettings {
        name: peer.name,
        public_key: peer.public_key,
        preshared_key: peer.preshared_key,
        endpoints,
        // The daemon reads its memory itself.
        remembered: Vec::new(),
        allowed_ips,
        persistent_keepalive: peer.persistent_keepalive,
    }
}

/// Every address of an endpoint. A name that nobody knows now costs that endpoint, not the start: the peer may
/// speak first, or have others.
async fn look_up(endpoint: Endpoint, name: String) -> Vec<SocketAddr> {
    let (host, port) = match &endpoint {
        Endpoint::Address(address) => return vec![*address],
        Endpoint::Name { host, port } => (host.as_str(), *port),
    };
    let error = match timeout(NAME_PATIENCE, lookup_host((host, port))).await {
        Ok(Ok(found)) => return found.collect(),
        Ok(Err(error)) => error.to_string(),
        Err(_elapsed) => format!("no answer within {} s", NAME_PATIENCE.as_secs()),
    };
    warn!(name, %endpoint, error, "Name not found; whoever is there is reached otherwise, or speaks first");
    Vec::new()
}

/// How long the start waits for names: one lost question is repeated by then, and a network without an answer
/// keeps nobody from the peers whose addresses are known.
const NAME_PATIENCE: Duration = Duration::from_secs(6);

fn refusal(error: &StartError) -> Failure {
    split_hint(&error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_endpoint_that_is_an_address_is_not_looked_up_and_a_name_is() {
        let address = Endpoint::Address("192.0.2.1:5".parse().unwrap());
        assert_eq!(look_up(address, "bob".into()).await, ["192.0.2.1:5".parse().unwrap()]);
        let name = Endpoint::Name { host: "localhost".into(), port: 7 };
        assert!(
            look_up(name, "bob".into())
                .await
                .iter()
                .all(|found| found.ip().is_loopback() && found.port() == 7)
        );
        let unknown = Endpoint::Name { host: "name.invalid".into(), port: 7 };
        assert!(look_up(unknown, "bob".into()).await.is_empty());
    }
}
