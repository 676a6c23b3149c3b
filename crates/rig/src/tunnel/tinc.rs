//! Debian's tinc 1.0 with its defaults.
//!
//! While it does not know how large a datagram may be, it sends what is larger over its TCP connection; so a tunnel is
//! ready only when both ends know.

use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;

use super::End;
use super::setup::{Inner, Keys, PORT, Setup, fresh_directory, read, write_secret};
use super::system::{Program, Running, System};
use crate::address::{Family, Prefix};
use crate::error::RigError;
use crate::host::Host;
use crate::process::Process;

pub(super) const SYSTEM: System = System { programs: &[PROGRAM], keys, settle, ..System::new("tinc", start) };

/// Its secret lies in a file of the host; what the other side is told is the public key in PEM.
fn keys(host: &Host, inner: Inner) -> Result<Keys, RigError> {
    fresh_directory(host, DIRECTORY)?;
    let directory = fresh_directory(host, &format!("{DIRECTORY}/hosts"))?;
    let own = name(inner);
    write_secret(host, &format!("{DIRECTORY}/tinc.conf"), format!("Name = {own}\n"))?;
    host.output(PROGRAM.command(&["-c", PLACE, "-K2048"]))?;
    Ok(Keys { secret: String::new(), public: read(host, directory.join(own))? })
}

fn start(host: &Host, setup: &Setup) -> Result<Running, RigError> {
    let (own, peer) = (name(setup.inner), name(setup.peer.inner));
    let mut text = format!(
        "Name = {own}\nInterface = {INTERFACE}\nDeviceType = tun\nAddressFamily = any\nPort = {PORT}\n"
    );
    let mut addresses = String::new();
    if !setup.peer.endpoints.is_empty() {
        text += &format!("ConnectTo = {peer}\n");
    }
    for endpoint in setup.peer.endpoints.iter().filter_map(|endpoint| endpoint.parse().ok()) {
        let endpoint: std::net::SocketAddr = endpoint;
        addresses += &format!("Address = {} {}\n", endpoint.ip(), endpoint.port());
    }
    write_secret(host, &format!("{DIRECTORY}/tinc.conf"), text)?;
    write_secret(host, &format!("{DIRECTORY}/hosts/{own}"), subnets(setup.inner) + &setup.own.public)?;
    let known = addresses + &subnets(setup.peer.inner) + &setup.peer.key;
    write_secret(host, &format!("{DIRECTORY}/hosts/{peer}"), known)?;

    let process =
        host.spawn(PROGRAM.command(&["-D", "-d1", "-c", PLACE, "--pidfile=/run/rig/tinc/tinc.pid"]))?;
    process.wait_for(READY, READY_PATIENCE)?;
    let own = [(Family::V4, 24), (Family::V6, 64)]
        .map(|(family, length)| Prefix { address: setup.inner.address(family), length });
    host.inside(move |inside| {
        inside.set_up(INTERFACE)?;
        own.into_iter().try_for_each(|place| inside.add_address(INTERFACE, place))
    })?;
    // Until it has heard what is behind the other side, it answers that nothing is.
    if !setup.peer.endpoints.is_empty() {
        let owned = format!("owner {peer}");
        ask(&process, &owned, |log| log.contains(&owned))?;
    }
    Ok(process.into())
}

/// Waits until it has found how large a datagram to the other side may be.
fn settle(end: &End) -> Result<(), RigError> {
    let Some(process) = &end.process else { return Ok(()) };
    let peer = format!(" {} at ", name(end.setup.peer.inner));
    let of_peer = |line: &&str| line.contains(&peer) && line.contains(" pmtu ");
    let last = |log: &str| log.lines().rfind(of_peer).is_some_and(is_known);
    ask(process, &format!("a path MTU for{peer}"), last)
}

/// Has it print what it knows of every node and subnet until that is what is `wanted`.
fn ask(process: &Process, wanted: &str, holds: impl Fn(&str) -> bool) -> Result<(), RigError> {
    process.wait_until(wanted, (Duration::ZERO, SETTLE_PATIENCE), || {
        process.signal(Signal::SIGUSR2);
        thread::sleep(LOOK_UP);
        Ok(holds(&process.log()))
    })
}

/// Whether a node's line ends in two bounds that have met, as in `pmtu 1451 (min 1451 max 1451)`.
fn is_known(line: &str) -> bool {
    let bound =
        |name: &str| -> Option<u32> { line.split_once(name)?.1.split([' ', ')']).next()?.parse().ok() };
    bound("(min ").is_some_and(|least| least > 0 && bound(" max ") == Some(least))
}

/// Nodes are known by names of letters and digits.
fn name(inner: Inner) -> &'static str {
    if inner == super::setup::MOVER { "mover" } else { "fixed" }
}

fn subnets(inner: Inner) -> String {
    let (v4, v6) = (inner.address(Family::V4), inner.address(Family::V6));
    format!("Subnet = {v4}/32\nSubnet = {v6}/128\n")
}

const PROGRAM: Program = Program::debian("tincd", "tinc");
const INTERFACE: &str = "tinc0";
/// Below the directory of the host's tunnel.
const DIRECTORY: &str = "tinc";
const PLACE: &str = "/run/rig/tinc";
/// What it prints once its device is there.
const READY: &str = "Ready";
/// It takes milliseconds.
const READY_PATIENCE: Duration = Duration::from_secs(10);
/// It asks once a second with ever closer bounds; five rounds are usual.
const SETTLE_PATIENCE: Duration = Duration::from_secs(30);
const LOOK_UP: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_mtu_is_known_when_its_bounds_have_met() {
        let line = |bounds: &str| format!(" fixed at 198.18.0.2 port 51820 cipher 427 pmtu 1471 ({bounds})");
        assert!(is_known(&line("min 1451 max 1451")));
        assert!(!is_known(&line("min 1436 max 1471")));
        assert!(!is_known(&line("min 0 max 0")));
        assert!(!is_known("Connected to fixed (198.18.0.2 port 51820)"));
    }
}
