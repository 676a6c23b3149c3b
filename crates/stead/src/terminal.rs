//! Standard output and error: colours where they are seen and wanted, and readers that go away.

use std::env;
use std::io::{self, IsTerminal as _, Write as _};

use stead_config::{Paint, Report};

use crate::failure::Failure;

/// Writes an answer to standard output.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::OutputClosed,
        _ => Failure::refused(format!("cannot write to standard output: {error}"), "is the disk full?"),
    })
}

/// Writes a remark to standard error. If that fails there is nobody to tell.
pub(crate) fn warn(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// How standard output is to be painted.
pub(crate) fn stdout_paint() -> Paint {
    paint(io::stdout().is_terminal())
}

/// How standard error is to be painted.
pub(crate) fn stderr_paint() -> Paint {
    paint(io::stderr().is_terminal())
}

/// `2 errors and 1 warning`, for the end of a report.
pub(crate) fn tally(report: &Report) -> String {
    let count = |number: usize, word: &str| format!("{number} {word}{}", if number == 1 { "" } else { "s" });
    let (errors, warnings) = (report.errors(), report.findings().len() - report.errors());
    match (errors, warnings) {
        (0, warnings) => format!("\n{}\n", count(warnings, "warning")),
        (errors, 0) => format!("\n{}\n", count(errors, "error")),
        (errors, warnings) => format!("\n{} and {}\n", count(errors, "error"), count(warnings, "warning")),
    }
}

/// Colours only on a terminal that has some, and only for people who did not say `NO_COLOR`.
fn paint(is_terminal: bool) -> Paint {
    let says_no = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let is_dumb = env::var_os("TERM").is_some_and(|value| value == "dumb");
    if is_terminal && !says_no && !is_dumb { Paint::Ansi } else { Paint::Plain }
}
