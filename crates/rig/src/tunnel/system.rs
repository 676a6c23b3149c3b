//! What a system that can carry a tunnel is to the rig: a row of a table, filled in by the system's own file.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use super::setup::{Inner, Keys, Setup};
use super::{Driver, End, Forwarder};
use crate::address::Family;
use crate::error::RigError;
use crate::host::Host;
use crate::moves::Move;
use crate::process::Process;
use crate::report::Control;

/// How the rig makes a tunnel of one system.
#[derive(Debug)]
pub(super) struct System {
    /// What it is called on the command line and in reports.
    pub(super) name: &'static str,
    /// Whether it is the program of this repository.
    pub(super) is_stead: bool,
    /// What must be installed for it.
    pub(super) programs: &'static [Program],
    /// What the fixed host runs where that is something else: the first of these that can run here.
    pub(super) opposite: &'static [Driver],
    /// What it carries inside; nothing where hosts speak to each other's real addresses.
    pub(super) inside: &'static [Family],
    /// Makes what a node proves itself with, and what the other one knows it by.
    pub(super) keys: fn(&Host, Inner) -> Result<Keys, RigError>,
    /// Prints a key that both share besides their own, if the system knows such a thing.
    pub(super) preshared_key: fn() -> Result<Option<Command>, RigError>,
    /// Starts one end and returns once it is ready for the other.
    pub(super) start: fn(&Host, &Setup) -> Result<Running, RigError>,
    /// Waits, once both ends run, until one of them is as fast as it will be.
    pub(super) settle: fn(&End) -> Result<(), RigError>,
    /// Does by hand what the mover cannot do by itself after a move, and says so.
    pub(super) follow: fn(&End, &Host, &Move) -> Result<Option<String>, RigError>,
}

impl System {
    /// No keys, nothing to install, both families inside, nothing to do at a move: what a row leaves out.
    pub(super) const fn new(
        name: &'static str,
        start: fn(&Host, &Setup) -> Result<Running, RigError>,
    ) -> Self {
        Self {
            name,
            is_stead: false,
            programs: &[],
            opposite: &[],
            inside: &Family::BOTH,
            keys: |_, _| Ok(Keys::default()),
            preshared_key: || Ok(None),
            start,
            settle: |_| Ok(()),
            follow: |_, _, _| Ok(None),
        }
    }
}

/// What carries one end; dropping it ends it.
#[derive(Debug, Default)]
pub(super) struct Running {
    pub(super) process: Option<Process>,
    pub(super) control: Option<Control>,
    /// What carries the packets where the rig itself does.
    pub(super) forwarder: Option<Forwarder>,
}

impl From<Process> for Running {
    fn from(process: Process) -> Self {
        Self { process: Some(process), ..Self::default() }
    }
}

/// A program that a tunnel needs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Program {
    /// What it is called.
    pub name: &'static str,
    /// Where it comes from.
    pub source: Source,
}

/// Where a program comes from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Source {
    /// A package of Debian.
    Debian(&'static str),
    /// A crate of crates.io, as `cargo install --locked` has it.
    Crate {
        /// The crate's name.
        name: &'static str,
        /// The version that is known to work.
        version: &'static str,
    },
}

impl Program {
    /// A program of a Debian package.
    pub(super) const fn debian(name: &'static str, package: &'static str) -> Self {
        Self { name, source: Source::Debian(package) }
    }

    /// A program of a crate, in the version that is known to work.
    pub(super) const fn from_crate(name: &'static str, package: &'static str, version: &'static str) -> Self {
        Self { name, source: Source::Crate { name: package, version } }
    }

    /// Where it is: on `PATH`, else where `scripts/bench` installs crates, in the directory of this build.
    #[must_use]
    pub fn find(&self) -> Option<PathBuf> {
        let path = env::var_os("PATH").unwrap_or_default();
        let here = env::current_exe().unwrap_or_default();
        let built = here.ancestors().skip(1).take(3).map(|directory| directory.join(CRATES));
        let mut places = env::split_paths(&path).chain(built).map(|directory| directory.join(self.name));
        places.find(|file| file.is_file())
    }

    /// Says how it is installed if it is not.
    ///
    /// # Errors
    /// A sentence that names it and where it comes from.
    pub fn check(&self) -> Result<(), String> {
        if self.find().is_some() {
            return Ok(());
        }
        Err(match self.source {
            Source::Debian(package) => {
                format!("{} is not installed (Debian: apt-get install {package})", self.name)
            }
            Source::Crate { name, version } => {
                format!("{} is not installed (cargo install --locked {name}@{version})", self.name)
            }
        })
    }

    /// A command of it.
    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.find().unwrap_or_else(|| self.name.into()));
        command.args(arguments);
        command
    }
}

/// Where `scripts/bench` puts what it builds, in cargo's target directory.
const CRATES: &str = "bench-peers/bin";
