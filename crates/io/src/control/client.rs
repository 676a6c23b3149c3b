//! Asks a running daemon.

use core::time::Duration;
use std::io;
use std::path::{Path, PathBuf};

use interprocess::local_socket::tokio::Stream;
use interprocess::local_socket::traits::tokio::Stream as _;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::time::timeout;

use super::{Outcome, Reply, Request, VERSION, socket_name};

/// How long a daemon may take. It answers from memory, so only a stuck one takes longer than this.
const PATIENCE: Duration = Duration::from_secs(5);

/// Longest reply taken: the largest connection table there may be, a few hundred bytes an entry.
const LONGEST_REPLY: u64 = 256 << 20;

/// Why a daemon gave no answer. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// There is no socket, or nobody behind it.
    #[error(
        "no daemon is running at {path}\nhint: start it with `stead up`, or name its configuration if it uses another control socket"
    )]
    NotRunning {
        /// The socket asked.
        path: PathBuf,
    },
    /// The socket belongs to somebody else.
    #[error("no permission to ask the daemon at {path}\nhint: ask as the user that runs it, e.g. with sudo")]
    Permission {
        /// The socket asked.
        path: PathBuf,
    },
    /// It took the question and stayed silent.
    #[error(
        "the daemon at {path} did not answer within {} s\nhint: it may be stuck; see its log, and end it with SIGTERM",
        PATIENCE.as_secs()
    )]
    Silent {
        /// The socket asked.
        path: PathBuf,
    },
    /// The reply is no reply.
    #[error(
        "what answers at {path} is not a stead daemon, or another version of it: {reason}\nhint: restart the daemon with the same version of stead"
    )]
    Unintelligible {
        /// The socket asked.
        path: PathBuf,
        /// What was wrong with the reply.
        reason: String,
    },
    /// The daemon says no.
    #[error("the daemon refused: {0}")]
    Refused(String),
    /// Anything else the system reports.
    #[error("cannot ask the daemon at {path}: {source}")]
    Io {
        /// The socket asked.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Sends `request` to the daemon behind the control socket at `path` and returns its reply.
///
/// # Errors
/// See [`ControlError`]; a reply that reports an error is [`ControlError::Refused`].
pub async fn ask(path: &Path, request: &Request) -> Result<Reply, ControlError> {
    let line = match timeout(PATIENCE, exchange(path, request)).await {
        Ok(Ok(line)) => line,
        Ok(Err(error)) => return Err(connect_error(path, error)),
        Err(_elapsed) => return Err(ControlError::Silent { path: path.into() }),
    };
    let reply =
        understand(&line).map_err(|reason| ControlError::Unintelligible { path: path.into(), reason })?;
    match reply.outcome {
        Outcome::Error(reason) => Err(ControlError::Refused(reason)),
        _ => Ok(reply),
    }
}

/// Sends `request` and returns the reply line; it is empty if the daemon hangs up.
pub(super) async fn exchange(path: &Path, request: &Request) -> io::Result<Vec<u8>> {
    let stream = Stream::connect(socket_name(path)?).await?;
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    (&stream).write_all(&line).await?;

    let mut answer = Vec::new();
    BufReader::new((&stream).take(LONGEST_REPLY)).read_until(b'\n', &mut answer).await?;
    Ok(answer)
}

/// The version is looked at first: the rest of another version's reply may not parse.
fn understand(line: &[u8]) -> Result<Reply, String> {
    #[derive(serde::Deserialize)]
    struct Versioned {
        version: u32,
    }
    if line.is_empty() {
        return Err("it closed the connection without a word".into());
    }
    let Versioned { version } = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    if version != VERSION {
        return Err(format!("it speaks version {version}, this program version {VERSION}"));
    }
    serde_json::from_slice(line).map_err(|error| error.to_string())
}

fn connect_error(path: &Path, error: io::Error) -> ControlError {
    let path = path.to_path_buf();
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => ControlError::NotRunning { path },
        io::ErrorKind::PermissionDenied => ControlError::Permission { path },
        _ => ControlError::Io { path, source: error },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn without_a_daemon_the_error_says_how_to_start_one() {
        let folder = tempfile::tempdir().unwrap();

        let error = ask(&folder.path().join("nobody.sock"), &Request::Status).await.unwrap_err();

        assert!(matches!(error, ControlError::NotRunning { .. }), "{error:?}");
        assert!(error.to_string().contains("stead up"), "{error}");
    }

    #[test]
    fn another_version_is_named_even_if_its_reply_does_not_parse() {
        let reason = understand(br#"{"version":7,"unheard":{}}"#).unwrap_err();
        assert!(reason.contains("version 7"), "{reason}");
    }

    #[test]
    fn an_empty_and_a_garbled_reply_are_told_apart() {
        assert!(understand(b"").unwrap_err().contains("without a word"));
        assert!(understand(b"hello\n").is_err());
    }
}
