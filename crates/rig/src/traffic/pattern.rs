//! A seeded stream of bytes: the same seed, the same bytes, cheap enough not to be the bottleneck.

/// SplitMix64, eight bytes at a time; not for secrets.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    state: u64,
}

impl Pattern {
    pub(crate) const fn seeded(seed: u64) -> Self {
        Self { state: seed }
    }

    /// Fills `out` with the next bytes. Chunks must be multiples of eight but for the last one.
    pub(crate) fn fill(&mut self, out: &mut [u8]) {
        for piece in out.chunks_mut(8) {
            let word = self.next().to_le_bytes();
            piece.copy_from_slice(&word[..piece.len()]);
        }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.state;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(seed: u64, chunks: &[usize]) -> Vec<u8> {
        let mut pattern = Pattern::seeded(seed);
        let mut all = Vec::new();
        for chunk in chunks {
            let mut piece = vec![0; *chunk];
            pattern.fill(&mut piece);
            all.extend(piece);
        }
        all
    }

    #[test]
    fn a_seed_gives_the_same_bytes_however_they_are_cut() {
        assert_eq!(bytes(7, &[64, 8, 24, 3]), bytes(7, &[8, 91]));
        assert_ne!(bytes(7, &[64]), bytes(8, &[64]));
    }

    #[test]
    fn the_first_word_is_that_of_the_published_generator() {
        assert_eq!(bytes(0, &[8]), 0xe220_a839_7b1d_cdaf_u64.to_le_bytes());
    }
}
