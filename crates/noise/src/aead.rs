//! ChaCha20-Poly1305 under a counter, in place, through aws-lc-rs.
//!
//! The nonce is four zero bytes and the counter, little-endian (Noise §12.3). Never decides which counter
//! to use: [`Session`](crate::session::Session) and the handshake do.
//!
//! AWS-LC keeps the key in an allocation of its own and wipes it when it is freed.

use aws_lc_rs::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use stead_wire::message::TAG_LEN;

/// A key for one direction.
pub(crate) struct AeadKey(LessSafeKey);

/// The tag does not match: nothing about the ciphertext can be believed.
#[derive(Debug)]
pub(crate) struct Forged;

impl AeadKey {
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        let key = UnboundKey::new(&CHACHA20_POLY1305, key).expect("ChaCha20-Poly1305 takes 32 bytes");
        Self(LessSafeKey::new(key))
    }

    /// Encrypts `text` where it is and returns the tag.
    pub(crate) fn seal(&self, counter: u64, associated: &[u8], text: &mut [u8]) -> [u8; TAG_LEN] {
        let tag = self.0.seal_in_place_separate_tag(nonce(counter), Aad::from(associated), text);
        let tag = tag.expect("a datagram is far below the cipher's limit of 256 GiB");
        tag.as_ref().try_into().expect("a Poly1305 tag has 16 bytes")
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
        self.0.open_in_place(nonce(counter), Aad::from(associated), text).map_err(|_| Forged)
    }
}

fn nonce(counter: u64) -> Nonce {
    let mut bytes = [0; 12];
    bytes[4..].copy_from_slice(&counter.to_le_bytes());
    Nonce::assume_unique_for_key(bytes)
}
