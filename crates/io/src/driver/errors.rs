//! Why a daemon did not start, or ended.

use std::io;

use stead_node::SettingsError;

use crate::control::BindError;
use crate::tun::TunError;
use crate::udp::UdpError;

/// Why a daemon did not start. Nothing of it is left then.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The control socket cannot be opened; often because a daemon runs already.
    #[error(transparent)]
    Control(#[from] BindError),
    /// The UDP sockets cannot be opened.
    #[error(transparent)]
    Udp(#[from] UdpError),
    /// The TUN device cannot be made.
    #[error(transparent)]
    Tun(#[from] TunError),
    /// The settings contradict themselves.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The system has no randomness.
    #[error("the system offers no randomness: {0}")]
    Randomness(getrandom::Error),
    /// The addresses of this host cannot be watched.
    #[error("cannot watch this host's addresses: {0}")]
    Monitor(io::Error),
    /// A thread cannot be started.
    #[error("cannot start the workers: {0}")]
    Workers(io::Error),
}

/// Why a daemon ended that nobody told to.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The TUN device cannot be read any more.
    #[error(
        "the interface `{interface}` is gone: {source}\nhint: another program removed it; start the daemon again"
    )]
    InterfaceGone {
        /// Its name.
        interface: String,
        /// What the system said.
        source: io::Error,
    },
}
