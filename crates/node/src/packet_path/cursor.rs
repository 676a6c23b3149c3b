//! A worker's memory of the packet before: packets come in runs, and a run needs its look-ups once.

use std::sync::Arc;

use core::sync::atomic::Ordering;
use stead_lct::{Entry, OriginalSpecification, PeerId};
use stead_noise::session::Session;
use stead_wire::ip::TcpFlags;
use stead_wire::message::SessionIndex;

use super::PacketPath;

/// One per worker and direction. Holds nothing that outlives the next packet's check.
#[derive(Debug, Default)]
pub struct FlowCursor {
    entry: Option<Arc<Entry>>,
    session: Option<(Arc<Session>, PeerId)>,
    removals: u64,
}

impl FlowCursor {
    /// The table's entry that a packet with these flags belongs to, remembered or looked up.
    pub(super) fn entry(
        &mut self,
        path: &PacketPath,
        original: &OriginalSpecification,
        tcp: Option<TcpFlags>,
    ) -> Option<&Arc<Entry>> {
        let remembered =
            self.entry.as_ref().is_some_and(|entry| entry.original() == original && entry.admits(tcp));
        if !remembered {
            self.entry = path.table.lookup(original).filter(|entry| entry.admits(tcp));
        }
        self.entry.as_ref()
    }

    /// Remembers an entry that was just made.
    pub(super) fn remember(&mut self, entry: Arc<Entry>) -> &Arc<Entry> {
        self.entry.insert(entry)
    }

    /// The session that `index` names, remembered or looked up.
    pub(super) fn session(
        &mut self,
        path: &PacketPath,
        index: SessionIndex,
    ) -> Option<&(Arc<Session>, PeerId)> {
        let removals = path.removals.load(Ordering::Acquire);
        let remembered = self.session.as_ref().is_some_and(|(session, _)| session.local() == index);
        if !remembered || removals != self.removals {
            self.session = path.sessions.get(&index).map(|known| known.value().clone());
            self.removals = removals;
        }
        self.session.as_ref()
    }
}
