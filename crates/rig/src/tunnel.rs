//! The tunnel between two hosts: stead, or something to compare it with, behind one face.
//!
//! Of the two hosts one is fixed and reachable, the other may move and knows where to find it. Inside, the
//! mover is 10.77.0.1 and fd77::1, the fixed host 10.77.0.2 and fd77::2.

mod stead;
mod wireguard_go;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::str::FromStr;

use crate::address::Family;
use crate::error::RigError;
use crate::host::Host;
use crate::moves::Move;
use crate::process::Process;
use crate::report::Control;
use crate::traffic::Line;

pub use stead::program as stead_program;

/// Which tunnel.
#[derive(Clone, Copy, Debug, Eq, PartialEq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Driver {
    /// The program of this repository.
    Stead,
    /// WireGuard in user space, from the distribution.
    WireguardGo,
    /// None: the hosts speak to each other's real addresses.
    None,
}

impl Driver {
    /// The programs that must be installed for it.
    #[must_use]
    pub const fn programs(self) -> &'static [&'static str] {
        match self {
            Self::WireguardGo => &["wireguard-go", "wg"],
            Self::Stead | Self::None => &[],
        }
    }
}

impl fmt::Display for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stead => "stead",
            Self::WireguardGo => "wireguard-go",
            Self::None => "none",
        })
    }
}

impl FromStr for Driver {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "stead" => Ok(Self::Stead),
            "wireguard-go" => Ok(Self::WireguardGo),
            "none" => Ok(Self::None),
            other => Err(format!("`{other}` is no tunnel: expected stead, wireguard-go or none")),
        }
    }
}

/// A tunnel that carries traffic between a mover and a fixed host.
#[derive(Debug)]
pub struct Tunnel {
    driver: Driver,
    mover: End,
    fixed: End,
}

/// One host's side of a tunnel.
#[derive(Debug)]
pub struct End {
    /// The host.
    pub host: Host,
    /// The tunnel's program on it; none without a tunnel.
    pub process: Option<Process>,
    /// The program's control socket, if it has one that the rig can read.
    pub control: Option<Control>,
    /// The node's public key, base64; empty without a tunnel.
    pub public_key: String,
}

impl Tunnel {
    /// Starts the tunnel's programs on both hosts, and returns once a connection went through it.
    ///
    /// Both hosts must be attached, the fixed one with every family the mover will ever be left with.
    ///
    /// # Errors
    /// If a program is missing, does not start or does not get ready, with all it printed; or if nothing
    /// comes through.
    pub fn establish(driver: Driver, mover: &Host, fixed: &Host) -> Result<Self, RigError> {
        let (mover, fixed) = match driver {
            Driver::Stead => stead::establish(mover, fixed)?,
            Driver::WireguardGo => wireguard_go::establish(mover, fixed)?,
            Driver::None => (End::bare(mover), End::bare(fixed)),
        };
        let tunnel = Self { driver, mover, fixed };
        tunnel.prove()?;
        Ok(tunnel)
    }

    /// Which tunnel it is.
    #[must_use]
    pub const fn driver(&self) -> Driver {
        self.driver
    }

    /// The mover's side.
    #[must_use]
    pub const fn mover(&self) -> &End {
        &self.mover
    }

    /// The fixed host's side.
    #[must_use]
    pub const fn fixed(&self) -> &End {
        &self.fixed
    }

    /// The mover's side, to end or restart its program.
    pub const fn mover_mut(&mut self) -> &mut End {
        &mut self.mover
    }

    /// The fixed host's side, to end or restart its program.
    pub const fn fixed_mut(&mut self) -> &mut End {
        &mut self.fixed
    }

    /// From the mover to the fixed host through the tunnel, over IPv4 inside.
    ///
    /// # Errors
    /// [`RigError::Missing`] without a tunnel, if the fixed host has no address.
    pub fn line(&self) -> Result<Line, RigError> {
        self.line_over(Family::V4)
    }

    /// From the mover to the fixed host through the tunnel, over `family` inside.
    ///
    /// # Errors
    /// [`RigError::Missing`] without a tunnel, if the fixed host has no such address.
    pub fn line_over(&self, family: Family) -> Result<Line, RigError> {
        let address = match self.driver {
            Driver::None => self.fixed.host.address(family).ok_or_else(|| RigError::Missing {
                host: self.fixed.host.name().to_owned(),
                what: format!("{family} address"),
            })?,
            Driver::Stead | Driver::WireguardGo => FIXED.address(family),
        };
        Ok(Line { client: self.mover.host.clone(), server: self.fixed.host.clone(), address })
    }

    /// Does by hand, after the mover moved, what this tunnel cannot do by itself, and says so.
    ///
    /// stead needs nothing. WireGuard has one endpoint per peer, so a mover that lost that endpoint's
    /// family is given the other one, as a script of its user would.
    ///
    /// # Errors
    /// What the tunnel's program refused.
    pub fn after_move(&self, step: &Move) -> Result<Option<String>, RigError> {
        match self.driver {
            Driver::WireguardGo => wireguard_go::follow(&self.mover, &self.fixed, step),
            Driver::Stead | Driver::None => Ok(None),
        }
    }

    fn prove(&self) -> Result<(), RigError> {
        let printed = |error: RigError| {
            let logs: Vec<String> = [&self.mover, &self.fixed].into_iter().filter_map(End::printed).collect();
            RigError::Tunnel(format!("{} carries nothing: {error}\n{}", self.driver, logs.concat()))
        };
        self.line_over(self.mover.inner_family())?.connect().map(drop).map_err(printed)
    }
}

impl End {
    fn bare(host: &Host) -> Self {
        Self { host: host.clone(), process: None, control: None, public_key: String::new() }
    }

    /// Without a tunnel only the family of the mover's own address can connect.
    fn inner_family(&self) -> Family {
        match (&self.process, self.host.address(Family::V4)) {
            (None, None) => Family::V6,
            _ => Family::V4,
        }
    }

    fn printed(&self) -> Option<String> {
        let process = self.process.as_ref()?;
        Some(format!("--- {}:\n{}", self.host.name(), process.log()))
    }
}

/// The addresses of one side inside the tunnel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Inner {
    number: u8,
}

impl Inner {
    pub(crate) const fn address(self, family: Family) -> IpAddr {
        match family {
            Family::V4 => IpAddr::V4(Ipv4Addr::new(10, 77, 0, self.number)),
            Family::V6 => IpAddr::V6(Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, self.number as u16)),
        }
    }
}

pub(crate) const MOVER: Inner = Inner { number: 1 };
pub(crate) const FIXED: Inner = Inner { number: 2 };

/// The directory of a host's tunnel, on the host's private file system.
const DIRECTORY: &str = "/run/rig";
/// The port that both sides listen on.
const PORT: u16 = 51820;

/// The endpoints under which `host` is found from outside, of every family it has.
fn endpoints(host: &Host) -> Vec<String> {
    host.addresses().into_iter().map(|ip| std::net::SocketAddr::new(ip, PORT).to_string()).collect()
}

/// Writes a file that only root may read into the host's [`DIRECTORY`], and returns its path there.
fn write_secret(host: &Host, name: &str, text: String) -> Result<PathBuf, RigError> {
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
