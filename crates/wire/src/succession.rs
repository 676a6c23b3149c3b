//! Whether a packet goes on where the one before it ended.
//!
//! Bulk data arrives as dozens of packets at once that differ in nothing that names their connection or changes its
//! state. So what the first of them was found to be need not be found again: a [`Succession`] compares the bytes that could
//! say otherwise, and keeps the headers of the last packet that belonged to it.
//!
//! It knows TCP and UDP right behind the plain IP header. Everything else stands alone.

use crate::ip::{IpHeaders, Protocol};
use crate::options;
use crate::tcp::Segment;

/// Packets of one connection, each going on where the one before ended.
#[derive(Clone, Debug)]
pub struct Succession {
    /// The headers of the last one.
    head: [u8; LONGEST_HEAD],
    head_len: usize,
    transport: usize,
    payload_len: usize,
}

/// IPv6 and a TCP header with all the options it can have.
const LONGEST_HEAD: usize = 40 + 60;

const UDP_HEADER_LEN: usize = 8;

/// FIN, SYN, RST and ACK, in byte 13 of a TCP header: of a segment that changes nothing, only the last is set.
const STATE_FLAGS: u8 = 0x17;
const ACK: u8 = 0x10;

impl Succession {
    /// Begins with `packet`, of which `headers` were read; `None` if nothing can follow it.
    #[must_use]
    pub fn begin(packet: &[u8], headers: &IpHeaders) -> Option<Self> {
        let transport = plain_header_len(packet)?;
        let header_len = match headers.tuple.protocol {
            Protocol::TCP if is_ordinary(packet.get(transport..)?) => {
                tcp_header_len(packet.get(transport..)?)
            }
            Protocol::UDP => UDP_HEADER_LEN,
            _ => return None,
        };
        let head_len = transport + header_len;
        let payload_len = headers.total_len.checked_sub(head_len)?;
        let bytes = packet.get(..head_len).filter(|_| headers.transport_offset == transport)?;
        let mut head = [0; LONGEST_HEAD];
        head.get_mut(..head_len)?.copy_from_slice(bytes);
        Some(Self { head, head_len, transport, payload_len })
    }

    /// Takes the packet in an opened message as the next one, if it is and no options follow it, and returns its length.
    #[inline]
    pub fn take(&mut self, plaintext: &[u8]) -> Option<usize> {
        let next = plaintext.get(..self.head_len)?;
        let head = &mut self.head[..self.head_len];
        let total_len = match self.transport {
            IPV4_LEN => {
                let alike = next[0] == head[0] && next[6] & 0x3f == 0 && next[7] == 0 && next[9] == head[9];
                // Addresses and ports.
                if !alike || next[12..24] != head[12..24] {
                    return None;
                }
                usize::from(u16::from_be_bytes([next[2], next[3]]))
            }
            _ => {
                let alike = next[0] >> 4 == 6 && next[6] == head[6];
                if !alike || next[8..44] != head[8..44] {
                    return None;
                }
                IPV6_LEN + usize::from(u16::from_be_bytes([next[4], next[5]]))
            }
        };
        if total_len < self.head_len || total_len > plaintext.len() {
            return None;
        }
        if plaintext.get(total_len).is_some_and(|kind| *kind != options::END) {
            return None;
        }
        if self.head_len - self.transport > UDP_HEADER_LEN {
            let (ours, theirs) = (&head[self.transport..], &next[self.transport..]);
            let expected = sequence(ours)?.wrapping_add(self.payload_len as u32);
            if ours[12] != theirs[12] || !is_ordinary(theirs) || sequence(theirs)? != expected {
                return None;
            }
        }
        head.copy_from_slice(next);
        self.payload_len = total_len - self.head_len;
        Some(total_len)
    }

    /// The last packet as a TCP segment; `None` if it is none.
    #[must_use]
    pub fn segment(&self) -> Option<Segment> {
        let header = &self.head[self.transport..self.head_len];
        if header.len() > UDP_HEADER_LEN { Segment::of_header(header, self.payload_len as u32) } else { None }
    }
}

const IPV4_LEN: usize = 20;
const IPV6_LEN: usize = 40;

/// Length of an IP header without options and extensions, of a whole packet.
fn plain_header_len(packet: &[u8]) -> Option<usize> {
    match packet.first()? {
        0x45 if packet.get(6)? & 0x3f == 0 && *packet.get(7)? == 0 => Some(IPV4_LEN),
        first if first >> 4 == 6 => Some(IPV6_LEN),
        _ => None,
    }
}

/// Whether a TCP header neither begins nor ends anything.
fn is_ordinary(header: &[u8]) -> bool {
    header.get(13).is_some_and(|flags| flags & STATE_FLAGS == ACK)
}

/// No less than the fixed part, whatever it claims.
fn tcp_header_len(header: &[u8]) -> usize {
    header.get(12).map_or(0, |offset| usize::from(offset >> 4) * 4).max(20)
}

fn sequence(header: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(header.get(4..8)?.try_into().ok()?))
}

#[cfg(test)]
mod tests;
