//! One tick of a ticker: its number, so that the receiver knows what it missed.

/// The bytes of a tick.
pub(super) const LEN: usize = 64;

/// A tick's bytes: its number, then bytes that follow from it.
pub(super) fn encode(number: u64) -> [u8; LEN] {
    let mut bytes = [0; LEN];
    for (place, chunk) in (0_u64..).zip(bytes.chunks_exact_mut(8)) {
        chunk
            .copy_from_slice(&(number.wrapping_add(place.wrapping_mul(0x9e37_79b9_7f4a_7c15))).to_be_bytes());
    }
    bytes
}

/// The number of a tick; `None` if it is none.
pub(super) fn decode(bytes: &[u8]) -> Option<u64> {
    let number = u64::from_be_bytes(*bytes.first_chunk()?);
    (encode(number) == bytes).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tick_is_told_from_anything_else() {
        assert_eq!(decode(&encode(77)), Some(77));
        let mut damaged = encode(77);
        damaged[40] ^= 1;
        assert_eq!(decode(&damaged), None);
        assert_eq!(decode(&encode(77)[..63]), None);
    }
}
