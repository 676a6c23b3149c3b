//! What people see: lines on standard output, progress on standard error while it is a terminal.

use std::env;
use std::io::{self, IsTerminal as _, Write as _};

/// Where lines and progress go.
#[derive(Debug)]
pub(super) struct Terminal {
    colours: bool,
    live: bool,
}

/// How a piece of text looks where colours are shown.
#[derive(Clone, Copy, Debug)]
pub(super) enum Look {
    Plain,
    Bold,
    Dim,
    Good,
    Bad,
    Accent,
}

impl Terminal {
    pub(super) fn new() -> Self {
        Self {
            colours: io::stdout().is_terminal() && env::var_os("NO_COLOR").is_none(),
            live: io::stderr().is_terminal(),
        }
    }

    /// Whether progress is seen as it goes, or would only fill a log.
    pub(super) const fn is_live(&self) -> bool {
        self.live
    }

    /// Writes a line; one that cannot be written (a closed pipe) is nobody's to read.
    pub(super) fn line(&self, text: &str) {
        self.clear();
        let _unread = writeln!(io::stdout(), "{text}");
    }

    /// Replaces the progress line.
    pub(super) fn progress(&self, text: &str) {
        if self.live {
            let _unread = write!(io::stderr(), "\r\x1b[2K{text}");
        }
    }

    /// Takes the progress line away.
    pub(super) fn clear(&self) {
        if self.live {
            let _unread = write!(io::stderr(), "\r\x1b[2K");
        }
    }

    pub(super) fn paint(&self, look: Look, text: &str) -> String {
        let code = match look {
            Look::Plain => return text.to_owned(),
            _ if !self.colours => return text.to_owned(),
            Look::Bold => "1",
            Look::Dim => "2",
            Look::Good => "32",
            Look::Bad => "31",
            Look::Accent => "36",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }

    /// `ok` or `NO`, in its colour.
    pub(super) fn verdict(&self, held: bool) -> String {
        match held {
            true => self.paint(Look::Good, "ok"),
            false => self.paint(Look::Bad, "NO"),
        }
    }

    /// The last line, if it was asked for.
    pub(super) fn json(&self, wanted: bool, report: &impl serde::Serialize) {
        if wanted {
            match serde_json::to_string(report) {
                Ok(text) => self.line(&text),
                Err(error) => self.line(&format!("{{\"error\":\"{error}\"}}")),
            }
        }
    }
}

/// `████████░░░░`, `width` characters.
pub(super) fn bar(done: u64, all: u64, width: usize) -> String {
    let filled = (done.min(all) as u128 * width as u128 / u128::from(all.max(1))) as usize;
    "█".repeat(filled) + &"░".repeat(width - filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_wide_as_asked_whatever_it_shows() {
        assert_eq!(bar(0, 10, 4), "░░░░");
        assert_eq!(bar(5, 10, 4), "██░░");
        assert_eq!(bar(99, 10, 4), "████");
        assert_eq!(bar(0, 0, 4), "░░░░");
    }
}
