//! Static keys: who a node is (D3), and the preshared key of a pair of peers.
//!
//! Written and read as `wg` does it: 44 characters of base64. Never reads files or makes randomness; the
//! program does.
//!
//! # Invariants
//! - A [`StaticSecret`] is clamped, so that two texts of one key compare equal.
//! - Secrets are wiped when dropped, compared in constant time, and hidden from `Debug`. Their text is not:
//!   `Display` is for key files and asks for a place that its caller wipes.

use core::fmt;
use core::net::Ipv6Addr;
use core::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use curve25519_dalek::montgomery::MontgomeryPoint;
use curve25519_dalek::scalar::clamp_integer;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::blake2s;

/// A node's static private key.
#[derive(Clone, ZeroizeOnDrop)]
pub struct StaticSecret([u8; KEY_LEN]);

/// A node's static public key: its identity.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct PublicKey(pub [u8; KEY_LEN]);

/// A secret that two peers share besides their keys. All zeros, the default, is WireGuard's "none".
#[derive(Clone, Default, ZeroizeOnDrop)]
pub struct PresharedKey([u8; KEY_LEN]);

/// Why a text is not a key.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum KeyError {
    /// The text is too short or too long.
    #[error("a key has 44 characters of base64, this text has {0}")]
    Length(usize),
    /// The text has the right length and is not base64 of 32 bytes.
    #[error("a key is 44 characters of base64 and ends with `=`, this text is not")]
    NotBase64,
}

impl StaticSecret {
    /// Makes a secret of 32 random bytes by clamping them.
    #[must_use]
    pub fn from_random(bytes: [u8; KEY_LEN]) -> Self {
        let bytes = Zeroizing::new(bytes);
        Self(clamp_integer(*bytes))
    }

    /// The public key that belongs to this secret. Costs a scalar multiplication.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        PublicKey(MontgomeryPoint::mul_base_clamped(self.0).to_bytes())
    }

    pub(crate) fn as_bytes(&self) -> &[u8; KEY_LEN] {
        &self.0
    }
}

impl PublicKey {
    /// The virtual address that belongs to this key and to no other (D3): fd73:7465:6164::/48 ("fd" and
    /// "stead" in ASCII), then 80 bits of a hash of the key.
    #[must_use]
    pub fn virtual_address(&self) -> Ipv6Addr {
        let hash = blake2s::hash(&[VIRTUAL_ADDRESS_LABEL, &self.0]);
        let mut address = [0; 16];
        address[..6].copy_from_slice(b"\xfdstead");
        address[6..].copy_from_slice(&hash[..10]);
        Ipv6Addr::from(address)
    }

    /// Whether every exchange with this key gives zero, so that no handshake with it can succeed.
    ///
    /// A multiple of 8, the least will do, sends exactly the low-order points to the identity. So this costs an inversion,
    /// a tenth of an exchange: a configuration may hold thousands of keys.
    #[must_use]
    pub fn is_low_order(&self) -> bool {
        let eight = [true, false, false, false];
        MontgomeryPoint(self.0).mul_bits_be(eight.into_iter()).to_bytes() == [0; KEY_LEN]
    }

    /// The first eight characters of the key: enough to tell peers apart in a log.
    #[must_use]
    pub fn short(&self) -> String {
        STANDARD.encode(&self.0[..6])
    }
}

impl PresharedKey {
    /// The key with these bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; KEY_LEN]) -> Self {
        Self(bytes)
    }

    pub(crate) fn as_bytes(&self) -> &[u8; KEY_LEN] {
        &self.0
    }
}

/// The secret shared by the owners of `secret` and `public`; `None` if `public` is of low order (RFC 7748
/// §6.1).
pub(crate) fn diffie_hellman(
    secret: &[u8; KEY_LEN],
    public: &[u8; KEY_LEN],
) -> Option<Zeroizing<[u8; KEY_LEN]>> {
    let mut point = MontgomeryPoint(*public).mul_clamped(*secret);
    let shared = Zeroizing::new(point.to_bytes());
    point.zeroize();
    let zero = bool::from(shared.ct_eq(&[0; KEY_LEN]));
    (!zero).then_some(shared)
}

impl FromStr for StaticSecret {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        decode(text).map(|bytes| Self::from_random(*bytes))
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        decode(text).map(|bytes| Self(*bytes))
    }
}

impl FromStr for PresharedKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        decode(text).map(|bytes| Self(*bytes))
    }
}

impl fmt::Display for StaticSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        encode(&self.0, f)
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        encode(&self.0, f)
    }
}

impl fmt::Display for PresharedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        encode(&self.0, f)
    }
}

impl fmt::Debug for StaticSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StaticSecret(…)")
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

impl fmt::Debug for PresharedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PresharedKey(…)")
    }
}

impl PartialEq for StaticSecret {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for StaticSecret {}

impl PartialEq for PresharedKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for PresharedKey {}

/// Bytes of every key here.
const KEY_LEN: usize = 32;

/// Characters of base64, padding included, that 32 bytes become.
const TEXT_LEN: usize = 44;

const VIRTUAL_ADDRESS_LABEL: &[u8] = b"stead virtual address v1";

fn decode(text: &str) -> Result<Zeroizing<[u8; KEY_LEN]>, KeyError> {
    if text.len() != TEXT_LEN {
        return Err(KeyError::Length(text.chars().count()));
    }
    // The decoder wants room for 44 characters without padding.
    let mut room = Zeroizing::new([0; TEXT_LEN / 4 * 3]);
    let len = STANDARD.decode_slice(text, &mut room[..]).map_err(|_| KeyError::NotBase64)?;
    let bytes = room[..len].try_into().map_err(|_| KeyError::NotBase64)?;
    Ok(Zeroizing::new(bytes))
}

fn encode(bytes: &[u8; KEY_LEN], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut text = Zeroizing::new([0; TEXT_LEN]);
    let len = STANDARD.encode_slice(bytes, &mut text[..]).map_err(|_| fmt::Error)?;
    f.pad(core::str::from_utf8(&text[..len]).map_err(|_| fmt::Error)?)
}

#[cfg(test)]
pub(crate) mod tests;
