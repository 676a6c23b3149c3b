//! A session's ciphers under a counter, in place, through ring.
//!
//! The nonce is four zero bytes and the counter, little-endian for ChaCha20-Poly1305, big-endian for AES-256-GCM
//! (Noise §12.3, §12.4). Never decides which counter to use: [`Session`](crate::session::Session) and the handshake do.
//!
//! ring wipes no keys. So a key has an allocation of its own, and is overwritten before that is freed. What expanding it
//! leaves on the stack is not overwritten.

use core::hint::black_box;

use ring::aead::{AES_256_GCM, Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use stead_wire::message::TAG_LEN;

use crate::cipher::Cipher;

/// A key for one direction.
pub(crate) struct AeadKey {
    key: Box<LessSafeKey>,
    cipher: Cipher,
}

/// The tag does not match: nothing about the ciphertext can be believed.
#[derive(Debug)]
pub(crate) struct Forged;

impl AeadKey {
    pub(crate) fn new(cipher: Cipher, key: &[u8; 32]) -> Self {
        Self { key: Box::new(expanded(cipher, key)), cipher }
    }

    pub(crate) const fn cipher(&self) -> Cipher {
        self.cipher
    }

    /// Encrypts `text` where it is and returns the tag.
    pub(crate) fn seal(&self, counter: u64, associated: &[u8], text: &mut [u8]) -> [u8; TAG_LEN] {
        let tag = self.key.seal_in_place_separate_tag(self.nonce(counter), Aad::from(associated), text);
        let tag = tag.expect("a datagram is far below either cipher's limit of 64 GiB");
        tag.as_ref().try_into().expect("either tag has 16 bytes")
    }

    /// Decrypts `text`, which ends with the tag, where it is and returns the plaintext.
    ///
    /// After an error the contents of `text` mean nothing.
    pub(crate) fn open<'t>(
        &self,
        counter: u64,
        associated: &[u8],
        text: &'t mut [u8],
    ) -> Result<&'t mut [u8], Forged> {
        self.key.open_in_place(self.nonce(counter), Aad::from(associated), text).map_err(|_| Forged)
    }

    fn nonce(&self, counter: u64) -> Nonce {
        let mut bytes = [0; 12];
        bytes[4..].copy_from_slice(&match self.cipher {
            Cipher::ChaCha20Poly1305 => counter.to_le_bytes(),
            Cipher::Aes256Gcm => counter.to_be_bytes(),
        });
        Nonce::assume_unique_for_key(bytes)
    }

    fn wipe(&mut self) {
        *self.key = expanded(self.cipher, &[0; 32]);
        // Somebody might look at it, as far as the compiler knows.
        black_box(&mut self.key);
    }
}

impl Drop for AeadKey {
    fn drop(&mut self) {
        self.wipe();
    }
}

fn expanded(cipher: Cipher, key: &[u8; 32]) -> LessSafeKey {
    let algorithm = match cipher {
        Cipher::ChaCha20Poly1305 => &CHACHA20_POLY1305,
        Cipher::Aes256Gcm => &AES_256_GCM,
    };
    LessSafeKey::new(UnboundKey::new(algorithm, key).expect("either cipher takes 32 bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::tests::hex;

    /// McGrew and Viega, "The Galois/Counter Mode of Operation", test cases 13 and 14: their nonce is that of counter 0.
    #[test]
    fn aes_gives_its_designers_vectors() {
        let key = AeadKey::new(Cipher::Aes256Gcm, &[0; 32]);
        assert_eq!(key.seal(0, b"", &mut []), hex::<16>("530f8afbc74536b9a963b4f1c4cb738b"));
        let mut text = [0; 16];
        assert_eq!(key.seal(0, b"", &mut text), hex::<16>("d0d1c8a799996bf0265b98b5d48ab919"));
        assert_eq!(text, hex::<16>("cea7403d4d606b6e074ec5d3baf39d18"));
    }

    /// What OpenSSL 3 makes of the key 00 01 02 …, the associated data "stead" and a text of 00 07 0e …: the first bytes, and
    /// the tag.
    #[test]
    fn both_give_what_another_program_gives() {
        let vectors = [
            (
                Cipher::ChaCha20Poly1305,
                0x0102_0304_0506_0708,
                31,
                "f04ea3f1b71ac029",
                "85f82284aeaf96d4f7ac4ce1fd4133a0",
            ),
            (
                Cipher::ChaCha20Poly1305,
                0x100_0000_0005,
                1420,
                "9f69f82d2df12868",
                "3082f0dfd427f40af4888163cb2aa65a",
            ),
            (
                Cipher::Aes256Gcm,
                0x0102_0304_0506_0708,
                31,
                "04566b1bc1c223af",
                "af1d6d2b944653b4f49c742c9878a122",
            ),
            (
                Cipher::Aes256Gcm,
                0x100_0000_0005,
                1420,
                "7f286af8aeea68d4",
                "2272ead79c95acf0cc987d60c28b2d7a",
            ),
        ];
        for (cipher, counter, len, begins, tag) in vectors {
            let key = AeadKey::new(cipher, &core::array::from_fn(|index| index as u8));
            let text: Vec<u8> = (0..len).map(|index: usize| (index * 7) as u8).collect();
            let mut sealed = text.clone();
            let made = key.seal(counter, b"stead", &mut sealed);
            assert_eq!(
                (&sealed[..8], made),
                (&hex::<8>(begins)[..], hex::<16>(tag)),
                "{cipher:?}, {counter:#x}"
            );

            sealed.extend(made);
            assert_eq!(key.open(counter, b"stead", &mut sealed).expect("it was just sealed"), text);
        }
    }

    #[test]
    fn a_wiped_key_is_gone_from_where_it_was() {
        for cipher in [Cipher::ChaCha20Poly1305, Cipher::Aes256Gcm] {
            let mut key = AeadKey::new(cipher, &[7; 32]);
            let (place, tag) = (core::ptr::from_ref(&*key.key), key.seal(1, b"", &mut [1; 20]));
            key.wipe();

            assert_eq!(core::ptr::from_ref(&*key.key), place);
            let wiped = key.seal(1, b"", &mut [1; 20]);
            assert_ne!(wiped, tag);
            assert_eq!(wiped, AeadKey::new(cipher, &[0; 32]).seal(1, b"", &mut [1; 20]));
        }
    }
}
