//! One active connection: its two specifications, what it counted, and its state.
//!
//! Workers hold entries by `Arc` and count through `&self`; an entry that left the table goes on counting into
//! the void, so whoever keeps one asks [`Entry::admits`] first.
//!
//! # Invariants
//! - The original specification, the peer and the token never change.
//! - Both directions' counters lie on cache lines of their own: the two are counted by different workers.

mod memory;

use core::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::{ArcSwap, Guard};
use stead_wire::ip::{Protocol, TcpFlags};
use stead_wire::time::Instant;

use crate::listing::{ConnectionRow, Traffic};
use crate::specification::{Attachment, CurrentSpecification, OriginalSpecification, PeerId, Token};
use crate::tcp::{Direction, Progress};
use crate::trail::Trail;

/// An entry of the LCT table.
#[derive(Debug)]
pub struct Entry {
    pub(crate) id: u64,
    original: OriginalSpecification,
    peer: PeerId,
    token: Token,
    created: Instant,
    kind: Kind,
    numbers: bool,
    attachment: ArcSwap<Attachment>,
    moves: AtomicU64,
    tracked: AtomicBool,
    progress: AtomicU8,
    outbound: Meter,
    inbound: Meter,
    transitions: Arc<Transitions>,
}

/// How far a connection is.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum State {
    /// Packets went one way only, or TCP's handshake is not complete.
    Opening,
    /// Under way.
    Open,
    /// TCP with at least one side closed.
    Closing,
    /// TCP that was reset, or closed by both sides. Removed a little later.
    Closed,
}

impl State {
    /// In a word, for listings.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Opening => "opening",
            Self::Open => "open",
            Self::Closing => "closing",
            Self::Closed => "closed",
        }
    }
}

impl core::fmt::Display for State {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What an entry is made of.
pub(crate) struct Founding {
    pub(crate) id: u64,
    pub(crate) original: OriginalSpecification,
    pub(crate) peer: PeerId,
    pub(crate) token: Token,
    pub(crate) attachment: Arc<Attachment>,
    /// Whether TCP's numbers are remembered.
    pub(crate) numbers: bool,
    pub(crate) now: Instant,
}

impl Entry {
    pub(crate) fn new(founding: Founding, transitions: Arc<Transitions>) -> Self {
        let Founding { id, original, peer, token, attachment, numbers, now } = founding;
        Self {
            id,
            original,
            peer,
            token,
            created: now,
            kind: Kind::of(original.protocol),
            numbers,
            attachment: ArcSwap::new(attachment),
            moves: AtomicU64::new(0),
            tracked: AtomicBool::new(true),
            progress: AtomicU8::new(Progress::Unseen.encode()),
            outbound: Meter::default(),
            inbound: Meter::default(),
            transitions,
        }
    }

    /// What applications see.
    #[must_use]
    pub const fn original(&self) -> &OriginalSpecification {
        &self.original
    }

    /// Who is at the other end.
    #[must_use]
    pub const fn peer(&self) -> PeerId {
        self.peer
    }

    /// The connection's name among all of this table.
    #[must_use]
    pub const fn token(&self) -> Token {
        self.token
    }

    /// When its first packet passed.
    #[must_use]
    pub const fn created(&self) -> Instant {
        self.created
    }

    /// Where both sides are attached now.
    #[must_use]
    pub fn attachment(&self) -> Arc<Attachment> {
        self.attachment.load_full()
    }

    /// As [`attachment`](Self::attachment), without touching the shared reference count: for a look in passing.
    #[must_use]
    pub fn glance(&self) -> Guard<Arc<Attachment>> {
        self.attachment.load()
    }

    /// What carries the connection now.
    #[must_use]
    pub fn current(&self) -> CurrentSpecification {
        CurrentSpecification { attachment: self.attachment(), token: self.token }
    }

    /// How often it moved.
    #[must_use]
    pub fn moves(&self) -> u64 {
        self.moves.load(Ordering::Relaxed)
    }

    /// When a packet last passed, either way.
    #[must_use]
    pub fn last_seen(&self) -> Instant {
        self.created.max(self.outbound.last()).max(self.inbound.last())
    }

    /// Whether the table still holds this entry.
    #[must_use]
    pub fn is_tracked(&self) -> bool {
        self.tracked.load(Ordering::Relaxed)
    }

    /// Whether a packet with these flags belongs to this entry. If not, it begins another connection: the entry
    /// has left the table, or TCP has ended and a SYN reuses its ports. [`Table::track`] makes the new entry.
    ///
    /// [`Table::track`]: crate::Table::track
    #[must_use]
    pub fn admits(&self, tcp: Option<TcpFlags>) -> bool {
        let opens = tcp.is_some_and(|flags| flags.syn && !flags.ack);
        self.is_tracked() && !(opens && self.state() == State::Closed)
    }

    /// Counts what this side sent; `tcp` are the flags of all those segments together.
    pub fn count_outbound(&self, packets: u64, bytes: u64, tcp: Option<TcpFlags>, now: Instant) {
        self.count(Direction::Outbound, packets, bytes, tcp, now);
    }

