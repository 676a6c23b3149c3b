//! CU, CUA and CUR: how a peer tells that it moved, and how it is believed (seed 001 par. 60 to 64).

use core::net::SocketAddr;

use super::{ChallengeToken, address};
use crate::reader::{DecodeError, Reader};

/// CU: the sender's connections are to be found where this came from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ConnectionUpdate {
    /// Orders the sender's updates; an older one than the newest seen is ignored.
    pub sequence: u64,
    /// Comes back in the acknowledgement and so proves the way there.
    pub challenge: ChallengeToken,
    /// The sender's attachment point as the sender knows it.
    pub claimed: Option<SocketAddr>,
    /// Which connections move.
    pub connections: Connections,
}

/// Which connections an update moves.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Connections {
    /// Every one with this peer.
    All,
    /// Those with these tokens.
    Tokens(Tokens),
}

/// From one to [`Tokens::MOST`] connection tokens (seed 001 par. 61).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Tokens(Vec<u64>);

impl Tokens {
    /// What fits one option; more go into further updates.
    pub const MOST: usize = 16;

    /// `None` for no token, which would say nothing, and for more than [`Self::MOST`].
    #[must_use]
    pub fn new(tokens: &[u64]) -> Option<Self> {
        (1..=Self::MOST).contains(&tokens.len()).then(|| Self(tokens.to_vec()))
    }

    /// The tokens, in the sender's order.
    #[must_use]
    pub fn as_slice(&self) -> &[u64] {
        &self.0
    }
}

impl ConnectionUpdate {
    /// Length of the longest.
    pub(super) const MOST_LEN: usize = 8 + ChallengeToken::LEN + address::MOST_LEN + 1 + 8 * Tokens::MOST;

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend(self.sequence.to_be_bytes());
        self.challenge.encode(out);
        address::encode(self.claimed, out);
        self.connections.encode(out);
    }

    pub(super) fn encoded_len(&self) -> usize {
        8 + ChallengeToken::LEN + address::encoded_len(self.claimed) + self.connections.encoded_len()
    }

    pub(super) fn decode(mut reader: Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            sequence: reader.u64_be("sequence")?,
            challenge: ChallengeToken::decode(&mut reader, "challenge")?,
            claimed: address::decode(&mut reader, "claimed attachment point")?,
            connections: Connections::decode(&mut reader)?,
        })
    }
}

/// A count, then as many tokens; none named means all.
impl Connections {
    fn encode(&self, out: &mut Vec<u8>) {
        let tokens = self.named();
        // At most `Tokens::MOST`, by construction.
        out.push(u8::try_from(tokens.len()).unwrap_or(u8::MAX));
        out.extend(tokens.iter().flat_map(|token| token.to_be_bytes()));
    }

    fn encoded_len(&self) -> usize {
        1 + 8 * self.named().len()
    }

    fn named(&self) -> &[u64] {
        match self {
            Self::All => &[],
            Self::Tokens(tokens) => tokens.as_slice(),
        }
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let count = reader.count(Tokens::MOST, "connection tokens")?;
        let tokens = (0..count).map(|_| reader.u64_be("connection tokens")).collect::<Result<Vec<_>, _>>()?;
        Ok(if tokens.is_empty() { Self::All } else { Self::Tokens(Tokens(tokens)) })
    }
}

/// CUA: what became of an update.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ConnectionUpdateAcknowledge {
    /// That of the update.
    pub sequence: u64,
    /// What became of it.
    pub outcome: Outcome,
    /// The update's challenge, back.
    pub echo: ChallengeToken,
    /// The sender's own, to prove the way back; the migrator answers it with a path response.
    pub challenge: ChallengeToken,
    /// The sender's attachment point as the sender knows it.
    pub claimed: Option<SocketAddr>,
}

/// What became of an update.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// The connections moved.
    Updated,
    /// They were there already.
    Unchanged,
    /// They stay where they were.
    Refused,
}

impl ConnectionUpdateAcknowledge {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend(self.sequence.to_be_bytes());
        out.push(match self.outcome {
            Outcome::Updated => UPDATED,
            Outcome::Unchanged => UNCHANGED,
            Outcome::Refused => REFUSED,
        });
        self.echo.encode(out);
        self.challenge.encode(out);
        address::encode(self.claimed, out);
    }

    pub(super) const fn encoded_len(&self) -> usize {
        8 + 1 + 2 * ChallengeToken::LEN + address::encoded_len(self.claimed)
    }

    pub(super) fn decode(mut reader: Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            sequence: reader.u64_be("sequence")?,
            outcome: match reader.u8("outcome")? {
                UPDATED => Outcome::Updated,
                UNCHANGED => Outcome::Unchanged,
                REFUSED => Outcome::Refused,
                found => return Err(reader.unknown_value("outcome", found)),
            },
            echo: ChallengeToken::decode(&mut reader, "echo")?,
            challenge: ChallengeToken::decode(&mut reader, "challenge")?,
            claimed: address::decode(&mut reader, "claimed attachment point")?,
        })
    }
}

/// CUR: asks the receiver where it is; a CU answers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ConnectionUpdateRequest {
    /// Comes back and so proves the way there.
    pub challenge: ChallengeToken,
}

const UPDATED: u8 = 0;
const UNCHANGED: u8 = 1;
const REFUSED: u8 = 2;
