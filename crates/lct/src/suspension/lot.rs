//! One TCP connection's held segments: the newest copy of each byte, lowest first.

use std::collections::BTreeMap;
use std::sync::Arc;

use stead_wire::ip::IpHeaders;
use stead_wire::tcp::{self, Segment, Sequence};

use super::budget::OVERHEAD;
use crate::entry::Entry;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Lot {
    entry: Option<Arc<Entry>>,
    /// The first sequence number that was held; the others are counted from it.
    anchor: Option<Sequence>,
    /// By their first byte. None lies within another, so they are in the order of their ends, too.
    segments: BTreeMap<i64, Copy>,
    /// The newest of each kind that takes no sequence number.
    acknowledgement: Option<Vec<u8>>,
    probe: Option<Vec<u8>>,
    reset: Option<Vec<u8>>,
    newest_stamp: Option<Sequence>,
    packets: usize,
    bytes: usize,
}

/// A segment that takes sequence numbers.
#[derive(Debug)]
struct Copy {
    end: i64,
    packet: Vec<u8>,
}

/// What a segment of this side is to the other.
#[derive(Clone, ::core::marker::Copy, Debug, Eq, PartialEq)]
pub(super) enum Role {
    /// Opens the connection.
    Opening,
    /// Takes sequence numbers that the peer has not acknowledged.
    Outstanding,
    /// Acknowledges, nothing else.
    Acknowledgement,
    /// Asks whether anybody is there: a keepalive, a probe of a closed window, or something the peer has already.
    Probe,
    /// Aborts.
    Reset,
}

impl Role {
    pub(super) fn of(segment: &Segment, entry: Option<&Entry>) -> Self {
        let known =
            entry.and_then(|entry| entry.steps().1.acknowledged).map(|(acknowledged, _)| acknowledged);
        let has = |number: Sequence| known.is_some_and(|known| !number.is_after(known));
        if segment.flags.rst {
            Self::Reset
        } else if segment.flags.syn {
            Self::Opening
        } else if segment.occupied() > 0 {
            if has(segment.end()) { Self::Probe } else { Self::Outstanding }
        } else if has(segment.sequence.plus(1)) {
            Self::Probe
        } else {
            Self::Acknowledgement
        }
    }

    /// Whether its sender waits for an answer that only says "wait".
    pub(super) const fn is_answered(self) -> bool {
        matches!(self, Self::Outstanding | Self::Probe)
    }
}

impl Lot {
    pub(super) const fn packets(&self) -> usize {
        self.packets
    }

    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// What it counts for in the budget.
    pub(super) const fn cost(&self) -> usize {
        self.bytes + self.packets * OVERHEAD
    }

    /// Holds a segment in stead of what it makes needless.
    pub(super) fn put(&mut self, role: Role, packet: Vec<u8>, segment: &Segment, entry: Option<Arc<Entry>>) {
        if let Some(entry) = entry {
            self.entry = Some(entry);
        }
        if let Some(stamps) = segment.timestamps {
            self.newest_stamp =
                Some(self.newest_stamp.map_or(stamps.value, |known| known.later(stamps.value)));
        }
        match role {
            Role::Opening => {
                // The same ports, another connection: nothing of the old one means anything.
                if self.place(segment.sequence) != self.segments.first_key_value().map_or(0, |(at, _)| *at) {
                    self.clear();
                }
                self.put_outstanding(packet, segment);
            }
            Role::Outstanding => self.put_outstanding(packet, segment),
            Role::Acknowledgement => {
                let old = self.acknowledgement.replace(packet);
                self.exchanged(old.as_ref(), self.acknowledgement.as_ref().map(Vec::len));
            }
            Role::Probe => {
                let old = self.probe.replace(packet);
                self.exchanged(old.as_ref(), self.probe.as_ref().map(Vec::len));
            }
            Role::Reset => {
                self.clear();
                self.exchanged(None, Some(packet.len()));
                self.reset = Some(packet);
            }
        }
    }

    /// Holds an acknowledgement that the stack gave before, unless a newer one waits.
    pub(super) fn put_repeated(&mut self, packet: Vec<u8>, entry: &Arc<Entry>) {
        self.entry = Some(Arc::clone(entry));
        if self.acknowledgement.is_none() {
            self.exchanged(None, Some(packet.len()));
            self.acknowledgement = Some(packet);
        }
    }

