//! The primitives that snow runs on: our own, so that randomness comes from the caller, zero results of
//! Diffie-Hellman are errors, and secrets are wiped.

use std::sync::{Arc, Mutex, PoisonError};

use blake2::{Blake2s256, Digest};
use curve25519_dalek::scalar::clamp_integer;
use snow::params::{CipherChoice, DHChoice, HashChoice};
use snow::resolvers::CryptoResolver;
use snow::types::{Cipher, Dh, Hash, Random};
use stead_wire::message::TAG_LEN;
use zeroize::Zeroizing;

use crate::aead::AeadKey;
use crate::cipher::Cipher as SessionCipher;
use crate::keys::{StaticSecret, diffie_hellman};
use crate::random::RandomStream;

/// Gives snow exactly one suite.
pub(super) struct Resolver {
    ephemeral: EphemeralSlot,
}

impl Resolver {
    pub(super) fn new(ephemeral: EphemeralSlot) -> Self {
        Self { ephemeral }
    }
}

impl CryptoResolver for Resolver {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        Some(Box::new(self.ephemeral.clone()))
    }

    fn resolve_dh(&self, choice: &DHChoice) -> Option<Box<dyn Dh>> {
        matches!(choice, DHChoice::Curve25519).then(|| Box::<Curve25519>::default() as Box<dyn Dh>)
    }

    fn resolve_hash(&self, choice: &HashChoice) -> Option<Box<dyn Hash>> {
        matches!(choice, HashChoice::Blake2s).then(|| Box::<Blake2s>::default() as Box<dyn Hash>)
    }

    fn resolve_cipher(&self, choice: &CipherChoice) -> Option<Box<dyn Cipher>> {
        matches!(choice, CipherChoice::ChaChaPoly).then(|| Box::<ChaChaPoly>::default() as Box<dyn Cipher>)
    }
}

/// Where the bytes of the one ephemeral key of a handshake wait until snow asks for them.
///
/// Snow takes its random source when the handshake is made, but a responder needs randomness only if it
/// answers.
#[derive(Clone, Default)]
pub(super) struct EphemeralSlot(Arc<Mutex<Option<Zeroizing<[u8; 32]>>>>);

impl EphemeralSlot {
    /// Draws the next ephemeral key.
    pub(super) fn put(&self, random: &mut RandomStream) {
        let mut bytes = Zeroizing::new([0; 32]);
        random.fill(&mut bytes[..]);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(bytes);
    }
}

impl Random for EphemeralSlot {
    /// Gives the bytes once: a second ephemeral key from the same bytes must not exist.
    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), snow::Error> {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let bytes = bytes.filter(|bytes| bytes.len() == out.len()).ok_or(snow::Error::Rng)?;
        out.copy_from_slice(&bytes[..]);
        Ok(())
    }
}

#[derive(Default)]
struct Curve25519 {
    secret: Zeroizing<[u8; 32]>,
    public: [u8; 32],
}

impl Dh for Curve25519 {
    fn name(&self) -> &'static str {
        "25519"
    }

    fn pub_len(&self) -> usize {
        32
    }

    fn priv_len(&self) -> usize {
        32
    }

    fn set(&mut self, secret: &[u8]) {
        let bytes = Zeroizing::new(<[u8; 32]>::try_from(secret).expect("a secret key has 32 bytes"));
        self.secret = Zeroizing::new(clamp_integer(*bytes));
        self.public = StaticSecret::from_random(*bytes).public_key().0;
    }

    fn generate(&mut self, random: &mut dyn Random) -> Result<(), snow::Error> {
        let mut bytes = Zeroizing::new([0; 32]);
        random.try_fill_bytes(&mut bytes[..])?;
        self.set(&bytes[..]);
        Ok(())
    }

    fn pubkey(&self) -> &[u8] {
        &self.public
    }

    fn privkey(&self) -> &[u8] {
        &self.secret[..]
    }

    fn dh(&self, public: &[u8], out: &mut [u8]) -> Result<(), snow::Error> {
        // Snow hands over a buffer that is long enough for any curve.
        let public = public.first_chunk().ok_or(snow::Error::Dh)?;
        let shared = diffie_hellman(&self.secret, public).ok_or(snow::Error::Dh)?;
        out[..shared.len()].copy_from_slice(&shared[..]);
        Ok(())
    }
}

/// Holds no key until snow sets one, and snow sets one before it seals or opens anything.
#[derive(Default)]
struct ChaChaPoly(Option<AeadKey>);

impl ChaChaPoly {
    fn key(&self) -> &AeadKey {
        self.0.as_ref().expect("snow checks that a key was set")
    }
}

impl Cipher for ChaChaPoly {
    fn name(&self) -> &'static str {
        "ChaChaPoly"
    }

    fn set(&mut self, key: &[u8; 32]) {
        self.0 = Some(AeadKey::new(SessionCipher::ChaCha20Poly1305, key));
    }

    fn encrypt(&self, nonce: u64, associated: &[u8], plaintext: &[u8], out: &mut [u8]) -> usize {
        let (text, tag) = out.split_at_mut(plaintext.len());
        text.copy_from_slice(plaintext);
        tag[..TAG_LEN].copy_from_slice(&self.key().seal(nonce, associated, text));
        plaintext.len() + TAG_LEN
    }

    fn decrypt(
        &self,
        nonce: u64,
        associated: &[u8],
        ciphertext: &[u8],
        out: &mut [u8],
    ) -> Result<usize, snow::Error> {
        let mut text = [0; LONGEST_SEALED];
        let text = text.get_mut(..ciphertext.len()).ok_or(snow::Error::Input)?;
        text.copy_from_slice(ciphertext);
        let plaintext = self.key().open(nonce, associated, text).map_err(|_| snow::Error::Decrypt)?;
        out[..plaintext.len()].copy_from_slice(plaintext);
        Ok(plaintext.len())
    }
}

