//! The program of this repository as the tunnel.

use std::env;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use super::Driver;
use super::setup::{DIRECTORY, KEY_FILE, Keys, PORT, Setup, write_secret};
use super::system::{Running, System};
use crate::address::Family;
use crate::error::RigError;
use crate::host::Host;
use crate::report::Control;

/// Where the program is: `STEAD_BIN`, else beside the running program or, for a test, one level up.
///
/// # Errors
/// [`RigError::Tunnel`] that names where it was looked for.
pub fn program() -> Result<PathBuf, RigError> {
    if let Some(path) = env::var_os("STEAD_BIN") {
        return Ok(PathBuf::from(path));
    }
    let here = env::current_exe().map_err(RigError::io("find the running program"))?;
    let beside: Vec<PathBuf> =
        here.ancestors().skip(1).take(2).map(|directory| directory.join("stead")).collect();
    beside.iter().find(|path| path.is_file()).cloned().ok_or_else(|| {
        let places: Vec<_> = beside.iter().map(|path| path.display().to_string()).collect();
        RigError::Tunnel(format!(
            "the program stead is not built: looked for {} (cargo build -p stead, or set STEAD_BIN)",
            places.join(" and ")
        ))
    })
}

/// A command of the program.
pub(crate) fn command(arguments: &[&str]) -> Result<Command, RigError> {
    let mut command = Command::new(program()?);
    command.args(arguments);
    Ok(command)
}

/// As its users have it.
pub(super) const AS_IT_IS: System = variant("stead", |host, setup| start(host, setup, ""));
/// Told to keep nothing for a move.
pub(super) const FORGETFUL: System =
    variant("stead-forgetful", |host, setup| start(host, setup, KEEPS_NOTHING));
/// Without AES.
pub(super) const CHACHA: System = variant("stead-chacha", |host, setup| start(host, setup, NO_AES));
/// Towards a WireGuard that knows nothing of stead, at the fixed host.
pub(super) const PLAIN_PEER: System = System {
    // The fastest first.
    opposite: &[Driver::Gotatun, Driver::WireguardGo, Driver::Boringtun],
    ..variant("stead-plain-peer", |host, setup| start(host, setup, ""))
};

const fn variant(name: &'static str, start: fn(&Host, &Setup) -> Result<Running, RigError>) -> System {
    System {
        is_stead: true,
        keys: |host, _| Keys::printed(host, command(&["keygen"])?, command(&["pubkey"])?),
        preshared_key: || command(&["keygen", "--preshared"]).map(Some),
        ..System::new(name, start)
    }
}

/// Starts it with `further` lines in its configuration.
fn start(host: &Host, setup: &Setup, further: &str) -> Result<Running, RigError> {
    let socket = format!("{DIRECTORY}/{INTERFACE}.sock");
    if let Some(key) = &setup.preshared_key {
        write_secret(host, SHARED_KEY_FILE, key.clone())?;
    }
    let file = write_secret(host, "stead.yaml", configuration(setup, further, &socket))?;
    let mut up = command(&["up"])?;
    up.arg(&file);
    let process = host.spawn(up)?;
    process.wait_for(READY, READY_PATIENCE)?;
    Ok(Running { control: Some(Control::new(host, &socket)), ..process.into() })
}

fn configuration(setup: &Setup, further: &str, socket: &str) -> String {
    let (v4, v6) = (setup.inner.address(Family::V4), setup.inner.address(Family::V6));
    let peer = &setup.peer;
    let (peer_v4, peer_v6) = (peer.inner.address(Family::V4), peer.inner.address(Family::V6));
    let log = env::var("STEAD_RIG_LOG").unwrap_or_else(|_| "info".to_owned());
    let mut text = format!(
        "interface: {INTERFACE}\n\
         private_key_file: {KEY_FILE}\n\
         listen_port: {PORT}\n\
         addresses: [\"{v4}/24\", \"{v6}/64\"]\n\
         control_socket: {socket}\n\
         state_directory: off\n\
         log: {log}\n\
         {further}\
         peers:\n\
         \x20 {name}:\n\
         \x20   public_key: \"{key}\"\n\
         \x20   endpoints: {endpoints:?}\n\
         \x20   allowed_ips: [\"{peer_v4}/32\", \"{peer_v6}/128\"]\n",
        name = peer.name,
        endpoints = peer.endpoints,
        key = peer.key,
    );
    if setup.preshared_key.is_some() {
        text += &format!("    preshared_key_file: {SHARED_KEY_FILE}\n");
    }
    if let Some(interval) = setup.keepalive {
        text += &format!("    persistent_keepalive: {}s\n", interval.as_secs().max(1));
    }
    text
}

/// Said of a program that is to keep nothing for a move.
const KEEPS_NOTHING: &str = "resend: off\nsuspension:\n  tcp: off\n";
/// Said of a program that is to seal with ChaCha20-Poly1305 whatever the processor offers.
const NO_AES: &str = "cipher: chacha20-poly1305\n";
const INTERFACE: &str = "stead0";
const SHARED_KEY_FILE: &str = "shared.psk";
/// What the program prints once it carries traffic.
const READY: &str = "stead: ready";
/// It takes milliseconds; a debug build on a busy machine may take a second.
const READY_PATIENCE: Duration = Duration::from_secs(15);

#[cfg(test)]
mod tests {
    use super::super::setup::{FIXED, Keys, MOVER, Peer};
    use super::*;

    #[test]
    fn the_configuration_holds_what_it_was_told_and_no_secret() {
        let setup = Setup {
            own: Keys { secret: "SECRET".to_owned(), public: "PUBLIC".to_owned() },
            inner: MOVER,
            peer: Peer {
                name: "server".to_owned(),
                key: "PEER".to_owned(),
                inner: FIXED,
                endpoints: vec!["198.18.0.10:51820".to_owned(), "[2001:db8::a]:51820".to_owned()],
            },
            preshared_key: Some("SHARED".to_owned()),
            keepalive: Some(Duration::from_secs(25)),
        };
        let text = configuration(&setup, "", "/run/rig/stead0.sock");
        assert!(
            text.ends_with(
                "peers:
  server:
    public_key: \"PEER\"
    endpoints: [\"198.18.0.10:51820\", \"[2001:db8::a]:51820\"]
    allowed_ips: [\"10.77.0.2/32\", \"fd77::2/128\"]
    preshared_key_file: shared.psk
    persistent_keepalive: 25s
"
            ),
            "{text}"
        );
        assert!(!text.contains("SECRET") && !text.contains("SHARED"), "{text}");
    }
}
