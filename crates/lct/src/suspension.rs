//! Suspension in the transport layer (seed 002 claims 5 to 8): what waits for one peer while it cannot be reached,
//! and what this host's own TCP is told meanwhile.
//!
//! Its job: hold packets, each connection by its own protocol's rules, within bounds; stop this side's TCP by
//! closing the window in the peer's name; on resumption give back the packets in an order in which the peer takes
//! them, and open the windows again. Not its job: to know when a peer is suspended, or to send.
//!
//! # Life-cycle
//! Empty → [`push`](Held::push), [`stop`](Held::stop) → [`poll_answer`](Held::poll_answer) for as long as packets are
//! held → [`pop`](Held::pop) until nothing is left → [`poll_update`](Held::poll_update) → empty.
//!
//! # Invariants
//! - What is said in the peer's name acknowledges only what the peer itself acknowledged.
//! - No held segment lies within another of its connection: a repetition takes the place of what it repeats.
//! - All peers together hold no more than their [`Budget`], a connection no more than a part of it.

mod answer;
mod budget;
mod datagrams;
mod lot;
mod windows;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use stead_wire::ip::{IpHeaders, Protocol};
use stead_wire::tcp::{self, Segment};
use stead_wire::time::{Duration, Instant};

pub use self::budget::Budget;
use self::datagrams::Datagrams;
use self::lot::{Lot, Role};
use self::windows::Windows;
use crate::entry::Entry;
use crate::specification::{OriginalSpecification, PeerId};
use crate::table::Table;

/// How packets are held.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rules {
    /// How long packets wait that are no TCP. Default 10 s, so that they outlast a lost handshake's retry after 5 s.
    pub datagrams_for: Duration,
    /// Whether TCP is held by its sequence numbers and answered; without it, it waits as the others do.
    pub tcp: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Self { datagrams_for: Duration::from_secs(10), tcp: true }
    }
}

/// Packets that were given up, by reason.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Losses {
    /// Beyond a bound.
    pub overflow: u64,
    /// Waited for longer than [`Rules::datagrams_for`].
    pub overdue: u64,
    /// Of a connection that was reset meanwhile.
    pub reset: u64,
}

/// What is held now, and what was said so far.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct HeldCount {
    /// TCP connections of which packets are held, or whose window is closed.
    pub connections: usize,
    /// Packets of all protocols.
    pub packets: usize,
    /// Their bytes.
    pub bytes: usize,
    /// Acknowledgements with a closed window, given in the peer's name since the start.
    pub answers: u64,
    /// Windows opened again since the start.
    pub updates: u64,
}

/// One peer's held packets.
#[derive(Debug)]
pub struct Held {
    peer: PeerId,
    rules: Rules,
    lots: BTreeMap<OriginalSpecification, Lot>,
    /// The same, by what they cost.
    by_cost: BTreeSet<(usize, OriginalSpecification)>,
    /// Whose turn was last.
    turn: Option<OriginalSpecification>,
    datagrams: Datagrams,
    windows: Windows,
    purse: budget::Purse,
    losses: Losses,
}

/// The most that one TCP connection holds: all that its sender can have let out before it sees the closed window, which is
/// its send buffer (on Linux 4 MiB at most, unless somebody has changed `tcp_wmem`). What is given up of it waits for a
/// timeout of that sender, which after an outage is as long as the outage was.
const MOST_PER_CONNECTION: usize = 4 << 20;

impl Held {
    /// Nothing held yet for `peer`.
    #[must_use]
    pub fn new(peer: PeerId, rules: Rules, budget: Arc<Budget>) -> Self {
        Self {
            peer,
            rules,
            lots: BTreeMap::new(),
            by_cost: BTreeSet::new(),
            turn: None,
            datagrams: Datagrams::default(),
            windows: Windows::default(),
            purse: budget::Purse::new(budget),
            losses: Losses::default(),
        }
    }

