//! Datagrams that arrived together.
//!
//! Bulk data comes as dozens of datagrams at once, whose packets go on where the one before ended. What was found for the
//! first of such a run holds for all of it: session, path, peer, table entry. Those that follow are opened, held
//! against the one before, and counted together when the run ends. So none of them costs a look-up, or a write to memory
//! that workers share, beyond the replay window's.
//!
//! # Invariants
//! - A run ends with its [`Arrivals`], which see one moment: no memory of a path or an entry outlives it.
//! - Every datagram is authenticated on its own, and every packet is held against its peer's addresses.

use std::sync::Arc;

use stead_lct::Entry;
use stead_wire::ip::IpHeaders;
use stead_wire::succession::Succession;
use stead_wire::time::Instant;

use super::cursor::Opener;
use super::inbound::{Opened, leaves_checksums};
use super::{FlowCursor, Inbound, PacketPath, Verdict};
use crate::notice::{Arrival, Notice, Sighting};

/// Datagrams that arrived together. What they add to the counters of connections and peers is there when this is dropped.
pub struct Arrivals<'b> {
    path: &'b PacketPath,
    cursor: &'b mut FlowCursor,
    now: Instant,
    /// How many are still to come.
    left: usize,
    run: Option<Run>,
}

/// Datagrams from one place, in one session, with packets that go on where the one before ended.
struct Run {
    arrival: Arrival,
    /// How each begins: it is a transport message of that session, and not relayed.
    start: Start,
    opener: Opener,
    entry: Arc<Entry>,
    succession: Succession,
    partial_checksum: bool,
    /// Packets that followed the first, and their bytes: not counted yet.
    packets: u64,
    bytes: u64,
}

/// The first bytes of a transport message: type, reserved bytes, session index.
type Start = [u8; 8];

impl PacketPath {
    /// Opens a datagram that arrived alone, as [`Arrivals::open`] does.
    pub fn inbound<'d>(
        &self,
        cursor: &mut FlowCursor,
        arrival: Arrival,
        datagram: &'d mut [u8],
        now: Instant,
    ) -> Inbound<'d> {
        self.arrivals(cursor, 1, now).open(&arrival, datagram)
    }

    /// For datagrams that arrived together by `now`, `count` of them.
    pub const fn arrivals<'b>(
        &'b self,
        cursor: &'b mut FlowCursor,
        count: usize,
        now: Instant,
    ) -> Arrivals<'b> {
        Arrivals { path: self, cursor, now, left: count, run: None }
    }
}

impl Arrivals<'_> {
    /// Opens the next datagram, in place.
    ///
    /// Handshake messages that were made for our key come back as [`Verdict::ForNode`], unchanged.
    pub fn open<'d>(&mut self, arrival: &Arrival, datagram: &'d mut [u8]) -> Inbound<'d> {
        let (path, now, bytes) = (self.path, self.now, datagram.len());
        self.left = self.left.saturating_sub(1);
        if let Some(run) = self.run.as_mut().filter(|run| run.is_of(arrival, datagram)) {
            let (counter, plaintext) = match path.opened(&run.opener.0, datagram) {
                Ok(opened) => opened,
                Err(verdict) => return Inbound::nothing(verdict),
            };
            if let Some(len) = run.take(plaintext) {
                return run.inbound(&mut plaintext[..len], path, now);
            }
            let opener = run.opener.clone();
            self.settle();
            return path
                .take_in(self.cursor, &opener, Opened { arrival: *arrival, bytes, counter, plaintext }, now)
                .0;
        }
        self.settle();
        let start = datagram.first_chunk().copied();
        let (inbound, precedent) = self.begin(*arrival, datagram);
        if self.left > 0
            && let Some((packet, headers)) = inbound.packet.as_deref().zip(precedent)
        {
            self.run = self.start_run(*arrival, start, packet, &headers);
        }
        inbound
    }

    /// Opens a datagram of which nothing is known yet. If others like it bring nothing else, its packet's headers come
    /// with it.
    fn begin<'d>(&mut self, arrival: Arrival, datagram: &'d mut [u8]) -> (Inbound<'d>, Option<IpHeaders>) {
        let (path, bytes) = (self.path, datagram.len());
        let (arrival, opener) = match path.opener(self.cursor, arrival, datagram, self.now) {
            Ok(found) => found,
            Err(verdict) => return (Inbound::nothing(verdict), None),
        };
        let found = match path.opened(&opener.0, datagram) {
            Ok((counter, plaintext)) => {
                let opened = Opened { arrival, bytes, counter, plaintext };
                path.take_in(self.cursor, &opener, opened, self.now)
            }
            Err(verdict) => (Inbound::nothing(verdict), None),
        };
        self.cursor.put_back(opener);
        found
    }

    /// What follows `packet`, which came in a datagram that began with `start`, may belong to it.
    fn start_run(
        &self,
        arrival: Arrival,
        start: Option<Start>,
        packet: &[u8],
        headers: &IpHeaders,
    ) -> Option<Run> {
        // A relayed datagram comes from elsewhere than it was sent from.
        let start = start.filter(|start| start[1..4] == [0; 3])?;
        let opener = self.cursor.session()?.clone();
        let entry = Arc::clone(self.cursor.remembered()?);
        let succession = Succession::begin(packet, headers)?;
        let partial_checksum = leaves_checksums(&opener.0);
        Some(Run { arrival, start, opener, entry, succession, partial_checksum, packets: 0, bytes: 0 })
    }

    /// Ends the run: counts what followed its first packet.
    fn settle(&mut self) {
        let Some(run) = self.run.take().filter(|run| run.packets > 0) else { return };
        let segment = run.succession.segment();
        let flags = segment.map(|segment| segment.flags);
        run.entry.count_inbound(run.packets, run.bytes, flags, self.now);
        if let Some(segment) = segment {
            run.entry.note_inbound(&segment);
        }
        self.path.lane(run.opener.1).count_received(run.packets, run.bytes);
    }
}

impl Drop for Arrivals<'_> {
    fn drop(&mut self) {
        self.settle();
    }
}

impl Run {
    fn is_of(&self, arrival: &Arrival, datagram: &[u8]) -> bool {
        datagram.first_chunk() == Some(&self.start) && self.arrival == *arrival
    }

    /// Takes the packet of an opened message, if it goes on where the one before ended; how long it is.
    fn take(&mut self, plaintext: &[u8]) -> Option<usize> {
        let len = self.succession.take(plaintext)?;
        self.packets += 1;
        self.bytes += len as u64;
        Some(len)
    }

    /// All that a packet of the run brings.
    fn inbound<'d>(&self, packet: &'d mut [u8], path: &PacketPath, now: Instant) -> Inbound<'d> {
        let peer = self.opener.1;
        let stirred = path.lane(peer).stamp_received(true, true, now);
        Inbound {
            packet: Some(packet),
            partial_checksum: self.partial_checksum,
            notice: stirred.then(|| Box::new(Notice { peer, sighting: Sighting::Stirred })),
            verdict: Verdict::Opened,
        }
    }
}
