//! Times, sizes, shares and rates as a scenario writes them: the unit stands in the value.

use std::fmt;
use std::time::Duration;

/// A share of the whole, in parts per million.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Share(pub u32);

impl Share {
    /// Between 0 and 1.
    #[must_use]
    pub fn fraction(self) -> f64 {
        f64::from(self.0) / f64::from(WHOLE)
    }

    /// Whether a number that is evenly spread over all of `u64` falls into the share.
    #[must_use]
    pub const fn takes(self, drawn: u64) -> bool {
        (((drawn as u128) * (WHOLE as u128)) >> 64) < self.0 as u128
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", f64::from(self.0) / f64::from(PERCENT))
    }
}

/// So many times as much, in thousandths.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Factor(pub u32);

impl Factor {
    /// As a number.
    #[must_use]
    pub fn value(self) -> f64 {
        f64::from(self.0) / f64::from(THOUSANDTHS)
    }
}

impl fmt::Display for Factor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.value())
    }
}

/// Bits per second.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Rate(pub u64);

impl Rate {
    /// How long so many bytes take.
    #[must_use]
    pub fn time_for(self, bytes: u64) -> Duration {
        let nanos = u128::from(bytes) * 8 * 1_000_000_000 / u128::from(self.0.max(1));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

/// `300ms`, `20s`, `5m`, `2h`, `0s`.
pub fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = split(text)?;
    let millis = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    number.checked_mul(millis).map(Duration::from_millis)
}

/// `20MB`, `64KiB`, `5000`.
pub fn bytes(text: &str) -> Option<u64> {
    let (number, unit) = split(text)?;
    let factor = match unit {
        "" | "B" => 1,
        "kB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    number.checked_mul(factor).filter(|bytes| *bytes > 0)
}

/// `1%`, `0.5%`, `100%`.
pub fn share(text: &str) -> Option<Share> {
    let number: f64 = text.strip_suffix('%')?.parse().ok()?;
    (0.0..=100.0).contains(&number).then(|| Share((number * f64::from(PERCENT)).round() as u32))
}

/// `1.2x`, `0.9x`.
pub fn factor(text: &str) -> Option<Factor> {
    let number: f64 = text.strip_suffix('x')?.parse().ok()?;
    let fits = number > 0.0 && number <= 1000.0;
    fits.then(|| Factor((number * f64::from(THOUSANDTHS)).round() as u32))
}

/// `50mbit`, `500kbit`, `1gbit`: bits per second.
pub fn rate(text: &str) -> Option<Rate> {
    let (number, unit) = split(text)?;
    let factor = match unit {
        "kbit" => 1_000,
        "mbit" => 1_000_000,
        "gbit" => 1_000_000_000,
        _ => return None,
    };
    number.checked_mul(factor).filter(|bits| *bits > 0).map(Rate)
}

fn split(text: &str) -> Option<(u64, &str)> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    Some((number.parse().ok()?, unit))
}

pub(super) const DURATION: &str = "a whole number with ms, s, m or h, such as 300ms";
pub(super) const BYTES: &str = "a whole number with kB, MB, GB, KiB, MiB or GiB, such as 20MB";
pub(super) const SHARE: &str = "a share between 0% and 100%, such as 0.5%";
pub(super) const FACTOR: &str = "a factor with an x behind it, such as 0.9x";
pub(super) const RATE: &str = "a whole number with kbit, mbit or gbit (per second), such as 50mbit";

const WHOLE: u32 = 1_000_000;
const THOUSANDTHS: u32 = 1_000;
const PERCENT: u32 = WHOLE / 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_with_their_unit_and_not_without() {
        assert_eq!(duration("300ms"), Some(Duration::from_millis(300)));
        assert_eq!(duration("5m"), Some(Duration::from_secs(300)));
        assert_eq!((bytes("20MB"), bytes("64KiB"), bytes("7")), (Some(20_000_000), Some(65_536), Some(7)));
        assert_eq!((share("1%"), share("0.5%")), (Some(Share(10_000)), Some(Share(5_000))));
        assert_eq!(rate("50mbit"), Some(Rate(50_000_000)));
        assert_eq!(
            (factor("1.2x"), factor("0x"), factor("1.2"), factor("-1x")),
            (Some(Factor(1200)), None, None, None)
        );
        for text in ["", "5", "ms", "-1s", "1.5s", "5 s", "99999999999999999999s"] {
            assert_eq!(duration(text), None, "{text}");
        }
        assert_eq!(
            (bytes("0"), bytes("2mb"), share("101%"), share("-1%"), share("1"), rate("5")),
            Default::default()
        );
    }

    #[test]
    fn a_share_takes_nothing_everything_or_its_part() {
        assert!(!Share(0).takes(0) && Share(WHOLE).takes(u64::MAX));
        assert!(Share(WHOLE / 2).takes(u64::MAX / 2 - 1000) && !Share(WHOLE / 2).takes(u64::MAX / 2 + 1000));
    }

    #[test]
    fn a_rate_says_how_long_a_datagram_takes() {
        assert_eq!(Rate(8_000_000).time_for(1_000), Duration::from_millis(1));
    }
}
