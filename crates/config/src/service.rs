//! The configuration of a subscribe-notify service: read as a node's is, with the same reports.

mod raw;

use std::path::{Path, PathBuf};

use stead_noise::keys::PublicKey;
use stead_sns::Settings;

use self::raw::Raw;
use crate::configuration::{directory_of, read_document};
use crate::control_socket;
use crate::report::{Finding, Report};
use crate::resolve::load_secret;
use crate::value::interface_name::InterfaceName;
use crate::value::log_filter::LogFilter;

/// A checked configuration of a service. Made by [`ServiceConfiguration::load`] only.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServiceConfiguration {
    /// The UDP port to listen on; 0 for any free one.
    pub listen_port: u16,
    /// Where `stead status` reaches the running service.
    pub control_socket: PathBuf,
    /// What to log.
    pub log: LogFilter,
    /// Everything that the service itself needs to know.
    pub settings: Settings,
    /// Doubts that do not forbid using it.
    pub warnings: Report,
}

impl ServiceConfiguration {
    /// Loads and checks a configuration and the key file that it names.
    ///
    /// # Errors
    /// A [`Report`] of everything that is wrong, not only of the first mistake, with the warnings
    /// among it.
    pub fn load(path: &Path) -> Result<Self, Report> {
        let mut findings = Vec::new();
        let loaded =
            read_raw(path, &mut findings).and_then(|raw| resolve(raw, directory_of(path), &mut findings));
        let report = Report::new(path, findings);
        match loaded {
            Some(configuration) if report.errors() == 0 => Ok(Self { warnings: report, ..configuration }),
            _ => Err(report),
        }
    }

    /// The service's public key. Costs a scalar multiplication.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        self.settings.secret.public_key()
    }

    /// Where the service that runs this configuration can be asked, without touching any key file.
    ///
    /// # Errors
    /// A [`Report`], as of [`ServiceConfiguration::load`], if the file itself has mistakes.
    pub fn control_socket_of(path: &Path) -> Result<PathBuf, Report> {
        let mut findings = Vec::new();
        let socket =
            read_raw(path, &mut findings).map(|raw| control_socket(&raw, directory_of(path), &mut findings));
        let report = Report::new(path, findings);
        socket.filter(|_| report.errors() == 0).ok_or(report)
    }
}

fn read_raw(path: &Path, findings: &mut Vec<Finding>) -> Option<Raw> {
    let document = read_document(path, findings)?;
    Raw::read(&document, findings)
}

/// Fills in the defaults and reads the key file.
fn resolve(raw: Raw, directory: &Path, findings: &mut Vec<Finding>) -> Option<ServiceConfiguration> {
    let control_socket = control_socket(&raw, directory, findings);
    let secret = raw.private_key_file.and_then(|file| load_secret(&file, directory, findings))?;
    let defaults = Settings::new(secret);
    Some(ServiceConfiguration {
        listen_port: raw.listen_port.map_or(DEFAULT_PORT, |port| port.value),
        control_socket,
        log: raw.log.map(|log| log.value).unwrap_or_default(),
        settings: Settings {
            clients: raw.clients,
            quotas: raw.quotas,
            longest_lease: raw.longest_lease.map_or(defaults.longest_lease, |lease| lease.value),
            window: raw.window.map_or(defaults.window, |window| window.value),
            relay: raw.relay,
            ..defaults
        },
        warnings: Report::new(directory, Vec::new()),
    })
}

fn control_socket(raw: &Raw, directory: &Path, findings: &mut Vec<Finding>) -> PathBuf {
    let Some(path) = &raw.control_socket else {
        // No interface has this name while a node runs beside the service, unless somebody gave it.
        return control_socket::default_for(&DEFAULT_NAME.parse::<InterfaceName>().unwrap_or_default());
    };
    let socket = directory.join(&path.value);
    if let Err(mistake) = control_socket::check("control_socket", &socket) {
        findings.push(Finding::mistake(Some(path.place), mistake));
    }
    socket
}

/// A node's own port is 51820; a service may run beside one.
const DEFAULT_PORT: u16 = 51821;

/// Names the default control socket.
const DEFAULT_NAME: &str = "sns";

#[cfg(test)]
mod tests;
