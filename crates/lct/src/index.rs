//! The ordered side of the table: who is there, whose, since when; everything that has an order is decided here.
//!
//! Reached under the table's one lock, only when entries come, go, move or change state.
//!
//! # Invariants
//! - Every entry has one slot, one place in one queue, one token and one mention under its peer.
//! - A slot's place is never later than its entry's silence began, but for held peers' entries, whose silence
//!   counts from their release.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use stead_wire::time::Instant;

use crate::entry::Entry;
use crate::limits::{Class, Limits};
use crate::listing::Stats;
use crate::queues::Queues;
use crate::specification::{Attachment, PeerId, Token};
use crate::table::Refusal;

#[derive(Debug, Default)]
pub(crate) struct Index {
    slots: BTreeMap<u64, Slot>,
    peers: BTreeMap<PeerId, PeerEntries>,
    held: BTreeSet<PeerId>,
    tokens: BTreeMap<Token, u64>,
    queues: Queues,
    next_id: u64,
    pub(crate) stats: Stats,
}

#[derive(Debug)]
struct Slot {
    entry: Arc<Entry>,
    class: Class,
    since: Instant,
}

/// A peer's entries, and the attachments its last moves left.
#[derive(Debug, Default)]
struct PeerEntries {
    ids: BTreeSet<u64>,
    moved_to: Option<Arc<Attachment>>,
    left: Vec<Arc<Attachment>>,
}

/// How many attachments that a peer left are remembered. A worker that still holds one of them is at most
/// one packet behind the node.
const REMEMBERED_LEFT: usize = 4;

impl Index {
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn next_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// A token for `original` that no other entry has (seed 001 par. 69: the check that keeps current
    /// specifications one to one). `None` if every attempt was taken.
    pub(crate) fn free_token(&mut self, token: impl Fn(u8) -> Token) -> Option<Token> {
        for attempt in 0..=u8::MAX {
            let token = token(attempt);
            if !self.tokens.contains_key(&token) {
                return Some(token);
            }
            self.stats.token_conflicts += 1;
        }
        None
    }

    pub(crate) fn insert(&mut self, entry: Arc<Entry>) {
        let class = Class::of(&entry, self.held.contains(&entry.peer()));
        let since = entry.created();
        self.tokens.insert(entry.token(), entry.id);
        self.peers.entry(entry.peer()).or_default().ids.insert(entry.id);
        self.queues.insert(class, (since, entry.id));
        self.slots.insert(entry.id, Slot { entry, class, since });
        self.stats.tracked += 1;
    }

    pub(crate) fn remove(&mut self, id: u64) -> Option<Arc<Entry>> {
        let Slot { entry, class, since } = self.slots.remove(&id)?;
        self.queues.remove(class, (since, id));
        self.tokens.remove(&entry.token());
        if let Some(peer) = self.peers.get_mut(&entry.peer()) {
            peer.ids.remove(&id);
            if peer.ids.is_empty() {
                self.peers.remove(&entry.peer());
            }
        }
        entry.leave_table();
        Some(entry)
    }

    /// Puts entries whose state changed into the queue of their new class.
    pub(crate) fn reclassify(&mut self, ids: impl IntoIterator<Item = u64>, at_least: Instant) {
        for id in ids {
            let Some(slot) = self.slots.get_mut(&id) else { continue };
            let class = Class::of(&slot.entry, self.held.contains(&slot.entry.peer()));
            let since = slot.since.max(slot.entry.last_seen()).max(at_least);
            if class != slot.class {
                self.queues.remove(slot.class, (slot.since, id));
                self.queues.insert(class, (since, id));
                (slot.class, slot.since) = (class, since);
            }
        }
    }

