//! Keys in base64, as `wg` and `stead` print them.

use stead_noise::keys::{PresharedKey, PublicKey, StaticSecret};

/// Why a text is not a key.
///
/// The text itself is never repeated: it may be somebody's secret, with one character missing.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum KeyFault {
    /// 32 bytes are 44 characters in base64.
    #[error("has {0} characters, and a key has 44")]
    Length(usize),
    /// A character that base64 does not have, or an end that no 32 bytes encode to.
    #[error("is not base64")]
    NotBase64,
    /// 32 bytes in hexadecimal, as WireGuard's cross-platform interface writes keys.
    #[error("is hexadecimal, and keys are written in base64 here")]
    Hexadecimal,
    /// A point of low order: every secret gives the same shared secret with it, so it protects nothing.
    #[error("is a point of low order, which nobody's secret belongs to")]
    LowOrder,
}

impl KeyFault {
    /// What to do about it.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Length(_) | Self::NotBase64 => "copy the whole line; its last character is `=`",
            Self::Hexadecimal => "`xxd -r -p | base64` turns it over",
            Self::LowOrder => "take the key that `stead pubkey` prints on the peer",
        }
    }
}

/// Reads a peer's public key.
///
/// # Errors
/// [`KeyFault`]; [`KeyFault::LowOrder`] for the points that would make the handshake worthless.
pub fn public(text: &str) -> Result<PublicKey, KeyFault> {
    let key: PublicKey = text.parse().map_err(|_| fault_of(text))?;
    if key.is_low_order() { Err(KeyFault::LowOrder) } else { Ok(key) }
}

/// Reads a secret key.
///
/// # Errors
/// [`KeyFault`].
pub fn secret(text: &str) -> Result<StaticSecret, KeyFault> {
    text.parse().map_err(|_| fault_of(text))
}

/// Reads a preshared key.
///
/// # Errors
/// [`KeyFault`].
pub fn preshared(text: &str) -> Result<PresharedKey, KeyFault> {
    text.parse().map_err(|_| fault_of(text))
}

fn fault_of(text: &str) -> KeyFault {
    match text.chars().count() {
        64 if text.bytes().all(|byte| byte.is_ascii_hexdigit()) => KeyFault::Hexadecimal,
        CHARACTERS => KeyFault::NotBase64,
        other => KeyFault::Length(other),
    }
}

/// 32 bytes in base64, padding included.
const CHARACTERS: usize = 44;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_is_told_apart() {
        assert_eq!(public("short").unwrap_err(), KeyFault::Length(5));
        assert_eq!(public(&"*".repeat(44)).unwrap_err(), KeyFault::NotBase64);
        assert_eq!(public(&"0a".repeat(32)).unwrap_err(), KeyFault::Hexadecimal);
        assert_eq!(public(&format!("{}=", "A".repeat(43))).unwrap_err(), KeyFault::LowOrder);
        assert_eq!(secret("").err(), Some(KeyFault::Length(0)));
        assert_eq!(preshared(&"A".repeat(44)).err(), Some(KeyFault::NotBase64));
    }

    #[test]
    fn a_public_key_survives_the_round_trip() {
        let text = "HIgo9xNzJMWLKASShiTqIybxZ0U3wGLiUeJ1PKf8ykw=";
        assert_eq!(public(text).unwrap().to_string(), text);
    }
}
