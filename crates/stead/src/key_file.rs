//! Makes secrets and puts them into files that only their owner can read.

use core::fmt::{Display, Write as _};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use zeroize::Zeroizing;

use crate::failure::Failure;

/// 32 bytes that nobody else has.
pub(crate) fn random_bytes() -> Result<Zeroizing<[u8; 32]>, Failure> {
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *bytes).map_err(|error| {
        Failure::refused(format!("the system gave no random numbers: {error}"), "try again in a moment")
    })?;
    Ok(bytes)
}

/// A key as a line of text, in memory that is wiped.
pub(crate) fn line(key: &impl Display) -> Zeroizing<String> {
    // Room up front: a text that grows leaves copies behind.
    let mut text = Zeroizing::new(String::with_capacity(64));
    // Writing into a String cannot fail.
    let _ = writeln!(text, "{key}");
    text
}

/// Writes a new file with mode 0600 and refuses one that exists.
pub(crate) fn create(path: &Path, key: &impl Display) -> io::Result<()> {
    let mut file = private_new(path)?;
    write(&mut file, key).inspect_err(|_| {
        // What we could not finish must not look like a key.
        let _ = fs::remove_file(path);
    })
}

/// Writes the file with mode 0600 whether it exists or not; at no moment is it half written.
pub(crate) fn replace(path: &Path, key: &impl Display) -> io::Result<()> {
    let mut name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let beside = path.with_file_name(name);
    create(&beside, key)?;
    fs::rename(&beside, path).inspect_err(|_| {
        let _ = fs::remove_file(&beside);
    })
}

fn write(file: &mut File, key: &impl Display) -> io::Result<()> {
    file.write_all(line(key).as_bytes())?;
    file.sync_all()
}

#[cfg(unix)]
fn private_new(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// Files inherit their guards from the directory here.
#[cfg(not(unix))]
fn private_new(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).open(path)
}
