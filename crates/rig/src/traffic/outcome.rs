//! How a connection ended.

use std::fmt;
use std::io;

/// What became of a connection's traffic.
#[derive(Clone, Debug, Eq, PartialEq, serde::Serialize)]
#[serde(rename_all = "kebab-case", tag = "verdict")]
pub enum Outcome {
    /// Everything arrived as it was sent.
    Complete,
    /// All bytes arrived, but not those that were sent.
    Corrupt,
    /// The connection was reset.
    Reset {
        /// Bytes or ticks that had arrived.
        received: u64,
    },
    /// The connection was closed before everything had arrived.
    EndedEarly {
        /// Bytes or ticks that had arrived.
        received: u64,
    },
    /// The connection was still there, but nothing came for too long.
    Silent {
        /// Bytes or ticks that had arrived.
        received: u64,
        /// For how long nothing came, in milliseconds.
        for_millis: u64,
    },
    /// The kernel reported another error.
    Failed {
        /// Bytes or ticks that had arrived.
        received: u64,
        /// The kernel's words.
        reason: String,
    },
}

impl Outcome {
    /// Whether the traffic came through whole.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        matches!(self, Self::Complete)
    }

    pub(crate) fn of(error: &io::Error, received: u64) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionAborted => {
                Self::Reset { received }
            }
            io::ErrorKind::UnexpectedEof => Self::EndedEarly { received },
            _ => Self::Failed { received, reason: error.to_string() },
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Complete => f.write_str("complete"),
            Self::Corrupt => f.write_str("corrupt: other bytes arrived than were sent"),
            Self::Reset { .. } => f.write_str("connection reset"),
            Self::EndedEarly { .. } => f.write_str("closed before all had arrived"),
            Self::Silent { for_millis, .. } => {
                write!(f, "dead: nothing came for {:.1} s", *for_millis as f64 / 1000.0)
            }
            Self::Failed { reason, .. } => write!(f, "failed: {reason}"),
        }
    }
}
