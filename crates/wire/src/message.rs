//! WireGuard's four messages (WireGuard paper §5.4), all numbers little-endian.
//!
//! ```text
//!  0       1               4               8
//! +-------+---------------+---------------+-----------------------------------+--------+--------+
//! | 1     | reserved (0)  | sender index  | noise: e, s, timestamp (108)      | mac1   | mac2   |  initiation
//! +-------+---------------+---------------+---------------+-------------------+--------+--------+
//! | 2     | reserved (0)  | sender index  | receiver      | noise: e, () (48) | mac1   | mac2   |  response
//! +-------+---------------+---------------+---------------+-------------------+--------+--------+
//! | 3     | reserved (0)  | receiver      | nonce (24)                | sealed cookie (32)      |  cookie reply
//! +-------+---------------+---------------+---------------------------+-------------------------+
//! | 4     | reserved (0)  | receiver      | counter (8)               | ciphertext, tag (16)    |  transport
//! +-------+---------------+---------------+---------------------------+-------------------------+
//! ```
//!
//! Knows where the bytes are, not what they prove: macs and ciphertexts are handed on as they came.

use core::fmt;

use crate::reader::{DecodeError, Reader};

/// Length of a handshake initiation.
pub const INITIATION_LEN: usize = 8 + INITIATION_NOISE_LEN + MACS_LEN;
/// Length of a handshake response.
pub const RESPONSE_LEN: usize = 12 + RESPONSE_NOISE_LEN + MACS_LEN;
/// Length of a cookie reply.
pub const COOKIE_REPLY_LEN: usize = 64;
/// Length of what precedes the ciphertext of a transport message.
pub const TRANSPORT_HEADER_LEN: usize = 16;
/// Length of an authentication tag.
pub const TAG_LEN: usize = 16;
/// Length of the shortest transport message, a keepalive.
pub const TRANSPORT_MIN_LEN: usize = TRANSPORT_HEADER_LEN + TAG_LEN;
/// Plaintexts are padded to a multiple of this, so that their length tells less (WireGuard paper §5.4.6).
pub const PADDING: usize = 16;
/// Length of Noise's part of an initiation: ephemeral key 32, static key 32 + 16, timestamp 12 + 16.
pub const INITIATION_NOISE_LEN: usize = 108;
/// Length of Noise's part of a response: ephemeral key 32, nothing 0 + 16.
pub const RESPONSE_NOISE_LEN: usize = 48;

const MAC_LEN: usize = 16;
const MACS_LEN: usize = 2 * MAC_LEN;

const INITIATION: u8 = 1;
const RESPONSE: u8 = 2;
const COOKIE_REPLY: u8 = 3;
const TRANSPORT: u8 = 4;

/// Names a session, or a handshake in flight, to the side that chose the number.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct SessionIndex(pub u32);

impl fmt::Display for SessionIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

/// Numbers the transport messages of one session and direction; the AEAD's nonce.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Counter(pub u64);

impl fmt::Display for Counter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Any of the four messages.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Message<'a> {
    /// Type 1: opens a handshake.
    Initiation(Initiation<'a>),
    /// Type 2: answers an initiation.
    Response(Response<'a>),
    /// Type 3: answers a handshake message under load.
    CookieReply(CookieReply<'a>),
    /// Type 4: carries a plaintext.
    Transport(Transport<'a>),
}

impl<'a> Message<'a> {
    /// Reads a datagram's bytes. Borrows, never allocates.
    ///
    /// # Errors
    /// [`DecodeError::UnknownValue`] for another type; [`DecodeError::NotZero`] for reserved bytes in use;
    /// [`DecodeError::WrongLength`] or [`DecodeError::Truncated`] for a length that the type does not have.
    #[inline]
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        match bytes.first() {
            Some(&TRANSPORT) => Transport::decode(bytes).map(Self::Transport),
            Some(&INITIATION) => Initiation::decode(bytes).map(Self::Initiation),
            Some(&RESPONSE) => Response::decode(bytes).map(Self::Response),
            Some(&COOKIE_REPLY) => CookieReply::decode(bytes).map(Self::CookieReply),
            Some(&found) => Err(DecodeError::UnknownValue { message: "datagram", field: "type", found }),
            None => Err(DecodeError::Truncated { message: "datagram", field: "type" }),
        }
    }
}

/// A handshake initiation.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Initiation<'a> {
    /// The initiator's name for the session to be.
    pub sender: SessionIndex,
    /// Noise's first message.
    pub noise: &'a [u8; INITIATION_NOISE_LEN],
    /// What makes it worth a look.
    pub macs: Macs<'a>,
}

impl<'a> Initiation<'a> {
    fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        const NAME: &str = "handshake initiation";
        let bytes = exactly::<INITIATION_LEN>(NAME, bytes)?;
        let mut reader = Reader::new(NAME, bytes);
        reader.tag(INITIATION)?;
        reader.zeros::<3>("reserved")?;
        let sender = SessionIndex(reader.u32_le("sender index")?);
        let noise = reader.array("noise message")?;
        Ok(Self { sender, noise, macs: Macs::decode(bytes, reader)? })
    }
}

