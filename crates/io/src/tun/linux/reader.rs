//! Reading the device's queues, in turn.
//!
//! The kernel puts a flow's packets into the queue through which those of its other direction were written, or into
//! one by their hash. A reader takes one packet or super-packet from each queue that has any, so a connection that
//! fills its queue delays those in other queues by one super-packet, not by the queue.
//!
//! # Invariants
//! - Packets of one flow are read in the order they came: they have one queue, and the queue one reader.
//! - An empty queue costs no system call: the runtime tells which are not.

use core::future::poll_fn;
use core::task::Poll;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd, RawFd};
use std::sync::Arc;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::super::Share;
use super::Device;

/// Reads a share of the device's queues; registered with the runtime it was made in.
pub struct Reader {
    queues: Vec<AsyncFd<Queue>>,
    /// Whose turn it is.
    next: usize,
}

struct Queue {
    device: Arc<Device>,
    index: usize,
}

impl Reader {
    /// Registers the queues of `share` with the current runtime.
    ///
    /// # Errors
    /// What the system reports when it cannot watch them.
    pub fn new(device: &Arc<Device>, share: Share) -> io::Result<Self> {
        let queues = share.of(Device::MOST_QUEUES).map(|index| {
            let queue = Queue { device: Arc::clone(device), index };
            #[expect(unsafe_code, reason = "tokio has no safe way to register for one direction only")]
            // SAFETY: the device owns its descriptors, keeps them for as long as it lives, and is kept alive here.
            let registered =
                unsafe { AsyncFd::register_with_interest(queue, Interest::READABLE.add(Interest::ERROR)) };
            registered.map_err(io::Error::from)
        });
        Ok(Self { queues: queues.collect::<io::Result<_>>()?, next: 0 })
    }

    /// Waits until a queue has something to read. Cancel safe.
    ///
    /// # Errors
    /// When the device is gone.
    pub async fn ready(&self) -> io::Result<()> {
        let any = poll_fn(|context| {
            let readable = |queue: &AsyncFd<Queue>| queue.poll_read_ready(context).map_ok(drop);
            let polled = self.queues.iter().map(readable);
            polled.fold(Poll::Pending, |any, one| if one.is_ready() { one } else { any })
        });
        // A device that was deleted is in error and never readable.
        let gone = async {
            match self.queues.first() {
                Some(queue) => queue.ready(Interest::ERROR).await.and(Err(deleted())),
                None => core::future::pending().await,
            }
        };
        tokio::select! {
            ready = any => ready,
            gone = gone => gone,
        }
    }

    /// Reads from the next queue that is known to have something.
    ///
    /// # Errors
    /// `WouldBlock` if none is; anything else means that the device is gone.
    pub fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (before, from) = self.queues.split_at(self.next.min(self.queues.len()));
        for (step, queue) in from.iter().chain(before).enumerate() {
            match queue.try_io(Interest::READABLE, |queue| queue.read(buffer)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => {
                    self.next = (self.next + step + 1) % self.queues.len();
                    return read;
                }
            }
        }
        Err(io::ErrorKind::WouldBlock.into())
    }

    /// Lets the runtime find out which queues have something by now.
    pub async fn look(&self) {
        tokio::task::yield_now().await;
    }
}

/// What a read would say.
fn deleted() -> io::Error {
    io::Error::from_raw_os_error(libc::EBADFD)
}

impl Queue {
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.device.queue(self.index).recv(buffer)
    }
}

impl AsRawFd for Queue {
    fn as_raw_fd(&self) -> RawFd {
        self.device.queue(self.index).as_fd().as_raw_fd()
    }
}
