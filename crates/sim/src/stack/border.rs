//! What the border of smoltcp makes up for: two faults of its TCP that no kernel has (`SMOLTCP.md`).
//!
//! It sees every TCP segment that comes to the stack. Job: to show the stack a segment again, or not at all, where smoltcp
//! would otherwise never send again. Not its job: to change a segment.
//!
//! - smoltcp stops its retransmission timer at the third duplicate ACK, though only a FIN is outstanding, and sends nothing:
//!   such ACKs are withheld.
//! - smoltcp lets its retransmission timer run out against a closed window and starts no probes: the ACK that closed the
//!   window is shown to it again, which starts them.

use core::net::SocketAddr;
use std::collections::BTreeMap;

use stead_wire::ip::IpHeaders;
use stead_wire::tcp::Segment;
use stead_wire::time::{Duration, Instant};

/// A connection's ends: the host's own, and the other.
pub(super) type Ends = (SocketAddr, SocketAddr);

/// What the stack has of a connection that is unacknowledged.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Outstanding {
    /// There is no such connection, or nothing is.
    Nothing,
    /// Its FIN alone.
    Fin,
    /// Bytes.
    Bytes,
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Border {
    acknowledged: BTreeMap<Ends, u32>,
    closed: BTreeMap<Ends, Closed>,
}

/// A window that was closed.
#[derive(Debug)]
struct Closed {
    by: Vec<u8>,
    pause: Duration,
    /// When that is shown again; `None` until the stack has run since.
    again_at: Option<Instant>,
}

/// How long a closed window is left alone first: longer than smoltcp's first retransmission timeout, so that its own probes
/// begin where they do begin.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause: that of the stack's own probes.
const LONGEST_PAUSE: Duration = Duration::from_secs(12);

impl Border {
    /// A packet comes to the stack: whether it is shown.
    pub(super) fn admits(&mut self, packet: &[u8], outstanding: impl FnOnce(Ends) -> Outstanding) -> bool {
        let Ok(headers) = IpHeaders::parse(packet) else { return true };
        let Some(segment) = Segment::read(packet, &headers) else { return true };
        let ends = (headers.tuple.destination, headers.tuple.source);
        let flags = segment.flags;
        if flags.syn || flags.fin || flags.rst || segment.payload_len > 0 {
            self.closed.remove(&ends);
            return true;
        }
        let number = segment.acknowledgement.0;
        let duplicate = self.acknowledged.insert(ends, number) == Some(number);
        if segment.window == 0 {
            let closed = Closed { by: packet.to_vec(), pause: FIRST_PAUSE, again_at: None };
            self.closed.insert(ends, closed);
        } else if self.closed.remove(&ends).is_some() {
            return true;
        }
        !(duplicate && outstanding(ends) == Outstanding::Fin)
    }

    /// What the stack is shown again by `now`.
    pub(super) fn again(&mut self, now: Instant, outstanding: impl Fn(Ends) -> Outstanding) -> Vec<Vec<u8>> {
        let mut shown = Vec::new();
        self.closed.retain(|ends, closed| {
            let at = *closed.again_at.get_or_insert(now + closed.pause);
            if at > now {
                return true;
            }
            if outstanding(*ends) != Outstanding::Bytes {
                return false;
            }
            closed.pause = (closed.pause * 2).min(LONGEST_PAUSE);
            closed.again_at = Some(now + closed.pause);
            shown.push(closed.by.clone());
            true
        });
        shown
    }

    /// When [`again`](Self::again) is to be asked.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.closed.values().filter_map(|closed| closed.again_at).min()
    }
}
