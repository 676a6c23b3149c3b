//! From the TUN device to the sockets.

use core::net::SocketAddr;
use std::io;

use stead_node::{FlowCursor, Grant, Outbound};
use stead_wire::time::Instant;
use tracing::{debug, trace};

use super::row::{Kept, Row};
use super::{BATCH, Mail, Mailbox, Part, QUANTUM, Shared};
use crate::clock;
use crate::drops::IoDrop;
use crate::offload::{Checksums, Segments};
use crate::tun::{Device, Reader};
use crate::udp::{SendError, Sender};
use crate::watch::Watch;

struct Worker {
    shared: Shared,
    mailbox: Mailbox,
    watch: Watch,
    cursor: FlowCursor,
    sender: Sender,
    row: Row,
}

/// Has the device watched. What this gives works for as long as the watch runs it, or until the device is gone.
///
/// # Errors
/// What the system reports when it cannot watch the device, or duplicate the sockets.
pub(super) fn begin(part: Part, watch: Watch) -> io::Result<impl Future<Output = io::Result<()>>> {
    let Part { shared, sockets, share, mailbox } = part;
    let mut reader = Reader::new(&shared.device, share, &watch)?;
    let sender = Sender::new(&sockets)?;
    let row = Row::new(shared.mtu);
    let mut worker = Worker { shared, mailbox, watch, cursor: FlowCursor::default(), sender, row };
    let mut buffer = vec![0; Device::LONGEST_READ];
    Ok(async move {
        loop {
            reader.ready().await?;
            let bytes = worker.drain(&mut reader, &mut buffer).await?;
            worker.watch.on_turn(bytes >= QUANTUM).await;
        }
    })
}

impl Worker {
    /// Sends what can be read without waiting, a turn's worth at most; how many bytes.
    async fn drain(&mut self, reader: &mut Reader, buffer: &mut [u8]) -> io::Result<usize> {
        let now = clock::now();
        let (mut reads, mut bytes) = (0, 0);
        while reads < BATCH && bytes < QUANTUM {
            match reader.try_read(buffer) {
                Ok(read) => {
                    (reads, bytes) = (reads + 1, bytes + read);
                    self.depart(&buffer[..read], now).await;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.flush(now).await;
        Ok(bytes)
    }

    /// One read of the device: a packet, or a super-packet.
    async fn depart(&mut self, read: &[u8], now: Instant) {
        let mut segments = match Device::segments(read) {
            Ok(segments) => segments,
            Err(error) => {
                debug!(%error, bytes = read.len(), "The device handed out something else than a packet");
                return self.shared.drops.count(IoDrop::MalformedSuperPacket, 1);
            }
        };
        let count = segments.count();
        if self.row.is_too_long(segments.full_len()) {
            return self.shared.drops.count(IoDrop::PacketTooBig, count as u64);
        }
        let mut verdict = self.judge(&segments, now);
        if let Outbound::Shorten(longest) = verdict
            && let Some(shorter) = segments.shortened(longest)
        {
            segments = shorter;
            verdict = self.judge(&segments, now);
        }
        match verdict {
            Outbound::Send(grant) => self.send(grant, &segments, now).await,
            Outbound::Hold | Outbound::Shorten(_) => self.hold(&segments),
            Outbound::Drop(reason) => trace!(%reason, "Packet dropped"),
        }
    }

    fn judge(&mut self, segments: &Segments<'_>, now: Instant) -> Outbound {
        let packets = u32::try_from(segments.count()).unwrap_or(u32::MAX);
        self.shared.path.outbound(&mut self.cursor, segments.packet(), (packets, segments.full_len()), now)
    }

    /// Seals every segment into the row, which goes out whenever it is full.
    async fn send(&mut self, mut grant: Grant, segments: &Segments<'_>, now: Instant) {
        if let Some(notice) = grant.take_notice() {
            self.mailbox.post(Mail::Notice(notice));
        }
        let place = (grant.peer(), grant.remote(), grant.local());
        let checksums = Checksums::partial_if(grant.partial_checksums());
        for index in 0..segments.count() {
            let len = segments.len_of(index);
            if !self.row.takes(place, len, self.sender.most_segments(grant.remote())) {
                self.flush(now).await;
            }
            if self.row.is_empty() {
                self.row.begin(place, self.shared.path.take_chunk(grant.peer(), now));
            }
            let write = |packet: &mut [u8]| {
                segments.write(index, packet, checksums);
            };
            self.row.add(len, write, |message| grant.seal(message));
        }
    }

    /// The node wants each packet on its own.
    fn hold(&self, segments: &Segments<'_>) {
        for index in 0..segments.count() {
            let mut packet = vec![0; segments.len_of(index)];
            segments.write(index, &mut packet, Checksums::Complete);
            self.mailbox.post(Mail::Packet(packet));
        }
    }

    /// Sends the row. Waits while the socket takes no more: the device's queue fills up meanwhile, which is
    /// what applications notice.
    async fn flush(&mut self, now: Instant) {
        while let Some(outgoing) = self.row.outgoing() {
            match self.sender.try_send(outgoing) {
                Ok(()) => break,
                Err(SendError::Full) => {
                    let remote = outgoing.remote;
                    let kept = self.row.step_aside();
                    self.keep(kept, now);
                    if self.writable(remote).await.is_err() {
                        self.shared.drops.count(IoDrop::SendBufferFull, self.row.messages() as u64);
                        break;
                    }
                }
                Err(SendError::Lost(reason)) => {
                    if reason == IoDrop::SendForbidden {
                        self.mailbox.post(Mail::Refused(outgoing.remote, outgoing.local));
                    }
                    self.shared.drops.count(reason, self.row.messages() as u64);
                    break;
                }
            }
        }
        let kept = self.row.clear();
        self.keep(kept, now);
    }

    /// What was sent, or could not be, stays for a while: it is sent again if it did not arrive.
    fn keep(&self, kept: Option<Kept>, now: Instant) {
        if let Some(Kept { peer, chunk, measures }) = kept {
            self.shared.path.give_chunk(peer, chunk, measures, now);
        }
    }

    /// Until the socket takes datagrams again.
    async fn writable(&self, remote: SocketAddr) -> io::Result<()> {
        match self.sender.socket(remote) {
            Some(socket) => self.watch.writable(socket).await,
            None => Ok(()),
        }
    }
}