/// A handshake response.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Response<'a> {
    /// The responder's name for the session.
    pub sender: SessionIndex,
    /// The initiator's name for it, from the initiation.
    pub receiver: SessionIndex,
    /// Noise's second message.
    pub noise: &'a [u8; RESPONSE_NOISE_LEN],
    /// What makes it worth a look.
    pub macs: Macs<'a>,
}

impl<'a> Response<'a> {
    fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        const NAME: &str = "handshake response";
        let bytes = exactly::<RESPONSE_LEN>(NAME, bytes)?;
        let mut reader = Reader::new(NAME, bytes);
        reader.tag(RESPONSE)?;
        reader.zeros::<3>("reserved")?;
        let sender = SessionIndex(reader.u32_le("sender index")?);
        let receiver = SessionIndex(reader.u32_le("receiver index")?);
        let noise = reader.array("noise message")?;
        Ok(Self { sender, receiver, noise, macs: Macs::decode(bytes, reader)? })
    }
}

/// The two macs at the end of a handshake message, and the bytes that each must cover (WireGuard paper §5.4.4).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Macs<'a> {
    /// Everything before mac1.
    pub covered_by_mac1: &'a [u8],
    /// Proves that the sender knows the receiver's public key.
    pub mac1: &'a [u8; MAC_LEN],
    /// Everything before mac2.
    pub covered_by_mac2: &'a [u8],
    /// Proves that the sender receives at its source address; zero without a cookie.
    pub mac2: &'a [u8; MAC_LEN],
}

impl<'a> Macs<'a> {
    /// Reads both from `reader`, which stands after the noise message of `message`.
    fn decode<const N: usize>(message: &'a [u8; N], mut reader: Reader<'a>) -> Result<Self, DecodeError> {
        let covered_by_mac1 = message.get(..N - MACS_LEN).unwrap_or_default();
        let covered_by_mac2 = message.get(..N - MAC_LEN).unwrap_or_default();
        Ok(Self {
            covered_by_mac1,
            mac1: reader.array("mac1")?,
            covered_by_mac2,
            mac2: reader.array("mac2")?,
        })
    }
}

/// A cookie, sealed for whoever sent the handshake message that it answers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CookieReply<'a> {
    /// The sender index of the message that it answers.
    pub receiver: SessionIndex,
    /// Of XChaCha20-Poly1305.
    pub nonce: &'a [u8; 24],
    /// Sixteen bytes and their tag; the additional data is the mac1 that it answers.
    pub sealed_cookie: &'a [u8; 32],
}

impl<'a> CookieReply<'a> {
    fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        const NAME: &str = "cookie reply";
        let mut reader = Reader::new(NAME, exactly::<COOKIE_REPLY_LEN>(NAME, bytes)?);
        reader.tag(COOKIE_REPLY)?;
        reader.zeros::<3>("reserved")?;
        let receiver = SessionIndex(reader.u32_le("receiver index")?);
        Ok(Self { receiver, nonce: reader.array("nonce")?, sealed_cookie: reader.array("sealed cookie")? })
    }
}

