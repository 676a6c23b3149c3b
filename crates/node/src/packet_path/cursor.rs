//! A worker's memory of the packet before: packets come in runs, and a run needs its look-ups once.

use std::sync::Arc;

use core::sync::atomic::Ordering;
use stead_lct::{Entry, OriginalSpecification, PeerId};
use stead_noise::session::Session;
use stead_wire::ip::TcpFlags;
use stead_wire::message::SessionIndex;

use super::PacketPath;

/// A session and whose it is.
pub(super) type Opener = (Arc<Session>, PeerId);

/// One per worker and direction. Holds nothing that outlives the next packet's check.
#[derive(Debug, Default)]
pub struct FlowCursor {
    entry: Option<Arc<Entry>>,
    session: Option<Opener>,
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

    /// The entry of the packet before, if it has one.
    pub(super) const fn remembered(&self) -> Option<&Arc<Entry>> {
        self.entry.as_ref()
    }

    /// The session of the datagram before.
    pub(super) const fn session(&self) -> Option<&Opener> {
        self.session.as_ref()
    }

    /// Remembers an entry that was just made.
    pub(super) fn remember(&mut self, entry: Arc<Entry>) -> &Arc<Entry> {
        self.entry.insert(entry)
    }

    /// Takes out the session that `index` names, remembered or looked up. The caller
    /// [puts it back](Self::put_back), which saves every datagram two writes to a count that all workers share.
    pub(super) fn take_session(&mut self, path: &PacketPath, index: SessionIndex) -> Option<Opener> {
        let removals = path.removals.load(Ordering::Acquire);
        let remembered = self.session.take_if(|(session, _)| session.local() == index);
        match remembered.filter(|_| removals == self.removals) {
            Some(opener) => Some(opener),
            None => {
                self.removals = removals;
                path.sessions.get(&index).map(|known| known.value().clone())
            }
        }
    }

    /// See [`take_session`](Self::take_session).
    pub(super) fn put_back(&mut self, opener: Opener) {
        self.session = Some(opener);
    }
}
