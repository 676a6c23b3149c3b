//! Key files: small, private, one line.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::mistake::Mistake;
use crate::value::key::KeyFault;
use crate::warning::Warning;

/// A file that holds a key, as the configuration names it.
#[derive(Debug)]
pub(crate) struct KeyFile<'a> {
    /// The configuration's key that names it.
    pub(crate) key: &'a str,
    /// Its path, from the working directory.
    pub(crate) path: PathBuf,
    /// What makes such a file, without the path.
    pub(crate) maker: &'static str,
}

impl KeyFile<'_> {
    /// Reads the key and, if the file is open to others, a warning.
    pub(crate) fn load<K>(
        &self,
        parse: impl FnOnce(&str) -> Result<K, KeyFault>,
    ) -> Result<(K, Option<Warning>), Mistake> {
        let (text, mode) = read(&self.path).map_err(|error| self.unreadable(&error))?;
        let key = parse(text.trim()).map_err(|fault| Mistake::KeyFileContent {
            key: self.key.into(),
            path: self.path.clone(),
            fault,
        })?;
        let open = mode & 0o077 != 0;
        let warning = open.then(|| Warning::OpenKeyFile { path: self.path.clone(), mode });
        Ok((key, warning))
    }

    fn unreadable(&self, error: &io::Error) -> Mistake {
        let (key, path) = (self.key.into(), self.path.clone());
        match error.kind() {
            io::ErrorKind::NotFound => {
                let remedy = format!("make one: `{} {}`", self.maker, path.display());
                Mistake::KeyFileMissing { key, path, remedy }
            }
            _ => Mistake::KeyFileUnreadable { key, path, reason: crate::plain_reason(error) },
        }
    }
}

/// The text of a small file and its permission bits.
fn read(path: &Path) -> io::Result<(Zeroizing<String>, u32)> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    // Room for everything up front: a buffer that grows leaves copies of the secret behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(LONGEST + 1));
    file.take(LONGEST as u64 + 1).read_to_end(&mut bytes)?;
    let text = core::str::from_utf8(&bytes).map_err(|_| io::Error::other("it is not text"))?;
    if bytes.len() > LONGEST {
        return Err(io::Error::other("it is far too long for a key"));
    }
    Ok((Zeroizing::new(text.to_owned()), mode_of(&metadata)))
}

#[cfg(unix)]
fn mode_of(metadata: &std::fs::Metadata) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode() & 0o7777
}

/// Windows guards files by lists of its own, which files in a profile inherit.
#[cfg(not(unix))]
fn mode_of(_: &std::fs::Metadata) -> u32 {
    0o600
}

/// A key is 44 characters; the rest is room for white space.
const LONGEST: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::key;

    fn written(content: &[u8]) -> (tempfile::TempDir, KeyFile<'static>) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("k");
        std::fs::write(&path, content).unwrap();
        (dir, KeyFile { key: "private_key_file", path, maker: "stead keygen --out" })
    }

    #[test]
    fn white_space_around_a_key_is_no_part_of_it() {
        let (_dir, file) = written(b"\n yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk= \r\n");
        let (secret, _) = file.load(key::secret).unwrap();
        assert_eq!(secret.public_key().to_string(), "HIgo9xNzJMWLKASShiTqIybxZ0U3wGLiUeJ1PKf8ykw=");
    }

    #[test]
    fn what_is_not_a_key_file_is_told_apart() {
        let (_dir, file) = written(b"");
        assert!(matches!(
            file.load(key::secret),
            Err(Mistake::KeyFileContent { fault: KeyFault::Length(0), .. })
        ));
        for content in [&[0xff_u8; 44][..], &[b'A'; 5000]] {
            let (_dir, file) = written(content);
            assert!(matches!(file.load(key::secret), Err(Mistake::KeyFileUnreadable { .. })));
        }
        let (dir, file) = written(b"");
        let missing = KeyFile { path: dir.path().join("nowhere"), ..file };
        assert!(matches!(missing.load(key::secret), Err(Mistake::KeyFileMissing { .. })));
        let directory = KeyFile { path: dir.path().into(), ..missing };
        assert!(matches!(directory.load(key::secret), Err(Mistake::KeyFileUnreadable { .. })));
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_can_read_is_used_with_a_warning() {
        use std::os::unix::fs::PermissionsExt as _;
        let (_dir, file) = written(b"yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=");
        for (mode, warned) in [(0o644, true), (0o640, true), (0o600, false), (0o400, false)] {
            std::fs::set_permissions(&file.path, std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(file.load(key::secret).unwrap().1.is_some(), warned, "{mode:o}");
        }
    }
}
