//! One tick of a ticker: its number, so that the receiver knows what it missed.

/// The bytes of a tick.
pub(super) const LEN: usize = 64;

/// The shortest tick: its number alone.
pub(super) const SHORTEST: usize = 8;

/// A tick's bytes: its number, then bytes that follow from it.
pub(super) fn encode(number: u64) -> [u8; LEN] {
    let mut bytes = [0; LEN];
    fill(number, &mut bytes);
    bytes
}

/// A tick of any length from [`SHORTEST`] on.
pub(super) fn encode_long(number: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len.max(SHORTEST)];
    fill(number, &mut bytes);
    bytes
}

fn fill(number: u64, bytes: &mut [u8]) {
    for (place, chunk) in (0_u64..).zip(bytes.chunks_mut(8)) {
        let word = number.wrapping_add(place.wrapping_mul(0x9e37_79b9_7f4a_7c15)).to_be_bytes();
        chunk.copy_from_slice(&word[..chunk.len()]);
    }
}

/// The number of a tick; `None` if it is none.
pub(super) fn decode(bytes: &[u8]) -> Option<u64> {
    let number = u64::from_be_bytes(*bytes.first_chunk()?);
    (encode_long(number, bytes.len()) == bytes).then_some(number)
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
        assert_eq!(decode(&encode(77)[..7]), None);
        assert_eq!(decode(&encode_long(77, 1361)), Some(77));
    }
}
