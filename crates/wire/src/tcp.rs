//! TCP segments as they are seen in passing (RFC 9293): their numbers are read, bare acknowledgements are made.
//!
//! Its job: bytes. What the numbers of a connection mean together is the LCT table's. Checksums of what is read are
//! left to whoever ends the connection; what is made or changed here has a right one.

mod bare;
mod mss;
mod restamp;
mod sequence;

pub use self::bare::BareAcknowledgement;
pub use self::mss::{clamp as clamp_mss, invites_longer};
pub use self::restamp::restamp;
pub use self::sequence::Sequence;
use crate::ip::{IpHeaders, TcpFlags};

/// What one segment, or a super-packet of many, says of its connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Segment {
    /// Its flags.
    pub flags: TcpFlags,
    /// Of its first byte, or of the SYN.
    pub sequence: Sequence,
    /// The next byte that its sender expects; means something only with the ACK flag.
    pub acknowledgement: Sequence,
    /// As it stands in the header: not scaled.
    pub window: u16,
    /// Bytes of data.
    pub payload_len: u32,
    /// RFC 7323 §3.2.
    pub timestamps: Option<Timestamps>,
}

/// The timestamps option's two values.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Timestamps {
    /// The sender's clock (TSval).
    pub value: Sequence,
    /// The newest of the other side's that the sender saw (TSecr).
    pub echo: Sequence,
}

impl Segment {
    /// Reads the TCP header that `headers` found in `packet`; `None` if there is none, or it does not fit.
    #[inline]
    #[must_use]
    pub fn read(packet: &[u8], headers: &IpHeaders) -> Option<Self> {
        headers.tcp?;
        let bytes = packet.get(headers.transport_offset..headers.total_len)?;
        let header_len = usize::from(*bytes.get(12)? >> 4) * 4;
        let header = bytes.get(..header_len)?;
        Self::of_header(header, (bytes.len() - header_len) as u32)
    }

    /// The segment that a whole TCP header, options included, begins; `None` if it is too short for one.
    #[inline]
    #[must_use]
    pub fn of_header(header: &[u8], payload_len: u32) -> Option<Self> {
        let (fixed, options) = header.split_first_chunk::<FIXED_LEN>()?;
        let word = |at: usize| u32::from_be_bytes([fixed[at], fixed[at + 1], fixed[at + 2], fixed[at + 3]]);
        Some(Self {
            flags: TcpFlags::of_byte(fixed[13]),
            sequence: Sequence(word(4)),
            acknowledgement: Sequence(word(8)),
            window: u16::from_be_bytes([fixed[14], fixed[15]]),
            payload_len,
            timestamps: timestamps(options),
        })
    }

    /// What follows it: behind its data, and behind SYN and FIN, which take a number each.
    #[must_use]
    pub const fn end(&self) -> Sequence {
        self.sequence.plus(self.occupied())
    }

    /// How many sequence numbers it takes.
    #[must_use]
    pub const fn occupied(&self) -> u32 {
        self.payload_len + self.flags.syn as u32 + self.flags.fin as u32
    }
}

/// The window scale that a segment with SYN offers (RFC 7323 §2.2); `None` without that option.
#[must_use]
pub fn window_scale(packet: &[u8], headers: &IpHeaders) -> Option<u8> {
    const LONGEST: u8 = 14;
    let scale = options(packet, headers).find(|(kind, _)| *kind == kind::WINDOW_SCALE)?.1;
    scale.first().map(|shift| (*shift).min(LONGEST))
}

/// Whether a segment carries an option that binds it to its sender: a signature (TCP MD5, TCP-AO) or MPTCP's own
/// numbers. What is made or changed on the way would be refused, or mean something else.
#[must_use]
pub fn is_guarded(packet: &[u8], headers: &IpHeaders) -> bool {
    options(packet, headers)
        .any(|(kind, _)| matches!(kind, kind::MD5 | kind::AUTHENTICATION | kind::MULTIPATH))
}

/// A TCP header's options, by kind, with their contents. Ends where they no longer fit.
fn options<'p>(packet: &'p [u8], headers: &IpHeaders) -> Options<'p> {
    let header = || {
        headers.tcp?;
        let bytes = packet.get(headers.transport_offset..headers.total_len)?;
        bytes.get(FIXED_LEN..usize::from(*bytes.get(12)? >> 4) * 4)
    };
    Options { rest: header().unwrap_or_default() }
}

/// Bytes of a TCP header without options.
const FIXED_LEN: usize = 20;

/// Kinds of TCP options.
mod kind {
    pub(super) const END: u8 = 0;
    pub(super) const NO_OPERATION: u8 = 1;
    pub(super) const MSS: u8 = 2;
    pub(super) const WINDOW_SCALE: u8 = 3;
    pub(super) const TIMESTAMPS: u8 = 8;
    pub(super) const MD5: u8 = 19;
    pub(super) const AUTHENTICATION: u8 = 29;
    pub(super) const MULTIPATH: u8 = 30;
}

struct Options<'p> {
    rest: &'p [u8],
}

impl<'p> Iterator for Options<'p> {
    type Item = (u8, &'p [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match *self.rest {
                [] | [kind::END, ..] => return None,
                [kind::NO_OPERATION, ref rest @ ..] => self.rest = rest,
                [kind, len, ..] => {
                    let content = self.rest.get(2..usize::from(len))?;
                    self.rest = &self.rest[usize::from(len)..];
                    return Some((kind, content));
                }
                [_] => return None,
            }
        }
    }
}

/// Nearly every system writes the option alone behind two NOPs; that is one comparison.
#[inline]
fn timestamps(options: &[u8]) -> Option<Timestamps> {
    if let [kind::NO_OPERATION, kind::NO_OPERATION, kind::TIMESTAMPS, 10, content @ ..] = options {
        return decode_timestamps(content);
    }
    if options.is_empty() {
        return None;
    }
    let (_, content) = Options { rest: options }.find(|(kind, _)| *kind == kind::TIMESTAMPS)?;
    decode_timestamps(content)
}

#[inline]
fn decode_timestamps(content: &[u8]) -> Option<Timestamps> {
    let [v0, v1, v2, v3, e0, e1, e2, e3] = *content.first_chunk::<8>()?;
    Some(Timestamps {
        value: Sequence(u32::from_be_bytes([v0, v1, v2, v3])),
        echo: Sequence(u32::from_be_bytes([e0, e1, e2, e3])),
    })
}

#[cfg(test)]
pub(crate) mod tests;
