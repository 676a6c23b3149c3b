//! Bytes to messages and back.
//!
//! Knows the layout of WireGuard's messages (types 1 to 4), of virtual connectivity options, and as much of an
//! inner IP packet as the rest needs. Decides nothing: no clock, no randomness, no IO, no state.

pub mod checksum;
pub mod cut;
pub mod datagram;
pub mod icmp;
pub mod ip;
pub mod message;
pub mod options;
pub mod plaintext;
pub mod reader;
pub mod relayed;
pub mod succession;
pub mod tcp;
pub mod time;
