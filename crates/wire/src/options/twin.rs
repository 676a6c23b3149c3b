//! The twin of a session: both peers go on in it, on the terms that both are able to keep (seed 001 par. 71).

use super::Capabilities;
use crate::message::SessionIndex;
use crate::reader::{DecodeError, Reader};

/// An offer, or its answer, for the session that carries it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Twin {
    /// What the sender calls the twin: messages to it name this index.
    pub index: SessionIndex,
    /// What the sender is able to keep. What both are is the twin's terms.
    pub able: Capabilities,
}

impl Twin {
    pub(super) const LEN: usize = 4 + 4;

    pub(super) fn encode(self, out: &mut Vec<u8>) {
        out.extend(self.index.0.to_be_bytes());
        out.extend(self.able.bits().to_be_bytes());
    }

    pub(super) fn decode(mut reader: Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            index: SessionIndex(reader.u32_be("session index")?),
            able: Capabilities::from_bits(reader.u32_be("capabilities")?),
        })
    }
}
