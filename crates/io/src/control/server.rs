//! Answers clients on the control socket.

use core::time::Duration;
use std::io;
use std::path::{Path, PathBuf};

use interprocess::local_socket::ListenerOptions;
use interprocess::local_socket::tokio::{Listener, Stream};
use interprocess::local_socket::traits::tokio::Listener as _;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
#[cfg(unix)]
use tokio::time::{Instant, timeout_at};
use tokio::time::{sleep, timeout};
use tracing::{debug, warn};

#[cfg(unix)]
use super::client::exchange;
use super::{LONGEST_REQUEST, Outcome, Reply, Request, socket_name};

/// Clients served at the same time; further ones wait in the socket's backlog.
const CLIENTS: usize = 16;

/// How long a client may take to hear the last answer.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// A client that says nothing for this long gives its place to another.
const IDLE: Duration = Duration::from_secs(60);

/// How long a daemon that says nothing may take to be gone: a killed one holds its socket until the kernel has taken
/// its interface down.
#[cfg(unix)]
const DEATH: Duration = Duration::from_secs(3);

/// How soon a socket whose daemon hung up is looked at again.
#[cfg(unix)]
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// A client's request and where its answer goes.
#[derive(Debug)]
pub struct Question {
    /// What was asked.
    pub request: Request,
    /// Takes the one answer.
    pub answer: oneshot::Sender<Outcome>,
}

