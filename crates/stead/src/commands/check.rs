//! `stead check`: is this configuration usable, and what does it mean?

use core::fmt::Write as _;
use std::path::Path;

use serde::Serialize;
use stead_config::{Configuration, Finding, Paint, Peer, Report, Service};

use super::up::state_directory;
use crate::cli::CheckArgs;
use crate::failure::Failure;
use crate::render::quantity;
use crate::{render, terminal};

pub(crate) fn run(arguments: &CheckArgs) -> Result<(), Failure> {
    let loaded = Configuration::load(&arguments.file);
    if arguments.json {
        terminal::print(&render::json_line(&Answer::new(&arguments.file, &loaded)))?;
        return loaded.map(drop).map_err(|_| Failure::Shown);
    }
    let configuration = loaded?;
    terminal::print(&meaning(&configuration, terminal::stdout_paint()))?;
    if !configuration.warnings.is_empty() {
        let paint = terminal::stderr_paint();
        terminal::warn(&format!(
            "\n{}{}",
            configuration.warnings.render(paint),
            terminal::tally(&configuration.warnings)
        ));
    }
    Ok(())
}

/// What the configuration means, for people.
fn meaning(configuration: &Configuration, paint: Paint) -> String {
    let mut text = format!("{} is valid\n\n", configuration.warnings.file().display());
    let mut line = |name: &str, value: &str| {
        // Writing into a String cannot fail.
        let _ = writeln!(text, "{} {value}", paint.faint(&format!("{name:<16}")));
    };
    line("interface", &format!("{}, packets up to {} bytes", configuration.interface, configuration.mtu));
    line("public key", &configuration.public_key().to_string());
    for (index, address) in configuration.addresses.iter().enumerate() {
        let note = if index == 0 { "  (belongs to the key)" } else { "" };
        line(if index == 0 { "addresses" } else { "" }, &format!("{address}{note}"));
    }
    line(
        "listens on",
        &match configuration.listen_port {
            0 => "any free UDP port".to_owned(),
            port => format!("UDP port {port}"),
        },
    );
    line("moves", if configuration.mobile { "perhaps" } else { "never: peers keep nothing ready for that" });
    line("control socket", &configuration.control_socket.display().to_string());
    line(
        "remembers in",
        &state_directory(&configuration.state_directory).map_or_else(
            || "nothing: where peers are is not kept".to_owned(),
            |path| path.display().to_string(),
        ),
    );
    line("logs", configuration.log.as_str());
    line("connections", &format!("{} at most", configuration.connection_limit));
    for interfaces in &configuration.metered {
        line("metered", &format!("{interfaces}: used only if nothing else leads to a peer"));
    }
    for service in &configuration.services {
        text.push_str(&service_meaning(service, paint));
    }
    for peer in &configuration.peers {
        text.push_str(&peer_meaning(peer, !configuration.services.is_empty(), paint));
    }
    text.push_str(&routes(configuration, paint));
    text
}

fn service_meaning(service: &Service, paint: Paint) -> String {
    let mut text = format!("\n{}\n", paint.strong(&format!("service {}", service.name)));
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "  {} {value}", paint.faint(&format!("{name:<14}")));
    };
    line("public key", &service.public_key.to_string());
    let endpoints: Vec<_> = service.endpoints.iter().map(ToString::to_string).collect();
    line("waits at", &endpoints.join(", "));
    line("relay", if service.relay { "on, where no direct path is proven" } else { "off" });
    line(
        "behind a NAT",
        &match service.keepalive {
            Some(interval) => format!("a keepalive every {}", quantity::duration(interval)),
            None => "no keepalive".to_owned(),
        },
    );
    text
}

fn peer_meaning(peer: &Peer, found_by_service: bool, paint: Paint) -> String {
    let mut text = format!("\n{}\n", paint.strong(&format!("peer {}", peer.name)));
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "  {} {value}", paint.faint(&format!("{name:<14}")));
    };
    line("public key", &peer.public_key.to_string());
    let endpoints: Vec<_> = peer.endpoints.iter().map(ToString::to_string).collect();
    if endpoints.is_empty() && found_by_service {
        line("tried first at", "wherever a service says that it is");
    } else if endpoints.is_empty() {
        line("tried first at", "nowhere: it has to speak first");
    } else {
        line("tried first at", &endpoints.join(", "));
    }
    let prefixes: Vec<_> = peer.allowed_ips.iter().map(ToString::to_string).collect();
    line("answers for", &prefixes.join(", "));
    line("preshared key", if peer.preshared_key.is_some() { "yes" } else { "no" });
    line(
        "keepalive",
        &match peer.persistent_keepalive {
            Some(interval) => format!("every {}", quantity::duration(interval)),
            None => "off".to_owned(),
        },
    );
    text
}

