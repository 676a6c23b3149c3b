//! Takes datagrams from the sockets, many at a time.

use core::net::{IpAddr, SocketAddr};
use std::io::{self, IoSliceMut};

use quinn_udp::{BATCH_SIZE, RecvMeta, UdpSocketState};

use super::platform::Readable;
use super::{UdpSockets, fresh_state};

/// How a datagram arrived.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Arrived {
    /// Where it came from.
    pub source: SocketAddr,
    /// The local address it was sent to, where the system tells.
    pub local: Option<IpAddr>,
}

/// The receiving end of both sockets, registered with the runtime it was made in.
#[derive(Debug)]
pub struct Receiver {
    v4: Option<Inlet>,
    v6: Option<Inlet>,
    /// [`BATCH`] buffers one after the other, each of [`LONGEST_DATAGRAMS`].
    buffers: Vec<u8>,
    metas: [RecvMeta; BATCH],
    v6_first: bool,
}

/// What one system call took.
#[derive(Debug)]
pub struct Batch<'b> {
    metas: &'b [RecvMeta],
    buffers: &'b mut [u8],
}

#[derive(Debug)]
struct Inlet {
    socket: Readable,
    state: UdpSocketState,
}

/// Buffers per system call. The kernel joins the datagrams of a bulk sender to up to 64 per buffer, so few
/// buffers suffice; more would be read after they have left the processor's cache again.
const BATCH: usize = if BATCH_SIZE < 8 { BATCH_SIZE } else { 8 };

/// Room for the longest datagram, and for the longest run of joined ones.
const LONGEST_DATAGRAMS: usize = 65_536;

impl Receiver {
    /// Registers the sockets with the current runtime.
    ///
    /// # Errors
    /// What the system reports when it cannot duplicate or register them.
    pub fn new(sockets: &UdpSockets) -> io::Result<Self> {
        let inlet = |socket: &std::net::UdpSocket| -> io::Result<Inlet> {
            Ok(Inlet { state: fresh_state(socket)?, socket: Readable::new(socket.try_clone()?)? })
        };
        Ok(Self {
            v4: sockets.v4.as_ref().map(inlet).transpose()?,
            v6: sockets.v6.as_ref().map(inlet).transpose()?,
            buffers: vec![0; BATCH * LONGEST_DATAGRAMS],
            metas: [RecvMeta::default(); BATCH],
            v6_first: false,
        })
    }

    /// Waits until a datagram may have arrived on either socket.
    ///
    /// # Errors
    /// Only when the runtime ends.
    pub async fn readable(&self) -> io::Result<()> {
        tokio::select! {
            ready = readable(self.v4.as_ref()) => ready,
            ready = readable(self.v6.as_ref()) => ready,
        }
    }

    /// Takes what has arrived on one socket, with one system call; the sockets take turns.
    ///
    /// `None` if nothing has arrived on either.
    ///
    /// # Errors
    /// What the system reports. Nothing of it is fatal.
    pub fn try_receive(&mut self) -> io::Result<Option<Batch<'_>>> {
        self.v6_first = !self.v6_first;
        let turns = if self.v6_first { [&self.v6, &self.v4] } else { [&self.v4, &self.v6] };
        let mut filled = 0;
        for inlet in turns.into_iter().flatten() {
            match inlet.fill(&mut self.buffers, &mut self.metas) {
                Ok(0) => {}
                Ok(buffers) => {
                    filled = buffers;
                    break;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok((filled > 0).then(|| Batch { metas: &self.metas[..filled], buffers: &mut self.buffers }))
    }
}

impl<'b> Batch<'b> {
    /// How long all of it is.
    pub fn bytes(&self) -> usize {
        self.metas.iter().map(|meta| meta.len).sum()
    }

    /// The datagrams in the order they arrived, each in place.
    pub fn datagrams(self) -> impl Iterator<Item = (Arrived, &'b mut [u8])> {
        let buffers = self.buffers.chunks_exact_mut(LONGEST_DATAGRAMS);
        self.metas.iter().zip(buffers).flat_map(|(meta, buffer)| split(meta, buffer))
    }
}

impl Inlet {
    fn fill(&self, buffers: &mut [u8], metas: &mut [RecvMeta; BATCH]) -> io::Result<usize> {
        let mut rest = buffers.chunks_exact_mut(LONGEST_DATAGRAMS);
        let mut slices: [IoSliceMut<'_>; BATCH] =
            core::array::from_fn(|_| IoSliceMut::new(rest.next().unwrap_or_default()));
        self.socket.try_read(|socket| self.state.recv(socket, &mut slices, metas))
    }
}

async fn readable(inlet: Option<&Inlet>) -> io::Result<()> {
    match inlet {
        Some(inlet) => inlet.socket.readable().await,
        None => core::future::pending().await,
    }
}

/// The kernel joins datagrams of one length (the last may be shorter) to one buffer; this takes them apart.
fn split<'b>(meta: &RecvMeta, buffer: &'b mut [u8]) -> impl Iterator<Item = (Arrived, &'b mut [u8])> {
    let arrived = Arrived { source: meta.addr, local: meta.dst_ip };
    let joined = &mut buffer[..meta.len.min(LONGEST_DATAGRAMS)];
    let (empty, joined) = if joined.is_empty() { (Some(joined), &mut [][..]) } else { (None, joined) };
    empty.into_iter().chain(joined.chunks_mut(meta.stride.max(1))).map(move |datagram| (arrived, datagram))
}
