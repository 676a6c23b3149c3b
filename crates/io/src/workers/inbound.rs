//! From the sockets to the TUN device.

use core::time::Duration;
use std::io;

use stead_node::{Arrival, Arrivals, FlowCursor, Verdict};
use stead_wire::time::Instant;
use tracing::{debug, trace};

use super::{BATCH, Mail, Mailbox, Part, QUANTUM, Shared};
use crate::clock;
use crate::drops::IoDrop;
use crate::offload::Checksums;
use crate::tun::Memory;
use crate::udp::{Batch, Receiver, Source};
use crate::watch::Watch;

struct Worker {
    shared: Shared,
    mailbox: Mailbox,
    cursor: FlowCursor,
    /// Absent only within a batch.
    memory: Option<Memory>,
}

/// What follows an error of a socket, so that a lasting one does not keep the processor busy.
const PAUSE: Duration = Duration::from_millis(5);

/// Has the sockets watched. What this gives works for as long as the watch runs it.
///
/// # Errors
/// What the system reports when it cannot watch the sockets.
pub(super) fn begin(part: Part, watch: Watch) -> io::Result<impl Future<Output = io::Result<()>>> {
    let Part { shared, sockets, mailbox, .. } = part;
    let mut receiver = Receiver::new(&sockets, |socket| watch.socket(socket))?;
    let mut worker = Worker { shared, mailbox, cursor: FlowCursor::default(), memory: None };
    Ok(async move {
        loop {
            receiver.readable().await?;
            let bytes = match worker.drain(&mut receiver) {
                Ok(bytes) => bytes,
                Err(error) => {
                    debug!(%error, "Nothing received");
                    worker.shared.drops.count(IoDrop::ReceiveFailed, 1);
                    watch.pause(PAUSE).await;
                    0
                }
            };
            watch.on_turn(bytes >= QUANTUM).await;
        }
    })
}

impl Worker {
    /// Delivers what has arrived, a turn's worth at most; how many bytes.
    fn drain<S: Source>(&mut self, receiver: &mut Receiver<S>) -> io::Result<usize> {
        let (mut batches, mut bytes) = (0, 0);
        while batches < BATCH
            && bytes < QUANTUM
            && let Some(batch) = receiver.try_receive()?
        {
            (batches, bytes) = (batches + 1, bytes + batch.bytes());
            self.arrive(batch, clock::now());
        }
        Ok(bytes)
    }

    /// What was taken at once: every datagram is opened in place, and the packets written together.
    fn arrive(&mut self, batch: Batch<'_>, now: Instant) {
        let Self { shared, mailbox, cursor, memory } = self;
        let mut delivery = shared.device.deliver(memory.take().unwrap_or_else(|| shared.device.memory()));
        let mut arrivals = shared.path.arrivals(cursor, batch.count(), now);
        for (arrival, datagrams) in batch.datagrams() {
            for datagram in datagrams {
                if let Some((packet, checksums)) = open(&mut arrivals, mailbox, &arrival, datagram) {
                    delivery.push(packet, checksums);
                }
            }
        }
        drop(arrivals);
        let (kept, lost) = delivery.finish();
        if lost > 0 {
            shared.drops.count(IoDrop::TunWriteFailed, lost);
        }
        *memory = Some(kept);
    }
}

/// The packet inside a datagram, if it is for the device.
fn open<'d>(
    arrivals: &mut Arrivals<'_>,
    mailbox: &Mailbox,
    arrival: &Arrival,
    datagram: &'d mut [u8],
) -> Option<(&'d [u8], Checksums)> {
    let start = datagram.as_ptr().addr();
    let inbound = arrivals.open(arrival, datagram);
    if let Some(notice) = inbound.notice {
        mailbox.post(Mail::Notice(*notice));
    }
    // Remembered as a place in the datagram, which the node may need whole.
    let place = inbound.packet.map(|packet| (packet.as_ptr().addr() - start, packet.len()));
    let checksums = Checksums::partial_if(inbound.partial_checksum);
    match inbound.verdict {
        Verdict::Opened | Verdict::Keepalive => {}
        Verdict::ForNode => mailbox.post(Mail::Datagram(*arrival, datagram.to_vec())),
        Verdict::Dropped(reason) => trace!(source = %arrival.source, %reason, "Datagram dropped"),
    }
    place.map(|(offset, len)| (&datagram[offset..offset + len], checksums))
}
