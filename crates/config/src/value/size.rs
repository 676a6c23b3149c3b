//! Numbers of bytes with their unit in the value: `256kB`, `1MB`.

/// Why a text is not a number of bytes.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SizeFault {
    /// A bare number: bytes to one reader, kilobytes to the next.
    #[error("has no unit")]
    NoUnit {
        /// The number as it was written.
        number: String,
    },
    /// A unit that counts bits, as networks are often measured.
    #[error("counts bits, not bytes")]
    Bits,
    /// A number and something else behind it.
    #[error("has a unit that does not exist")]
    UnknownUnit,
    /// No whole number in front.
    #[error("does not begin with a whole number")]
    NoNumber,
    /// More than can be counted.
    #[error("is more than can be counted")]
    TooMuch,
}

impl SizeFault {
    /// What to write instead.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::NoUnit { number } => format!("if you meant kilobytes, write `{number}kB`"),
            Self::Bits => "a byte has eight bits: `8mbit` are `1MB`".into(),
            Self::UnknownUnit => "the units are `B`, `kB`, `MB` and `GB`".into(),
            Self::NoNumber => "write parts of a unit in the next smaller one: `1500kB`, not `1.5MB`".into(),
            Self::TooMuch => "choose a smaller number".into(),
        }
    }
}

/// Reads `900B`, `256kB`, `1MB` or `2GB`; a kilobyte has 1000 bytes.
///
/// # Errors
/// [`SizeFault`], most often [`SizeFault::NoUnit`].
pub fn parse(text: &str) -> Result<u64, SizeFault> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    if number.is_empty() || unit.starts_with('.') {
        return Err(SizeFault::NoNumber);
    }
    let bytes_per_unit = match unit.trim_start() {
        "B" => 1,
        "kB" | "KB" => 1000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "" => return Err(SizeFault::NoUnit { number: number.into() }),
        unit if unit.to_ascii_lowercase().contains("bit") => return Err(SizeFault::Bits),
        _ => return Err(SizeFault::UnknownUnit),
    };
    let count: u64 = number.parse().map_err(|_| SizeFault::TooMuch)?;
    count.checked_mul(bytes_per_unit).ok_or(SizeFault::TooMuch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_is_read() {
        let all = ["7B", "256kB", "1 MB", "2GB"].map(|text| parse(text).unwrap());
        assert_eq!(all, [7, 256_000, 1_000_000, 2_000_000_000]);
    }

    #[test]
    fn what_is_no_number_of_bytes_is_told_apart() {
        assert_eq!(parse("25"), Err(SizeFault::NoUnit { number: "25".into() }));
        assert_eq!(parse("8mbit"), Err(SizeFault::Bits));
        assert_eq!(parse("25 elephants"), Err(SizeFault::UnknownUnit));
        assert_eq!(parse("1.5MB"), Err(SizeFault::NoNumber));
        assert_eq!(parse("99999999999GB"), Err(SizeFault::TooMuch));
    }
}
