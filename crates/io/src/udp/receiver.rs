//! Takes datagrams from the sockets, many at a time.

use core::future::poll_fn;
use core::task::{Context, Poll};
use std::io::{self, IoSliceMut};
use std::net::UdpSocket;

use quinn_udp::{BATCH_SIZE, RecvMeta, UdpSockRef, UdpSocketState};
use stead_wire::datagram::Arrival;

use super::{UdpSockets, fresh_state};

/// A socket, and how its arrivals are waited for.
pub trait Source {
    /// Whether a datagram may have arrived; if not, the task is polled again when one has.
    ///
    /// # Errors
    /// When nothing can be waited for any more.
    fn poll_readable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Has `read` take datagrams, unless it is known that there are none.
    ///
    /// # Errors
    /// Those of `read`; `WouldBlock` if there are none.
    fn try_read<T>(&self, read: impl FnOnce(UdpSockRef<'_>) -> io::Result<T>) -> io::Result<T>;

    /// Told when a read took all that there was, which spares the next one.
    fn nothing_left(&self) {}
}

/// The receiving end of both sockets.
#[derive(Debug)]
pub struct Receiver<S> {
    v4: Option<Inlet<S>>,
    v6: Option<Inlet<S>>,
    /// [`MOST_BUFFERS`] one after the other, each of [`BUFFER`] bytes.
    buffers: Vec<u8>,
    metas: [RecvMeta; MOST_BUFFERS],
    v6_first: bool,
}

/// What was taken at once.
#[derive(Debug)]
pub struct Batch<'b> {
    metas: &'b [RecvMeta],
    buffers: &'b mut [u8],
}

#[derive(Debug)]
struct Inlet<S> {
    socket: S,
    state: UdpSocketState,
    /// The kernel joined the last datagrams.
    joined: bool,
}

/// Buffers per system call for datagrams that come one by one. Where the kernel joins those of a bulk sender, one buffer
/// holds a super-packet's worth, and more would be read after they have left the processor's cache again.
const BUFFERS: usize = if BATCH_SIZE < 8 { BATCH_SIZE } else { 8 };

/// Buffers per batch, which takes as many calls as it needs. Few super-packets are cut into more.
const MOST_BUFFERS: usize = 48;

/// A batch ends with the call that brings it to this many bytes: nearly a super-packet's worth.
const ENOUGH: usize = 60_000;

/// Room for the longest datagram, and for the longest run of joined ones.
const LONGEST_DATAGRAMS: usize = 65_536;

/// Somewhat longer, so that datagrams at the start of each buffer do not all compete for one place of the processor's
/// cache, which powers of two do.
const BUFFER: usize = LONGEST_DATAGRAMS + 1536;

impl<S: Source> Receiver<S> {
    /// A receiver on its own descriptors of the sockets, which `register` has waited for.
    ///
    /// # Errors
    /// What the system reports when it cannot duplicate them, and what `register` reports.
    pub fn new(sockets: &UdpSockets, register: impl Fn(UdpSocket) -> io::Result<S>) -> io::Result<Self> {
        let inlet = |socket: &UdpSocket| -> io::Result<Inlet<S>> {
            Ok(Inlet { state: fresh_state(socket)?, socket: register(socket.try_clone()?)?, joined: false })
        };
        Ok(Self {
            v4: sockets.v4.as_ref().map(inlet).transpose()?,
            v6: sockets.v6.as_ref().map(inlet).transpose()?,
            buffers: vec![0; MOST_BUFFERS * BUFFER],
            metas: [RecvMeta::default(); MOST_BUFFERS],
            v6_first: false,
        })
    }

