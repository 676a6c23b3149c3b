//! What a daemon remembers for the one that is started after it: where each peer was last proven to be.
//!
//! One text file per interface, in a directory of its own. It reads and writes; what the points mean is the node's: hints,
//! to be proven like any other, so that a wrong file does no harm.
//!
//! ```text
//! stead points 1
//! cGVlcidzIHB1YmxpYyBrZXkgaW4gYmFzZTY0Li4uLi4= 198.51.100.7:51820 [2001:db8::7]:51820
//! ```
//! # Life-cycle
//! [`Memory::open`] → [`Memory::take`] at the start → [`Memory::keep`] whenever a proof changed, not too often, and at the
//! end.
//!
//! # Invariants
//! - The file is replaced as a whole or not at all, so that a daemon killed while it writes leaves the old one.
//! - No trouble with it ends a daemon: it is told once, and the daemon goes on without.

mod directory;

use core::fmt::Write as _;
use core::net::SocketAddr;
use core::time::Duration;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use stead_node::Node;
use stead_noise::keys::PublicKey;
use stead_wire::time::Instant;
use tracing::{info, warn};

pub use self::directory::state_directory;

/// Where each peer was last proven to be.
pub(crate) type Points = BTreeMap<PublicKey, Vec<SocketAddr>>;

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Memory {
    /// `None` if nothing is to be remembered.
    file: Option<PathBuf>,
    /// Of what was written last.
    proofs: u64,
    /// When the file was written last.
    written: Option<Instant>,
    troubled: bool,
}

/// Why a file is not read.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("it is no file of this kind and version")]
    Foreign,
    #[error("line {0} is damaged")]
    Damaged(usize),
    #[error("it belongs to another user")]
    AnothersFile,
    #[error("it is longer than {LARGEST} bytes")]
    TooLarge,
}

/// The first line.
const HEADER: &str = "stead points 1";

/// The file's name in its directory.
const NAME: &str = "points";

/// Points per peer that are read.
const MOST_POINTS: usize = 4;

/// Room for some twenty thousand peers.
const LARGEST: u64 = 4 << 20;

/// The file is written no more often than this, but for the end: a host that moves all the time must not wear out a
/// memory card.
const WRITE_INTERVAL: Duration = Duration::from_secs(5);

impl Memory {
    /// The memory of `interface`, below `directory`.
    pub(crate) fn open(directory: Option<&Path>, interface: &str) -> Self {
        let file = directory.map(|directory| directory.join(interface).join(NAME));
        Self { file, proofs: 0, written: None, troubled: false }
    }

    /// What the daemon before remembered; nothing if there is no file, or none that can be trusted.
    pub(crate) fn take(&self) -> Points {
        let Some(file) = &self.file else { return Points::new() };
        match read(file) {
            Ok(points) => points,
            Err(Unusable::Io(error)) if error.kind() == io::ErrorKind::NotFound => Points::new(),
            Err(reason) => {
                warn!(file = %file.display(), %reason, "Ignored the remembered attachment points");
                Points::new()
            }
        }
    }

    /// When there may be something to write, if the node has proven something since.
    pub(crate) fn due(&self, node: &Node, now: Instant) -> Option<Instant> {
        let news = self.file.is_some() && node.proofs() != self.proofs;
        news.then(|| self.written.map_or(now, |written| written + WRITE_INTERVAL))
    }

    /// Writes what the node knows, if that is due.
    pub(crate) fn keep_if_due(&mut self, node: &Node, now: Instant) {
        if self.due(node, now).is_some_and(|at| now >= at) {
            self.keep(node, now);
        }
    }

    /// Writes what the node knows, if that has changed.
    pub(crate) fn keep(&mut self, node: &Node, now: Instant) {
        let Some(file) = self.file.as_ref().filter(|_| node.proofs() != self.proofs) else { return };
        let written = write(file, node.proven_points());
        (self.proofs, self.written) = (node.proofs(), Some(now));
        match written {
            Ok(()) if core::mem::take(&mut self.troubled) => {
                info!(file = %file.display(), "Attachment points are remembered again");
            }
            Ok(()) => {}
            Err(error) => {
                if !core::mem::replace(&mut self.troubled, true) {
                    warn!(file = %file.display(), %error, "Attachment points are not remembered");
                }
            }
        }
    }
}

fn read(file: &Path) -> Result<Points, Unusable> {
    let opened = File::open(file)?;
    let metadata = opened.metadata()?;
    if !metadata.is_file() {
        return Err(Unusable::Foreign);
    }
    if !is_own(&metadata) {
        return Err(Unusable::AnothersFile);
    }
    let mut bytes = Vec::new();
    opened.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        return Err(Unusable::TooLarge);
    }
    parse(core::str::from_utf8(&bytes).map_err(|_| Unusable::Foreign)?)
}

