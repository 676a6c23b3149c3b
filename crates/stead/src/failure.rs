//! Why a command did not do what it was asked.

use core::fmt::Display;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use stead_config::Report;
use stead_io::control::ControlError;

use crate::terminal;

/// What ends a command early. Reported on standard error; the exit status is 1.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// A configuration cannot be used.
    #[error("{0}")]
    Configuration(#[from] Report),
    /// The same, and standard output has it already.
    #[error("the configuration cannot be used")]
    Shown,
    /// Anything else: what happened and what to do about it.
    #[error("{what}\nhint: {hint}")]
    Refused {
        /// What happened.
        what: String,
        /// What to do.
        hint: String,
    },
    /// The running program was asked in vain; the text has its own hint.
    #[error("{0}")]
    Control(#[from] ControlError),
    /// Whoever read our output has gone; nobody is left to be told.
    #[error("standard output was closed")]
    OutputClosed,
}

impl Failure {
    pub(crate) fn refused(what: impl Display, hint: impl Display) -> Self {
        Self::Refused { what: what.to_string(), hint: hint.to_string() }
    }

    /// A file that the system did not let us read or write.
    pub(crate) fn file(deed: &str, path: &Path, error: &io::Error) -> Self {
        let hint = match error.kind() {
            io::ErrorKind::NotFound => "check the path; the directory has to exist",
            io::ErrorKind::PermissionDenied => "choose a place you may use, or use sudo",
            _ => "check the path and the space on the disk",
        };
        Self::refused(format!("cannot {deed} `{}`: {error}", path.display()), hint)
    }

    /// Tells the user and says what to end with.
    pub(crate) fn report(&self) -> ExitCode {
        let paint = terminal::stderr_paint();
        match self {
            // As `head` in a pipeline does, not as a mistake.
            Self::OutputClosed => return ExitCode::SUCCESS,
            Self::Shown => {}
            Self::Configuration(report) => {
                terminal::warn(&report.render(paint));
                terminal::warn(&terminal::tally(report));
            }
            Self::Refused { .. } | Self::Control(_) => {
                let text = self.to_string();
                let (what, hint) = text.split_once("\nhint: ").unwrap_or((&text, ""));
                let head = paint.wrap("1;31", "error");
                terminal::warn(&format!("{head}{}\n", paint.strong(&format!(": {what}"))));
                if !hint.is_empty() {
                    terminal::warn(&format!("{} {hint}\n", paint.hint("hint:")));
                }
            }
        }
        ExitCode::FAILURE
    }
}
