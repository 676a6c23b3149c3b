//! What this node publishes: where it is, the same for all peers, sealed for each (seed 001 figure 17).

use stead_wire::options::{AttachmentPoints, VcOption};
use stead_wire::time::{Duration, Instant};

use crate::turn::Turn;

/// For this long after a move a publication says that we moved. Longer than any service's window for movements at
/// once, so that one which is repeated still counts; the service goes by when it first came.
const IS_MOVE_FOR: Duration = Duration::from_secs(5);

/// How far a number is put forward that a service finds old: its calendar or ours was wrong by more once.
const CALENDAR_ERROR: u64 = 3600 * 1_000_000;

/// The newest of our publications, before it is sealed.
#[derive(Debug, Default)]
pub(super) struct Announcement {
    /// Grows with the calendar, so that it goes on growing when the node starts anew.
    number: u64,
    moved: Option<Instant>,
    text: Vec<u8>,
}

impl Announcement {
    /// We are somewhere else, or may be.
    pub(super) fn on_move(&mut self, turn: &Turn<'_>) {
        let calendar = u64::try_from(turn.wall.0.as_micros()).unwrap_or(u64::MAX);
        self.number = calendar.max(self.number.saturating_add(1));
        self.moved = Some(turn.now);
        let points = turn.attachment.points(turn.identity.listen_port);
        self.text.clear();
        VcOption::AttachmentPoints(AttachmentPoints::new(&points)).encode(&mut self.text);
    }

    /// A service knows a newer one, which we made when the calendar was wrong.
    pub(super) const fn overtake(&mut self) {
        self.number = self.number.saturating_add(CALENDAR_ERROR);
    }

    /// The same is to be heard as news: whoever hears it learns that we look for him there.
    pub(super) const fn repeat(&mut self) {
        self.number = self.number.saturating_add(1);
    }

    pub(super) const fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn text(&self) -> &[u8] {
        &self.text
    }

    /// Whether we moved just now.
    pub(super) fn is_move(&self, now: Instant) -> bool {
        self.moved.is_some_and(|at| now < at + IS_MOVE_FOR)
    }

    /// When we last moved.
    pub(super) const fn moved(&self) -> Option<Instant> {
        self.moved
    }
}
