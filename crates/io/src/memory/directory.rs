//! Where state is kept from one start to the next unless the configuration says otherwise.

use std::env;
use std::path::{Path, PathBuf};

/// The directory for all interfaces; `None` if this user has none.
///
/// What systemd made for the service, if it did (`StateDirectory=`); the system's for root; else the user's own.
#[must_use]
pub fn state_directory() -> Option<PathBuf> {
    // systemd separates several by colons.
    if let Some(named) = absolute("STATE_DIRECTORY") {
        return named.to_str().and_then(|all| all.split(':').next()).map(PathBuf::from);
    }
    platform::default()
}

/// The path that an environment variable names.
fn absolute(variable: &str) -> Option<PathBuf> {
    env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute())
}

/// `stead` below the first of these that there is.
fn below(first: Option<PathBuf>, home: Option<PathBuf>, further: &str) -> Option<PathBuf> {
    let base = first.or_else(|| home.map(|home| home.join(Path::new(further))));
    base.map(|base| base.join("stead"))
}

#[cfg(unix)]
mod platform {
    use std::path::PathBuf;

    use super::{absolute, below};

    pub(super) fn default() -> Option<PathBuf> {
        if nix::unistd::geteuid().is_root() {
            return Some(PathBuf::from("/var/lib/stead"));
        }
        below(absolute("XDG_STATE_HOME"), absolute("HOME"), ".local/state")
    }
}

#[cfg(not(unix))]
mod platform {
    use std::path::PathBuf;

    use super::{absolute, below};

    pub(super) fn default() -> Option<PathBuf> {
        below(absolute("ProgramData"), absolute("LOCALAPPDATA"), "")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_users_own_directory_comes_from_the_first_variable_that_names_one() {
        let path = |text: &str| Some(PathBuf::from(text));
        assert_eq!(below(path("/x"), path("/home/u"), ".local/state"), path("/x/stead"));
        assert_eq!(below(None, path("/home/u"), ".local/state"), path("/home/u/.local/state/stead"));
        assert_eq!(below(None, None, ".local/state"), None);
    }
}
