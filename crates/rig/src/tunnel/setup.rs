//! What each side's program is told: keys, addresses, and how to find the other.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::address::Family;
use crate::error::RigError;
use crate::host::Host;

/// All that one side's program is told.
#[derive(Debug)]
pub(super) struct Setup {
    pub(super) own: Keys,
    pub(super) inner: Inner,
    pub(super) peer: Peer,
    pub(super) preshared_key: Option<String>,
    pub(super) keepalive: Option<Duration>,
}

/// What one side knows of the other.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) name: String,
    pub(super) key: String,
    pub(super) inner: Inner,
    /// Where it is found; the first is reachable from where the mover starts.
    pub(super) endpoints: Vec<String>,
}

/// What a node proves itself with and is known by: for most a key pair in base64.
#[derive(Debug, Default)]
pub(super) struct Keys {
    /// What only its own host has.
    pub(super) secret: String,
    /// What the other side is told.
    pub(super) public: String,
}

impl Keys {
    /// Keys of a program that prints a secret and turns it into what is public.
    pub(super) fn printed(host: &Host, generate: Command, derive: Command) -> Result<Self, RigError> {
        let secret = host.output(generate)?;
        let path = write_secret(host, KEY_FILE, secret.clone())?;
        let public = host.output_fed(derive, &path)?;
        Ok(Self { secret: secret.trim().to_owned(), public: public.trim().to_owned() })
    }
}

/// The addresses of one side inside the tunnel.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Inner {
    number: u8,
}

impl Inner {
    pub(super) const fn address(self, family: Family) -> IpAddr {
        match family {
            Family::V4 => IpAddr::V4(Ipv4Addr::new(10, 77, 0, self.number)),
            Family::V6 => IpAddr::V6(Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, self.number as u16)),
        }
    }
}

pub(super) const MOVER: Inner = Inner { number: 1 };
pub(super) const FIXED: Inner = Inner { number: 2 };

/// The directory of a host's tunnel, on the host's private file system.
pub(super) const DIRECTORY: &str = "/run/rig";
/// The port that both sides listen on.
pub(super) const PORT: u16 = 51820;
pub(super) const KEY_FILE: &str = "private.key";

/// The endpoints under which the fixed host is found, first those of a family that the mover has.
pub(super) fn endpoints(mover: &Host, fixed: &Host) -> Vec<String> {
    let mut addresses = fixed.addresses();
    addresses.sort_by_key(|address| mover.address(Family::of(*address)).is_none());
    addresses.into_iter().map(|address| SocketAddr::new(address, PORT).to_string()).collect()
}

/// Writes a file that only root may read into the host's [`DIRECTORY`], and returns its path there.
pub(crate) fn write_secret(host: &Host, name: &str, text: String) -> Result<PathBuf, RigError> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let path = PathBuf::from(DIRECTORY).join(name);
    let (target, doing) = (path.clone(), format!("{}: write {}", host.name(), path.display()));
    let written = host.call(move || {
        std::fs::create_dir_all(DIRECTORY)?;
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&target)?;
        std::io::Write::write_all(&mut file, text.as_bytes())
    })?;
    written.map_err(RigError::io(doing))?;
    Ok(path)
}

/// Makes an empty directory below the host's [`DIRECTORY`] that only root may read, and returns its path there.
pub(super) fn fresh_directory(host: &Host, name: &str) -> Result<PathBuf, RigError> {
    use std::os::unix::fs::DirBuilderExt as _;
    let path = PathBuf::from(DIRECTORY).join(name);
    let (target, doing) = (path.clone(), format!("{}: make {}", host.name(), path.display()));
    let made = host.call(move || {
        // Of whatever tunnel the host had before.
        let _was_none = std::fs::remove_dir_all(&target);
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&target)
    })?;
    made.map_err(RigError::io(doing))?;
    Ok(path)
}

/// What a file of the host holds.
pub(super) fn read(host: &Host, path: PathBuf) -> Result<String, RigError> {
    let doing = format!("{}: read {}", host.name(), path.display());
    host.call(move || std::fs::read_to_string(path))?.map_err(RigError::io(doing))
}
