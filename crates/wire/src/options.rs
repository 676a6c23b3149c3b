//! Virtual connectivity options: what VC-enhanced peers tell each other, in TCP-option form (seed 001 par. 110).
//!
//! ```text
//!  0       1        2
//! +-------+--------+------------------------+
//! | kind  | length | data (length - 2)      |    numbers in network byte order
//! +-------+--------+------------------------+
//! | 0     |          ends the list; what follows is padding
//! +-------+
//! | 1     |          fills one byte
//! +-------+
//! ```
//!
//! Kinds we do not know are skipped by their length, and bytes after an option's last known field are ignored:
//! later versions may add either. An attachment point is a family byte (4, 6, or 0 for none), port, address.

mod address;
mod attachment_points;
mod connection_update;
mod probe;

pub use attachment_points::AttachmentPoints;
pub use connection_update::{
    ConnectionUpdate, ConnectionUpdateAcknowledge, ConnectionUpdateRequest, Connections, Outcome, Tokens,
};
pub use probe::{Capabilities, Probe};

use crate::plaintext::begins_packet;
use crate::reader::{DecodeError, Reader};

/// One option.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum VcOption {
    /// Asks whether the peer is VC enhanced (seed 001 figure 21).
    Probe(Probe),
    /// Says yes.
    ProbeReply(Probe),
    /// CU: connections are elsewhere now.
    ConnectionUpdate(ConnectionUpdate),
    /// CUA: its acknowledgement.
    ConnectionUpdateAcknowledge(ConnectionUpdateAcknowledge),
    /// CUR: asks for one.
    ConnectionUpdateRequest(ConnectionUpdateRequest),
    /// Asks whether this path carries anything (RFC 9000 §8.2.1).
    PathChallenge(ChallengeToken),
    /// Echoes the token of a challenge (RFC 9000 §8.2.2).
    PathResponse(ChallengeToken),
    /// Where else the sender can be reached.
    AttachmentPoints(AttachmentPoints),
    /// Of a kind that a later version may know. Its data is not kept, and encoding it writes nothing.
    Unknown {
        /// Its kind.
        kind: u8,
    },
}

/// Unpredictable bytes that only come back over a path that works.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ChallengeToken(pub [u8; 8]);

impl VcOption {
    /// Appends the option to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let Some(kind) = self.known_kind() else { return };
        let start = out.len();
        out.extend([kind, 0]);
        match self {
            Self::Probe(probe) | Self::ProbeReply(probe) => probe.encode(out),
            Self::ConnectionUpdate(update) => update.encode(out),
            Self::ConnectionUpdateAcknowledge(acknowledge) => acknowledge.encode(out),
            Self::ConnectionUpdateRequest(request) => request.challenge.encode(out),
            Self::PathChallenge(token) | Self::PathResponse(token) => token.encode(out),
            Self::AttachmentPoints(points) => points.encode(out),
            Self::Unknown { .. } => {}
        }
        let len = out.len() - start;
        debug_assert_eq!(len, self.encoded_len(), "encoded_len of {self:?}");
        out[start + 1] = u8::try_from(len).unwrap_or(u8::MAX);
    }

    /// How many bytes [`encode`](Self::encode) appends.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        HEADER_LEN
            + match self {
                Self::Probe(probe) | Self::ProbeReply(probe) => probe.encoded_len(),
                Self::ConnectionUpdate(update) => update.encoded_len(),
                Self::ConnectionUpdateAcknowledge(acknowledge) => acknowledge.encoded_len(),
                Self::ConnectionUpdateRequest(_) | Self::PathChallenge(_) | Self::PathResponse(_) => {
                    ChallengeToken::LEN
                }
                Self::AttachmentPoints(points) => points.encoded_len(),
                Self::Unknown { .. } => return 0,
            }
    }

    const fn known_kind(&self) -> Option<u8> {
        Some(match self {
            Self::Probe(_) => PROBE,
            Self::ProbeReply(_) => PROBE_REPLY,
            Self::ConnectionUpdate(_) => CONNECTION_UPDATE,
            Self::ConnectionUpdateAcknowledge(_) => CONNECTION_UPDATE_ACKNOWLEDGE,
            Self::ConnectionUpdateRequest(_) => CONNECTION_UPDATE_REQUEST,
            Self::PathChallenge(_) => PATH_CHALLENGE,
            Self::PathResponse(_) => PATH_RESPONSE,
            Self::AttachmentPoints(_) => ATTACHMENT_POINTS,
            Self::Unknown { .. } => return None,
        })
    }

    fn decode(kind: u8, data: &[u8]) -> Result<Self, DecodeError> {
        let named = |message| Reader::new(message, data);
        match kind {
            PROBE => Probe::decode(named("probe option")).map(Self::Probe),
            PROBE_REPLY => Probe::decode(named("probe reply option")).map(Self::ProbeReply),
            CONNECTION_UPDATE => {
                ConnectionUpdate::decode(named("connection update option")).map(Self::ConnectionUpdate)
            }
            CONNECTION_UPDATE_ACKNOWLEDGE => {
                ConnectionUpdateAcknowledge::decode(named("connection update acknowledge option"))
                    .map(Self::ConnectionUpdateAcknowledge)
            }
            CONNECTION_UPDATE_REQUEST => {
                let challenge =
                    ChallengeToken::decode(&mut named("connection update request option"), "challenge")?;
                Ok(Self::ConnectionUpdateRequest(ConnectionUpdateRequest { challenge }))
            }
            PATH_CHALLENGE => {
                ChallengeToken::decode(&mut named("path challenge option"), "token").map(Self::PathChallenge)
            }
            PATH_RESPONSE => {
                ChallengeToken::decode(&mut named("path response option"), "token").map(Self::PathResponse)
            }
            ATTACHMENT_POINTS => {
                AttachmentPoints::decode(named("attachment points option")).map(Self::AttachmentPoints)
            }
            kind => Ok(Self::Unknown { kind }),
        }
    }
}

