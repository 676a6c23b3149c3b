//! The anti-amplification limit: three bytes out per byte in, until an address is validated (RFC 9000 §8.1).

/// How much may still go to an address that has proven nothing.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Allowance {
    received: usize,
    sent: usize,
}

/// Bytes out per byte in (RFC 9000 §8.1).
const FACTOR: usize = 3;

impl Allowance {
    /// Credits a datagram of `bytes` that came from the address.
    pub const fn credit(&mut self, bytes: usize) {
        self.received = self.received.saturating_add(bytes);
    }

    /// Spends `bytes` if that stays within the limit; says whether it did.
    #[must_use]
    pub const fn spend(&mut self, bytes: usize) -> bool {
        let sent = self.sent.saturating_add(bytes);
        if sent > self.received.saturating_mul(FACTOR) {
            return false;
        }
        self.sent = sent;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_bytes_go_out_per_byte_that_came_in_and_not_one_more() {
        let mut allowance = Allowance::default();
        assert!(!allowance.spend(1), "nothing came yet");
        allowance.credit(100);
        assert!(allowance.spend(200));
        assert!(!allowance.spend(101));
        assert!(allowance.spend(100));
        allowance.credit(1);
        assert!(allowance.spend(3));
        assert!(!allowance.spend(1));
    }
}