    /// Holds `packet`, which is for the peer. `table` knows its connection, if anybody does.
    pub fn push(&mut self, packet: Vec<u8>, table: &Table, now: Instant) {
        let Ok(headers) = IpHeaders::parse(&packet) else { return };
        self.expire(now);
        match Segment::read(&packet, &headers).filter(|_| self.rules.tcp && is_whole(&packet, &headers)) {
            Some(segment) => self.push_segment(packet, &headers, &segment, table),
            None => self.push_datagram(packet, now),
        }
        self.keep_within_share();
    }

    /// The peer cannot be reached from now on: those of its connections that wait for an acknowledgement are told to
    /// stop, so that none of them takes the silence for loss.
    pub fn stop(&mut self, connections: &[Arc<Entry>]) {
        for entry in connections.iter().filter(|_| self.rules.tcp) {
            if answer::is_awaited(entry) {
                self.windows.owe(entry);
            }
        }
    }

    /// The peer may be another program by now, which does not know which windows the one before had closed: what this
    /// side's TCP acknowledged last goes once more, for each of `connections`, with what else is held. How many those are.
    pub fn repeat(&mut self, connections: &[Arc<Entry>]) -> usize {
        let mut repeated = 0;
        if !self.rules.tcp {
            return repeated;
        }
        for entry in connections {
            let Some(packet) = answer::repeated(entry) else { continue };
            self.change(*entry.original(), |lot| lot.put_repeated(packet, entry));
            repeated += 1;
        }
        self.keep_within_share();
        repeated
    }

    /// Whether something of this connection waits.
    #[must_use]
    pub fn holds(&self, connection: &OriginalSpecification) -> bool {
        self.lots.contains_key(connection)
    }

    /// The next acknowledgement with a closed window, for this side's own stack. To be asked for only while nothing
    /// may flow.
    pub fn poll_answer(&mut self, now: Instant) -> Option<Vec<u8>> {
        self.windows.poll_answer(now)
    }

    /// The next packet to go: TCP's first, since every other one is late already. Connections take turns, each in the
    /// order of its sequence numbers.
    pub fn pop(&mut self, now: Instant) -> Option<Vec<u8>> {
        self.expire(now);
        self.pop_segment().or_else(|| self.pop_datagram())
    }

    /// The next window to open, for this side's own stack. To be asked for once [no TCP waits](Self::holds_tcp) and
    /// what comes next may follow what has gone.
    pub fn poll_update(&mut self) -> Option<Vec<u8>> {
        self.windows.poll_update()
    }

    /// Lets go what nobody misses who waits for longer than a person would: all but TCP. How many packets that were.
    pub fn give_up(&mut self) -> usize {
        let mut dropped = 0;
        while self.pop_datagram().is_some() {
            dropped += 1;
        }
        dropped
    }

    /// Lets go whatever waited for too long.
    pub fn expire(&mut self, now: Instant) {
        while self.datagrams.first_at().is_some_and(|at| at + self.rules.datagrams_for <= now) {
            self.pop_datagram();
            self.losses.overdue += 1;
        }
    }

