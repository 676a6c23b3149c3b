//! TAI64N: the moment of an initiation as 12 bytes that compare as time does.

use stead_wire::time::UnixTime;

/// A moment of atomic time with nanoseconds: seconds since 1970 TAI plus 2^62, then nanoseconds, big-endian.
///
/// Only its order matters to the protocol: an initiation not later than the last one is a replay.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Tai64N(pub [u8; 12]);

impl From<UnixTime> for Tai64N {
    fn from(time: UnixTime) -> Self {
        let mut bytes = [0; 12];
        let seconds = TAI_AT_UNIX_EPOCH.saturating_add(time.0.as_secs());
        bytes[..8].copy_from_slice(&seconds.to_be_bytes());
        bytes[8..].copy_from_slice(&time.0.subsec_nanos().to_be_bytes());
        Self(bytes)
    }
}

impl Tai64N {
    /// How much earlier this is than `other`, in whole seconds; zero if it is not.
    #[must_use]
    pub fn seconds_before(self, other: Self) -> u64 {
        other.seconds().saturating_sub(self.seconds())
    }

    fn seconds(self) -> u64 {
        let [seconds @ .., _, _, _, _] = self.0;
        u64::from_be_bytes(seconds)
    }
}

/// The label of 1970-01-01 00:00:00 UTC: 2^62, and the ten seconds that TAI was ahead. Leap seconds since are
/// not counted, as in every WireGuard implementation.
const TAI_AT_UNIX_EPOCH: u64 = (1 << 62) + 10;

#[cfg(test)]
mod tests {
    use super::*;
    use stead_wire::time::Duration;

    fn tai(seconds: u64, nanos: u32) -> Tai64N {
        UnixTime(Duration::new(seconds, nanos)).into()
    }

    #[test]
    fn the_unix_epoch_has_the_label_that_tai64n_gives_it() {
        assert_eq!(tai(0, 0).0, [0x40, 0, 0, 0, 0, 0, 0, 0x0a, 0, 0, 0, 0]);
        assert_eq!(
            tai(1_700_000_000, 999_999_999).0,
            [0x40, 0, 0, 0, 0x65, 0x53, 0xf1, 0x0a, 0x3b, 0x9a, 0xc9, 0xff]
        );
    }

    #[test]
    fn what_is_earlier_is_so_by_whole_seconds() {
        assert_eq!(tai(1_000, 5).seconds_before(tai(4_600, 0)), 3_600);
        assert_eq!(tai(7, 0).seconds_before(tai(7, 999_999_999)), 0);
        assert_eq!(tai(8, 0).seconds_before(tai(7, 0)), 0);
    }

    #[test]
    fn labels_compare_as_the_moments_do() {
        let moments = [(0, 0), (0, 1), (0, 256), (1, 0), (255, 999_999_999), (256, 0), (u64::MAX, 0)];

        let labels = moments.map(|(seconds, nanos)| tai(seconds, nanos));

        assert!(labels.is_sorted_by(|a, b| a < b), "{labels:?}");
    }
}