    /// The entry of `class` that has been silent for longest, and since when. Brings at most `*looks` places up to date,
    /// and takes them off; `None` also if those did not suffice.
    fn longest_idle(&mut self, class: Class, looks: &mut usize) -> Option<(Instant, u64)> {
        loop {
            let (since, id) = self.queues.head(class)?;
            let Some(slot) = self.slots.get_mut(&id) else {
                self.queues.remove(class, (since, id));
                continue;
            };
            let seen = slot.entry.last_seen();
            if seen <= since {
                return Some((since, id));
            }
            *looks = looks.checked_sub(1)?;
            self.queues.remove(class, (since, id));
            self.queues.insert(class, (seen, id));
            slot.since = seen;
        }
    }

    /// An entry whose time of silence is over, as far as `looks` show it, see [`longest_idle`](Self::longest_idle).
    pub(crate) fn due(&mut self, limits: &Limits, looks: &mut usize, now: Instant) -> Option<u64> {
        Class::ALL.into_iter().find_map(|class| {
            let silence = limits.silence(class)?;
            // Most queues are answered by their heads alone; only what looks due is brought up to date.
            if self.queues.head(class)?.0 + silence > now {
                return None;
            }
            let (since, id) = self.longest_idle(class, looks)?;
            (since + silence <= now).then_some(id)
        })
    }

    /// The entry that is missed least.
    pub(crate) fn victim(&mut self) -> Option<u64> {
        Class::EVICTION_TIERS.into_iter().find_map(|tier| {
            let mut looks = usize::MAX;
            tier.iter().filter_map(|&class| self.longest_idle(class, &mut looks)).min().map(|(_, id)| id)
        })
    }

    /// When to look for due entries next.
    pub(crate) fn earliest(&self, limits: &Limits) -> Option<Instant> {
        self.queues.earliest(limits)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.slots.values().map(|slot| &slot.entry)
    }

    pub(crate) fn peers(&self) -> impl Iterator<Item = PeerId> {
        self.peers.keys().copied()
    }

    pub(crate) fn of_peer(&self, peer: PeerId) -> Vec<Arc<Entry>> {
        let ids = self.peers.get(&peer).into_iter().flat_map(|entries| &entries.ids);
        ids.filter_map(|id| self.slots.get(id)).map(|slot| Arc::clone(&slot.entry)).collect()
    }

    fn by_token(&self, token: Token) -> Option<&Arc<Entry>> {
        self.slots.get(self.tokens.get(&token)?).map(|slot| &slot.entry)
    }

    /// Where a new entry of `peer` goes. A worker may still hold the attachment that the peer has just left;
    /// its entry must not stay behind there.
    pub(crate) fn landing(&self, peer: PeerId, offered: &Arc<Attachment>) -> Arc<Attachment> {
        let landing = self.peers.get(&peer).and_then(|entries| {
            let is_left = entries.left.iter().any(|left| Arc::ptr_eq(left, offered));
            entries.moved_to.as_ref().filter(|_| is_left)
        });
        Arc::clone(landing.unwrap_or(offered))
    }

    /// Returns the entry that a connection of `peer` has already, unless it is another peer's.
    pub(crate) fn admit(&mut self, present: &Arc<Entry>, peer: PeerId) -> Result<Arc<Entry>, Refusal> {
        if present.peer() == peer {
            return Ok(Arc::clone(present));
        }
        self.stats.refused += 1;
        Err(Refusal::TakenByAnotherPeer(present.peer()))
    }

    /// Moves the entries of a peer that `tokens` name; how many were elsewhere.
    pub(crate) fn migrate_tokens(
        &mut self,
        peer: PeerId,
        tokens: &[Token],
        attachment: &Arc<Attachment>,
    ) -> usize {
        let named =
            tokens.iter().filter_map(|token| self.by_token(*token)).filter(|entry| entry.peer() == peer);
        let moved = named.filter(|entry| entry.move_to(attachment)).count();
        self.stats.moved += moved as u64;
        moved
    }

