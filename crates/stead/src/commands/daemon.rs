//! Finds the running node that is meant, and asks it.

use std::fs;
use std::path::{Path, PathBuf};

use stead_config::value::interface_name::InterfaceName;
use stead_config::{Configuration, ServiceConfiguration, control_socket};
use stead_io::control::{self, Outcome, Request};

use crate::cli::{DaemonArgs, NamedDaemonArgs};
use crate::failure::Failure;

/// Sends a request to the node that the arguments name, or to the only one there is.
pub(crate) fn ask(arguments: &DaemonArgs, request: &Request) -> Result<Outcome, Failure> {
    let socket = socket(arguments)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| {
        Failure::refused(format!("the system gave no means to wait for an answer: {error}"), "try again")
    })?;
    Ok(runtime.block_on(control::ask(&socket, request))?.outcome)
}

/// The same for a command whose arguments are something else than a configuration.
pub(crate) fn ask_named(arguments: &NamedDaemonArgs, request: &Request) -> Result<Outcome, Failure> {
    let NamedDaemonArgs { config, interface, socket } = arguments;
    let arguments =
        DaemonArgs { configuration: config.clone(), interface: interface.clone(), socket: socket.clone() };
    ask(&arguments, request)
}

/// An answer to another question than ours.
pub(crate) fn beside_the_point() -> Failure {
    Failure::refused("the daemon answered another question", "restart it with the same version of stead")
}

fn socket(arguments: &DaemonArgs) -> Result<PathBuf, Failure> {
    if let Some(path) = &arguments.socket {
        return Ok(path.clone());
    }
    if let Some(name) = &arguments.interface {
        return named(name);
    }
    match &arguments.configuration {
        Some(path) => of_configuration(path),
        None => only_one(),
    }
}

/// A node's configuration, or else a service's. If it is neither, its mistakes are told as a node's.
fn of_configuration(path: &Path) -> Result<PathBuf, Failure> {
    Configuration::control_socket_of(path)
        .or_else(|report| ServiceConfiguration::control_socket_of(path).map_err(|_| report))
        .map_err(Failure::from)
}

fn named(name: &str) -> Result<PathBuf, Failure> {
    let interface: InterfaceName = name.parse().map_err(|fault| {
        Failure::refused(format!("the interface `{name}` {fault}"), "`ip link` lists interfaces")
    })?;
    Ok(control_socket::default_for(&interface))
}

/// The one control socket in the usual place; the default interface's if there is none to be seen.
fn only_one() -> Result<PathBuf, Failure> {
    let mut sockets = control_socket::default_directory().map(sockets_in).unwrap_or_default();
    match sockets.len() {
        0 => Ok(control_socket::default_for(&InterfaceName::default())),
        1 => Ok(sockets.remove(0)),
        _ => {
            let names: Vec<_> = sockets.iter().filter_map(|path| path.file_stem()?.to_str()).collect();
            let what = format!("several nodes run here: {}", names.join(", "));
            Err(Failure::refused(what, format!("say which, such as `--interface {}`", names[0])))
        }
    }
}

fn sockets_in(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().filter_map(Result::ok);
    let mut sockets: Vec<_> = entries
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|it| it == "sock"))
        .collect();
    sockets.sort();
    sockets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sockets_are_taken_for_sockets() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["b.sock", "a.sock", "state.json"] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        assert_eq!(sockets_in(dir.path()), [dir.path().join("a.sock"), dir.path().join("b.sock")]);
        assert!(sockets_in(&dir.path().join("nowhere")).is_empty());
    }

    #[test]
    fn a_name_that_no_interface_has_is_refused() {
        assert!(named("../../etc/passwd").is_err());
        assert!(named("stead0").unwrap().ends_with("stead0.sock") || cfg!(windows));
    }
}
