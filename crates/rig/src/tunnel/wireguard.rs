//! What every WireGuard in user space has in common: a program that makes the device, and `wg` that configures it.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::End;
use super::setup::{Keys, PORT, Setup, write_secret};
use super::system::{Program, Running, System};
use crate::address::{Family, Prefix};
use crate::error::RigError;
use crate::host::Host;
use crate::moves::Move;
use crate::netlink::Route;
use crate::process::Process;

/// A row of the table; `programs` are the one that makes the device, and [`WG`].
pub(super) const fn system(
    name: &'static str,
    programs: &'static [Program],
    start: fn(&Host, &Setup) -> Result<Running, RigError>,
) -> System {
    System {
        programs,
        keys: |host, _| Keys::printed(host, wg(&["genkey"]), wg(&["pubkey"])),
        preshared_key: || Ok(Some(wg(&["genpsk"]))),
        follow,
        ..System::new(name, start)
    }
}

/// What configures it.
pub(super) const WG: Program = Program::debian("wg", "wireguard-tools");

/// Starts one end with a program that makes the device [`INTERFACE`] and stays in the foreground.
pub(super) fn start(host: &Host, setup: &Setup, program: Command) -> Result<Running, RigError> {
    let own = [(Family::V4, 24), (Family::V6, 64)]
        .map(|(family, length)| Prefix { address: setup.inner.address(family), length }.to_string());
    Ok(launch(host, program, configuration(setup), &own, &[])?.into())
}

/// As [`start`], with a configuration that `wg setconf` reads, addresses of its own, and routes to its peers.
pub(super) fn launch(
    host: &Host,
    program: Command,
    configuration: String,
    own: &[String],
    peers: &[String],
) -> Result<Process, RigError> {
    // What it left if it was killed would stand in the way of the next one.
    host.call(|| std::fs::remove_file(CONTROL).ok())?;
    let process = host.spawn(program)?;
    process.wait_until(CONTROL, (LOOK_UP, READY_PATIENCE), || host.call(|| Path::new(CONTROL).exists()))?;

    let settings = write_secret(host, "wg.conf", configuration)?;
    host.output(wg(&["setconf", INTERFACE, &settings.to_string_lossy()]))?;
    let parsed = |texts: &[String]| texts.iter().map(|text| text.parse()).collect::<Result<Vec<Prefix>, _>>();
    let (own, peers) = (parsed(own)?, parsed(peers)?);
    host.inside(move |inside| {
        inside.set_mtu(INTERFACE, MTU)?;
        inside.set_up(INTERFACE)?;
        own.into_iter().try_for_each(|place| inside.add_address(INTERFACE, place))?;
        peers.into_iter().try_for_each(|to| {
            inside.add_route(&Route { to, via: None, interface: INTERFACE.to_owned(), metric: None })
        })
    })?;
    Ok(process)
}

/// Gives the mover the fixed host's other endpoint if the family of the old one is gone.
fn follow(mover: &End, fixed: &Host, step: &Move) -> Result<Option<String>, RigError> {
    let known = mover.host.output(wg(&["show", INTERFACE, "endpoints"]))?;
    let known_family = if known.contains('[') { Family::V6 } else { Family::V4 };
    if step.arrived_with(known_family) {
        return Ok(None);
    }
    let family = if step.arrived_with(Family::V4) { Family::V4 } else { Family::V6 };
    let Some(address) = fixed.address(family) else { return Ok(None) };
    let endpoint = SocketAddr::new(address, PORT).to_string();
    mover.host.output(wg(&["set", INTERFACE, "peer", &mover.setup.peer.key, "endpoint", &endpoint]))?;
    Ok(Some(format!("endpoint set to {endpoint}")))
}

/// A command of `wg`.
fn wg(arguments: &[&str]) -> Command {
    WG.command(arguments)
}

fn configuration(setup: &Setup) -> String {
    let peer = &setup.peer;
    let mut text = format!(
        "[Interface]\nPrivateKey = {secret}\nListenPort = {PORT}\n\
         [Peer]\nPublicKey = {public}\nAllowedIPs = {v4}/32, {v6}/128\n",
        secret = setup.own.secret,
        public = peer.key,
        v4 = peer.inner.address(Family::V4),
        v6 = peer.inner.address(Family::V6),
    );
    let keepalive = setup.keepalive.map(|interval| interval.as_secs().max(1).to_string());
    let further = [
        ("Endpoint", peer.endpoints.first()),
        ("PresharedKey", setup.preshared_key.as_ref()),
        ("PersistentKeepalive", keepalive.as_ref()),
    ];
    for (key, value) in further {
        if let Some(value) = value {
            text += &format!("{key} = {value}\n");
        }
    }
    text
}

/// What the device is called on every host.
pub(super) const INTERFACE: &str = "wg0";
const CONTROL: &str = "/run/wireguard/wg0.sock";
/// What every WireGuard uses on a link of 1500: room for IPv6, UDP and the transport message.
const MTU: u32 = 1420;
/// It takes milliseconds.
const READY_PATIENCE: Duration = Duration::from_secs(10);
const LOOK_UP: Duration = Duration::from_millis(5);
