//! A connection that ends while its window is closed: whoever has forgotten it is told nothing more.

use std::sync::Arc;

use stead_lct::{Budget, Entry, Held, Limits, OriginalSpecification, Rules, Table};
use stead_wire::ip::IpHeaders;
use stead_wire::tcp::{BareAcknowledgement, Sequence};
use stead_wire::time::{Duration, Instant};

use crate::world::{PEER, attachment};

const NOW: Instant = Instant::from_micros(1_000_000);
const LATER: Instant = Instant::from_micros(9_000_000);
const ACK: u8 = 0x10;
const FIN_ACK: u8 = 0x11;

/// An end whose peer cannot be reached.
struct End {
    table: Table,
    held: Held,
}

/// A segment without data.
fn segment(outbound: bool, sequence: u32, acknowledgement: u32, flags: u8) -> (Vec<u8>, IpHeaders) {
    let (here, there) = (([10, 0, 0, 1], 4000).into(), ([10, 0, 0, 2], 22).into());
    let (from, to) = if outbound { (here, there) } else { (there, here) };
    let (sequence, acknowledgement) = (Sequence(sequence), Sequence(acknowledgement));
    let bare = BareAcknowledgement { from, to, sequence, acknowledgement, window: 500, timestamps: None };
    let mut packet = bare.encode().unwrap();
    packet[33] = flags;
    let headers = IpHeaders::parse(&packet).unwrap();
    (packet, headers)
}

impl End {
    fn new() -> Self {
        let held = Held::new(PEER, Rules::default(), Arc::new(Budget::new(1 << 20)));
        Self { table: Table::new(Limits::default()), held }
    }

    fn entry(&self, original: OriginalSpecification, headers: &IpHeaders) -> Arc<Entry> {
        self.table.find_or_track(original, PEER, &attachment(), headers.tcp, NOW).unwrap()
    }

    fn sends(&self, sequence: u32, acknowledgement: u32, flags: u8) {
        let (packet, headers) = segment(true, sequence, acknowledgement, flags);
        let entry = self.entry(OriginalSpecification::from_outbound(headers.tuple), &headers);
        entry.count_outbound(1, 40, headers.tcp, NOW);
        entry.remember_outbound(&packet, &headers);
    }

    fn receives(&self, sequence: u32, acknowledgement: u32, flags: u8) {
        let (packet, headers) = segment(false, sequence, acknowledgement, flags);
        let entry = self.entry(OriginalSpecification::from_inbound(headers.tuple), &headers);
        entry.count_inbound(1, 40, headers.tcp, NOW);
        entry.remember_inbound(&packet, &headers);
    }

    /// Both have ended; the peer has yet to acknowledge this end's FIN, and this end is told to wait.
    fn at_its_last_acknowledgement() -> Self {
        let mut end = Self::new();
        end.sends(100, 1, ACK);
        end.receives(1, 100, FIN_ACK);
        end.sends(100, 2, FIN_ACK);
        end.held.stop(&end.table.entries_of(PEER));
        assert!(end.held.poll_answer(NOW).is_some(), "it waits for an acknowledgement");
        end
    }
}

#[test]
fn a_window_is_not_opened_of_a_connection_that_is_over() {
    let mut end = End::at_its_last_acknowledgement();
    end.receives(2, 101, ACK);
    assert_eq!(end.held.poll_update(), None);
}

#[test]
fn nor_is_it_closed_again() {
    let mut end = End::at_its_last_acknowledgement();
    let (again, _) = segment(true, 100, 2, FIN_ACK);
    end.held.push(again, &end.table, LATER);
    end.receives(2, 101, ACK);
    assert_eq!(end.held.poll_answer(LATER), None);
}

#[test]
fn it_is_opened_for_as_long_as_the_last_byte_is_not_acknowledged() {
    let mut end = End::at_its_last_acknowledgement();
    end.receives(2, 100, ACK);
    assert!(end.held.poll_update().is_some(), "the FIN may have to be sent again");
}

#[test]
fn who_has_sent_everything_is_still_told_that_the_other_is_there() {
    let mut end = End::new();
    end.sends(100, 1, FIN_ACK);
    end.receives(1, 101, ACK);
    let (keepalive, _) = segment(true, 100, 1, ACK);
    end.held.push(keepalive, &end.table, NOW + Duration::from_secs(1));
    assert!(end.held.poll_answer(LATER).is_some(), "it is asked for");
    assert_eq!(end.held.poll_update(), None, "but there is nothing to open");
}
