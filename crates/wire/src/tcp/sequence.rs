//! Numbers that wrap around (RFC 9293 §3.4): sequence numbers, and TCP's timestamps.

/// A number on a circle of 2^32; which of two comes first is decided by the shorter way between them.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Sequence(pub u32);

impl Sequence {
    /// The number `count` further on.
    #[must_use]
    pub const fn plus(self, count: u32) -> Self {
        Self(self.0.wrapping_add(count))
    }

    /// How far this is behind `origin` on the circle; negative if it comes before it.
    #[must_use]
    pub const fn since(self, origin: Self) -> i32 {
        self.0.wrapping_sub(origin.0).cast_signed()
    }

    /// Whether this comes after `other`.
    #[must_use]
    pub const fn is_after(self, other: Self) -> bool {
        self.since(other) > 0
    }

    /// The later of both.
    #[must_use]
    pub const fn later(self, other: Self) -> Self {
        if other.is_after(self) { other } else { self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_first_is_decided_the_short_way_round() {
        let (before, after) = (Sequence(u32::MAX - 5), Sequence(10));
        assert!(after.is_after(before) && !before.is_after(after));
        assert_eq!((after.since(before), before.since(after)), (16, -16));
        assert_eq!(before.plus(16), after);
        assert_eq!((before.later(after), after.later(before)), (after, after));
        assert!(!after.is_after(after));
    }
}
