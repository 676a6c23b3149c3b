//! The distribution's wireguard-go as the tunnel, configured with `wg`.

use std::net::IpAddr;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use super::{End, FIXED, Inner, MOVER, PORT, write_secret};
use crate::address::{Family, Prefix};
use crate::error::RigError;
use crate::host::Host;
use crate::moves::Move;
use crate::process::Process;

pub(super) fn establish(mover: &Host, fixed: &Host) -> Result<(End, End), RigError> {
    let (ours, theirs) = (Keys::make(mover)?, Keys::make(fixed)?);
    let family = if mover.address(Family::V4).is_some() { Family::V4 } else { Family::V6 };
    let endpoint = endpoint(fixed, family)?;
    let known = Peer { key: &theirs.public, inner: FIXED, endpoint: Some(endpoint) };
    let unknown = Peer { key: &ours.public, inner: MOVER, endpoint: None };
    Ok((start(mover, MOVER, &ours, &known)?, start(fixed, FIXED, &theirs, &unknown)?))
}

/// Gives the mover the fixed host's other endpoint if the family of the old one is gone.
pub(super) fn follow(mover: &End, fixed: &End, step: &Move) -> Result<Option<String>, RigError> {
    let family = if step.arrived_with(Family::V4) { Family::V4 } else { Family::V6 };
    let endpoint = endpoint(&fixed.host, family)?;
    let known = mover.host.output(wg(&["show", INTERFACE, "endpoints"]))?;
    let same_family = known.contains('[') == (family == Family::V6);
    if same_family {
        return Ok(None);
    }
    mover.host.output(wg(&["set", INTERFACE, "peer", &fixed.public_key, "endpoint", &endpoint]))?;
    Ok(Some(format!("endpoint set to {endpoint} by hand")))
}

struct Keys {
    secret: String,
    public: String,
}

impl Keys {
    fn make(host: &Host) -> Result<Self, RigError> {
        let secret = host.output(wg(&["genkey"]))?;
        let path = write_secret(host, "private.key", secret.clone())?;
        let public = host.output_fed(wg(&["pubkey"]), &path)?;
        Ok(Self { secret: secret.trim().to_owned(), public: public.trim().to_owned() })
    }
}

struct Peer<'a> {
    key: &'a str,
    inner: Inner,
    endpoint: Option<String>,
}

fn start(host: &Host, inner: Inner, keys: &Keys, peer: &Peer<'_>) -> Result<End, RigError> {
    let mut command = Command::new("wireguard-go");
    command.args(["-f", INTERFACE]).env("LOG_LEVEL", "error");
    let process = host.spawn(command)?;
    await_control(host, &process)?;

    let settings = write_secret(host, "wg.conf", configuration(keys, peer))?;
    host.output(wg(&["setconf", INTERFACE, &settings.to_string_lossy()]))?;
    host.inside(move |inside| {
        inside.set_mtu(INTERFACE, MTU)?;
        inside.set_up(INTERFACE)?;
        for (family, length) in [(Family::V4, 24), (Family::V6, 64)] {
            inside.add_address(INTERFACE, Prefix { address: inner.address(family), length })?;
        }
        Ok(())
    })?;
    Ok(End { host: host.clone(), process: Some(process), control: None, public_key: keys.public.clone() })
}

fn configuration(keys: &Keys, peer: &Peer<'_>) -> String {
    let endpoint = peer.endpoint.as_ref().map_or(String::new(), |known| format!("Endpoint = {known}\n"));
    format!(
        "[Interface]\nPrivateKey = {secret}\nListenPort = {PORT}\n\
         [Peer]\nPublicKey = {public}\nAllowedIPs = {v4}/32, {v6}/128\n{endpoint}",
        secret = keys.secret,
        public = peer.key,
        v4 = peer.inner.address(Family::V4),
        v6 = peer.inner.address(Family::V6),
    )
}

fn await_control(host: &Host, process: &Process) -> Result<(), RigError> {
    let started = Instant::now();
    while !host.call(|| Path::new(CONTROL).exists())? {
        if started.elapsed() > READY_PATIENCE {
            return Err(RigError::NotReady {
                host: host.name().to_owned(),
                program: "wireguard-go".to_owned(),
                wanted: CONTROL.to_owned(),
                waited: READY_PATIENCE,
                log: process.log(),
            });
        }
        thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

fn endpoint(host: &Host, family: Family) -> Result<String, RigError> {
    let address: IpAddr = host.address(family).ok_or_else(|| RigError::Missing {
        host: host.name().to_owned(),
        what: format!("{family} address"),
    })?;
    Ok(std::net::SocketAddr::new(address, PORT).to_string())
}

fn wg(arguments: &[&str]) -> Command {
    let mut command = Command::new("wg");
    command.args(arguments);
    command
}

const INTERFACE: &str = "wg0";
const CONTROL: &str = "/run/wireguard/wg0.sock";
/// What every WireGuard uses on a link of 1500: room for IPv6, UDP and the transport message.
const MTU: u32 = 1420;
/// It takes milliseconds.
const READY_PATIENCE: Duration = Duration::from_secs(10);
