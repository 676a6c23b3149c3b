//! The distribution's wireguard-go.

use std::process::Command;

use super::system::{Program, System};
use super::wireguard::{self, INTERFACE, WG};
use crate::error::RigError;
use crate::host::Host;
use crate::process::Process;

pub(super) const SYSTEM: System =
    wireguard::system("wireguard-go", &[PROGRAM, WG], |host, setup| wireguard::start(host, setup, command()));

/// Starts it with a configuration that `wg setconf` reads, addresses of its own, and routes to its peers.
pub(crate) fn launch(
    host: &Host,
    configuration: String,
    own: &[String],
    peers: &[String],
) -> Result<Process, RigError> {
    wireguard::launch(host, command(), configuration, own, peers)
}

fn command() -> Command {
    let mut command = PROGRAM.command(&["-f", INTERFACE]);
    command.env("LOG_LEVEL", "error");
    command
}

const PROGRAM: Program = Program::debian("wireguard-go", "wireguard-go");
