//! What the program says over its control socket, as far as the rig reads it.
//!
//! These are the rig's own words for the program's JSON: a check that what is documented is what is sent.
//! Ages and durations are microseconds; what is absent is unknown.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::RigError;
use crate::host::Host;

/// The answer to `status`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct StatusReport {
    /// The TUN device's name.
    pub interface: String,
    /// This node's static key, base64.
    pub public_key: String,
    /// This node's virtual addresses.
    pub virtual_addresses: Vec<String>,
    /// The UDP port it listens on.
    pub listen_port: u16,
    /// Where it is attached now.
    pub attachment: AttachmentReport,
    /// Time since it started.
    pub uptime: u64,
    /// Entries in the local connection translation table.
    pub connections: u64,
    /// What is known of each peer.
    pub peers: Vec<PeerReport>,
    /// What was dropped, by reason.
    #[serde(default)]
    pub drops: BTreeMap<String, u64>,
}

/// Where a node is attached.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct AttachmentReport {
    /// Its usable addresses.
    pub addresses: Vec<String>,
    /// How long ago it noticed that they changed.
    pub changed: Option<u64>,
}

/// What a node knows of a peer.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct PeerReport {
    /// Its name in the configuration.
    pub name: String,
    /// `unknown`, `plain` or `vc-enhanced`.
    pub kind: String,
    /// What seals to it; `None` without a session.
    pub cipher: Option<String>,
    /// `no-session`, `handshaking`, `held`, `unproven` or `proven`.
    pub state: String,
    /// What the filter of the node's own host refuses.
    #[serde(default)]
    pub refusal: Option<RefusalReport>,
    /// Paths that are kept ready beside the one in use.
    #[serde(default)]
    pub standby: Vec<StandbyReport>,
    /// The path in use.
    pub path: Option<PathReport>,
    /// Age of the last authenticated datagram from it.
    pub last_received: Option<u64>,
    /// Age of the last proof that something reached it.
    pub last_acknowledged: Option<u64>,
    /// Handshakes completed with it.
    pub handshakes: u64,
    /// How often its traffic was held.
    #[serde(default)]
    pub suspensions: u64,
    /// Microseconds for which it was held at most.
    #[serde(default)]
    pub longest_suspension: u64,
    /// Moves of this node that it was told of.
    #[serde(default)]
    pub moves_local: u64,
    /// Moves of the peer that it told of.
    #[serde(default)]
    pub moves_remote: u64,
}

/// What a host's own filter refuses.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct RefusalReport {
    /// From where, unless the host's routes say.
    pub local: Option<String>,
    /// Where to.
    pub remote: String,
}

/// A path that is kept ready beside the one in use.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct StandbyReport {
    /// The far end.
    pub remote: String,
    /// Microseconds since it was last proven.
    pub proven: Option<u64>,
}

/// A path to a peer.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct PathReport {
    /// This node's attachment point, where it is pinned.
    pub local: Option<String>,
    /// The peer's attachment point.
    pub remote: String,
    /// Whether it answered a challenge.
    #[serde(default)]
    pub validated: bool,
    /// The last round-trip time.
    pub rtt: Option<u64>,
}

/// An entry of the local connection translation table.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct ConnectionReport {
    /// What the application sees.
    pub original: OriginalReport,
    /// What carries it now.
    pub current: CurrentReport,
    /// With whom.
    pub peer: String,
    /// Where the connection is in its life.
    pub state: String,
    /// Time since it was opened.
    pub age: u64,
    /// Bytes sent.
    pub bytes_sent: u64,
    /// Bytes received.
    pub bytes_received: u64,
    /// How often it moved.
    pub moves: u64,
}

/// An original connection specification.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct OriginalReport {
    /// Virtual address and port here.
    pub local: String,
    /// Virtual address and port there.
    pub remote: String,
    /// `tcp`, `udp`, …
    pub protocol: String,
}

/// A current connection specification.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct CurrentReport {
    /// Attachment point here.
    pub local: Option<String>,
    /// Attachment point there.
    pub remote: String,
    /// The path's number.
    pub path: u32,
    /// What names the connection in a Connection Update.
    #[serde(default)]
    pub token: String,
}

/// One line of answer.
#[derive(Debug, Deserialize)]
struct Reply {
    status: Option<StatusReport>,
    connections: Option<Vec<ConnectionReport>>,
    error: Option<String>,
}

/// A node's control socket, in its host's private `/run`.
#[derive(Clone, Debug)]
pub struct Control {
    host: Host,
    socket: PathBuf,
}

impl Control {
    pub(crate) fn new(host: &Host, socket: &str) -> Self {
        Self { host: host.clone(), socket: PathBuf::from(socket) }
    }

    /// How the node is.
    ///
    /// # Errors
    /// [`RigError::Control`] if there is no answer or none that makes sense.
    pub fn status(&self) -> Result<StatusReport, RigError> {
        self.ask("status")?.status.ok_or_else(|| self.wrong("the answer holds no status"))
    }

    /// The local connection translation table.
    ///
    /// # Errors
    /// [`RigError::Control`] if there is no answer or none that makes sense.
    pub fn connections(&self) -> Result<Vec<ConnectionReport>, RigError> {
        self.ask("connections")?.connections.ok_or_else(|| self.wrong("the answer holds no connections"))
    }

    fn ask(&self, command: &'static str) -> Result<Reply, RigError> {
        let socket = self.socket.clone();
        let answer = self.host.call(move || exchange(&socket, command))?;
        let line = answer.map_err(|error| self.wrong(&error.to_string()))?;
        let reply: Reply =
            serde_json::from_str(&line).map_err(|error| self.wrong(&format!("{error} in {line}")))?;
        match reply.error {
            Some(error) => Err(self.wrong(&error)),
            None => Ok(reply),
        }
    }

    fn wrong(&self, reason: &str) -> RigError {
        RigError::Control { host: self.host.name().to_owned(), reason: reason.to_owned() }
    }
}

fn exchange(socket: &Path, command: &str) -> std::io::Result<String> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    writeln!(stream, "{{\"command\":\"{command}\"}}")?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    Ok(line)
}

/// A node answers in a millisecond; one that takes this long is stuck.
const PATIENCE: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_with_fields_of_a_later_version_is_read() {
        let line = r#"{"version":1,"connections":[{"original":{"local":"10.77.0.1:40000",
            "remote":"10.77.0.2:5001","protocol":"tcp"},"current":{"local":null,
            "remote":"203.0.113.2:51820","path":3,"session":9,"token":"00ff"},"peer":"server",
            "state":"open","age":5,"idle":1,"packets_sent":1,"bytes_sent":2,"packets_received":3,
            "bytes_received":4,"moves":2,"later":true}]}"#;
        let reply: Reply = serde_json::from_str(line).unwrap();
        let connections = reply.connections.unwrap();
        assert_eq!((connections[0].moves, connections[0].current.path), (2, 3));
        assert!(reply.status.is_none() && reply.error.is_none());
    }
}