fn routes(configuration: &Configuration, paint: Paint) -> String {
    let routes = configuration.routes();
    if routes.is_empty() {
        return String::new();
    }
    let mut text = format!("\n{}\n", paint.strong(&format!("routes into {}", configuration.interface)));
    let width = routes.iter().map(|route| route.prefix.to_string().len()).max().unwrap_or_default();
    for route in routes {
        let _ = writeln!(text, "  {:<width$}  to {}", route.prefix.to_string(), route.peer);
    }
    text
}

/// The same for programs. Durations in microseconds.
#[derive(Serialize)]
struct Answer {
    file: String,
    valid: bool,
    node: Option<NodeAnswer>,
    services: Vec<ServiceAnswer>,
    peers: Vec<PeerAnswer>,
    routes: Vec<RouteAnswer>,
    findings: Vec<FindingAnswer>,
}

#[derive(Serialize)]
struct NodeAnswer {
    interface: String,
    public_key: String,
    virtual_addresses: Vec<String>,
    listen_port: u16,
    mtu: u16,
    mobile: bool,
    control_socket: String,
    state_directory: Option<String>,
    log: String,
    connections_limit: usize,
}

#[derive(Serialize)]
struct ServiceAnswer {
    name: String,
    public_key: String,
    endpoints: Vec<String>,
    relay: bool,
    keepalive: Option<u64>,
}

#[derive(Serialize)]
struct PeerAnswer {
    name: String,
    public_key: String,
    endpoints: Vec<String>,
    virtual_addresses: Vec<String>,
    preshared_key: bool,
    persistent_keepalive: Option<u64>,
}

#[derive(Serialize)]
struct RouteAnswer {
    prefix: String,
    peer: String,
}

#[derive(Serialize)]
struct FindingAnswer {
    severity: &'static str,
    line: Option<usize>,
    column: Option<usize>,
    what: String,
    expected: String,
    hint: String,
}

impl Answer {
    fn new(file: &Path, loaded: &Result<Configuration, Report>) -> Self {
        let configuration = loaded.as_ref().ok();
        let report = match loaded {
            Ok(configuration) => &configuration.warnings,
            Err(report) => report,
        };
        let routes = configuration.map(Configuration::routes).unwrap_or_default();
        let route = |route: &stead_config::Route<'_>| RouteAnswer {
            prefix: route.prefix.to_string(),
            peer: route.peer.into(),
        };
        Self {
            file: file.display().to_string(),
            valid: configuration.is_some(),
            node: configuration.map(NodeAnswer::from),
            services: configuration.iter().flat_map(|it| &it.services).map(ServiceAnswer::from).collect(),
            peers: configuration.iter().flat_map(|it| &it.peers).map(PeerAnswer::from).collect(),
            routes: routes.iter().map(route).collect(),
            findings: report.findings().iter().map(FindingAnswer::from).collect(),
        }
    }
}

impl From<&Configuration> for NodeAnswer {
    fn from(it: &Configuration) -> Self {
        Self {
            interface: it.interface.to_string(),
            public_key: it.public_key().to_string(),
            virtual_addresses: it.addresses.iter().map(ToString::to_string).collect(),
            listen_port: it.listen_port,
            mtu: it.mtu,
            mobile: it.mobile,
            control_socket: it.control_socket.display().to_string(),
            state_directory: state_directory(&it.state_directory).map(|path| path.display().to_string()),
            log: it.log.to_string(),
            connections_limit: it.connection_limit,
        }
    }
}

impl From<&Service> for ServiceAnswer {
    fn from(service: &Service) -> Self {
        Self {
            name: service.name.clone(),
            public_key: service.public_key.to_string(),
            endpoints: service.endpoints.iter().map(ToString::to_string).collect(),
            relay: service.relay,
            keepalive: service.keepalive.map(micros),
        }
    }
}

fn micros(interval: core::time::Duration) -> u64 {
    u64::try_from(interval.as_micros()).unwrap_or(u64::MAX)
}

impl From<&Peer> for PeerAnswer {
    fn from(peer: &Peer) -> Self {
        Self {
            name: peer.name.clone(),
            public_key: peer.public_key.to_string(),
            endpoints: peer.endpoints.iter().map(ToString::to_string).collect(),
            virtual_addresses: peer.allowed_ips.iter().map(ToString::to_string).collect(),
            preshared_key: peer.preshared_key.is_some(),
            persistent_keepalive: peer.persistent_keepalive.map(micros),
        }
    }
}

impl From<&Finding> for FindingAnswer {
    fn from(finding: &Finding) -> Self {
        Self {
            severity: finding.severity().word(),
            line: finding.place.map(|at| at.line),
            column: finding.place.map(|at| at.column),
            what: finding.what(),
            expected: finding.expected(),
            hint: finding.hint(),
        }
    }
}
