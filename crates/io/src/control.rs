//! The control socket: how the program asks a running daemon about itself.
//!
//! One JSON document per line each way. [`ask`] is the client; [`Server`] accepts several clients at once,
//! hands their [`Request`]s to the driver as [`Question`]s and writes the [`Reply`] each is given.
//!
//! # Invariants
//! - Only the daemon's own user (root, as a rule) can ask: the Unix socket has mode 0600.
//! - A socket file without a daemon behind it is replaced; one that a daemon answers, or holds, is left alone.
//! - No client can make the daemon hold more than [`LONGEST_REQUEST`] bytes.

use serde::{Deserialize, Serialize};

mod client;
mod report;
mod server;
mod service_report;

pub use client::{ControlError, ask};
pub use report::{
    AttachmentReport, ConnectionReport, CurrentReport, OrderReport, OriginalReport, PathReport, PeerKind,
    PeerReport, PeerState, RefusalReport, RegistrationReport, RelayedReport, ResumptionReport, StandbyReport,
    StatusReport,
};
pub use server::{BindError, Question, Server};
pub use service_report::{HeldReport, NotificationReport, PublicationReport, RelayReport, ServiceReport};

/// Version of requests and replies. A client refuses any other.
pub const VERSION: u32 = 1;

/// Longest request a client may send, newline included: an order that names a thousand peers.
pub const LONGEST_REQUEST: usize = 64 << 10;

/// What a client may ask.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Request {
    /// A [`StatusReport`], or a [`ServiceReport`] of a subscribe-notify service.
    Status,
    /// A [`ConnectionReport`] for each active connection.
    Connections,
    /// Holds the traffic of some peers until they are resumed; an [`OrderReport`] for each.
    Suspend {
        /// Names or public keys; all peers if there are none.
        #[serde(default)]
        peers: Vec<String>,
    },
    /// Lets the traffic of some peers flow again, and asks them at once; an [`OrderReport`] for each.
    Resume {
        /// Names or public keys; all peers if there are none.
        #[serde(default)]
        peers: Vec<String>,
    },
    /// Ends the daemon in good order.
    Stop,
}

/// What the daemon answers.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Reply {
    /// [`VERSION`] of the daemon that answers.
    pub version: u32,
    /// The answer itself.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// The answer to a [`Request`], under a key of its own name.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// To [`Request::Status`].
    Status(Box<StatusReport>),
    /// To [`Request::Status`], from a subscribe-notify service.
    Service(Box<ServiceReport>),
    /// To [`Request::Connections`].
    Connections(Vec<ConnectionReport>),
    /// To [`Request::Suspend`] and [`Request::Resume`].
    Ordered(Vec<OrderReport>),
    /// To the same, if one of the peers is none; then nothing was done for the others either.
    UnknownPeer {
        /// What the request called it.
        name: String,
        /// What the peers are called.
        peers: Vec<String>,
    },
    /// To [`Request::Stop`]: the daemon is about to end.
    Stopped(bool),
    /// The request was not understood or cannot be served; says why.
    Error(String),
}

impl From<Outcome> for Reply {
    fn from(outcome: Outcome) -> Self {
        Self { version: VERSION, outcome }
    }
}

/// The socket's name as the platform wants it: a path on Unix, a `\\.\pipe\` path on Windows.
fn socket_name(path: &std::path::Path) -> std::io::Result<interprocess::local_socket::Name<'_>> {
    use interprocess::local_socket::{GenericFilePath, ToFsName};
    path.to_fs_name::<GenericFilePath>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_and_replies_have_the_documented_shape() {
        assert_eq!(serde_json::to_string(&Request::Status).unwrap(), r#"{"command":"status"}"#);
        assert_eq!(
            serde_json::from_str::<Request>(r#"{"command":"connections"}"#).unwrap(),
            Request::Connections
        );
        assert_eq!(
            serde_json::from_str::<Request>(r#"{"command":"suspend"}"#).unwrap(),
            Request::Suspend { peers: Vec::new() }
        );
        assert_eq!(
            serde_json::to_string(&Request::Resume { peers: vec!["home".into()] }).unwrap(),
            r#"{"command":"resume","peers":["home"]}"#
        );
        assert_eq!(
            serde_json::to_string(&Reply::from(Outcome::Stopped(true))).unwrap(),
            r#"{"version":1,"stopped":true}"#
        );
        assert_eq!(
            serde_json::from_str::<Reply>(r#"{"version":1,"error":"no"}"#).unwrap(),
            Reply::from(Outcome::Error("no".into()))
        );
    }
}