    /// Waits until a datagram may have arrived on either socket. Cancel safe.
    ///
    /// # Errors
    /// When nothing can be waited for any more.
    pub async fn readable(&self) -> io::Result<()> {
        poll_fn(|context| {
            let mut poll = |inlet: &Option<Inlet<S>>| {
                inlet.as_ref().map_or(Poll::Pending, |inlet| inlet.socket.poll_readable(context))
            };
            // Both are asked, whatever the first one says.
            match (poll(&self.v4), poll(&self.v6)) {
                (Poll::Pending, v6) => v6,
                (v4, Poll::Pending) => v4,
                (Poll::Ready(v4), Poll::Ready(v6)) => Poll::Ready(v4.and(v6)),
            }
        })
        .await
    }

    /// Takes what has arrived on one socket, about a super-packet's worth, so that it can become one again; the sockets
    /// take turns.
    ///
    /// `None` if nothing has arrived on either.
    ///
    /// # Errors
    /// What the system reports. Nothing of it is fatal.
    pub fn try_receive(&mut self) -> io::Result<Option<Batch<'_>>> {
        self.v6_first = !self.v6_first;
        let turns = if self.v6_first { [&mut self.v6, &mut self.v4] } else { [&mut self.v4, &mut self.v6] };
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

    /// How many datagrams there are.
    pub fn count(&self) -> usize {
        self.metas.iter().map(|meta| meta.len.div_ceil(meta.stride.max(1)).max(1)).sum()
    }

    /// The datagrams in the order they arrived, each in place; those that the kernel joined arrived alike.
    pub fn datagrams(self) -> impl Iterator<Item = (Arrival, impl Iterator<Item = &'b mut [u8]>)> {
        let buffers = self.buffers.chunks_exact_mut(BUFFER);
        self.metas
            .iter()
            .zip(buffers)
            .map(|(meta, buffer)| (Arrival { source: meta.addr, local: meta.dst_ip }, split(meta, buffer)))
    }
}

impl<S: Source> Inlet<S> {
    /// Fills buffers until nothing waits any more, or they hold [`ENOUGH`]; how many.
    fn fill(&mut self, buffers: &mut [u8], metas: &mut [RecvMeta; MOST_BUFFERS]) -> io::Result<usize> {
        let (mut filled, mut bytes) = (0, 0);
        while bytes < ENOUGH && filled < MOST_BUFFERS {
            let asked = if self.joined { 1 } else { BUFFERS.min(MOST_BUFFERS - filled) };
            let metas = &mut metas[filled..filled + asked];
            let some = match self.fill_some(&mut buffers[filled * BUFFER..], metas) {
                Ok(some) => some,
                // A lasting one comes again.
                Err(_) if filled > 0 => break,
                Err(error) => return Err(error),
            };
            filled += some;
            bytes += metas[..some].iter().map(|meta| meta.len).sum::<usize>();
            self.joined = metas[..some].last().is_some_and(|meta| meta.len > meta.stride);
            if some < asked {
                self.socket.nothing_left();
                break;
            }
        }
        Ok(filled)
    }

    /// As many as there are metas, with one system call.
    fn fill_some(&self, buffers: &mut [u8], metas: &mut [RecvMeta]) -> io::Result<usize> {
        let mut rest = buffers.chunks_exact_mut(BUFFER).map(|buffer| &mut buffer[..LONGEST_DATAGRAMS]);
        let mut slices: [IoSliceMut<'_>; BUFFERS] =
            core::array::from_fn(|_| IoSliceMut::new(rest.next().unwrap_or_default()));
        let slices = &mut slices[..metas.len()];
        self.socket.try_read(|socket| self.state.recv(socket, slices, metas))
    }
}

/// The kernel joins datagrams of one length (the last may be shorter) to one buffer; this takes them apart.
fn split<'b>(meta: &RecvMeta, buffer: &'b mut [u8]) -> impl Iterator<Item = &'b mut [u8]> {
    let joined = &mut buffer[..meta.len.min(LONGEST_DATAGRAMS)];
    let (empty, joined) = if joined.is_empty() { (Some(joined), &mut [][..]) } else { (None, joined) };
    empty.into_iter().chain(joined.chunks_mut(meta.stride.max(1)))
}
