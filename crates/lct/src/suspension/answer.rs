//! What is said to this side's stack in the name of a peer that cannot be reached: an acknowledgement that moves
//! nothing but the window.

use stead_wire::tcp::{BareAcknowledgement, Sequence, Timestamps};

use crate::entry::Entry;
use crate::trail::Steps;

/// "Wait": nothing new is acknowledged, and nothing more may be sent. `None` if the peer never acknowledged anything
/// that passed here, or the connection is over: whoever has forgotten it would answer with a reset.
pub(super) fn close(entry: &Entry) -> Option<Vec<u8>> {
    if entry.has_sent_all() && entry.was_closed_by_peer() {
        return None;
    }
    acknowledgement(entry, |_| 0)
}

/// "Go on": the window that the peer had told last. `None` as for [`close`], and if nothing is left to be sent.
pub(super) fn open(entry: &Entry) -> Option<Vec<u8>> {
    if entry.has_sent_all() {
        return None;
    }
    acknowledgement(entry, |told| told)
}

/// Whether this side waits for an acknowledgement of data that has passed.
pub(super) fn is_awaited(entry: &Entry) -> bool {
    let (ours, theirs) = entry.steps();
    let outstanding = |(end, (acknowledged, _)): (Sequence, (Sequence, u16))| end.is_after(acknowledged);
    !ours.reset && ours.end.zip(theirs.acknowledged).is_some_and(outstanding)
}

/// What this side's stack has acknowledged last, once more for the peer: for a peer whose own program closed its window
/// and was killed. `None` if this side never acknowledged anything that passed here, or has said its last.
pub(super) fn repeated(entry: &Entry) -> Option<Vec<u8>> {
    let (ours, theirs) = entry.steps();
    if ours.reset || theirs.reset || entry.has_sent_all() {
        return None;
    }
    let (acknowledgement, window) = ours.acknowledged?;
    let original = entry.original();
    let timestamps = ours.timestamp.zip(theirs.timestamp).map(|(value, echo)| Timestamps { value, echo });
    BareAcknowledgement {
        from: original.local,
        to: original.remote,
        sequence: sequence(&theirs, &ours)?,
        acknowledgement,
        window,
        timestamps,
    }
    .encode()
}

fn acknowledgement(entry: &Entry, window: impl Fn(u16) -> u16) -> Option<Vec<u8>> {
    let (ours, theirs) = entry.steps();
    if ours.reset || theirs.reset {
        return None;
    }
    let (acknowledgement, told) = theirs.acknowledged?;
    let original = entry.original();
    let timestamps = theirs.timestamp.zip(ours.timestamp).map(|(value, echo)| Timestamps { value, echo });
    BareAcknowledgement {
        from: original.remote,
        to: original.local,
        sequence: sequence(&ours, &theirs)?,
        acknowledgement,
        window: window(told),
        timestamps,
    }
    .encode()
}

/// The number that the peer's own acknowledgement would have now: behind everything that it has sent, received or
/// not. Linux takes a closed window from no segment that comes before the last one that told a window.
///
/// If this side lets nothing more in, what the peer tried beyond that was a probe of the window (RFC 9293 §3.8.6.1),
/// and such a number would be refused.
fn sequence(ours: &Steps, theirs: &Steps) -> Option<Sequence> {
    match ours.acknowledged {
        Some((expected, 0)) => Some(expected),
        _ => theirs.end,
    }
}
