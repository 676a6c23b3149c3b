//! What a forwarder does to each datagram: nothing, or what any tunnel with AES-256-GCM cannot do without.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use super::train::{HEADER, Header};

/// Seals and opens datagrams in place. The key is the same everywhere and its nonces come again: this costs what protection
/// costs, and protects nothing.
#[derive(Debug, Default)]
pub(super) struct Cipher(Option<LessSafeKey>);

/// What sealing adds to a datagram, in bytes.
pub(super) const TAG: usize = 16;

impl Cipher {
    /// AES-256-GCM, from the library that stead has it from.
    pub(super) fn aes() -> Self {
        Self(UnboundKey::new(&AES_256_GCM, &KEY).ok().map(LessSafeKey::new))
    }

    /// What this cipher adds to a datagram, in bytes.
    pub(super) const fn overhead(&self) -> usize {
        if self.0.is_some() { TAG } else { 0 }
    }

    /// Seals a chunk, and returns what is to follow it, if anything.
    pub(super) fn seal(&self, header: Header, chunk: &mut [u8]) -> Option<[u8; TAG]> {
        let key = self.0.as_ref()?;
        let tag = key.seal_in_place_separate_tag(nonce(header), Aad::from(header.encode()), chunk).ok()?;
        tag.as_ref().try_into().ok()
    }

    /// Opens what was received, datagrams of `size` bytes of which the last may be shorter. Each chunk lies where it was
    /// then, and what cannot be opened has the header of no train.
    pub(super) fn open(&self, received: &mut [u8], size: usize) {
        let Some(key) = &self.0 else { return };
        for datagram in received.chunks_mut(size) {
            let opened = Header::decode(datagram).is_some_and(|header| {
                let aad = Aad::from(header.encode());
                key.open_in_place(nonce(header), aad, &mut datagram[HEADER..]).is_ok()
            });
            if !opened {
                datagram.fill(0);
            }
        }
    }
}

fn nonce(header: Header) -> Nonce {
    let mut nonce = [0; NONCE_LEN];
    nonce[..HEADER].copy_from_slice(&header.encode());
    Nonce::assume_unique_for_key(nonce)
}

const KEY: [u8; 32] = [0x5e; 32];
