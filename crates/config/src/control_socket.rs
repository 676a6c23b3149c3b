//! Where the control socket lies unless the configuration says otherwise.

use std::path::{Path, PathBuf};

use crate::mistake::Mistake;
use crate::value::interface_name::InterfaceName;

/// The control socket of the program that runs `interface`, if its configuration names none.
#[must_use]
pub fn default_for(interface: &InterfaceName) -> PathBuf {
    platform::default_for(interface.as_str())
}

/// The directory whose `*.sock` files are the default control sockets; `None` where they are no files.
#[must_use]
pub fn default_directory() -> Option<&'static Path> {
    platform::DIRECTORY.map(Path::new)
}

/// Can the system bind a socket to this path?
pub(crate) fn check(key: &str, path: &Path) -> Result<(), Mistake> {
    let problem = if path.file_name().is_none() {
        "names no file"
    } else if path.as_os_str().len() > LONGEST {
        "is longer than the 107 bytes that the system takes for a socket"
    } else {
        return Ok(());
    };
    let hint = "`/run/stead/stead0.sock` is the usual place; leave the line out for the default";
    Err(Mistake::Path { key: key.into(), problem, hint })
}

/// `sun_path` has 108 bytes on Linux, one of them the terminating zero.
const LONGEST: usize = 107;

#[cfg(windows)]
mod platform {
    use std::path::PathBuf;

    /// Named pipes live in a namespace of their own.
    pub(super) const DIRECTORY: Option<&str> = None;

    pub(super) fn default_for(interface: &str) -> PathBuf {
        format!(r"\\.\pipe\stead-{interface}").into()
    }
}

#[cfg(not(windows))]
mod platform {
    use std::path::{Path, PathBuf};

    #[cfg(target_os = "linux")]
    pub(super) const DIRECTORY: Option<&str> = Some("/run/stead");

    /// Where there is no `/run`.
    #[cfg(not(target_os = "linux"))]
    pub(super) const DIRECTORY: Option<&str> = Some("/var/run/stead");

    pub(super) fn default_for(interface: &str) -> PathBuf {
        Path::new(DIRECTORY.unwrap_or_default()).join(format!("{interface}.sock"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn the_default_follows_the_interface() {
        let interface = "wg-home".parse().unwrap();
        assert_eq!(default_for(&interface), Path::new("/run/stead/wg-home.sock"));
        assert_eq!(default_for(&interface).parent(), default_directory());
    }

    #[test]
    fn a_path_that_no_socket_fits_is_refused() {
        assert!(check("control_socket", Path::new("/run/stead/stead0.sock")).is_ok());
        assert!(check("control_socket", Path::new("/")).is_err());
        assert!(check("control_socket", Path::new(&"x".repeat(107))).is_ok());
        assert!(check("control_socket", Path::new(&"x".repeat(108))).is_err());
    }
}
