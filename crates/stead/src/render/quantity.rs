//! Numbers with units, short enough for a column.

use core::time::Duration;

/// `0.2 s`, `14 s`, `3m 12s`, `5h 7m`, `12d 3h`: two digits of precision are enough to act upon.
pub(crate) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 if duration.as_millis() < 100 => format!("{} ms", duration.as_millis()),
        0..10 => format!("{:.1} s", duration.as_millis() as f64 / 1000.0),
        10..60 => format!("{seconds} s"),
        60..3600 => format!("{}m {}s", seconds / 60, seconds % 60),
        3600..86400 => format!("{}h {}m", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{}d {}h", seconds / 86400, seconds % 86400 / 3600),
    }
}

/// A count of microseconds, as reports have it.
pub(crate) fn micros(micros: u64) -> String {
    duration(Duration::from_micros(micros))
}

/// How long ago something happened; `never` if it did not.
pub(crate) fn age(micros_ago: Option<u64>) -> String {
    micros_ago.map_or("never".into(), |ago| format!("{} ago", micros(ago)))
}

/// A round trip, where single milliseconds matter.
pub(crate) fn round_trip(micros: Option<u64>) -> String {
    match micros {
        None => "-".into(),
        Some(short) if short < 10_000 => format!("{:.1} ms", short as f64 / 1000.0),
        Some(long) => format!("{} ms", long / 1000),
    }
}

/// `999 B`, `1.5 kB`, `12 MB`: decimal, as network equipment counts.
pub(crate) fn bytes(count: u64) -> String {
    let mut value = count as f64;
    let mut unit = "B";
    for larger in ["kB", "MB", "GB", "TB", "PB", "EB"] {
        if value < 999.5 {
            break;
        }
        (value, unit) = (value / 1000.0, larger);
    }
    if unit == "B" || value >= 9.95 { format!("{value:.0} {unit}") } else { format!("{value:.1} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_change_their_unit_where_a_person_would() {
        let shown: Vec<_> =
            [0, 99_999, 100_000, 9_949_000, 14_000_000, 192_000_000, 18_420_000_000, 1_047_600_000_000]
                .map(micros)
                .into();
        assert_eq!(shown, ["0 ms", "99 ms", "0.1 s", "9.9 s", "14 s", "3m 12s", "5h 7m", "12d 3h"]);
    }

    #[test]
    fn what_never_happened_has_no_age() {
        assert_eq!(age(None), "never");
        assert_eq!(age(Some(2_500_000)), "2.5 s ago");
    }

    #[test]
    fn round_trips_keep_their_milliseconds() {
        assert_eq!(round_trip(None), "-");
        assert_eq!(round_trip(Some(340)), "0.3 ms");
        assert_eq!(round_trip(Some(48_700)), "48 ms");
    }

    #[test]
    fn bytes_are_decimal() {
        let shown: Vec<_> = [0, 999, 1000, 1540, 9_960, 12_000_000, 999_600_000, u64::MAX].map(bytes).into();
        assert_eq!(shown, ["0 B", "999 B", "1.0 kB", "1.5 kB", "10 kB", "12 MB", "1.0 GB", "18 EB"]);
    }
}
