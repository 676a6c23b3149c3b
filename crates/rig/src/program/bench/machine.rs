//! What it was measured on and with: figures mean little without it.

use std::fs;
use std::process::Command;

use serde::{Deserialize, Serialize};
use stead_rig::Driver;
use stead_rig::tunnel::Source;

/// The machine and the state of this repository.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Machine {
    pub(super) processor: String,
    pub(super) processors: usize,
    pub(super) kernel: String,
    pub(super) memory_bytes: u64,
    /// The commit that was built, with `+` if anything was changed since; none outside a repository.
    pub(super) commit: Option<String>,
}

impl Machine {
    pub(super) fn here() -> Self {
        let processors = read("/proc/cpuinfo");
        let memory = read("/proc/meminfo");
        let memory =
            field(&memory, "MemTotal").and_then(|size| size.strip_suffix(" kB")?.parse::<u64>().ok());
        Self {
            processor: field(&processors, "model name").unwrap_or("unknown").to_owned(),
            processors: std::thread::available_parallelism().map_or(0, usize::from),
            kernel: format!("Linux {}", read("/proc/sys/kernel/osrelease").trim()),
            memory_bytes: memory.unwrap_or_default() * 1024,
            commit: commit(),
        }
    }
}

/// The versions of a system's programs, each with where it comes from.
pub(super) fn versions(driver: Driver) -> Vec<String> {
    let of_package = |package: &str| {
        let version = printed("dpkg-query", &["--show", "--showformat=${Version}", package]);
        format!("{package} {} (Debian)", version.as_deref().unwrap_or("of unknown version"))
    };
    let programs = driver.programs().iter().map(|program| match program.source {
        Source::Debian(package) => of_package(package),
        Source::Crate { name, version } => format!("{name} {version} (crates.io)"),
    });
    let own = driver.is_stead().then(|| format!("stead {}", env!("CARGO_PKG_VERSION")));
    own.into_iter().chain(programs).collect()
}

fn commit() -> Option<String> {
    let head = printed("git", &["rev-parse", "--short=12", "HEAD"])?;
    let changed = !printed("git", &["status", "--porcelain", "--untracked-files=no"])?.is_empty();
    Some(head + if changed { "+" } else { "" })
}

fn printed(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// The first `key: value` of a file in `/proc`.
fn field<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let lines = text.lines().filter_map(|line| line.split_once(':'));
    lines.into_iter().find(|(name, _)| name.trim() == key).map(|(_, value)| value.trim())
}
