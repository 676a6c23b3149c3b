//! Durations with their unit in the value: `25s`, `5m`.

use core::time::Duration;

/// Why a text is not a duration.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum DurationFault {
    /// A bare number: seconds to one reader, milliseconds to the next.
    #[error("has no unit")]
    NoUnit {
        /// The number as it was written.
        number: String,
    },
    /// A number and something else behind it.
    #[error("has a unit that does not exist")]
    UnknownUnit,
    /// No whole number in front.
    #[error("does not begin with a whole number")]
    NoNumber,
    /// More than fits into a count of milliseconds.
    #[error("is longer than can be counted")]
    TooLong,
}

impl DurationFault {
    /// What to write instead.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::NoUnit { number } => format!("if you meant seconds, write `{number}s`"),
            Self::UnknownUnit => "the units are `ms`, `s`, `m`, `h` and `d`".into(),
            Self::NoNumber => "write parts of a second in milliseconds: `1500ms`, not `1.5s`".into(),
            Self::TooLong => "choose a shorter time".into(),
        }
    }
}

/// Reads `25s`, `500ms`, `5m`, `2h` or `1d`.
///
/// # Errors
/// [`DurationFault`], most often [`DurationFault::NoUnit`].
pub fn parse(text: &str) -> Result<Duration, DurationFault> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    if number.is_empty() || unit.starts_with('.') {
        return Err(DurationFault::NoNumber);
    }
    let millis_per_unit = match unit.trim_start() {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        "" => return Err(DurationFault::NoUnit { number: number.into() }),
        _ => return Err(DurationFault::UnknownUnit),
    };
    let count: u64 = number.parse().map_err(|_| DurationFault::TooLong)?;
    count.checked_mul(millis_per_unit).map(Duration::from_millis).ok_or(DurationFault::TooLong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_is_read() {
        let millis = |text| parse(text).unwrap().as_millis();
        assert_eq!(millis("250ms"), 250);
        assert_eq!(millis("25s"), 25_000);
        assert_eq!(millis("5m"), 300_000);
        assert_eq!(millis("2 h"), 7_200_000);
        assert_eq!(millis("1d"), 86_400_000);
    }

    #[test]
    fn a_bare_number_is_refused_and_the_hint_keeps_the_number() {
        let fault = parse("25").unwrap_err();
        assert_eq!(fault, DurationFault::NoUnit { number: "25".into() });
        assert_eq!(fault.hint(), "if you meant seconds, write `25s`");
    }

    #[test]
    fn what_is_not_a_duration_is_told_apart() {
        assert_eq!(parse("25 parsecs"), Err(DurationFault::UnknownUnit));
        assert_eq!(parse("1.5s"), Err(DurationFault::NoNumber));
        assert_eq!(parse("-3s"), Err(DurationFault::NoNumber));
        assert_eq!(parse(""), Err(DurationFault::NoNumber));
        assert_eq!(parse("99999999999999999999s"), Err(DurationFault::TooLong));
        assert_eq!(parse("18446744073709551615d"), Err(DurationFault::TooLong));
    }
}
