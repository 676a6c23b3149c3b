//! What to log: a level, or levels per part of the program.

use core::fmt;
use core::str::FromStr;

/// A comma-separated list of `level` and `part=level`, as `tracing`'s environment filter reads it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LogFilter(String);

impl LogFilter {
    /// The directives as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// `info`: moves, sessions, what a person may want to know.
impl Default for LogFilter {
    fn default() -> Self {
        Self("info".into())
    }
}

impl fmt::Display for LogFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Why a text is not a log filter.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum LogFilterFault {
    /// A word that is no level.
    #[error("has no level called `{word}`")]
    UnknownLevel {
        /// The word.
        word: String,
        /// The level that was probably meant.
        likely: Option<&'static str>,
    },
    /// The part before `=` cannot be a module path.
    #[error("names a part `{0}` that cannot exist")]
    BadPart(String),
}

impl LogFilterFault {
    /// What to write instead.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::UnknownLevel { likely: Some(level), .. } => format!("did you mean `{level}`?"),
            Self::UnknownLevel { likely: None, .. } => "`info` tells of moves and sessions".into(),
            Self::BadPart(_) => "parts are crates and modules: `info,stead_node=debug`".into(),
        }
    }
}

impl FromStr for LogFilter {
    type Err = LogFilterFault;

    fn from_str(text: &str) -> Result<Self, LogFilterFault> {
        text.split(',').try_for_each(|directive| check(directive.trim()))?;
        Ok(Self(text.into()))
    }
}

fn check(directive: &str) -> Result<(), LogFilterFault> {
    let (part, level) = directive.split_once('=').unwrap_or(("stead", directive));
    if part.is_empty() || !part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':') {
        return Err(LogFilterFault::BadPart(part.into()));
    }
    if LEVELS.contains(&level.to_ascii_lowercase().as_str()) {
        return Ok(());
    }
    Err(LogFilterFault::UnknownLevel { word: level.into(), likely: crate::likely::among(level, &LEVELS) })
}

/// From silence to everything.
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_alone_and_per_part_are_read() {
        for text in ["info", "off", "warn,stead_node=debug", "info, stead_io::tun=trace", "DEBUG"] {
            assert_eq!(text.parse::<LogFilter>().unwrap().as_str(), text);
        }
    }

    #[test]
    fn a_misspelt_level_is_recognised() {
        let fault = "inof".parse::<LogFilter>().unwrap_err();
        assert_eq!(fault, LogFilterFault::UnknownLevel { word: "inof".into(), likely: Some("info") });
        assert_eq!("no part=info".parse::<LogFilter>(), Err(LogFilterFault::BadPart("no part".into())));
        assert!("".parse::<LogFilter>().is_err());
    }
}
