//! Debian's OpenVPN in user space: one peer to another by TLS, AES-256-GCM, its defaults for the rest.
//!
//! Both know each other by the fingerprints of certificates that they signed themselves. Its offload into the kernel is
//! off: Debian's kernel does not bring it.

use std::time::Duration;

use super::setup::{Inner, Keys, PORT, Setup, fresh_directory};
use super::system::{Program, Running, System};
use crate::address::Family;
use crate::error::RigError;
use crate::host::Host;

pub(super) const SYSTEM: System =
    System { programs: &[PROGRAM, OPENSSL], keys, ..System::new("openvpn", start) };

/// Its secret lies in a file of the host; what the other side is told is the certificate's fingerprint.
fn keys(host: &Host, _inner: Inner) -> Result<Keys, RigError> {
    fresh_directory(host, DIRECTORY)?;
    let name = format!("/CN={}", host.name());
    let mut make = OPENSSL.command(&["req", "-x509", "-nodes", "-days", "30", "-subj", &name]);
    make.args(["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]);
    make.args(["-keyout", KEY, "-out", CERTIFICATE]);
    host.output(make)?;
    let printed =
        host.output(OPENSSL.command(&["x509", "-noout", "-fingerprint", "-sha256", "-in", CERTIFICATE]))?;
    let fingerprint = printed.trim().rsplit('=').next().unwrap_or_default();
    Ok(Keys { secret: String::new(), public: fingerprint.to_owned() })
}

fn start(host: &Host, setup: &Setup) -> Result<Running, RigError> {
    let inside =
        |family| (setup.inner.address(family).to_string(), setup.peer.inner.address(family).to_string());
    let ((v4, peer_v4), (v6, peer_v6)) = (inside(Family::V4), inside(Family::V6));
    let mut command = PROGRAM.command(&["--dev", "ovpn0", "--dev-type", "tun", "--disable-dco"]);
    command.args(["--lport", &PORT.to_string(), "--float", "--keepalive", "10", "60", "--verb", "3"]);
    command.args(["--data-ciphers", "AES-256-GCM", "--key", KEY, "--cert", CERTIFICATE]);
    command.args(["--peer-fingerprint", &setup.peer.key]);
    command.args(["--ifconfig", &v4, &peer_v4, "--ifconfig-ipv6", &format!("{v6}/64"), &peer_v6]);
    let endpoint = setup.peer.endpoints.first().and_then(|endpoint| endpoint.parse().ok());
    let ready = match endpoint {
        Some(std::net::SocketAddr::V4(to)) => {
            command.args(["--tls-client", "--proto", "udp4", "--remote", &to.ip().to_string()]);
            COMPLETE
        }
        Some(std::net::SocketAddr::V6(to)) => {
            command.args(["--tls-client", "--proto", "udp6", "--remote", &to.ip().to_string()]);
            COMPLETE
        }
        // A socket for IPv6 takes both families, if the host has any address of it.
        None => {
            let protocol = if host.address(Family::V6).is_some() { "udp6" } else { "udp4" };
            command.args(["--tls-server", "--dh", "none", "--proto", protocol]);
            LISTENS
        }
    };
    command.args(["--rport", &PORT.to_string()]);
    let process = host.spawn(command)?;
    process.wait_for(ready, READY_PATIENCE)?;
    Ok(process.into())
}

const PROGRAM: Program = Program::debian("openvpn", "openvpn");
const OPENSSL: Program = Program::debian("openssl", "openssl");
/// Below the directory of the host's tunnel.
const DIRECTORY: &str = "openvpn";
const KEY: &str = "/run/rig/openvpn/own.key";
const CERTIFICATE: &str = "/run/rig/openvpn/own.crt";
/// What it prints once the other side has proven itself.
const COMPLETE: &str = "Initialization Sequence Completed";
/// What it prints once it waits for the other side.
const LISTENS: &str = "link remote:";
/// A connection is tried again after some seconds if the other side was not yet there.
const READY_PATIENCE: Duration = Duration::from_secs(20);
