//! The internet checksum (RFC 1071), made and mended (RFC 1624), for headers that are written or changed here.

/// The checksum of `bytes`, in which its own place holds zeros.
#[must_use]
pub fn checksum(bytes: &[u8]) -> u16 {
    !folded(sum(bytes))
}

/// Adds `bytes` as 16-bit words. An odd last byte counts as if a zero followed.
pub(crate) fn sum(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<2>();
    let words: u64 = words.iter().map(|word| u64::from(u16::from_be_bytes(*word))).sum();
    words + rest.first().map_or(0, |last| u64::from(*last) << 8)
}

/// A sum in ones' complement, not yet inverted.
pub(crate) const fn folded(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

/// The checksum after one 16-bit word changed from `before` to `after` (RFC 1624 equation 3).
pub(crate) fn amend(checksum: u16, before: u16, after: u16) -> u16 {
    !folded(u64::from(!checksum) + u64::from(!before) + u64::from(after))
}

/// Of the pseudo-header before `len` bytes of `protocol` (RFC 9293 §3.1, RFC 8200 §8.1). `addresses` is source and
/// destination as they stand in the IP header.
pub(crate) fn pseudo_header(addresses: &[u8], protocol: u8, len: usize) -> u64 {
    sum(addresses) + u64::from(protocol) + len as u64
}

/// Source and destination as they stand in a packet's IP header.
pub(crate) fn addresses(packet: &[u8]) -> &[u8] {
    let place = if packet.first().is_some_and(|first| first >> 4 == 4) { 12..20 } else { 8..40 };
    packet.get(place).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mended_checksum_is_the_one_that_would_be_made() {
        let before = [0x45, 0, 0, 99, 0xff, 0xff, 0x40, 0, 64, 6];
        for after in [0_u16, 1, 0x7fff, 0xfffe, 0xffff] {
            let mut changed = before;
            changed[4..6].copy_from_slice(&after.to_be_bytes());
            let made = checksum(&changed);
            assert_eq!(amend(checksum(&before), 0xffff, after), made, "{after:#06x}");
        }
    }

    #[test]
    fn an_odd_byte_is_the_high_half_of_a_word() {
        assert_eq!(sum(&[1, 2, 3]), 0x0102 + 0x0300);
        assert_eq!(folded(0x1_ffff), 1);
    }
}
