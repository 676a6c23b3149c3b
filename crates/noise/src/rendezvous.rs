//! How two nodes meet at a subscribe-notify service that learns neither who they are nor what they say (D7).
//!
//! ```text
//! pair secret     = X25519(own static secret, peer's public key)       the same on both sides
//! topic           = BLAKE2s(pair secret; "stead sns topic v1", service's public key), first 16 bytes
//! publication key = BLAKE2s(pair secret; "stead sns publication v1", publisher's, subscriber's, service's public key)
//! sealed          = nonce 24 || XChaCha20-Poly1305(publication key, nonce, topic || number big-endian, text)
//! ```
//!
//! Decides nothing about when to publish or whom to believe. What the service does learn: its clients' keys from
//! their handshakes, which two of them share a topic, when they publish, and where their datagrams come from.
//!
//! # Invariants
//! - One topic per pair and service: two services cannot compare their topics.
//! - Each direction has its own key, so a publication handed back to its publisher does not open.
//! - Sealing binds topic and number: the service can hold a publication back, but not pass it for another.
//! - The pair secret lives only while keys are derived; keys are wiped when dropped.

use core::fmt;

use chacha20poly1305::aead::AeadInPlace;
use chacha20poly1305::{KeyInit, XChaCha20Poly1305};
use stead_wire::options::{Sealed, Topic};
use zeroize::Zeroizing;

use crate::blake2s;
use crate::keys::{PublicKey, StaticSecret, diffie_hellman};
use crate::random::RandomStream;

/// What a node needs to meet one peer at one service.
pub struct Rendezvous {
    topic: Topic,
    sealing: Zeroizing<[u8; 32]>,
    opening: Zeroizing<[u8; 32]>,
}

/// Why a publication was not opened.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the publication was not sealed by this pair's other side for this topic and number")]
pub struct Forged;

impl Rendezvous {
    /// Most bytes that [`seal`](Self::seal) takes.
    pub const MOST: usize = Sealed::MOST - NONCE_LEN - TAG_LEN;

    /// Derives the topic and both keys. Costs two scalar multiplications.
    ///
    /// `None` if `peer` is of low order: its secret would be no secret.
    #[must_use]
    pub fn new(secret: &StaticSecret, peer: &PublicKey, service: &PublicKey) -> Option<Self> {
        let own = secret.public_key();
        let pair = diffie_hellman(secret.as_bytes(), &peer.0)?;
        let hash = blake2s::derive(&pair, &[LABEL_TOPIC, &service.0]);
        let mut topic = Topic([0; Topic::LEN]);
        topic.0.copy_from_slice(&hash[..Topic::LEN]);
        let key = |publisher: &PublicKey, subscriber: &PublicKey| {
            let parts: [&[u8]; 4] = [LABEL_PUBLICATION, &publisher.0, &subscriber.0, &service.0];
            Zeroizing::new(blake2s::derive(&pair, &parts))
        };
        Some(Self { topic, sealing: key(&own, peer), opening: key(peer, &own) })
    }

    /// What the service calls this pair.
    #[must_use]
    pub fn topic(&self) -> Topic {
        self.topic
    }

    /// Seals `text` as our publication `number`; `None` if it has more than [`Self::MOST`] bytes.
    ///
    /// The nonce is random, so a number may be used again after a restart.
    #[must_use]
    pub fn seal(&self, number: u64, text: &[u8], random: &mut RandomStream) -> Option<Sealed> {
        if text.len() > Self::MOST {
            return None;
        }
        let mut nonce = [0; NONCE_LEN];
        random.fill(&mut nonce);
        let mut sealed = [&nonce, text].concat();
        let cipher = XChaCha20Poly1305::new((&*self.sealing).into());
        let tag = cipher.encrypt_in_place_detached(
            &nonce.into(),
            &self.associated(number),
            &mut sealed[NONCE_LEN..],
        );
        sealed.extend(tag.expect("a publication is far below the cipher's limit"));
        Sealed::new(&sealed)
    }

    /// Opens the peer's publication `number`.
    ///
    /// # Errors
    /// [`Forged`] if the peer did not seal it for this service, topic and number.
    pub fn open(&self, number: u64, sealed: &Sealed) -> Result<Vec<u8>, Forged> {
        let (nonce, rest) = sealed.as_slice().split_first_chunk::<NONCE_LEN>().ok_or(Forged)?;
        let (text, tag) = rest.split_last_chunk::<TAG_LEN>().ok_or(Forged)?;
        let mut text = text.to_vec();
        XChaCha20Poly1305::new((&*self.opening).into())
            .decrypt_in_place_detached(nonce.into(), &self.associated(number), &mut text, tag.into())
            .map_err(|_| Forged)?;
        Ok(text)
    }

    fn associated(&self, number: u64) -> [u8; Topic::LEN + 8] {
        let mut bytes = [0; Topic::LEN + 8];
        bytes[..Topic::LEN].copy_from_slice(&self.topic.0);
        bytes[Topic::LEN..].copy_from_slice(&number.to_be_bytes());
        bytes
    }
}

impl fmt::Debug for Rendezvous {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rendezvous {{ topic: {}, .. }}", self.topic)
    }
}

const NONCE_LEN: usize = 24;
const TAG_LEN: usize = 16;

const LABEL_TOPIC: &[u8] = b"stead sns topic v1";
const LABEL_PUBLICATION: &[u8] = b"stead sns publication v1";

#[cfg(test)]
mod tests;
