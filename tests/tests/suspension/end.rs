//! One end of the line: a kernel's device, the table, and what is held.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::sync::Arc;

use stead_lct::{
    Attachment, Budget, Entry, Held, Limits, OriginalSpecification, PathId, PeerId, Rules, Table,
};
use stead_wire::ip::IpHeaders;
use stead_wire::time::Instant;

use crate::judge::{Answer, Judge};

const PEER: PeerId = PeerId(0);
/// What all connections of an end may hold together.
const MEMORY: usize = 4 << 20;
const LARGEST: usize = 65536;

/// Whether packets flow.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Flow {
    Freely,
    Held,
    /// What was lost and what was held goes first.
    Resuming,
}

/// See the module's documentation.
pub(crate) struct End {
    number: usize,
    pub(crate) device: File,
    table: Table,
    held: Held,
    flow: Flow,
    /// What the dark swallows now.
    losing: VecDeque<Vec<u8>>,
    /// What it has swallowed: the tunnel sends it again, in its order.
    lost: VecDeque<Vec<u8>>,
}

impl End {
    pub(crate) fn new(number: usize, device: File) -> Self {
        let held = Held::new(PEER, Rules::default(), Arc::new(Budget::new(MEMORY)));
        let (table, losing, lost) = (Table::new(Limits::default()), VecDeque::new(), VecDeque::new());
        Self { number, device, table, held, flow: Flow::Freely, losing, lost }
    }

    /// One of its packets did not arrive.
    pub(crate) fn lose(&mut self, packet: Vec<u8>) {
        self.losing.push_back(packet);
    }

    /// The dark is over; `sent` was on its way then. All that goes again, before what was still to go again.
    pub(crate) fn find_lost(&mut self, sent: impl Iterator<Item = Vec<u8>>) {
        self.losing.extend(sent);
        self.losing.append(&mut self.lost);
        core::mem::swap(&mut self.losing, &mut self.lost);
    }

    /// The other end cannot be reached, and this one knows.
    pub(crate) fn suspend(&mut self) {
        self.flow = Flow::Held;
        self.held.stop(&self.table.entries_of(PEER));
    }

    /// The other end can be reached again, and this one knows.
    pub(crate) fn resume(&mut self) {
        self.flow = Flow::Resuming;
    }

    /// What its kernel sends now; whatever may go at once is returned.
    pub(crate) fn take_departures(&mut self, judge: &mut Judge, now: Instant) -> Vec<Vec<u8>> {
        let mut packet = vec![0; LARGEST];
        let mut depart = Vec::new();
        while let Ok(len) = (&self.device).read(&mut packet) {
            let Ok(headers) = IpHeaders::parse(&packet[..len]) else { continue };
            // What the kernel tells its neighbours of itself is nobody's connection.
            if headers.tcp.is_none() {
                continue;
            }
            judge.made(self.number, &packet[..len], &headers);
            let packet = packet[..len].to_vec();
            if self.flow == Flow::Freely {
                self.note_departure(&packet, &headers, now);
                depart.push(packet);
            } else {
                self.held.push(packet, &self.table, now);
            }
        }
        depart
    }

    /// The next packet that waited; to be asked for while the line takes more.
    pub(crate) fn take_held(&mut self, now: Instant) -> Option<Vec<u8>> {
        if self.flow != Flow::Resuming {
            return None;
        }
        if let Some(packet) = self.lost.pop_front() {
            return Some(packet);
        }
        let Some(packet) = self.held.pop(now) else {
            self.flow = Flow::Freely;
            return None;
        };
        let headers = IpHeaders::parse(&packet).expect("it was parsed before");
        self.note_departure(&packet, &headers, now);
        Some(packet)
    }

    /// A packet of the other end's kernel.
    pub(crate) fn arrive(&mut self, packet: &[u8], judge: &mut Judge, now: Instant) {
        let headers = IpHeaders::parse(packet).expect("it was parsed before");
        judge.arrives(self.number, packet, &headers);
        let original = OriginalSpecification::from_inbound(headers.tuple);
        let entry = self.entry(original, &headers, now);
        entry.count_inbound(1, packet.len() as u64, headers.tcp, now);
        entry.remember_inbound(packet, &headers);
        self.deliver(packet);
    }

    /// Tells the own kernel what the other end would.
    pub(crate) fn answer(&mut self, judge: &mut Judge, now: Instant) {
        loop {
            let (answer, kind) = match self.flow {
                Flow::Freely => (self.held.poll_update(), Answer::Open),
                Flow::Held | Flow::Resuming => (self.held.poll_answer(now), Answer::Closed),
            };
            let Some(answer) = answer else { return };
            judge.told(self.number, &answer, kind);
            self.deliver(&answer);
        }
    }

    fn note_departure(&self, packet: &[u8], headers: &IpHeaders, now: Instant) {
        let original = OriginalSpecification::from_outbound(headers.tuple);
        let entry = self.entry(original, headers, now);
        entry.count_outbound(1, packet.len() as u64, headers.tcp, now);
        entry.remember_outbound(packet, headers);
    }

    fn entry(&self, original: OriginalSpecification, headers: &IpHeaders, now: Instant) -> Arc<Entry> {
        let entry = self.table.find_or_track(original, PEER, &attachment(), headers.tcp, now);
        entry.expect("room for a few connections")
    }

    fn deliver(&self, packet: &[u8]) {
        (&self.device).write_all(packet).expect("the device takes a packet");
    }
}

fn attachment() -> Arc<Attachment> {
    Arc::new(Attachment { local: None, remote: "192.0.2.1:7".parse().expect("an address"), path: PathId(0) })
}