fn parse(text: &str) -> Result<Points, Unusable> {
    let mut lines = text.lines();
    if lines.next() != Some(HEADER) {
        return Err(Unusable::Foreign);
    }
    let mut points = Points::new();
    for (number, line) in (2..).zip(lines) {
        let mut words = line.split(' ');
        let key = words.next().and_then(|key| key.parse().ok()).ok_or(Unusable::Damaged(number))?;
        let all: Result<Vec<SocketAddr>, _> = words.map(str::parse).collect();
        let mut all = all.map_err(|_| Unusable::Damaged(number))?;
        all.truncate(MOST_POINTS);
        points.insert(key, all);
    }
    Ok(points)
}

fn write<'n>(file: &Path, points: impl Iterator<Item = (PublicKey, &'n [SocketAddr])>) -> io::Result<()> {
    let mut text = format!("{HEADER}\n");
    for (key, points) in points {
        // Writing to a string cannot fail.
        let _ = write!(text, "{key}");
        for point in points {
            let _ = write!(text, " {point}");
        }
        text.push('\n');
    }
    let directory = file.parent().unwrap_or(Path::new(""));
    make_directory(directory)?;
    let draft = directory.join(format!("{NAME}.new"));
    // One that a killed daemon left.
    let _ = fs::remove_file(&draft);
    let mut opened = new_file(&draft)?;
    opened.write_all(text.as_bytes())?;
    opened.sync_all()?;
    fs::rename(&draft, file)
}

#[cfg(unix)]
fn is_own(metadata: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    metadata.uid() == nix::unistd::geteuid().as_raw()
}

#[cfg(not(unix))]
const fn is_own(_metadata: &fs::Metadata) -> bool {
    true
}

/// The directory, for this user alone.
fn make_directory(directory: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)
}

/// A file that did not exist, for this user alone.
fn new_file(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use stead_noise::keys::StaticSecret;

    fn key(number: u8) -> PublicKey {
        StaticSecret::from_random([number; 32]).public_key()
    }

    fn points(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn memory(directory: &Path) -> Memory {
        Memory::open(Some(directory), "stead0")
    }

    #[test]
    fn what_is_written_is_read_again_and_no_other_user_can() {
        let directory = tempfile::tempdir().unwrap();
        let memory = memory(directory.path());
        let file = memory.file.clone().unwrap();
        assert!(memory.take().is_empty(), "there is none yet");
        let (one, other) = (points(&["192.0.2.1:7", "[2001:db8::1]:7"]), points(&["192.0.2.9:9"]));
        for _ in 0..2 {
            write(&file, [(key(1), &one[..]), (key(2), &other[..])].into_iter()).unwrap();
        }
        assert_eq!(memory.take(), Points::from([(key(1), one), (key(2), other)]));
        assert_eq!(fs::read_dir(file.parent().unwrap()).unwrap().count(), 1, "no draft is left");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!((mode(&file), mode(file.parent().unwrap())), (0o600, 0o700));
        }
    }

    #[test]
    fn a_file_that_is_damaged_or_no_such_file_is_ignored_as_a_whole() {
        let good = format!("{HEADER}\n{} 192.0.2.1:7\n", key(1));
        assert_eq!(parse(&good).unwrap().len(), 1);
        assert!(matches!(parse(&format!("{good}{} 192.0.2.1", key(2))), Err(Unusable::Damaged(3))));
        assert!(matches!(parse(&format!("{good}torn")), Err(Unusable::Damaged(3))));
        for foreign in ["", "stead points 2\n", "{}", "stead points 1 and more"] {
            assert!(matches!(parse(foreign), Err(Unusable::Foreign)), "{foreign}");
        }
        let directory = tempfile::tempdir().unwrap();
        let memory = memory(directory.path());
        let file = memory.file.clone().unwrap();
        fs::create_dir_all(&file).unwrap();
        assert!(memory.take().is_empty(), "a directory");
        fs::remove_dir(&file).unwrap();
        fs::write(&file, [0xff, 0xfe]).unwrap();
        assert!(memory.take().is_empty(), "no text");
        File::create(&file).unwrap().set_len(LARGEST + 1).unwrap();
        assert!(memory.take().is_empty(), "endless");
    }

    #[test]
    fn where_no_directory_can_be_made_nothing_is_written() {
        let directory = tempfile::tempdir().unwrap();
        let base = directory.path().join("a-file");
        fs::write(&base, "").unwrap();
        let memory = memory(&base);
        assert!(write(memory.file.as_ref().unwrap(), core::iter::empty()).is_err());
        assert!(memory.take().is_empty());
    }

    #[test]
    fn more_points_than_a_peer_can_have_are_not_read() {
        let line = format!("{HEADER}\n{}{}", key(1), " 192.0.2.1:7".repeat(100));
        assert_eq!(parse(&line).unwrap()[&key(1)].len(), MOST_POINTS);
    }
}