    /// Moves all of a peer's entries; how many were elsewhere.
    pub(crate) fn migrate(&mut self, peer: PeerId, attachment: &Arc<Attachment>) -> usize {
        let entries = self.of_peer(peer);
        for entry in &entries {
            self.note_left(peer, &entry.attachment(), attachment);
        }
        let moved = entries.iter().filter(|entry| entry.move_to(attachment)).count();
        self.stats.moved += moved as u64;
        moved
    }

    fn note_left(&mut self, peer: PeerId, left: &Arc<Attachment>, attachment: &Arc<Attachment>) {
        let Some(entries) = self.peers.get_mut(&peer) else { return };
        entries.moved_to = Some(Arc::clone(attachment));
        entries.left.retain(|known| !Arc::ptr_eq(known, attachment) && !Arc::ptr_eq(known, left));
        if !Arc::ptr_eq(left, attachment) {
            if entries.left.len() == REMEMBERED_LEFT {
                entries.left.remove(0);
            }
            entries.left.push(Arc::clone(left));
        }
    }

    pub(crate) fn hold(&mut self, peer: PeerId) {
        if self.held.insert(peer) {
            self.reclassify(self.ids_of(peer), Instant::ZERO);
        }
    }

    pub(crate) fn release(&mut self, peer: PeerId, now: Instant) {
        if self.held.remove(&peer) {
            self.reclassify(self.ids_of(peer), now);
        }
    }

    fn ids_of(&self, peer: PeerId) -> Vec<u64> {
        self.peers.get(&peer).into_iter().flat_map(|entries| &entries.ids).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use core::net::SocketAddr;

    use stead_wire::ip::Protocol;

    use super::*;
    use crate::entry::{Founding, Transitions};
    use crate::specification::{OriginalSpecification, PathId};

    fn entry(id: u64, token: Token) -> Arc<Entry> {
        let place = SocketAddr::from(([192, 0, 2, 7], 51820));
        let original = OriginalSpecification { local: place, remote: place, protocol: Protocol::UDP };
        let attachment = Arc::new(Attachment { local: None, remote: place, path: PathId(0) });
        let founding =
            Founding { id, original, peer: PeerId(0), token, attachment, numbers: true, now: Instant::ZERO };
        Arc::new(Entry::new(founding, Arc::new(Transitions::default())))
    }

    #[test]
    fn a_token_that_is_taken_is_made_again_until_one_is_free() {
        let mut index = Index::default();
        index.insert(entry(1, Token(0)));
        index.insert(entry(2, Token(1)));

        assert_eq!(index.free_token(|attempt| Token(attempt.into())), Some(Token(2)));
        assert_eq!(index.stats.token_conflicts, 2);

        index.remove(1);
        assert_eq!(index.free_token(|attempt| Token(attempt.into())), Some(Token(0)), "free with its entry");
    }

    #[test]
    fn one_look_for_what_is_over_brings_only_so_many_places_up_to_date() {
        let (mut index, limits) = (Index::default(), Limits::default());
        let later = Instant::ZERO + limits.udp;
        for id in 0..1000 {
            let entry = entry(id, Token(id));
            entry.count_outbound(1, 100, None, later);
            index.insert(entry);
        }
        let stale = |index: &Index| index.slots.values().filter(|slot| slot.since < later).count();
        for rest in [900, 800] {
            let mut looks = 100;
            assert_eq!((index.due(&limits, &mut looks, later), looks), (None, 0));
            assert_eq!(stale(&index), rest);
            assert_eq!(index.earliest(&limits), Some(later), "the rest is still to be looked at");
        }
        let mut looks = 1000;
        assert_eq!((index.due(&limits, &mut looks, later), looks), (None, 200));
        assert_eq!(index.earliest(&limits), Some(later + limits.udp));
    }

    #[test]
    fn a_connection_whose_every_token_is_taken_gets_none() {
        let mut index = Index::default();
        index.insert(entry(1, Token(0)));

        assert_eq!(index.free_token(|_| Token(0)), None);
    }
}
