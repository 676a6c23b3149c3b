//! Debian's nebula, with the defaults of its example configuration.
//!
//! Each host has an authority of its own and is told the other's. The fixed host is the lighthouse. Inside there is
//! IPv4 only.

use std::io;
use std::net::{IpAddr, UdpSocket};
use std::time::Duration;

use super::setup::{Inner, Keys, PORT, Setup, fresh_directory, read, write_secret};
use super::system::{Program, Running, System};
use crate::address::Family;
use crate::error::RigError;
use crate::host::Host;

pub(super) const SYSTEM: System = System {
    programs: &[PROGRAM, CERTIFICATES],
    inside: &[Family::V4],
    keys,
    ..System::new("nebula", start)
};

/// Its secret lies in the host's files; what the other side is told is the authority's certificate.
fn keys(host: &Host, inner: Inner) -> Result<Keys, RigError> {
    let directory = fresh_directory(host, DIRECTORY)?;
    let file = |name: &str| directory.join(name).to_string_lossy().into_owned();
    let (authority, secret) = (file("authority.crt"), file("authority.key"));
    host.output(CERTIFICATES.command(&[
        "ca",
        "-name",
        host.name(),
        "-out-crt",
        &authority,
        "-out-key",
        &secret,
    ]))?;
    let place = format!("{}/24", inner.address(Family::V4));
    host.output(CERTIFICATES.command(&[
        "sign",
        "-name",
        host.name(),
        "-ip",
        &place,
        "-ca-crt",
        &authority,
        "-ca-key",
        &secret,
        "-out-crt",
        &file("own.crt"),
        "-out-key",
        &file("own.key"),
    ]))?;
    Ok(Keys { secret: String::new(), public: read(host, directory.join("authority.crt"))? })
}

fn start(host: &Host, setup: &Setup) -> Result<Running, RigError> {
    let authority = write_secret(host, &format!("{DIRECTORY}/peer.crt"), setup.peer.key.clone())?;
    let directory = authority.with_file_name("");
    let file = write_secret(
        host,
        &format!("{DIRECTORY}/nebula.yaml"),
        configuration(setup, &directory.to_string_lossy()),
    )?;
    let process = host.spawn(PROGRAM.command(&["-config", &file.to_string_lossy()]))?;
    process.wait_for(READY, READY_PATIENCE)?;
    // It says so a moment before it gives the device its address.
    let (own, peer) = (setup.inner.address(Family::V4), setup.peer.inner.address(Family::V4));
    process.wait_until("its address on its device", (LOOK_AGAIN, READY_PATIENCE), || {
        host.call(move || source_towards(peer).is_ok_and(|source| source == own))
    })?;
    Ok(process.into())
}

/// From which address this host would speak to `peer`.
fn source_towards(peer: IpAddr) -> io::Result<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket.connect((peer, PORT))?;
    Ok(socket.local_addr()?.ip())
}

/// Only the mover knows where the other is.
fn configuration(setup: &Setup, directory: &str) -> String {
    let peer = setup.peer.inner.address(Family::V4);
    let known = match setup.peer.endpoints.as_slice() {
        [] => "lighthouse:\n  am_lighthouse: true\n".to_owned(),
        endpoints => {
            format!("static_host_map:\n  \"{peer}\": {endpoints:?}\nlighthouse:\n  hosts: [\"{peer}\"]\n")
        }
    };
    format!(
        "pki:\n\
         \x20 ca: {directory}peer.crt\n\
         \x20 cert: {directory}own.crt\n\
         \x20 key: {directory}own.key\n\
         {known}\
         listen:\n\
         \x20 host: \"[::]\"\n\
         \x20 port: {PORT}\n\
         tun:\n\
         \x20 dev: nebula0\n\
         firewall:\n\
         \x20 outbound: [{{port: any, proto: any, host: any}}]\n\
         \x20 inbound: [{{port: any, proto: any, host: any}}]\n"
    )
}

const PROGRAM: Program = Program::debian("nebula", "nebula");
const CERTIFICATES: Program = Program::debian("nebula-cert", "nebula");
/// Below the directory of the host's tunnel.
const DIRECTORY: &str = "nebula";
/// What it prints when it is about to take its device up.
const READY: &str = "Nebula interface is active";
/// It takes milliseconds.
const READY_PATIENCE: Duration = Duration::from_secs(10);
/// How often to look whether the device is up.
const LOOK_AGAIN: Duration = Duration::from_millis(2);