    /// When [`expire`](Self::expire) finds something.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        Some(self.datagrams.first_at()? + self.rules.datagrams_for)
    }

    /// What was given up since this was asked last.
    pub fn take_losses(&mut self) -> Losses {
        core::mem::take(&mut self.losses)
    }

    /// How many packets wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.datagrams.len() + self.purse.packets()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether segments of any connection wait.
    #[must_use]
    pub fn holds_tcp(&self) -> bool {
        !self.lots.is_empty()
    }

    /// Whether half of a bound is reached. If as much comes again, packets are given up.
    #[must_use]
    pub fn is_crowded(&self) -> bool {
        let most = self.by_cost.last().map_or(0, |(cost, _)| *cost);
        most > MOST_PER_CONNECTION / 2 || self.purse.is_half_spent()
    }

    /// Bytes of all packets that wait.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.purse.bytes() + self.datagrams.bytes()
    }

    /// What is held, and what was said.
    #[must_use]
    pub fn count(&self) -> HeldCount {
        HeldCount {
            connections: self.windows.closed_besides(&self.lots) + self.lots.len(),
            packets: self.len(),
            bytes: self.bytes(),
            answers: self.windows.answers,
            updates: self.windows.updates,
        }
    }

    fn push_segment(&mut self, packet: Vec<u8>, headers: &IpHeaders, segment: &Segment, table: &Table) {
        let original = OriginalSpecification::from_outbound(headers.tuple);
        let entry = table
            .lookup(&original)
            .filter(|entry| entry.peer() == self.peer && entry.admits(Some(segment.flags)));
        if let Some(entry) = &entry {
            entry.remember_outbound(&packet, headers);
            if entry.was_reset_by_peer() {
                self.losses.reset += 1;
                return;
            }
        }
        let role = Role::of(segment, entry.as_deref());
        if let Some(entry) =
            entry.as_ref().filter(|_| role.is_answered() && !tcp::is_guarded(&packet, headers))
        {
            self.windows.owe(entry);
        }
        self.change(original, |lot| lot.put(role, packet, segment, entry));
    }

    fn push_datagram(&mut self, packet: Vec<u8>, now: Instant) {
        if self.purse.pay(Datagrams::cost_of(&packet)) {
            self.datagrams.push(packet, now);
        } else if let Some(oldest) = self.pop_datagram() {
            self.losses.overflow += 1;
            drop(oldest);
            self.push_datagram(packet, now);
        } else {
            self.losses.overflow += 1;
        }
    }

    fn pop_datagram(&mut self) -> Option<Vec<u8>> {
        let packet = self.datagrams.pop()?;
        self.purse.refund(Datagrams::cost_of(&packet));
        Some(packet)
    }

    fn pop_segment(&mut self) -> Option<Vec<u8>> {
        use core::ops::Bound::{Excluded, Unbounded};
        while !self.lots.is_empty() {
            let after = self.turn.map_or(Unbounded, Excluded);
            let mut rest = self.lots.range((after, Unbounded));
            let Some((original, _)) = rest.next().or_else(|| self.lots.first_key_value()) else { break };
            let original = *original;
            self.turn = Some(original);
            let (packet, reset) = self.change(original, Lot::take_first);
            self.losses.reset += reset;
            if packet.is_some() {
                return packet;
            }
        }
        None
    }

    /// Changes one connection's lot and keeps the accounts. The lot goes when it is empty.
    fn change<T>(&mut self, original: OriginalSpecification, act: impl FnOnce(&mut Lot) -> T) -> T {
        let lot = self.lots.entry(original).or_default();
        let before = (lot.cost(), lot.packets(), lot.bytes());
        let result = act(lot);
        while lot.cost() > MOST_PER_CONNECTION && lot.drop_last() {
            self.losses.overflow += 1;
        }
        let after = (lot.cost(), lot.packets(), lot.bytes());
        if after.1 == 0 {
            self.lots.remove(&original);
        }
        self.by_cost.remove(&(before.0, original));
        if after.1 > 0 {
            self.by_cost.insert((after.0, original));
        }
        self.purse.settle(before, after);
        result
    }

    /// Lets go what is worth least while this peer holds more than its share: first what is no TCP, oldest first;
    /// then the highest sequence numbers of whoever holds most.
    fn keep_within_share(&mut self) {
        while self.purse.is_overdrawn() {
            if self.pop_datagram().is_some() {
                self.losses.overflow += 1;
                continue;
            }
            let Some((_, most)) = self.by_cost.last().copied() else { return };
            let dropped = self.change(most, |lot| lot.drop_last() || lot.drop_rest());
            self.losses.overflow += u64::from(dropped);
        }
    }
}

/// Whether a TCP packet stands for itself: no fragment, and nothing between the IP and the TCP header that a changed
/// or cut segment could contradict.
fn is_whole(packet: &[u8], headers: &IpHeaders) -> bool {
    match packet.first_chunk::<20>() {
        Some(header) if header[0] >> 4 == 4 => header[6] & 0x3f == 0 && header[7] == 0,
        Some(header) => header[6] == Protocol::TCP.0 && headers.transport_offset == 40,
        None => false,
    }
}
