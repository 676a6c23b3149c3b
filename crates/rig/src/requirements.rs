//! What the machine must offer before a world can be made, and how a test says that it does not.

use std::env;
use std::io::{self, Write as _};

/// What this machine lacks, if anything.
pub struct Requirements;

impl Requirements {
    /// Whether a world can be made here: Linux, root, network namespaces and `/dev/net/tun`.
    ///
    /// # Errors
    /// The first thing that is missing, as a sentence for people.
    pub fn check() -> Result<(), String> {
        platform::check()
    }

    /// As [`check`](Self::check), and each of `programs` must be found on `PATH`.
    ///
    /// # Errors
    /// The first thing that is missing, as a sentence for people.
    pub fn check_with(programs: &[&str]) -> Result<(), String> {
        Self::check()?;
        programs.iter().try_for_each(|program| Self::program(program))
    }

    /// Whether `program` is on `PATH`.
    ///
    /// # Errors
    /// A sentence that names it, and the Debian package where it is known.
    pub fn program(program: &str) -> Result<(), String> {
        let path = env::var_os("PATH").unwrap_or_default();
        if env::split_paths(&path).any(|directory| directory.join(program).is_file()) {
            return Ok(());
        }
        let package = match program {
            "nft" => "nftables",
            "wg" => "wireguard-tools",
            other => other,
        };
        Err(format!("{program} is not installed (Debian: apt-get install {package})"))
    }

    /// For tests: true when all is there; otherwise says `skipped: <reason>` on standard error, past the
    /// test harness's capture, and answers false.
    ///
    /// # Panics
    /// If the environment says `STEAD_RIG=required`: where the world must run, skipping is a failure.
    #[must_use]
    pub fn met(test: &str, programs: &[&str]) -> bool {
        let Err(reason) = Self::check_with(programs) else {
            return true;
        };
        skip(test, &reason);
        false
    }
}

/// For tests: says `skipped: <reason>` on standard error, past the test harness's capture.
///
/// # Panics
/// If the environment says `STEAD_RIG=required`: where the world must run, skipping is a failure.
pub fn skip(test: &str, reason: &str) {
    assert!(
        env::var("STEAD_RIG").as_deref() != Ok("required"),
        "{test} cannot run, and STEAD_RIG=required: {reason}"
    );
    say_skipped(test, reason);
}

/// As [`skip`], also where the world must run.
pub(crate) fn say_skipped(test: &str, reason: &str) {
    // The harness captures print macros only; a skip must be seen.
    // In one piece, or tests that skip at the same time would write into each other's lines.
    let line = format!("skipped: {test}: {reason}\n");
    let _unseen = io::stderr().write_all(line.as_bytes());
}

#[cfg(not(target_os = "linux"))]
mod platform {
    pub(super) fn check() -> Result<(), String> {
        Err("needs Linux: the rig's world is made of network namespaces".to_owned())
    }
}

#[cfg(target_os = "linux")]
mod platform {
    use std::fs::OpenOptions;
    use std::thread;

    use nix::sched::{CloneFlags, unshare};
    use nix::unistd::geteuid;

    pub(super) fn check() -> Result<(), String> {
        if !geteuid().is_root() {
            return Err("needs root: namespaces, addresses and TUN devices are made".to_owned());
        }
        // Namespaces belong to a thread, so a thread that ends at once can try without a trace.
        thread::spawn(|| unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS))
            .join()
            .map_err(|_| "cannot start a thread".to_owned())?
            .map_err(|error| format!("needs network namespaces: unshare: {error}"))?;
        OpenOptions::new()
            .read(true)
            .write(true)
            .open("/dev/net/tun")
            .map(drop)
            .map_err(|error| format!("needs TUN devices: /dev/net/tun: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_is_named_with_its_package() {
        let reason = Requirements::program("no-such-program-here").unwrap_err();
        assert!(reason.contains("no-such-program-here is not installed"), "{reason}");
        assert_eq!(Requirements::program("sh"), Ok(()));
    }
}
