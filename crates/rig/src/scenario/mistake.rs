//! What is wrong in a scenario's file, where, and what to do about it.

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// A line and a column, both counted from 1.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The character in the line.
    pub column: usize,
}

/// One mistake.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Mistake {
    /// Where it stands.
    pub place: Place,
    /// What is wrong, with the key it is about.
    pub problem: String,
    /// What was expected there.
    pub expected: String,
    /// What to do, where that is not plain.
    pub hint: Option<String>,
}

/// Every mistake of a file, by line.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub struct Mistakes {
    /// The file.
    pub file: PathBuf,
    /// What was found; never empty.
    pub all: Vec<Mistake>,
}

impl Mistakes {
    pub(super) fn unreadable(file: &Path, error: &io::Error) -> Self {
        let problem = format!("the file cannot be read: {error}");
        Self::one(file, problem, "the path of a scenario")
    }

    pub(super) fn empty(file: &Path) -> Self {
        Self::one(file, "the file says nothing".to_owned(), "a scenario")
    }

    fn one(file: &Path, problem: String, expected: &str) -> Self {
        let place = Place { line: 1, column: 1 };
        let mistake = Mistake { place, problem, expected: expected.to_owned(), hint: None };
        Self { file: file.to_owned(), all: vec![mistake] }
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, mistake) in self.all.iter().enumerate() {
            if number > 0 {
                writeln!(f)?;
            }
            let Place { line, column } = mistake.place;
            writeln!(f, "error: {}", mistake.problem)?;
            writeln!(f, "  --> {}:{line}:{column}", self.file.display())?;
            write!(f, "   | expected {}", mistake.expected)?;
            if let Some(hint) = &mistake.hint {
                write!(f, "\nhint: {hint}")?;
            }
        }
        Ok(())
    }
}

/// Mistakes as they are found: reading goes on after one, so that a run shows all.
#[derive(Debug, Default)]
pub(super) struct Found(RefCell<Vec<Mistake>>);

impl Found {
    pub(super) fn add(&self, mistake: Mistake) {
        self.0.borrow_mut().push(mistake);
    }

    /// Adds one that needs no hint.
    pub(super) fn plain(&self, place: Place, problem: String, expected: impl Into<String>) {
        self.add(Mistake { place, problem, expected: expected.into(), hint: None });
    }

    /// Adds that `name` is none of `known`, and which of them was probably meant.
    pub(super) fn unknown<'a>(
        &self,
        place: Place,
        what: &str,
        name: &str,
        known: impl IntoIterator<Item = &'a str>,
    ) {
        let known: Vec<&str> = known.into_iter().collect();
        let hint = probably(name, &known).map(|meant| format!("did you mean `{meant}`?"));
        let expected = match known.len() {
            0 => format!("no {what} at all here"),
            _ => format!("one of: {}", known.join(", ")),
        };
        self.add(Mistake { place, problem: format!("`{name}` is no {what}"), expected, hint });
    }

    pub(super) fn into_mistakes(self, file: &Path) -> Option<Mistakes> {
        let mut all = self.0.into_inner();
        all.sort_by_key(|mistake| mistake.place);
        (!all.is_empty()).then(|| Mistakes { file: file.to_owned(), all })
    }
}

/// The candidate closest to `word`, if it is close enough that a person would see the slip.
fn probably<'a>(word: &str, candidates: &[&'a str]) -> Option<&'a str> {
    let scored = candidates.iter().map(|candidate| (strsim::jaro_winkler(word, candidate), *candidate));
    let close = scored.filter(|(similarity, _)| *similarity >= CLOSE_ENOUGH);
    close.max_by(|(a, _), (b, _)| a.total_cmp(b)).map(|(_, candidate)| candidate)
}

/// Below this, suggestions are guesses.
const CLOSE_ENOUGH: f64 = 0.8;