/// A transport message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Transport<'a> {
    /// The receiver's name for the session.
    pub receiver: SessionIndex,
    /// The message's number in its session and direction.
    pub counter: Counter,
    /// The sealed plaintext with its tag, at least [`TAG_LEN`] bytes.
    ///
    /// Not always a multiple of [`PADDING`]: senders stop padding at their tunnel's MTU (the kernel and
    /// wireguard-go do), so that a packet of 1420 bytes comes as it is.
    pub ciphertext: &'a [u8],
}

impl<'a> Transport<'a> {
    #[inline]
    fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new("transport message", bytes);
        reader.tag(TRANSPORT)?;
        reader.zeros::<3>("reserved")?;
        let receiver = SessionIndex(reader.u32_le("receiver index")?);
        let counter = Counter(reader.u64_le("counter")?);
        Ok(Self { receiver, counter, ciphertext: reader.rest_at_least(TAG_LEN, "ciphertext")? })
    }
}

/// Writes an initiation; the macs are left zero.
#[must_use]
pub fn encode_initiation(sender: SessionIndex, noise: &[u8; INITIATION_NOISE_LEN]) -> [u8; INITIATION_LEN] {
    encode(INITIATION, &[&sender.0.to_le_bytes(), noise])
}

/// Writes a response; the macs are left zero.
#[must_use]
pub fn encode_response(
    sender: SessionIndex,
    receiver: SessionIndex,
    noise: &[u8; RESPONSE_NOISE_LEN],
) -> [u8; RESPONSE_LEN] {
    encode(RESPONSE, &[&sender.0.to_le_bytes(), &receiver.0.to_le_bytes(), noise])
}

/// Writes a cookie reply.
#[must_use]
pub fn encode_cookie_reply(
    receiver: SessionIndex,
    nonce: &[u8; 24],
    sealed_cookie: &[u8; 32],
) -> [u8; COOKIE_REPLY_LEN] {
    encode(COOKIE_REPLY, &[&receiver.0.to_le_bytes(), nonce, sealed_cookie])
}

/// Writes what precedes the ciphertext of a transport message.
#[inline]
pub fn encode_transport_header(
    receiver: SessionIndex,
    counter: Counter,
    out: &mut [u8; TRANSPORT_HEADER_LEN],
) {
    let first = u64::from(TRANSPORT) | u64::from(receiver.0) << 32;
    *out = (u128::from(first) | u128::from(counter.0) << 64).to_le_bytes();
}

/// The length of a plaintext of `len` bytes after padding to a multiple of [`PADDING`].
#[inline]
#[must_use]
pub const fn padded_len(len: usize) -> usize {
    len.next_multiple_of(PADDING)
}

/// [`padded_len`], but padding never takes the plaintext beyond `mtu`.
///
/// As the kernel and wireguard-go pad, or full packets would not fit the underlay's MTU that the tunnel's was
/// derived from: 1420 and 80 bytes of headers are just 1500.
#[inline]
#[must_use]
pub const fn padded_len_within(len: usize, mtu: usize) -> usize {
    let padded = padded_len(len);
    if padded <= mtu {
        padded
    } else if len <= mtu {
        mtu
    } else {
        len
    }
}

/// Length of the transport message for a plaintext of `len` bytes, padded [within](padded_len_within) `mtu`.
#[inline]
#[must_use]
pub const fn sealed_len(len: usize, mtu: usize) -> usize {
    TRANSPORT_HEADER_LEN + padded_len_within(len, mtu) + TAG_LEN
}

fn exactly<'a, const N: usize>(message: &'static str, bytes: &'a [u8]) -> Result<&'a [u8; N], DecodeError> {
    bytes.try_into().map_err(|_| DecodeError::WrongLength { message, expected: N, found: bytes.len() })
}

/// Type, three zeros, `parts` one after the other, zeros to the end.
fn encode<const N: usize>(kind: u8, parts: &[&[u8]]) -> [u8; N] {
    let mut message = [0; N];
    message[0] = kind;
    let mut at = 4;
    for part in parts {
        message[at..at + part.len()].copy_from_slice(part);
        at += part.len();
    }
    message
}

#[cfg(test)]
mod tests;
