//! Building transport messages in the node: what does not go through the workers' path.
//!
//! Plaintext = IP datagram, then options, then zero padding (seed 001 figure 20); options alone where no packet
//! is at hand.

use core::net::{IpAddr, SocketAddr};

use stead_noise::session::Session;
use stead_wire::message::{TAG_LEN, TRANSPORT_HEADER_LEN, sealed_len};
use stead_wire::options::VcOption;

use crate::turn::Turn;

/// Lays out `packet`, `options` and padding, with room for header and tag.
pub(crate) fn layout(packet: &[u8], options: &[VcOption], mtu: usize) -> Vec<u8> {
    let mut message = Vec::with_capacity(sealed_len(packet.len() + encoded_len(options), mtu));
    message.resize(TRANSPORT_HEADER_LEN, 0);
    message.extend_from_slice(packet);
    for option in options {
        option.encode(&mut message);
    }
    let plaintext = message.len() - TRANSPORT_HEADER_LEN;
    message.resize(sealed_len(plaintext, mtu), 0);
    message
}

/// Lays out `packet` alone.
pub(crate) fn plain(packet: &[u8], mtu: usize) -> Vec<u8> {
    layout(packet, &[], mtu)
}

/// Seals `options` alone. `None` if the session may seal no more.
fn seal(session: &Session, options: &[VcOption], mtu: usize) -> Option<Vec<u8>> {
    let counter = session.reserve(1)?;
    let mut message = layout(&[], options, mtu);
    session.seal_in_place(counter, &mut message);
    Some(message)
}

/// Seals `options` alone, padded as if an inner packet of `len` bytes were there. `None` if the session may seal no
/// more.
pub(crate) fn padded(session: &Session, options: &[VcOption], len: usize) -> Option<Vec<u8>> {
    let counter = session.reserve(1)?;
    let mut message = layout(&[], options, usize::MAX);
    let len = message.len().max(TRANSPORT_HEADER_LEN + len + TAG_LEN);
    message.resize(len, 0);
    session.seal_in_place(counter, &mut message);
    Some(message)
}

/// Seals and sends `options` alone; says whether it could. No option at all is WireGuard's keepalive.
pub(crate) fn send(
    session: &Session,
    options: &[VcOption],
    to: (SocketAddr, Option<IpAddr>),
    turn: &mut Turn<'_>,
) -> bool {
    let Some(message) = seal(session, options, turn.path.mtu()) else { return false };
    turn.transmit(to.0, to.1, message);
    true
}

/// As [`send`], in a message as long as one with an inner packet of `len` bytes.
pub(crate) fn send_padded(
    session: &Session,
    options: &[VcOption],
    len: usize,
    to: (SocketAddr, Option<IpAddr>),
    turn: &mut Turn<'_>,
) -> bool {
    let Some(message) = padded(session, options, len) else { return false };
    turn.transmit(to.0, to.1, message);
    true
}

/// Bytes of `options` before padding.
pub(crate) fn encoded_len(options: &[VcOption]) -> usize {
    options.iter().map(VcOption::encoded_len).sum()
}