    /// Counts what the other side sent; `tcp` are the flags of all those segments together.
    pub fn count_inbound(&self, packets: u64, bytes: u64, tcp: Option<TcpFlags>, now: Instant) {
        self.count(Direction::Inbound, packets, bytes, tcp, now);
    }

    /// How far the connection is.
    #[must_use]
    pub fn state(&self) -> State {
        match self.progress() {
            Progress::Unseen | Progress::Asked | Progress::Answered => State::Opening,
            Progress::Established => State::Open,
            Progress::HalfClosed(_) | Progress::LastAcknowledge(_) => State::Closing,
            Progress::Ended => State::Closed,
        }
    }

    /// The entry as plain data.
    #[must_use]
    pub fn row(&self) -> ConnectionRow {
        let attachment = self.glance();
        ConnectionRow {
            original: self.original,
            local: attachment.local,
            remote: attachment.remote,
            path: attachment.path,
            token: self.token,
            peer: self.peer,
            state: self.state(),
            created: self.created,
            last_seen: self.last_seen(),
            outbound: self.outbound.traffic(),
            inbound: self.inbound.traffic(),
            moves: self.moves(),
        }
    }

    pub(crate) const fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) fn progress(&self) -> Progress {
        Progress::decode(self.progress.load(Ordering::Relaxed))
    }

    /// Moves the connection. False, and nothing changes, if it is there already.
    pub(crate) fn move_to(&self, attachment: &Arc<Attachment>) -> bool {
        if **self.glance() == **attachment {
            return false;
        }
        self.attachment.store(Arc::clone(attachment));
        self.moves.fetch_add(1, Ordering::Relaxed);
        true
    }

    pub(crate) fn leave_table(&self) {
        self.tracked.store(false, Ordering::Relaxed);
    }

    fn count(&self, direction: Direction, packets: u64, bytes: u64, tcp: Option<TcpFlags>, now: Instant) {
        let before = self.progress();
        let meter = self.meter(direction);
        meter.packets.fetch_add(packets, Ordering::Relaxed);
        meter.bytes.fetch_add(bytes, Ordering::Relaxed);
        // What has ended stays no longer for its stragglers.
        if before != Progress::Ended {
            meter.last.store(now.as_micros(), Ordering::Relaxed);
        }
        if self.after(before, direction, tcp) != before {
            self.advance(direction, tcp);
        }
    }

    fn after(&self, before: Progress, direction: Direction, tcp: Option<TcpFlags>) -> Progress {
        match (self.kind, tcp) {
            (Kind::Tcp, Some(flags)) => before.after(direction, flags),
            (Kind::Tcp, None) => before,
            (Kind::Udp | Kind::Icmp | Kind::Other, _) => {
                if before == Progress::Unseen && self.both_ways() {
                    Progress::Established
                } else {
                    before
                }
            }
        }
    }

    #[cold]
    fn advance(&self, direction: Direction, tcp: Option<TcpFlags>) {
        let changed = self.progress.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |byte| {
            let before = Progress::decode(byte);
            let after = self.after(before, direction, tcp);
            (after != before).then_some(after.encode())
        });
        if changed.is_ok() && self.kind == Kind::Tcp {
            self.transitions.push(self.id);
        }
    }

    fn both_ways(&self) -> bool {
        self.outbound.packets.load(Ordering::Relaxed) > 0 && self.inbound.packets.load(Ordering::Relaxed) > 0
    }

    const fn meter(&self, direction: Direction) -> &Meter {
        match direction {
            Direction::Outbound => &self.outbound,
            Direction::Inbound => &self.inbound,
        }
    }
}

/// What kind of connection an upper protocol makes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    Tcp,
    Udp,
    Icmp,
    Other,
}

impl Kind {
    const fn of(protocol: Protocol) -> Self {
        match protocol {
            Protocol::TCP => Self::Tcp,
            Protocol::UDP => Self::Udp,
            Protocol::ICMP | Protocol::ICMPV6 => Self::Icmp,
            Protocol(_) => Self::Other,
        }
    }
}

/// One direction's counts. On a cache line of its own, or two workers would wait for each other.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Meter {
    packets: AtomicU64,
    bytes: AtomicU64,
    last: AtomicU64,
    trail: Trail,
}

impl Meter {
    fn last(&self) -> Instant {
        Instant::from_micros(self.last.load(Ordering::Relaxed))
    }

    fn traffic(&self) -> Traffic {
        Traffic { packets: self.packets.load(Ordering::Relaxed), bytes: self.bytes.load(Ordering::Relaxed) }
    }
}

/// Entries whose state changed since the index looked last. A few per connection's life, so a lock is cheap.
#[derive(Debug, Default)]
pub(crate) struct Transitions(Mutex<Vec<u64>>);

impl Transitions {
    fn push(&self, id: u64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(id);
    }

    pub(crate) fn take(&self) -> Vec<u64> {
        core::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
