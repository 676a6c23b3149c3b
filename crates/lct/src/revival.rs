//! What wakes a TCP connection whose host kept it while the program that had told it to wait was killed.
//!
//! A new program has an empty table, so it knows neither which window the old one closed nor the numbers that open it. The
//! host's own TCP tells them: it answers a segment outside its window with both its numbers (RFC 9293 §3.10.7.4), as it
//! answers a keepalive probe. What is made here is such a segment, towards either end, and the word that a repetition was
//! lost for want of a path (RFC 6069). When they go is the node's to decide.
//!
//! # Invariants
//! - Nothing made here carries data, and nothing acknowledges what the other side has not acknowledged.

use stead_wire::icmp;
use stead_wire::ip::IpHeaders;
use stead_wire::tcp::{BareAcknowledgement, Sequence};

use crate::entry::Entry;
use crate::specification::OriginalSpecification;

/// How far outside a window a number surely is: the largest that TCP can have (RFC 7323 §2.3).
const BEYOND_ANY_WINDOW: u32 = 1 << 30;

/// What a segment tells as its window that is to be refused. Not closed, in case that it is not refused.
const OPEN: u16 = u16::MAX;

/// Asks this host's TCP for its numbers, in the name of the other side.
///
/// Both `numbers` are guesses, sequence and acknowledgement. One that lies within the window by chance is not answered; so a
/// second question has numbers half the circle away.
#[must_use]
pub fn ask_own(connection: &OriginalSpecification, numbers: [u32; 2]) -> Option<Vec<u8>> {
    let [sequence, acknowledgement] = numbers.map(Sequence);
    BareAcknowledgement {
        from: connection.remote,
        to: connection.local,
        sequence,
        acknowledgement,
        window: OPEN,
        timestamps: None,
    }
    .encode()
}

/// Asks the other side's TCP for its numbers, in the name of this side's. `None` before this side has told its own.
#[must_use]
pub fn ask_peer(entry: &Entry) -> Option<Vec<u8>> {
    let (ours, _) = entry.steps();
    let (acknowledgement, window) = ours.acknowledged?;
    let sequence = Sequence(ours.end?.0.wrapping_sub(BEYOND_ANY_WINDOW));
    let original = entry.original();
    // Without timestamps: an old one would be refused without an answer.
    BareAcknowledgement {
        from: original.local,
        to: original.remote,
        sequence,
        acknowledgement,
        window,
        timestamps: None,
    }
    .encode()
}

/// Tells this host's TCP that its last repetition was lost because there was no path: where something waits for an
/// acknowledgement, it goes again sooner (RFC 6069). `None` before the other side has acknowledged anything.
#[must_use]
pub fn revert_backoff(entry: &Entry) -> Option<Vec<u8>> {
    let (_, theirs) = entry.steps();
    let (unacknowledged, _) = theirs.acknowledged?;
    let original = entry.original();
    let lost = BareAcknowledgement {
        from: original.local,
        to: original.remote,
        sequence: unacknowledged,
        acknowledgement: Sequence(0),
        window: OPEN,
        timestamps: None,
    }
    .encode()?;
    icmp::unreachable(&lost, &IpHeaders::parse(&lost).ok()?)
}

impl Entry {
    /// How far this side has come: what follows the furthest that it has sent, if it has told its numbers.
    #[must_use]
    pub fn own_progress(&self) -> Option<u32> {
        let (ours, _) = self.steps();
        ours.acknowledged.and(ours.end).map(|end| end.0)
    }

    /// How far the other side has come: what it expects next, if it has told its numbers.
    #[must_use]
    pub fn peer_progress(&self) -> Option<u32> {
        self.steps().1.acknowledged.map(|(expected, _)| expected.0)
    }
}

#[cfg(test)]
mod tests {
    use core::net::SocketAddr;
    use std::sync::Arc;

    use stead_wire::ip::Protocol;
    use stead_wire::time::Instant;

    use super::*;
    use crate::limits::Limits;
    use crate::specification::{Attachment, PathId, PeerId};
    use crate::table::Table;

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn connection() -> OriginalSpecification {
        OriginalSpecification { local: at("10.0.0.1:5"), remote: at("10.0.0.2:6"), protocol: Protocol::TCP }
    }

    fn entry() -> Arc<Entry> {
        let attachment = Arc::new(Attachment { local: None, remote: at("192.0.2.1:1"), path: PathId(1) });
        let table = Table::new(Limits::default());
        table.track(connection(), PeerId(0), &attachment, Instant::ZERO).unwrap()
    }

    fn segment(from: SocketAddr, to: SocketAddr, sequence: u32, acknowledgement: u32) -> Vec<u8> {
        let (sequence, acknowledgement) = (Sequence(sequence), Sequence(acknowledgement));
        BareAcknowledgement { from, to, sequence, acknowledgement, window: 7, timestamps: None }
            .encode()
            .unwrap()
    }

    fn read(packet: &[u8]) -> stead_wire::tcp::Segment {
        stead_wire::tcp::Segment::read(packet, &IpHeaders::parse(packet).unwrap()).unwrap()
    }

    #[test]
    fn the_peer_is_asked_far_below_its_window_with_what_this_side_has_told() {
        let entry = entry();
        assert_eq!((ask_peer(&entry), entry.own_progress()), (None, None));
        let told = segment(at("10.0.0.1:5"), at("10.0.0.2:6"), 1000, 500);
        entry.remember_outbound(&told, &IpHeaders::parse(&told).unwrap());

        assert_eq!(entry.own_progress(), Some(1000));
        let asks = read(&ask_peer(&entry).unwrap());
        assert_eq!(asks.sequence, Sequence(1000_u32.wrapping_sub(1 << 30)));
        assert_eq!((asks.acknowledgement, asks.window, asks.payload_len), (Sequence(500), 7, 0));
    }

    #[test]
    fn a_backoff_is_taken_back_for_the_first_byte_that_is_not_acknowledged() {
        let entry = entry();
        assert_eq!(revert_backoff(&entry), None);
        let told = segment(at("10.0.0.2:6"), at("10.0.0.1:5"), 500, 900);
        entry.remember_inbound(&told, &IpHeaders::parse(&told).unwrap());

        let error = revert_backoff(&entry).unwrap();
        assert_eq!((error[20], error[21]), (3, 1), "host unreachable");
        assert_eq!(error[16..20], [10, 0, 0, 1]);
        assert_eq!(error[28 + 24..28 + 28], 900_u32.to_be_bytes(), "its number in what is quoted");
    }
}
