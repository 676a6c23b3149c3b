//! How cost grows. Run with `scripts/bench scale`, or `cargo bench -p stead-node --bench scale -- [--json]`.
//!
//! One node with more and more peers, sessions, connections or routes, in one thread and in memory; for each size a process
//! of its own. Memory is the process's resident set, so allocators' slack counts. The packets are AES-256-GCM's, and take
//! turns among the peers or connections: what a processor's caches do not hold shows.
//!
//! ```text
//! make the node ─> connect ─> fill the table ─> packets out and in ─> turns of the node ─> status ─> a move of the node
//! ```

#[path = "../ground/hub.rs"]
mod hub;

mod figures;
mod load;

use std::process::{Command, ExitCode};

use figures::Figures;
use load::{Growing, Size};

/// What grows, and how far.
const SIZES: [(Growing, [u32; 3]); 4] = [
    (Growing::Peers, [1, 100, 10_000]),
    (Growing::Sessions, [1, 100, 10_000]),
    (Growing::Connections, [10, 10_000, 1_000_000]),
    (Growing::Routes, [1, 100, 10_000]),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some(at) = arguments.iter().position(|argument| argument == "--one") {
        let Some(size) = Size::parse(&arguments[at + 1..]) else { return ExitCode::FAILURE };
        figures::put(&load::measure(size).to_line());
        return ExitCode::SUCCESS;
    }
    figures::put(&figures::heading());
    let mut all = Vec::new();
    for size in SIZES.iter().flat_map(|(what, counts)| counts.map(|count| Size { what: *what, count })) {
        let Some(figures) = in_a_process_of_its_own(size) else { return ExitCode::FAILURE };
        figures::put(&figures.row(size));
        all.push((size, figures));
    }
    if arguments.iter().any(|argument| argument == "--json") {
        figures::put(&figures::json(&all));
    }
    ExitCode::SUCCESS
}

/// So that one size's memory is not the next one's.
fn in_a_process_of_its_own(size: Size) -> Option<Figures> {
    let program = std::env::current_exe().ok()?;
    let arguments = ["--one", size.what.name(), &size.count.to_string()];
    let output =
        Command::new(program).args(arguments).stderr(std::process::Stdio::inherit()).output().ok()?;
    Figures::from_line(&String::from_utf8(output.stdout).ok()?)
}
