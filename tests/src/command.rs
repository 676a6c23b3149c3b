//! The program as somebody at a terminal of a host runs it.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use stead_rig::report::{ConnectionReport, StatusReport};
use stead_rig::tunnel::stead_program;
use stead_rig::{Host, Process, RigError};

use crate::patience::{secs, within};

/// Where the rig lets its tunnels' configurations and sockets lie, on a file system private to each host.
pub const DIRECTORY: &str = "/run/rig";
/// The configuration of a host's tunnel.
pub const CONFIGURATION: &str = "/run/rig/stead.yaml";
/// The control socket of a host's tunnel.
pub const SOCKET: &str = "/run/rig/stead0.sock";
/// What the program prints once it carries traffic.
pub const READY: &str = "stead: ready";

/// The program with `arguments`, to be run in a host.
///
/// # Errors
/// If it is not built.
pub fn stead(arguments: &[&str]) -> Result<Command, RigError> {
    let mut command = Command::new(stead_program()?);
    command.args(arguments);
    Ok(command)
}

/// Runs `stead up` with a configuration of the host until it is ready.
///
/// # Errors
/// With all it printed, if it does not get ready.
pub fn up(host: &Host, configuration: &str) -> Result<Process, RigError> {
    let process = host.spawn(stead(&["up", configuration])?)?;
    process.wait_for(READY, PATIENCE)?;
    Ok(process)
}

/// How a program ended that was to end by itself, and what it printed.
#[derive(Debug)]
pub struct Ending {
    /// Its exit status; none if a signal ended it.
    pub code: Option<i32>,
    /// Its standard output and error.
    pub text: String,
}

/// Runs `command` in the host until it ends.
///
/// # Errors
/// If it cannot be started.
///
/// # Panics
/// If it does not end.
pub fn ending(host: &Host, command: Command) -> Result<Ending, RigError> {
    let mut process = host.spawn(command)?;
    let ended = within(PATIENCE, || !process.is_running());
    assert!(ended, "it goes on in stead of ending:\n{}", process.log());
    let status = process.terminate(Duration::ZERO)?;
    // What it printed last comes through a pipe of its own.
    crate::patience::pass(Duration::from_millis(100));
    Ok(Ending { code: status.code(), text: process.log() })
}

/// `stead status --json` of a host's tunnel.
///
/// # Errors
/// If the program fails.
///
/// # Panics
/// If what it prints is no report.
pub fn status(host: &Host) -> Result<StatusReport, RigError> {
    let text = host.output(stead(&["status", "--json", "--socket", SOCKET])?)?;
    Ok(serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}")))
}

/// `stead connections --json` of a host's tunnel.
///
/// # Errors
/// If the program fails.
///
/// # Panics
/// If what it prints is no report.
pub fn connections(host: &Host) -> Result<Vec<ConnectionReport>, RigError> {
    let text = host.output(stead(&["connections", "--json", "--socket", SOCKET])?)?;
    Ok(serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}")))
}

/// Changes an address or a route of the host by hand, as `ip` takes it.
///
/// # Errors
/// If `ip` refuses.
pub fn ip(host: &Host, line: &str) -> Result<(), RigError> {
    let mut command = Command::new("ip");
    command.args(line.split_whitespace());
    host.output(command).map(drop)
}

/// Changes the host's filter, or reads it, as `nft` takes it.
///
/// # Errors
/// If `nft` refuses.
pub fn nft(host: &Host, line: &str) -> Result<String, RigError> {
    let mut command = Command::new("nft");
    command.args(line.split_whitespace());
    host.output(command)
}

/// Writes a file into the host's directory of tunnels; it belongs to root alone.
///
/// # Errors
/// What the system refused.
pub fn write(host: &Host, name: &str, text: String) -> Result<String, RigError> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let path = PathBuf::from(DIRECTORY).join(name);
    let target = path.clone();
    let written = host.call(move || {
        fs::create_dir_all(DIRECTORY)?;
        let mut options = fs::OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&target)?;
        std::io::Write::write_all(&mut file, text.as_bytes())
    })?;
    written.map_err(RigError::io(format!("write {}", path.display())))?;
    Ok(path.display().to_string())
}

/// Reads a file of the host.
///
/// # Errors
/// What the system refused.
pub fn read(host: &Host, path: &str) -> Result<String, RigError> {
    let source = path.to_owned();
    host.call(move || fs::read_to_string(source))?.map_err(RigError::io(format!("read {path}")))
}

/// Whether the host has a file.
///
/// # Errors
/// If the host is gone.
pub fn exists(host: &Host, path: &str) -> Result<bool, RigError> {
    let path = PathBuf::from(path);
    host.call(move || path.exists())
}

/// A copy of the configuration of the host's tunnel under another name, with each of `edits` made in it.
///
/// # Errors
/// What the system refused.
///
/// # Panics
/// If there is nothing to edit.
pub fn edited(host: &Host, name: &str, edits: &[(&str, &str)]) -> Result<String, RigError> {
    let mut text = read(host, CONFIGURATION)?;
    for (from, to) in edits {
        assert!(text.contains(from), "no `{from}` in\n{text}");
        text = text.replace(from, to);
    }
    write(host, name, text)
}

/// A start or an end takes milliseconds; looking up a name that nobody answers for takes longest.
const PATIENCE: Duration = secs(30);
