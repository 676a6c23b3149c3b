//! What an entry remembers of TCP's numbers (see [`Trail`](crate::trail::Trail)), and when it begins anew.

use stead_wire::ip::IpHeaders;
use stead_wire::tcp::{self, Segment, Sequence};

use super::{Entry, State};
use crate::tcp::Direction;
use crate::trail::Steps;

impl Entry {
    /// Remembers the newest TCP numbers of this side, so that its system can be answered while the other side cannot
    /// be reached. `packet` is a whole packet, or a super-packet, of this connection.
    pub fn remember_outbound(&self, packet: &[u8], headers: &IpHeaders) {
        let Some(segment) = self.segment(packet, headers) else { return };
        if segment.flags.syn {
            self.begin_trails(&segment);
        }
        self.outbound.trail.note(&segment, window_of(&segment, packet, headers));
    }

    /// Remembers the newest TCP numbers of the other side, as [`remember_outbound`](Self::remember_outbound) does.
    pub fn remember_inbound(&self, packet: &[u8], headers: &IpHeaders) {
        let Some(segment) = self.segment(packet, headers) else { return };
        // A stray SYN in an open connection is answered with a challenge (RFC 5961 section 4) and changes nothing.
        if !segment.flags.syn || self.state() == State::Opening {
            self.inbound.trail.note(&segment, window_of(&segment, packet, headers));
        }
    }

    /// Remembers a segment of the other side that neither begins nor ends anything, as
    /// [`remember_inbound`](Self::remember_inbound) does.
    pub fn note_inbound(&self, segment: &Segment) {
        if self.numbers {
            self.inbound.trail.note(segment, segment.window);
        }
    }

    fn segment(&self, packet: &[u8], headers: &IpHeaders) -> Option<Segment> {
        if self.numbers { Segment::read(packet, headers) } else { None }
    }

    /// Whether the other side aborted the connection.
    pub(crate) fn was_reset_by_peer(&self) -> bool {
        self.inbound.trail.steps().reset
    }

    /// Whether the other side has acknowledged everything up to this side's FIN: nothing more comes from here.
    pub(crate) fn has_sent_all(&self) -> bool {
        let (ours, theirs) = self.steps();
        let arrived = |(end, (acknowledged, _)): (Sequence, (Sequence, u16))| !end.is_after(acknowledged);
        self.progress().has_ended(Direction::Outbound)
            && ours.end.zip(theirs.acknowledged).is_some_and(arrived)
    }

    /// Whether the other side's FIN has passed.
    pub(crate) fn was_closed_by_peer(&self) -> bool {
        self.progress().has_ended(Direction::Inbound)
    }

    /// Where both directions' numbers are: this side's, then the other's.
    pub(crate) fn steps(&self) -> (Steps, Steps) {
        (self.outbound.trail.steps(), self.inbound.trail.steps())
    }

    /// This side's own SYN begins a connection, whatever its ports carried before; unless it is repeated.
    #[cold]
    fn begin_trails(&self, syn: &Segment) {
        if self.outbound.trail.steps().end == Some(syn.end()) {
            return;
        }
        self.outbound.trail.clear();
        if !syn.flags.ack || self.inbound.trail.steps().end != Some(syn.acknowledgement) {
            self.inbound.trail.clear();
        }
    }
}

/// A segment's window as one without SYN carries it. The scale that a SYN offers holds for what follows, not for
/// itself (RFC 7323 section 2.2); it counts at all only if both sides offer it, so for an answered SYN.
fn window_of(segment: &Segment, packet: &[u8], headers: &IpHeaders) -> u16 {
    if segment.flags.syn {
        let shift = tcp::window_scale(packet, headers).unwrap_or(0);
        (segment.window >> shift).max(u16::from(segment.window > 0))
    } else {
        segment.window
    }
}
