//! Randomness as the protocol crates see it: one seed, a stream per purpose (D8).
//!
//! The same seed gives the same bytes, so a simulated run repeats exactly; the daemon seeds from the
//! operating system. Never reads entropy itself.
//!
//! # Invariants
//! - Streams with different labels are independent, whatever the order in which they are taken and read.
//! - A stream keeps nothing from which bytes already given out can be computed: who reads this memory later
//!   does not learn the ephemeral keys of earlier handshakes. Drop the [`Random`] for that, once all streams are taken.

use core::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::blake2s;

/// The seed of all randomness of a node.
#[derive(ZeroizeOnDrop)]
pub struct Random {
    seed: [u8; 32],
}

impl Random {
    /// Randomness that is as good as `seed`.
    #[must_use]
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self { seed }
    }

    /// The stream for the purpose `label`. Asked twice for one label, it gives the same bytes twice.
    #[must_use]
    pub fn stream(&self, label: &'static str) -> RandomStream {
        let key = blake2s::derive(&self.seed, &[b"stream", label.as_bytes()]);
        RandomStream { key, block: [0; BLOCK_LEN], taken: BLOCK_LEN }
    }
}

impl fmt::Debug for Random {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Random(…)")
    }
}

/// An endless row of random bytes for one purpose.
#[derive(ZeroizeOnDrop)]
pub struct RandomStream {
    /// What the next block and the next key are made of; then it is replaced.
    key: [u8; 32],
    block: [u8; BLOCK_LEN],
    /// How many bytes of `block` were given out; these are zero.
    taken: usize,
}

impl RandomStream {
    /// Fills `out` with the next bytes.
    pub fn fill(&mut self, out: &mut [u8]) {
        let mut rest = out;
        while !rest.is_empty() {
            if self.taken == BLOCK_LEN {
                self.refill();
            }
            let len = rest.len().min(BLOCK_LEN - self.taken);
            let (now, later) = rest.split_at_mut(len);
            let source = &mut self.block[self.taken..self.taken + len];
            now.copy_from_slice(source);
            source.zeroize();
            self.taken += len;
            rest = later;
        }
    }

    /// The next four bytes as a number.
    pub fn next_u32(&mut self) -> u32 {
        let mut bytes = [0; 4];
        self.fill(&mut bytes);
        u32::from_le_bytes(bytes)
    }

    /// The next eight bytes as a number.
    pub fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    fn refill(&mut self) {
        self.block = blake2s::derive(&self.key, &[b"block"]);
        self.key = blake2s::derive(&self.key, &[b"key"]);
        self.taken = 0;
    }
}

impl fmt::Debug for RandomStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RandomStream(…)")
    }
}

const BLOCK_LEN: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(stream: &mut RandomStream, len: usize) -> Vec<u8> {
        let mut out = vec![0; len];
        stream.fill(&mut out);
        out
    }

    #[test]
    fn the_same_seed_gives_the_same_bytes_however_they_are_asked_for() {
        let mut whole = Random::from_seed([3; 32]).stream("test");
        let mut parts = Random::from_seed([3; 32]).stream("test");

        let expected = bytes(&mut whole, 100);
        let mut found = bytes(&mut parts, 31);
        found.extend(bytes(&mut parts, 0));
        found.extend(parts.next_u32().to_le_bytes());
        found.extend(parts.next_u64().to_le_bytes());
        found.extend(bytes(&mut parts, 57));

        assert_eq!(found, expected);
    }

    #[test]
    fn streams_differ_by_label_and_by_seed_and_do_not_disturb_each_other() {
        let random = Random::from_seed([3; 32]);
        let mut one = random.stream("one");
        let mut other = random.stream("other");

        let first = bytes(&mut one, 64);

        assert_ne!(first, bytes(&mut other, 64));
        assert_ne!(first, bytes(&mut Random::from_seed([4; 32]).stream("one"), 64));
        assert_eq!(first, bytes(&mut random.stream("one"), 64));
    }

    #[test]
    fn blocks_do_not_repeat_and_bytes_given_out_are_gone() {
        let mut stream = Random::from_seed([0; 32]).stream("test");

        let first = bytes(&mut stream, BLOCK_LEN);
        let key = stream.key;
        let second = bytes(&mut stream, BLOCK_LEN - 1);

        assert_ne!(first[..BLOCK_LEN - 1], second[..]);
        assert_ne!(key, stream.key);
        assert_eq!(stream.block[..BLOCK_LEN - 1], [0; BLOCK_LEN - 1]);
    }

    #[test]
    fn secrets_do_not_show_in_debug() {
        let random = Random::from_seed([0x5a; 32]);

        assert_eq!(format!("{random:?} {:?}", random.stream("test")), "Random(…) RandomStream(…)");
    }
}
