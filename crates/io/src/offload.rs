//! Segmentation and coalescing of inner packets, over bytes alone.
//!
//! A TUN device with offload hands over super-packets of up to 64 KiB behind a [`VirtioHeader`]. [`Segments`]
//! cuts one into the plain IP packets that go through the tunnel; a [`Coalescer`] puts the packets that come out
//! of it together again, so that one write gives the kernel what was one write at the other end.
//!
//! Nothing here does IO, keeps state between batches, or knows about connections.

mod checksum;
mod coalescer;
mod segments;
mod super_packet;
mod view;
mod virtio;

pub use checksum::Checksums;
pub use coalescer::{Coalescer, MergeUdp};
pub use segments::{Malformed, Segments};
pub use super_packet::{MAX_SLICES, SuperPacket};
pub use virtio::{Gso, VirtioHeader};

#[cfg(test)]
mod tests;
