//! BLAKE2s as WireGuard uses it: a plain hash of 256 bits and a keyed one of 128 (WireGuard paper §5.4).
//!
//! Inputs are given in parts, so that callers need not join them.

use blake2::digest::consts::{U16, U32};
use blake2::digest::{Digest, FixedOutput, Mac as _};
use blake2::{Blake2s256, Blake2sMac};

/// `Hash(parts…)` of the paper.
pub(crate) fn hash(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Blake2s256::new();
    parts.iter().for_each(|part| Digest::update(&mut hasher, part));
    hasher.finalize().into()
}

/// `Mac(key, parts…)` of the paper: keyed BLAKE2s with 128 bits of output.
pub(crate) fn mac(key: &[u8], parts: &[&[u8]]) -> [u8; 16] {
    let mut mac = Blake2sMac::<U16>::new_from_slice(key).expect("our keys have 16 or 32 bytes");
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize_fixed().into()
}

/// Keyed BLAKE2s with 256 bits of output: a pseudo-random function.
pub(crate) fn derive(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Blake2sMac::<U32>::new_from_slice(key).expect("the key has 32 bytes");
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize_fixed().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_of_abc_is_that_of_rfc_7693() {
        let expected = [
            0x50, 0x8c, 0x5e, 0x8c, 0x32, 0x7c, 0x14, 0xe2, 0xe1, 0xa7, 0x2b, 0xa3, 0x4e, 0xeb, 0x45, 0x2f,
            0x37, 0x45, 0x8b, 0x20, 0x9e, 0xd6, 0x3a, 0x29, 0x4d, 0x99, 0x9b, 0x4c, 0x86, 0x67, 0x59, 0x82,
        ];

        assert_eq!(hash(&[b"a", b"", b"bc"]), expected);
    }

    #[test]
    fn the_keyed_hash_of_nothing_is_that_of_the_reference_vectors() {
        let key: [u8; 32] = core::array::from_fn(|i| i as u8);
        let expected = [
            0x48, 0xa8, 0x99, 0x7d, 0xa4, 0x07, 0x87, 0x6b, 0x3d, 0x79, 0xc0, 0xd9, 0x23, 0x25, 0xad, 0x3b,
            0x89, 0xcb, 0xb7, 0x54, 0xd8, 0x6a, 0xb7, 0x1a, 0xee, 0x04, 0x7a, 0xd3, 0x45, 0xfd, 0x2c, 0x49,
        ];

        assert_eq!(derive(&key, &[]), expected);
    }

    #[test]
    fn the_short_mac_is_a_hash_of_its_own_and_not_a_prefix_of_the_long_one() {
        let key = [7; 32];

        assert_ne!(mac(&key, &[b"message"])[..], derive(&key, &[b"message"])[..16]);
    }
}
