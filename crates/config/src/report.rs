//! What was found in a configuration, in the form people and programs read it.
//!
//! A [`Report`] belongs to one file; each [`Finding`] names its place, what is wrong, what was
//! expected there and what to do. Findings come in the order of the file's lines.

use core::fmt::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::mistake::Mistake;
use crate::warning::Warning;

/// A line and a column, both counted from 1, columns in characters.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The character in the line.
    pub column: usize,
}

/// Everything that was found in one file.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub struct Report {
    file: PathBuf,
    findings: Vec<Finding>,
}

impl Report {
    pub(crate) fn new(file: &Path, mut findings: Vec<Finding>) -> Self {
        findings.sort_by_key(|finding| finding.place);
        Self { file: file.into(), findings }
    }

    /// The file, as it was named to us.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// What was found, by line.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// How many findings forbid using the file.
    #[must_use]
    pub fn errors(&self) -> usize {
        self.findings.iter().filter(|finding| finding.severity() == Severity::Error).count()
    }

    /// Nothing at all was found.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.findings.is_empty()
    }

    /// The report as text, one block per finding with an empty line between them.
    #[must_use]
    pub fn render(&self, paint: Paint) -> String {
        let blocks: Vec<_> = self.findings.iter().map(|finding| finding.render(&self.file, paint)).collect();
        blocks.join("\n")
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(Paint::Plain))
    }
}

/// One thing that was found.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Finding {
    /// Where; absent when the file could not be read.
    pub place: Option<Position>,
    /// What.
    pub cause: Cause,
}

/// Either kind of finding.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Cause {
    /// The file cannot be used as it is.
    Mistake(Mistake),
    /// The file can be used, and probably not as intended.
    Warning(Warning),
}

/// How grave a finding is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Severity {
    /// The file cannot be used.
    Error,
    /// The file can be used.
    Warning,
}

impl Severity {
    /// The word that opens a finding.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

impl Finding {
    pub(crate) const fn mistake(place: Option<Position>, mistake: Mistake) -> Self {
        Self { place, cause: Cause::Mistake(mistake) }
    }

    pub(crate) const fn warning(place: Option<Position>, warning: Warning) -> Self {
        Self { place, cause: Cause::Warning(warning) }
    }

    /// How grave it is.
    #[must_use]
    pub const fn severity(&self) -> Severity {
        match self.cause {
            Cause::Mistake(_) => Severity::Error,
            Cause::Warning(_) => Severity::Warning,
        }
    }

    /// What is the matter, in one line.
    #[must_use]
    pub fn what(&self) -> String {
        match &self.cause {
            Cause::Mistake(mistake) => mistake.to_string(),
            Cause::Warning(warning) => warning.to_string(),
        }
    }

    /// What the file should have had in this place.
    #[must_use]
    pub fn expected(&self) -> String {
        match &self.cause {
            Cause::Mistake(mistake) => mistake.expected(),
            Cause::Warning(warning) => warning.expected(),
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match &self.cause {
            Cause::Mistake(mistake) => mistake.hint(),
            Cause::Warning(warning) => warning.hint(),
        }
    }

    fn render(&self, file: &Path, paint: Paint) -> String {
        let severity = self.severity();
        let mut text =
            format!("{}{}\n", paint.severity(severity), paint.strong(&format!(": {}", self.what())));
        let place = self.place.map_or(String::new(), |at| format!(":{}:{}", at.line, at.column));
        // Writing into a String cannot fail.
        let _ = writeln!(text, "  {} {}{place}", paint.faint("-->"), file.display());
        for line in self.expected().lines() {
            let _ = writeln!(text, "   {} {line}", paint.faint("|"));
        }
        let _ = writeln!(text, "{} {}", paint.hint("hint:"), self.hint());
        text
    }
}

/// Whether text may carry colours.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Paint {
    /// For files, pipes and people who said `NO_COLOR`.
    Plain,
    /// For terminals.
    Ansi,
}

impl Paint {
    fn severity(self, severity: Severity) -> String {
        let colour = match severity {
            Severity::Error => "1;31",
            Severity::Warning => "1;33",
        };
        self.wrap(colour, severity.word())
    }

    /// Bold.
    #[must_use]
    pub fn strong(self, text: &str) -> String {
        self.wrap("1", text)
    }

    /// Of less weight than the text around it.
    #[must_use]
    pub fn faint(self, text: &str) -> String {
        self.wrap("2", text)
    }

    /// The colour of good advice.
    #[must_use]
    pub fn hint(self, text: &str) -> String {
        self.wrap("36", text)
    }

    /// `text` in the colour of an ANSI code such as `1;31`.
    #[must_use]
    pub fn wrap(self, code: &str, text: &str) -> String {
        match self {
            Self::Plain => text.into(),
            Self::Ansi => format!("\x1b[{code}m{text}\x1b[0m"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding() -> Finding {
        let place = Some(Position { line: 4, column: 1 });
        Finding::mistake(place, Mistake::MtuTooSmall { mtu: 576 })
    }

    #[test]
    fn a_finding_says_what_where_what_was_expected_and_what_to_do() {
        let report = Report::new(Path::new("a.yaml"), vec![finding()]);
        let text = report.to_string();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], "error: `mtu` is 576, too small");
        assert_eq!(lines[1], "  --> a.yaml:4:1");
        assert!(lines[2].starts_with("   | expected "));
        assert!(lines[3].starts_with("   | and IPv6"));
        assert!(lines[4].starts_with("hint: "));
    }

    #[test]
    fn colour_changes_nothing_but_colour() {
        let report = Report::new(Path::new("a.yaml"), vec![finding()]);
        let mut coloured = report.render(Paint::Ansi);
        assert!(coloured.contains("\x1b[1;31merror\x1b[0m"));
        for code in ["\x1b[1;31m", "\x1b[1m", "\x1b[2m", "\x1b[36m", "\x1b[0m"] {
            coloured = coloured.replace(code, "");
        }
        assert_eq!(coloured, report.render(Paint::Plain));
    }

    #[test]
    fn findings_come_in_the_order_of_the_lines() {
        let early = Finding { place: Some(Position { line: 1, column: 9 }), ..finding() };
        let report = Report::new(Path::new("a.yaml"), vec![finding(), early.clone()]);
        assert_eq!(report.findings(), [early, finding()]);
        assert_eq!(report.errors(), 2);
    }
}