/// A sealed static key: the longest ciphertext in either message. (None of them is secret once opened: a
/// public key, a timestamp, nothing.)
const LONGEST_SEALED: usize = 32 + TAG_LEN;

#[derive(Default)]
struct Blake2s(Blake2s256);

impl Hash for Blake2s {
    fn name(&self) -> &'static str {
        "BLAKE2s"
    }

    fn block_len(&self) -> usize {
        BLOCK_LEN
    }

    fn hash_len(&self) -> usize {
        HASH_LEN
    }

    fn reset(&mut self) {
        self.0 = Blake2s256::new();
    }

    fn input(&mut self, data: &[u8]) {
        Digest::update(&mut self.0, data);
    }

    fn result(&mut self, out: &mut [u8]) {
        out[..HASH_LEN].copy_from_slice(&self.0.finalize_reset());
    }

    /// RFC 2104, as snow's own, but wiping what it computes on the way.
    fn hmac(&mut self, key: &[u8], data: &[u8], out: &mut [u8]) {
        let mut inner = Zeroizing::new([0x36; BLOCK_LEN]);
        let mut outer = Zeroizing::new([0x5c; BLOCK_LEN]);
        for (i, byte) in key.iter().enumerate() {
            inner[i] ^= byte;
            outer[i] ^= byte;
        }
        let mut digest = Zeroizing::new([0; HASH_LEN]);
        self.reset();
        self.input(&inner[..]);
        self.input(data);
        self.result(&mut digest[..]);
        self.input(&outer[..]);
        self.input(&digest[..]);
        self.result(out);
    }

    /// Noise §4.3, as snow's own, but wiping what it computes on the way.
    fn hkdf(
        &mut self,
        chaining_key: &[u8],
        material: &[u8],
        outputs: usize,
        out1: &mut [u8],
        out2: &mut [u8],
        out3: &mut [u8],
    ) {
        let mut key = Zeroizing::new([0; HASH_LEN]);
        self.hmac(&chaining_key[..HASH_LEN], material, &mut key[..]);
        let mut chained = Zeroizing::new([0; HASH_LEN + 1]);
        for (i, out) in [out1, out2, out3].into_iter().take(outputs).enumerate() {
            // The first output is of the byte 1 alone, each further one of the output before it and its
            // number.
            let start = if i == 0 { HASH_LEN } else { 0 };
            chained[HASH_LEN] = i as u8 + 1;
            self.hmac(&key[..], &chained[start..], out);
            chained[..HASH_LEN].copy_from_slice(&out[..HASH_LEN]);
        }
    }
}

const HASH_LEN: usize = 32;
const BLOCK_LEN: usize = 64;

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::handshake::{CONSTRUCTION, IDENTIFIER};
    use crate::keys::PublicKey;

    /// The body of an initiation that follows the rules up to the static key, where it seals `claimed`
    /// instead of a key of its own. What follows cannot be right: it would take the secret of `claimed`.
    pub(in crate::handshake) fn initiation_claiming(
        claimed: &PublicKey,
        responder: &PublicKey,
        random: &mut RandomStream,
    ) -> [u8; 108] {
        let mut secret = [0; 32];
        random.fill(&mut secret);
        let ephemeral = StaticSecret::from_random(secret).public_key();
        let hash = |parts: &[&[u8]]| crate::blake2s::hash(parts);

        let mut chaining = hash(&[CONSTRUCTION.as_bytes()]);
        let transcript = hash(&[&hash(&[&hash(&[&chaining, IDENTIFIER]), &responder.0]), &ephemeral.0]);
        let (mut next, mut key) = ([0; 32], [0; 32]);
        Blake2s::default().hkdf(&chaining, &ephemeral.0, 1, &mut next, &mut [], &mut []);
        chaining = next;
        let shared = diffie_hellman(&secret, &responder.0).unwrap();
        Blake2s::default().hkdf(&chaining, &shared[..], 2, &mut next, &mut key, &mut []);

        let mut body = [0; 108];
        body[..32].copy_from_slice(&ephemeral.0);
        body[32..64].copy_from_slice(&claimed.0);
        let tag = AeadKey::new(SessionCipher::ChaCha20Poly1305, &key).seal(0, &transcript, &mut body[32..64]);
        body[64..80].copy_from_slice(&tag);
        body
    }

    #[test]
    fn the_key_derivation_is_snows_own() {
        use snow::resolvers::DefaultResolver;
        let mut theirs = DefaultResolver.resolve_hash(&HashChoice::Blake2s).unwrap();
        for outputs in 1..=3 {
            let (mut found, mut expected) = ([[0; 64]; 3], [[0; 64]; 3]);
            let [a, b, c] = &mut found;
            Blake2s::default().hkdf(&[7; 32], b"material", outputs, a, b, c);
            let [a, b, c] = &mut expected;
            theirs.hkdf(&[7; 32], b"material", outputs, a, b, c);
            assert_eq!(found, expected, "{outputs} outputs");
        }
    }

    #[test]
    fn an_ephemeral_key_is_given_once() {
        let mut slot = EphemeralSlot::default();
        let mut bytes = [0; 32];
        assert_eq!(slot.try_fill_bytes(&mut bytes), Err(snow::Error::Rng), "before it was drawn");
        slot.put(&mut crate::random::Random::from_seed([1; 32]).stream("test"));

        assert_eq!(slot.try_fill_bytes(&mut bytes), Ok(()));

        assert_ne!(bytes, [0; 32]);
        assert_eq!(slot.try_fill_bytes(&mut bytes), Err(snow::Error::Rng), "a second time");
    }
}
