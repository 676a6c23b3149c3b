//! Cuts a packet that is too long for the way ahead into packets that fit it and mean the same.
//!
//! TCP is a stream of bytes, so a segment is cut into segments, as a network card does; nothing is reassembled later.
//! Anything else is cut into fragments where the network may do so: IPv4 without "don't fragment" (RFC 791), and IPv6
//! packets no longer than the 1280 bytes that every path has to take (RFC 8200 §5), which no answer makes shorter.

use crate::checksum::{addresses, checksum, folded, pseudo_header, sum};
use crate::icmp::IPV6_LEAST_MTU;
use crate::ip::{IpHeaders, Protocol};
use crate::tcp::is_guarded;

/// Whether [`cut`] could do anything with `packet`, whatever the length asked for.
#[must_use]
pub fn is_cuttable(packet: &[u8], headers: &IpHeaders) -> bool {
    segmentable(packet, headers) || fragmentable(packet, headers)
}

/// Packets of at most `longest` bytes, in order. `None` if it may not be cut, or not into such.
///
/// `identification` names an IPv6 packet's fragments; those of two packets between the same hosts must differ within
/// a minute. The checksum of a TCP segment has to be complete.
#[must_use]
pub fn cut(packet: &[u8], headers: &IpHeaders, longest: usize, identification: u32) -> Option<Vec<Vec<u8>>> {
    let packet = packet.get(..headers.total_len)?;
    if segmentable(packet, headers) {
        return segments(packet, headers, longest);
    }
    if !fragmentable(packet, headers) {
        return None;
    }
    match packet[0] >> 4 {
        4 => fragments_v4(packet, longest),
        _ => fragments_v6(packet, longest, identification),
    }
}

/// A whole TCP segment with nothing but data and acknowledgements in it.
fn segmentable(packet: &[u8], headers: &IpHeaders) -> bool {
    let Some(flags) = headers.tcp.filter(|flags| !flags.syn && !flags.rst) else { return false };
    let whole = match packet[0] >> 4 {
        4 => u16::from_be_bytes([packet[6], packet[7]]) & FRAGMENTED == 0,
        _ => packet[6] == Protocol::TCP.0,
    };
    let urgent = packet.get(headers.transport_offset + 13).is_none_or(|flags| flags & URG != 0);
    flags.ack && whole && !urgent && !is_guarded(packet, headers)
}

fn fragmentable(packet: &[u8], headers: &IpHeaders) -> bool {
    match packet[0] >> 4 {
        // Options would have to be told apart: those that every fragment has, and those that only the first has.
        4 => packet[0] == 0x45 && packet[6] & DONT_FRAGMENT == 0,
        // Headers for every hop stand before the fragment header.
        _ => headers.total_len <= IPV6_LEAST_MTU && !matches!(packet[6], HOP_BY_HOP | ROUTING),
    }
}

fn segments(packet: &[u8], headers: &IpHeaders, longest: usize) -> Option<Vec<Vec<u8>>> {
    let at = headers.transport_offset;
    let data = at + usize::from(*packet.get(at + 12)? >> 4) * 4;
    let (head, payload) = packet.split_at_checked(data)?;
    let size = longest.checked_sub(data).filter(|size| *size > 0)?;
    let sequence = u32::from_be_bytes(*packet.get(at + 4..)?.first_chunk()?);
    let count = payload.len().div_ceil(size);
    let piece = |(index, payload): (usize, &[u8])| {
        let mut piece = [head, payload].concat();
        let sequence = sequence.wrapping_add((index * size) as u32);
        piece[at + 4..at + 8].copy_from_slice(&sequence.to_be_bytes());
        if index + 1 < count {
            piece[at + 13] &= !(FIN | PSH);
        }
        if index > 0 {
            // RFC 3168 §6.1.2: only the first packet after a reduction says so.
            piece[at + 13] &= !CWR;
        }
        set_length(&mut piece, index as u16);
        piece[at + 16..at + 18].fill(0);
        let pseudo = pseudo_header(addresses(&piece), Protocol::TCP.0, piece.len() - at);
        let checksum = !folded(pseudo + sum(&piece[at..]));
        piece[at + 16..at + 18].copy_from_slice(&checksum.to_be_bytes());
        piece
    };
    Some(payload.chunks(size).enumerate().map(piece).collect())
}