/// Why the control socket could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// A daemon answers there, or holds it.
    #[error(
        "a daemon is already running at {0}\nhint: `stead status` shows it; stop it, or give this one another `control_socket`"
    )]
    Taken(PathBuf),
    /// Something that is no socket lies there.
    #[error(
        "{0} exists and is not a socket\nhint: give `control_socket` another path, or move that file away"
    )]
    NotASocket(PathBuf),
    /// The folder cannot be made.
    #[error("cannot make the folder {path} for the control socket: {source}")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Anything else the system reports.
    #[error(
        "cannot open the control socket {path}: {source}\nhint: set `control_socket` to a path this user may write"
    )]
    Io {
        /// The socket's path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Listens on the control socket; the socket file goes when this is dropped.
#[derive(Debug)]
pub struct Server {
    listener: Listener,
    path: PathBuf,
}

impl Server {
    /// Opens the control socket at `path`, making its folder and replacing a socket nobody answers.
    ///
    /// # Errors
    /// [`BindError::Taken`] if a daemon answers there already, or keeps it for seconds without a word; the others name what stood in the way.
    pub async fn bind(path: &Path) -> Result<Self, BindError> {
        make_folder(path)?;
        clear_stale(path).await?;
        let io = |source| BindError::Io { path: path.into(), source };
        let options = ListenerOptions::new().name(socket_name(path).map_err(io)?);
        let listener = restrict(options).create_tokio().map_err(io)?;
        restrict_file(path).map_err(io)?;
        Ok(Self { listener, path: path.into() })
    }

    /// Accepts clients for ever and sends what they ask to `questions`. Ends when nobody takes them any more,
    /// after the answers that are still on their way.
    pub async fn run(self, questions: mpsc::Sender<Question>) {
        let mut clients = JoinSet::new();
        loop {
            tokio::select! {
                accepted = self.listener.accept(), if clients.len() < CLIENTS => match accepted {
                    Ok(stream) => { clients.spawn(serve(stream, questions.clone())); }
                    Err(error) => {
                        warn!(socket = %self.path.display(), %error, "Control socket did not accept a client");
                        // Out of descriptors, most likely: accepting again at once would only spin.
                        sleep(Duration::from_millis(100)).await;
                    }
                },
                Some(_) = clients.join_next(), if !clients.is_empty() => {}
                () = questions.closed() => break,
            }
        }
        drop(self.listener);
        let _ = timeout(LAST_WORDS, clients.join_all()).await;
    }
}

/// One client: request lines in, reply lines out, until it hangs up or sends something that is no line.
async fn serve(stream: Stream, questions: mpsc::Sender<Question>) {
    let mut reader = BufReader::new(&stream);
    let mut line = Vec::new();
    loop {
        line.clear();
        let limit = LONGEST_REQUEST as u64;
        let mut limited = (&mut reader).take(limit);
        let read = tokio::select! {
            read = timeout(IDLE, limited.read_until(b'\n', &mut line)) => read,
            () = questions.closed() => return,
        };
        match read {
            Err(_elapsed) => return debug!("Control client let go for its silence"),
            Ok(Ok(0)) => return,
            Ok(Ok(_)) => {}
            Ok(Err(error)) => return debug!(%error, "Control client lost"),
        }
        let whole = line.last() == Some(&b'\n');
        let outcome = if whole { answer(&line, &questions).await } else { too_long() };
        if let Err(error) = write(&stream, outcome).await {
            return debug!(%error, "Control client lost");
        }
        if !whole {
            return;
        }
    }
}

fn too_long() -> Outcome {
    Outcome::Error(format!("expected a request of one line, {LONGEST_REQUEST} bytes at most"))
}

async fn answer(line: &[u8], questions: &mpsc::Sender<Question>) -> Outcome {
    let request = match serde_json::from_slice::<Request>(line) {
        Ok(request) => request,
        Err(error) => return Outcome::Error(format!("not a request: {error}")),
    };
    let (answer, answered) = oneshot::channel();
    let ending = || Outcome::Error("the daemon is ending".into());
    if questions.send(Question { request, answer }).await.is_err() {
        return ending();
    }
    answered.await.unwrap_or_else(|_| ending())
}

async fn write(mut stream: &Stream, outcome: Outcome) -> io::Result<()> {
    let mut line = serde_json::to_vec(&Reply::from(outcome))?;
    line.push(b'\n');
    stream.write_all(&line).await?;
    stream.flush().await
}

#[cfg(target_os = "linux")]
fn restrict(options: ListenerOptions<'_>) -> ListenerOptions<'_> {
    use interprocess::os::unix::local_socket::ListenerOptionsExt as _;
    options.mode(0o600)
}

/// Elsewhere the mode cannot be set before the socket is there; a pipe's default lets only administrators write.
#[cfg(not(target_os = "linux"))]
fn restrict(options: ListenerOptions<'_>) -> ListenerOptions<'_> {
    options
}

#[cfg(unix)]
fn restrict_file(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))
}

#[cfg(windows)]
fn restrict_file(_path: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn make_folder(path: &Path) -> Result<(), BindError> {
    let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) else { return Ok(()) };
    std::fs::create_dir_all(folder).map_err(|source| BindError::Folder { path: folder.into(), source })
}

/// Pipes live in a namespace without folders.
#[cfg(windows)]
fn make_folder(_path: &Path) -> Result<(), BindError> {
    Ok(())
}

/// Removes a socket file that nobody answers: what a killed daemon leaves behind.
///
/// One that is being killed, or ends, keeps its socket until the rest of it is gone: that is waited for.
#[cfg(unix)]
async fn clear_stale(path: &Path) -> Result<(), BindError> {
    let io = |source| BindError::Io { path: path.into(), source };
    let until = Instant::now() + DEATH;
    while is_socket(path)? {
        match timeout_at(until, exchange(path, &Request::Status)).await {
            Ok(Ok(answer)) if !answer.is_empty() => return Err(BindError::Taken(path.into())),
            Ok(Ok(_hung_up)) => {}
            Ok(Err(error)) => match error.kind() {
                io::ErrorKind::ConnectionRefused => {
                    debug!(socket = %path.display(), "Removing a control socket that nobody answers");
                    return std::fs::remove_file(path).map_err(io);
                }
                io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::NotFound => {}
                _ => return Err(io(error)),
            },
            Err(_elapsed) => return Err(BindError::Taken(path.into())),
        }
        if Instant::now() >= until {
            return Err(BindError::Taken(path.into()));
        }
        sleep(LOOK_AGAIN).await;
    }
    Ok(())
}

/// Whether there is a socket at `path`; not if there is nothing.
#[cfg(unix)]
fn is_socket(path: &Path) -> Result<bool, BindError> {
    use std::os::unix::fs::FileTypeExt as _;

    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(BindError::Io { path: path.into(), source }),
        Ok(file) if !file.file_type().is_socket() => Err(BindError::NotASocket(path.into())),
        Ok(_socket) => Ok(true),
    }
}

/// A pipe goes with its process, so one that can be opened has a daemon behind it.
#[cfg(windows)]
async fn clear_stale(path: &Path) -> Result<(), BindError> {
    use interprocess::local_socket::traits::tokio::Stream as _;

    let name = socket_name(path).map_err(|source| BindError::Io { path: path.into(), source })?;
    match Stream::connect(name).await {
        Ok(_daemon) => Err(BindError::Taken(path.into())),
        Err(_nobody) => Ok(()),
    }
}

#[cfg(test)]
mod tests;