    /// The first packet to go, and how many were let go because the peer had reset the connection.
    ///
    /// The newest acknowledgement leads: the peer may be waiting for it. Data follow in order, what aborts the
    /// connection or asks is last. What the peer has acknowledged meanwhile need not go.
    pub(super) fn take_first(&mut self) -> (Option<Vec<u8>>, u64) {
        if self.entry.as_ref().is_some_and(|entry| entry.was_reset_by_peer()) {
            let reset = self.packets as u64;
            self.clear();
            return (None, reset);
        }
        let packet =
            self.take_acknowledgement().or_else(|| self.take_outstanding()).or_else(|| self.take_last());
        (packet.map(|packet| self.stamped_anew(packet)), 0)
    }

    /// Lets go the highest sequence numbers; false if that would leave nothing of them.
    pub(super) fn drop_last(&mut self) -> bool {
        if self.segments.len() < 2 {
            return false;
        }
        let last = self.segments.pop_last().map(|(_, copy)| copy.packet);
        self.exchanged(last.as_ref(), None);
        true
    }

    /// Lets go one packet of those that [`drop_last`](Self::drop_last) leaves.
    pub(super) fn drop_rest(&mut self) -> bool {
        let rest = self
            .probe
            .take()
            .or_else(|| self.acknowledgement.take())
            .or_else(|| self.segments.pop_first().map(|(_, copy)| copy.packet))
            .or_else(|| self.reset.take());
        self.exchanged(rest.as_ref(), None);
        rest.is_some()
    }

    fn put_outstanding(&mut self, packet: Vec<u8>, segment: &Segment) {
        let start = self.place(segment.sequence);
        let end = start + i64::from(segment.occupied());
        let around = self.segments.range(..=start).next_back();
        if around.is_some_and(|(at, copy)| copy.end >= end && (*at, copy.end) != (start, end)) {
            return;
        }
        while let Some((at, _)) = self.segments.range(start..).next().filter(|(_, copy)| copy.end <= end) {
            let at = *at;
            let within = self.segments.remove(&at).map(|copy| copy.packet);
            self.exchanged(within.as_ref(), None);
        }
        self.exchanged(None, Some(packet.len()));
        self.segments.insert(start, Copy { end, packet });
    }

    fn take_acknowledgement(&mut self) -> Option<Vec<u8>> {
        let packet = self.acknowledgement.take()?;
        self.exchanged(Some(&packet), None);
        Some(packet)
    }

    fn take_outstanding(&mut self) -> Option<Vec<u8>> {
        let acknowledged = self.entry.as_ref().and_then(|entry| entry.steps().1.acknowledged);
        let acknowledged = acknowledged.map(|(number, _)| self.place(number));
        while let Some((_, copy)) = self.segments.pop_first() {
            self.exchanged(Some(&copy.packet), None);
            if acknowledged.is_none_or(|number| copy.end > number) {
                return Some(copy.packet);
            }
        }
        None
    }

    fn take_last(&mut self) -> Option<Vec<u8>> {
        let packet = self.probe.take().or_else(|| self.reset.take())?;
        self.exchanged(Some(&packet), None);
        Some(packet)
    }

    /// An older copy behind a newer one would have an older timestamp, and the peer would take it for a duplicate of
    /// long ago (RFC 7323 §5.3); so all get the newest there is.
    fn stamped_anew(&self, mut packet: Vec<u8>) -> Vec<u8> {
        let known = self.entry.as_ref().and_then(|entry| entry.steps().0.timestamp);
        let newest = match (self.newest_stamp, known) {
            (Some(one), Some(other)) => one.later(other),
            (one, other) => match one.or(other) {
                Some(newest) => newest,
                None => return packet,
            },
        };
        if let Ok(headers) = IpHeaders::parse(&packet) {
            tcp::restamp(&mut packet, &headers, newest);
        }
        packet
    }

    /// A sequence number as a place among the held ones.
    fn place(&mut self, number: Sequence) -> i64 {
        let anchor = *self.anchor.get_or_insert(number);
        i64::from(number.since(anchor))
    }

    fn clear(&mut self) {
        self.segments.clear();
        (self.acknowledgement, self.probe, self.reset) = (None, None, None);
        (self.packets, self.bytes) = (0, 0);
    }

    /// Keeps the accounts: what went, and how long what came is.
    fn exchanged(&mut self, gone: Option<&Vec<u8>>, came: Option<usize>) {
        if let Some(gone) = gone {
            self.packets -= 1;
            self.bytes -= gone.len();
        }
        if let Some(len) = came {
            self.packets += 1;
            self.bytes += len;
        }
    }
}
