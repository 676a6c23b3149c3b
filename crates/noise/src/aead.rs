//! A session's ciphers under a counter, in place, through aws-lc-rs.
//!
//! The nonce is four zero bytes and the counter, little-endian for ChaCha20-Poly1305, big-endian for AES-256-GCM
//! (Noise §12.3, §12.4). Never decides which counter to use: [`Session`](crate::session::Session) and the handshake do.
//!
//! AWS-LC keeps the key in an allocation of its own and wipes it when it is freed.

use aws_lc_rs::aead::{AES_256_GCM, Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use stead_wire::message::TAG_LEN;

use crate::cipher::Cipher;

/// A key for one direction.
pub(crate) struct AeadKey {
    key: LessSafeKey,
    cipher: Cipher,
}

/// The tag does not match: nothing about the ciphertext can be believed.
#[derive(Debug)]
pub(crate) struct Forged;

impl AeadKey {
    pub(crate) fn new(cipher: Cipher, key: &[u8; 32]) -> Self {
        let algorithm = match cipher {
            Cipher::ChaCha20Poly1305 => &CHACHA20_POLY1305,
            Cipher::Aes256Gcm => &AES_256_GCM,
        };
        let key = UnboundKey::new(algorithm, key).expect("either cipher takes 32 bytes");
        Self { key: LessSafeKey::new(key), cipher }
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
}
