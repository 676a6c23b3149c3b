//! The program of this repository as the tunnel.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::{DIRECTORY, End, FIXED, Inner, MOVER, PORT, endpoints, write_secret};
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

pub(super) fn establish(mover: &Host, fixed: &Host) -> Result<(End, End), RigError> {
    let program = program()?;
    let (ours, theirs) = (Keys::make(&program, mover)?, Keys::make(&program, fixed)?);
    // The mover knows where the other is, never the other way round: it may sit behind a NAT.
    let known = Peer { host: fixed, key: &theirs.public, inner: FIXED, endpoints: endpoints(fixed) };
    let unknown = Peer { host: mover, key: &ours.public, inner: MOVER, endpoints: Vec::new() };
    let fixed_end = start(&program, fixed, FIXED, &theirs, &unknown)?;
    let mover_end = start(&program, mover, MOVER, &ours, &known)?;
    Ok((mover_end, fixed_end))
}

#[derive(Debug)]
struct Keys {
    public: String,
}

impl Keys {
    fn make(program: &Path, host: &Host) -> Result<Self, RigError> {
        let mut keygen = Command::new(program);
        keygen.arg("keygen");
        let secret = host.output(keygen)?;
        let path = write_secret(host, KEY_FILE, secret)?;
        let mut pubkey = Command::new(program);
        pubkey.arg("pubkey");
        let public = host.output_fed(pubkey, &path)?;
        Ok(Self { public: public.trim().to_owned() })
    }
}

struct Peer<'a> {
    host: &'a Host,
    key: &'a str,
    inner: Inner,
    endpoints: Vec<String>,
}

fn start(program: &Path, host: &Host, inner: Inner, keys: &Keys, peer: &Peer<'_>) -> Result<End, RigError> {
    let socket = format!("{DIRECTORY}/{INTERFACE}.sock");
    let file = write_secret(host, "stead.yaml", configuration(inner, &socket, peer))?;
    let mut up = Command::new(program);
    up.arg("up").arg("--config").arg(&file);
    let process = host.spawn(up)?;
    process.wait_for(READY, READY_PATIENCE)?;
    Ok(End {
        host: host.clone(),
        process: Some(process),
        control: Some(Control::new(host, &socket)),
        public_key: keys.public.clone(),
    })
}

fn configuration(inner: Inner, socket: &str, peer: &Peer<'_>) -> String {
    let (v4, v6) = (inner.address(Family::V4), inner.address(Family::V6));
    let (peer_v4, peer_v6) = (peer.inner.address(Family::V4), peer.inner.address(Family::V6));
    let log = env::var("STEAD_RIG_LOG").unwrap_or_else(|_| "info".to_owned());
    let endpoints = match peer.endpoints.as_slice() {
        [] => String::new(),
        some => format!("    endpoints: {some:?}\n"),
    };
    format!(
        "interface: {INTERFACE}\n\
         private_key_file: {KEY_FILE}\n\
         listen_port: {PORT}\n\
         addresses: [\"{v4}/24\", \"{v6}/64\"]\n\
         control_socket: {socket}\n\
         log: {log}\n\
         peers:\n\
         \x20 {name}:\n\
         \x20   public_key: \"{key}\"\n\
         {endpoints}\
         \x20   allowed_ips: [\"{peer_v4}/32\", \"{peer_v6}/128\"]\n",
        name = peer.host.name(),
        key = peer.key,
    )
}

const INTERFACE: &str = "stead0";
const KEY_FILE: &str = "private.key";
/// What the program prints once it carries traffic.
const READY: &str = "stead: ready";
/// It takes milliseconds; a debug build on a busy machine may take a second.
const READY_PATIENCE: Duration = Duration::from_secs(15);
