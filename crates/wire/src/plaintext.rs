//! What a transport message holds once opened: an IP datagram, options, padding (seed 001 figure 20).
//!
//! ```text
//! +--------------------+---------+-----------+
//! | IP datagram        | options | zeros     |   a packet; plain WireGuard peers stop at the IP total length
//! +---------+----------+---------+-----------+
//! | options | zeros    |                          options alone: first byte's high nibble is neither 4 nor 6
//! +---------+----------+
//! ||                                             keepalive: nothing
//! ```
//!
//! Kind 0 ends the options, so zero padding is an empty list.

use crate::ip::IpHeaders;
use crate::options;
use crate::reader::DecodeError;

/// An opened transport message, taken apart.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Plaintext<'a> {
    /// The inner IP datagram, exactly, and what its headers say.
    pub packet: Option<(&'a [u8], IpHeaders)>,
    /// For [`options::decode`]. Empty if there is no option, padding or not.
    pub options: &'a [u8],
}

impl<'a> Plaintext<'a> {
    /// Parts the packet from the options. Borrows, never allocates.
    ///
    /// # Errors
    /// Those of [`IpHeaders::parse`], for a plaintext that begins like an IP datagram.
    #[inline]
    pub fn split(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        if !bytes.first().is_some_and(|&first| begins_packet(first)) {
            return Ok(Self { packet: None, options: without_padding(bytes) });
        }
        let headers = IpHeaders::parse(bytes)?;
        // Seed 001 par. 112: the options' length is the whole less the datagram's own length.
        let (packet, rest) = bytes.split_at(headers.total_len);
        Ok(Self { packet: Some((packet, headers)), options: without_padding(rest) })
    }

    /// Neither packet nor options: it only says that its sender lives.
    #[must_use]
    pub const fn is_keepalive(&self) -> bool {
        self.packet.is_none() && self.options.is_empty()
    }
}

/// Whether a plaintext's first byte is that of an IP datagram.
pub(crate) const fn begins_packet(first: u8) -> bool {
    matches!(first >> 4, 4 | 6)
}

/// A list that ends where it begins is no list.
fn without_padding(list: &[u8]) -> &[u8] {
    if list.first() == Some(&options::END) { &[] } else { list }
}

#[cfg(test)]
mod tests;