/// Reads a list of options: to kind 0, to the end, or to the first error.
pub fn decode(options: &[u8]) -> impl Iterator<Item = Result<VcOption, DecodeError>> {
    List { rest: options }
}

impl ChallengeToken {
    const LEN: usize = 8;

    fn encode(self, out: &mut Vec<u8>) {
        out.extend(self.0);
    }

    fn decode(reader: &mut Reader<'_>, field: &'static str) -> Result<Self, DecodeError> {
        reader.array(field).copied().map(Self)
    }
}

/// What is left of a list.
struct List<'a> {
    rest: &'a [u8],
}

impl<'a> List<'a> {
    /// Kind and data of the next option, past fillers.
    fn next_raw(&mut self) -> Result<Option<(u8, &'a [u8])>, DecodeError> {
        const NAME: &str = "option";
        while let Some((&NO_OPERATION, rest)) = self.rest.split_first() {
            self.rest = rest;
        }
        let (kind, rest) = match self.rest.split_first() {
            None | Some((&END, _)) => return Ok(None),
            Some((&kind, rest)) => (kind, rest),
        };
        let mut reader = Reader::new(NAME, rest);
        let found = usize::from(reader.u8("length")?);
        let Some(data_len) = found.checked_sub(HEADER_LEN) else {
            return Err(DecodeError::LengthTooSmall {
                message: NAME,
                field: "length",
                least: HEADER_LEN,
                found,
            });
        };
        let data = reader.bytes(data_len, "data")?;
        self.rest = reader.rest();
        Ok(Some((kind, data)))
    }
}

impl Iterator for List<'_> {
    type Item = Result<VcOption, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        let option =
            self.next_raw().and_then(|raw| raw.map(|(kind, data)| VcOption::decode(kind, data)).transpose());
        if !matches!(option, Ok(Some(_))) {
            self.rest = &[];
        }
        option.transpose()
    }
}

/// Kind and length.
const HEADER_LEN: usize = 2;

/// Ends a list; being zero it makes WireGuard's padding an empty one.
pub(crate) const END: u8 = 0x00;
const NO_OPERATION: u8 = 0x01;
const PROBE: u8 = 0x10;
const PROBE_REPLY: u8 = 0x11;
const CONNECTION_UPDATE: u8 = 0x20;
const CONNECTION_UPDATE_ACKNOWLEDGE: u8 = 0x21;
const CONNECTION_UPDATE_REQUEST: u8 = 0x22;
const PATH_CHALLENGE: u8 = 0x30;
const PATH_RESPONSE: u8 = 0x31;
const ATTACHMENT_POINTS: u8 = 0x50;

/// Every kind there is.
const KINDS: [u8; 10] = [
    END,
    NO_OPERATION,
    PROBE,
    PROBE_REPLY,
    CONNECTION_UPDATE,
    CONNECTION_UPDATE_ACKNOWLEDGE,
    CONNECTION_UPDATE_REQUEST,
    PATH_CHALLENGE,
    PATH_RESPONSE,
    ATTACHMENT_POINTS,
];

// A message of options alone begins with a kind, and must not look like an IP datagram.
const _: () = {
    let mut at = 0;
    while at < KINDS.len() {
        assert!(!begins_packet(KINDS[at]), "an option's kind has the high nibble of an IP datagram");
        at += 1;
    }
};

// The length field is one byte.
const _: () = assert!(HEADER_LEN + ConnectionUpdate::MOST_LEN <= 255);
const _: () = assert!(HEADER_LEN + AttachmentPoints::MOST_LEN <= 255);

#[cfg(test)]
mod tests;