fn fragments_v4(packet: &[u8], longest: usize) -> Option<Vec<Vec<u8>>> {
    let (head, payload) = packet.split_at(IPV4_HEADER);
    let size = step(longest.checked_sub(IPV4_HEADER)?)?;
    let place = u16::from_be_bytes([packet[6], packet[7]]);
    let count = payload.len().div_ceil(size);
    let piece = |(index, payload): (usize, &[u8])| {
        let mut piece = [head, payload].concat();
        let more = if index + 1 < count { MORE_FRAGMENTS } else { place & MORE_FRAGMENTS };
        let offset = (place & 0x1fff) + (index * size / 8) as u16;
        piece[6..8].copy_from_slice(&(more | offset).to_be_bytes());
        set_length(&mut piece, 0);
        piece
    };
    Some(payload.chunks(size).enumerate().map(piece).collect())
}

fn fragments_v6(packet: &[u8], longest: usize, identification: u32) -> Option<Vec<Vec<u8>>> {
    let (head, rest) = packet.split_at(IPV6_HEADER);
    // A fragment is cut again into fragments of the same packet.
    let (next, place, identification, payload) = match (packet[6], rest) {
        (FRAGMENT, [next, _, high, low, i0, i1, i2, i3, payload @ ..]) => {
            (*next, u16::from_be_bytes([*high, *low]), [*i0, *i1, *i2, *i3], payload)
        }
        (next, payload) => (next, 0, identification.to_be_bytes(), payload),
    };
    let size = step(longest.checked_sub(IPV6_HEADER + FRAGMENT_HEADER)?)?;
    let count = payload.len().div_ceil(size);
    let piece = |(index, payload): (usize, &[u8])| {
        let more = if index + 1 < count { 1 } else { place & 1 };
        let place = ((place & !7) + (index * size) as u16) | more;
        let mut piece = head.to_vec();
        piece[6] = FRAGMENT;
        piece.extend([next, 0]);
        piece.extend(place.to_be_bytes());
        piece.extend(identification);
        piece.extend_from_slice(payload);
        set_length(&mut piece, 0);
        piece
    };
    Some(payload.chunks(size).enumerate().map(piece).collect())
}

/// Fragments begin at multiples of eight bytes.
fn step(room: usize) -> Option<usize> {
    Some(room / 8 * 8).filter(|step| *step > 0)
}

/// Writes the IP header's length anew, and for IPv4 an identification that is `further` and the checksum.
fn set_length(packet: &mut [u8], further: u16) {
    let len = packet.len();
    if packet[0] >> 4 == 6 {
        packet[4..6].copy_from_slice(&((len - IPV6_HEADER) as u16).to_be_bytes());
        return;
    }
    packet[2..4].copy_from_slice(&(len as u16).to_be_bytes());
    let identification = u16::from_be_bytes([packet[4], packet[5]]).wrapping_add(further);
    packet[4..6].copy_from_slice(&identification.to_be_bytes());
    packet[10..12].fill(0);
    let sum = checksum(&packet[..usize::from(packet[0] & 0x0f) * 4]);
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
}

const IPV4_HEADER: usize = 20;
const IPV6_HEADER: usize = 40;
const FRAGMENT_HEADER: usize = 8;

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;

/// In IPv4's flags: more fragments follow, or an offset.
const FRAGMENTED: u16 = 0x3fff;
const MORE_FRAGMENTS: u16 = 0x2000;
const DONT_FRAGMENT: u8 = 0x40;

const FIN: u8 = 0x01;
const PSH: u8 = 0x08;
const URG: u8 = 0x20;
const CWR: u8 = 0x80;

#[cfg(test)]
mod tests;
