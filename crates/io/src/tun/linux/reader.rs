//! Reading the device's queues, in turn.
//!
//! The kernel puts a flow's packets into the queue through which those of its other direction were written, or into
//! one by their hash. A reader takes one packet or super-packet from each queue that has any, so a connection that
//! fills its queue delays those in other queues by one super-packet, not by the queue.
//!
//! # Invariants
//! - Packets of one flow are read in the order they came: they have one queue, and the queue one reader.
//! - An empty queue costs no system call: the watch tells which are not.

use core::future::poll_fn;
use core::task::Poll;
use std::io;
use std::os::fd::AsFd as _;
use std::sync::Arc;

use super::super::Share;
use super::Device;
use crate::watch::{Watch, Watched};

/// Reads a share of the device's queues.
pub struct Reader {
    device: Arc<Device>,
    queues: Vec<Queue>,
    /// Whose turn it is.
    next: usize,
}

struct Queue {
    index: usize,
    watched: Watched,
}

impl Reader {
    /// Has the queues of `share` watched.
    ///
    /// # Errors
    /// What the system reports when it cannot watch them.
    pub fn new(device: &Arc<Device>, share: Share, watch: &Watch) -> io::Result<Self> {
        let queues = share
            .of(Device::MOST_QUEUES)
            .map(|index| Ok(Queue { index, watched: watch.readable(device.queue(index).as_fd())? }));
        Ok(Self { queues: queues.collect::<io::Result<_>>()?, device: Arc::clone(device), next: 0 })
    }

    /// Waits until a queue has something to read, which may be the word that the device is gone. Cancel safe.
    ///
    /// # Errors
    /// None here; other platforms have some.
    pub async fn ready(&self) -> io::Result<()> {
        poll_fn(|_| {
            // All are asked, whatever the first one says.
            let ready = self.queues.iter().filter(|queue| queue.watched.poll_ready().is_ready()).count();
            if ready > 0 { Poll::Ready(Ok(())) } else { Poll::Pending }
        })
        .await
    }

    /// Reads from the next queue that is known to have something.
    ///
    /// # Errors
    /// `WouldBlock` if none is; anything else means that the device is gone.
    pub fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (before, from) = self.queues.split_at(self.next.min(self.queues.len()));
        for (step, queue) in from.iter().chain(before).enumerate() {
            match queue.watched.attempt(|| self.device.queue(queue.index).recv(buffer)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => {
                    self.next = (self.next + step + 1) % self.queues.len();
                    return read;
                }
            }
        }
        Err(io::ErrorKind::WouldBlock.into())
    }
}
