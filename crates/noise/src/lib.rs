//! Keys, handshake, session, replay window, cookies and the rekey schedule of the tunnel.
//!
//! The cryptography of WireGuard (D1), as machines without IO: time and randomness come in as arguments.
//! Which peer a message belongs to, where it is sent and when a timer fires is the node's business; how bytes
//! are laid out is [`stead_wire`]'s.
//!
//! # Reading order
//! [`keys`] and [`random`], then a handshake ([`handshake`], guarded by [`cookie`]), then what it yields: a
//! [`session`] under a [`cipher`], with its [`replay`] window and perhaps a [`twin`], and the [`schedule`] by which
//! sessions follow one another. Who is let in under load, and how much may go to an address that proved nothing, is
//! told by [`admission`] and [`allowance`]; a [`doorkeeper`] asks the first.
//! Two nodes that know only each other's keys meet by [`rendezvous`].
//!
//! # Secrets in memory
//! Keys of ours are wiped when dropped, and so are the states of the handshake, of the AEADs and of
//! Diffie-Hellman. Out of reach without unsafe code are copies that snow, BLAKE2s and the compiler make on the stack.

mod aead;
mod blake2s;

pub mod admission;
pub mod allowance;
pub mod cipher;
pub mod cookie;
pub mod doorkeeper;
pub mod handshake;
pub mod keys;
pub mod random;
pub mod rendezvous;
pub mod replay;
pub mod schedule;
pub mod session;
pub mod twin;
