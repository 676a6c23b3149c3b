//! The two ciphers of a session, and how long a key of each may be used.
//!
//! Every session begins with ChaCha20-Poly1305, as WireGuard says; a [`twin`](crate::twin) may be under AES-256-GCM.

use core::fmt;

use stead_wire::options::Capabilities;

use crate::schedule::{REJECT_AFTER_MESSAGES, REKEY_AFTER_MESSAGES};

/// What seals a session's messages.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Cipher {
    /// WireGuard's (RFC 8439).
    #[default]
    ChaCha20Poly1305,
    /// Between VC-enhanced peers that both have AES in hardware (NIST SP 800-38D).
    Aes256Gcm,
}

impl Cipher {
    /// The one for peers that are both able to do this much.
    #[must_use]
    pub const fn on(terms: Capabilities) -> Self {
        if terms.contains(Capabilities::FAST_AES) { Self::Aes256Gcm } else { Self::ChaCha20Poly1305 }
    }

    /// As it is called, for listings.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ChaCha20Poly1305 => "ChaCha20-Poly1305",
            Self::Aes256Gcm => "AES-256-GCM",
        }
    }

    /// After this many messages either side renews the session.
    #[must_use]
    pub const fn rekey_after_messages(self) -> u64 {
        match self {
            Self::ChaCha20Poly1305 => REKEY_AFTER_MESSAGES,
            Self::Aes256Gcm => AES_REKEY_AFTER_MESSAGES,
        }
    }

    /// Counters from here on are not used.
    #[must_use]
    pub const fn reject_after_messages(self) -> u64 {
        match self {
            Self::ChaCha20Poly1305 => REJECT_AFTER_MESSAGES,
            Self::Aes256Gcm => AES_REJECT_AFTER_MESSAGES,
        }
    }
}

impl fmt::Display for Cipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// RFC 9001 appendix B.1 bounds what one AES-GCM key may seal by the square of the blocks under it. At this many of the
/// longest datagrams (2^12 blocks) an attacker's advantage is below 2^-52, and at as many of 1500 bytes below 2^-62.
const AES_REKEY_AFTER_MESSAGES: u64 = 1 << 26;

/// Twice as many: enough for a handshake to be tried for minutes at a million messages a second.
const AES_REJECT_AFTER_MESSAGES: u64 = 1 << 27;
