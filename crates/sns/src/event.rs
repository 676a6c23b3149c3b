//! What happened that a person or a test may want to know. The driver logs these.

use core::fmt;
use core::net::SocketAddr;

use stead_noise::keys::PublicKey;

/// Something happened with a client.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Event {
    /// The client.
    pub client: PublicKey,
    /// What happened.
    pub what: Happening,
}

/// What happened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Happening {
    /// The first message of a client that was not there.
    Arrived {
        /// Where it came from.
        from: SocketAddr,
    },
    /// A client's messages come from elsewhere now.
    Moved {
        /// Where they came from.
        from: SocketAddr,
        /// Where they come from.
        to: SocketAddr,
    },
    /// Its last session and lease ended.
    Left,
    /// The relay carried the first bytes between this client and another one.
    Relaying,
}

impl fmt::Display for Happening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Arrived { from } => write!(f, "Arrived from {from}"),
            Self::Moved { from, to } => write!(f, "Moved from {from} to {to}"),
            Self::Left => f.write_str("Left"),
            Self::Relaying => f.write_str("Relayed for"),
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.client.short(), self.what)
    }
}
