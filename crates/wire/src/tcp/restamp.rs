//! Changes a segment's timestamp without touching the rest.

use super::{FIXED_LEN, Sequence, is_guarded, kind};
use crate::checksum::amend;
use crate::ip::IpHeaders;

/// Sets the TSval of a segment to `value` and mends the checksum (RFC 1624). False, and nothing changes, if it has
/// no timestamp or is signed.
pub fn restamp(packet: &mut [u8], headers: &IpHeaders, value: Sequence) -> bool {
    if is_guarded(packet, headers) {
        return false;
    }
    let Some(place) = place(packet, headers) else { return false };
    let segment = &mut packet[headers.transport_offset..headers.total_len];
    let mut checksum = u16::from_be_bytes([segment[CHECKSUM], segment[CHECKSUM + 1]]);
    for (offset, byte) in value.0.to_be_bytes().into_iter().enumerate() {
        let at = place + offset;
        // A byte weighs by its place in its 16-bit word, whatever the option's alignment.
        let weigh = |byte: u8| u16::from(byte) << if at % 2 == 0 { 8 } else { 0 };
        checksum = amend(checksum, weigh(segment[at]), weigh(byte));
        segment[at] = byte;
    }
    segment[CHECKSUM..CHECKSUM + 2].copy_from_slice(&checksum.to_be_bytes());
    true
}

/// Where the TSval is, counted from the TCP header's start.
fn place(packet: &[u8], headers: &IpHeaders) -> Option<usize> {
    headers.tcp?;
    let segment = packet.get(headers.transport_offset..headers.total_len)?;
    let end = usize::from(*segment.get(12)? >> 4) * 4;
    let mut at = FIXED_LEN;
    while at < end {
        match *segment.get(at..end)? {
            [] | [kind::END, ..] => return None,
            [kind::NO_OPERATION, ..] => at += 1,
            [kind::TIMESTAMPS, 10, ref rest @ ..] if rest.len() >= 8 => return Some(at + 2),
            [_, len, ..] if len >= 2 => at += usize::from(len),
            [..] => return None,
        }
    }
    None
}

/// Where a TCP header has its checksum.
const CHECKSUM: usize = 16;
