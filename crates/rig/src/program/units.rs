//! Sizes and durations as people write and read them.

use std::time::Duration;

/// `200MB`, `64KiB`, `5000`.
pub(super) fn bytes(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, u64); 7] = [
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("kB", 1_000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
        ("", 1),
    ];
    let wrong = || format!("`{text}` is no size: expected a whole number with kB, MB, GB, KiB, MiB or GiB");
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let (_, factor) = UNITS.into_iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
    let number: u64 = number.parse().map_err(|_| wrong())?;
    number.checked_mul(factor).filter(|bytes| *bytes > 0).ok_or_else(wrong)
}

/// `300ms`, `5s`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is no duration: expected a whole number with ms or s");
    let (number, unit) = match text.strip_suffix("ms") {
        Some(number) => (number, 1),
        None => (text.strip_suffix('s').ok_or_else(wrong)?, 1000),
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    number.checked_mul(unit).map(Duration::from_millis).ok_or_else(wrong)
}

/// `30`, `30s`, `500ms`: a bare number is seconds.
pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    text.parse().map(Duration::from_secs).or_else(|_| duration(text))
}

/// `50mbit`: bits per second.
pub(super) fn rate(text: &str) -> Result<u64, String> {
    let wrong =
        || format!("`{text}` is no rate: expected a whole number with kbit, mbit or gbit (per second)");
    stead_rig::scenario::unit::rate(text).map(|rate| rate.0).ok_or_else(wrong)
}

/// `3.2 ms`, `26.4 s`.
pub(super) fn time(micros: u64) -> String {
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..100_000 => format!("{:.1} ms", micros as f64 / 1e3),
        100_000..1_000_000 => format!("{} ms", micros / 1_000),
        _ => format!("{:.1} s", micros as f64 / 1e6),
    }
}

/// `200.0 MB`.
pub(super) fn size(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.2} GB", bytes as f64 / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_their_unit() {
        assert_eq!(bytes("200MB"), Ok(200_000_000));
        assert_eq!(bytes("64KiB"), Ok(65_536));
        assert_eq!(bytes("5000"), Ok(5_000));
        for text in ["", "MB", "0", "-1", "2.5MB", "2mb", "99999999999GB"] {
            assert!(bytes(text).unwrap_err().contains(&format!("`{text}`")));
        }
    }

    #[test]
    fn durations_are_read_with_their_unit() {
        assert_eq!(duration("300ms"), Ok(Duration::from_millis(300)));
        assert_eq!(duration("5s"), Ok(Duration::from_secs(5)));
        for text in ["", "5", "s", "1m", "-1s"] {
            assert!(duration(text).unwrap_err().contains(&format!("`{text}`")));
        }
    }

    #[test]
    fn seconds_may_do_without_their_unit() {
        assert_eq!(seconds("30"), Ok(Duration::from_secs(30)));
        assert_eq!(seconds("500ms"), duration("500ms"));
        assert!(seconds("half").is_err());
    }

    #[test]
    fn rates_are_read_with_their_unit() {
        assert_eq!(rate("50mbit"), Ok(50_000_000));
        assert!(rate("50").unwrap_err().contains("`50`"));
    }

    #[test]
    fn times_are_written_with_two_or_three_digits_that_matter() {
        assert_eq!(
            [time(75), time(3_249), time(214_900), time(26_416_448)],
            ["75 µs", "3.2 ms", "214 ms", "26.4 s"]
        );
    }
}
