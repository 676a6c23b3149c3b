//! The relay's books: which slot is which pair's, and how much each may still send.
//!
//! ```text
//! A, behind NAT ── [0x14 slot …] ──> service ── [0x14 slot …] ──> B, behind NAT
//! ```
//! It copies what A and B sealed for each other; it can neither read nor forge it. Who may send in a slot, and where
//! the other one is, is the service's to know.
//!
//! Fair: pairs share `total` equally, each at most `rate`, by how many sent something within the last second.

use core::mem;

use stead_wire::options::{RelaySlot, Topic};
use stead_wire::time::Instant;

use crate::settings::RelayLimits;
use crate::status::RelayStatus;

/// See the module's documentation.
pub(crate) struct Relay {
    limits: RelayLimits,
    /// By number less one.
    lines: Vec<Option<Line>>,
    free: Vec<RelaySlot>,
    /// The second that is being counted, since the origin of time.
    second: u64,
    /// Pairs that sent something in it, and in the one before.
    active: usize,
    active_before: usize,
    status: RelayStatus,
}

/// One pair's place.
#[derive(Debug)]
struct Line {
    topic: Topic,
    /// Bytes that may go now.
    tokens: u64,
    filled: Instant,
    /// The last second in which something went.
    sent_in: Option<u64>,
}

/// What became of a relayed datagram.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Carried {
    /// It may go; the pair's first one.
    First,
    /// It may go.
    Further,
    /// It may not.
    TooMuch,
}

impl Relay {
    pub(crate) fn new(limits: RelayLimits) -> Self {
        Self {
            limits,
            lines: Vec::new(),
            free: Vec::new(),
            second: 0,
            active: 0,
            active_before: 0,
            status: RelayStatus::default(),
        }
    }

    /// A slot for a pair; `None` if all are taken.
    pub(crate) fn open(&mut self, topic: Topic, now: Instant) -> Option<RelaySlot> {
        let line = Line { topic, tokens: self.limits.burst, filled: now, sent_in: None };
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => {
                let slot = u32::try_from(self.lines.len() + 1).ok().and_then(RelaySlot::new)?;
                self.lines.push(None);
                slot
            }
        };
        self.lines[place(slot)] = Some(line);
        self.status.slots += 1;
        Some(slot)
    }

    /// The pair is no pair any more.
    pub(crate) fn close(&mut self, slot: RelaySlot) {
        if self.lines.get_mut(place(slot)).and_then(Option::take).is_some() {
            self.free.push(slot);
            self.status.slots -= 1;
        }
    }

    /// Whose slot it is.
    pub(crate) fn topic(&self, slot: RelaySlot) -> Option<Topic> {
        self.lines.get(place(slot))?.as_ref().map(|line| line.topic)
    }

    /// Takes `bytes` out of what the pair may send.
    pub(crate) fn carry(&mut self, slot: RelaySlot, bytes: usize, now: Instant) -> Carried {
        self.turn_second(now);
        let (limits, second) = (self.limits, self.second);
        let Some(line) = self.lines.get_mut(place(slot)).and_then(Option::as_mut) else {
            return Carried::TooMuch;
        };
        let first = line.sent_in.is_none();
        if line.sent_in != Some(second) {
            line.sent_in = Some(second);
            self.active += 1;
        }
        let sharers = self.active.max(self.active_before).max(1) as u64;
        let rate = limits.rate.min(limits.total / sharers);
        let passed = u64::try_from((now - line.filled).as_micros()).unwrap_or(u64::MAX);
        let gained = u64::try_from(u128::from(passed) * u128::from(rate) / 1_000_000).unwrap_or(u64::MAX);
        if gained > 0 {
            line.tokens = line.tokens.saturating_add(gained).min(limits.burst);
            line.filled = now;
        }
        let bytes = bytes as u64;
        let Some(rest) = line.tokens.checked_sub(bytes) else { return Carried::TooMuch };
        line.tokens = rest;
        self.status.datagrams += 1;
        self.status.bytes += bytes;
        if first { Carried::First } else { Carried::Further }
    }

    pub(crate) fn status(&self, now: Instant) -> RelayStatus {
        let second = now.as_micros() / 1_000_000;
        let active = match second - self.second.min(second) {
            0 => self.active.max(self.active_before),
            1 => self.active,
            _ => 0,
        };
        RelayStatus { active, ..self.status }
    }

    fn turn_second(&mut self, now: Instant) {
        let second = now.as_micros() / 1_000_000;
        if second > self.second {
            let ended = mem::take(&mut self.active);
            self.active_before = if second == self.second + 1 { ended } else { 0 };
            self.second = second;
        }
    }
}

const fn place(slot: RelaySlot) -> usize {
    slot.number() as usize - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: RelayLimits = RelayLimits { rate: 1000, burst: 2000, total: 3000 };

    const fn at(millis: u64) -> Instant {
        Instant::from_micros(5_000_000 + millis * 1000)
    }

    /// How many datagrams of 100 bytes pass if one comes every millisecond in each slot for `millis`.
    fn passed(relay: &mut Relay, slots: &[RelaySlot], from: u64, millis: u64) -> Vec<usize> {
        let mut passed = vec![0; slots.len()];
        for ms in from..from + millis {
            for (slot, passed) in slots.iter().zip(&mut passed) {
                *passed += usize::from(relay.carry(*slot, 100, at(ms)) != Carried::TooMuch);
            }
        }
        passed
    }

    #[test]
    fn a_pair_has_a_burst_and_then_its_rate() {
        let mut relay = Relay::new(LIMITS);
        let slot = relay.open(Topic([1; 16]), at(0)).unwrap();

        assert_eq!(passed(&mut relay, &[slot], 0, 1), [1]);
        let first = passed(&mut relay, &[slot], 1, 4999)[0] + 1;

        assert!((69..=70).contains(&first), "20 at once and 10 a second: {first}");
        assert_eq!(relay.status(at(4999)).bytes, first as u64 * 100);
    }

    #[test]
    fn many_pairs_share_what_there_is_equally() {
        let mut relay = Relay::new(LIMITS);
        let slots: Vec<_> = (0..6).map(|n| relay.open(Topic([n; 16]), at(0)).unwrap()).collect();
        passed(&mut relay, &slots, 0, 10_000);

        let later = passed(&mut relay, &slots, 10_000, 10_000);

        assert!(later.iter().all(|n| (49..=51).contains(n)), "500 bytes a second each: {later:?}");
    }

    #[test]
    fn a_slot_belongs_to_one_pair_at_a_time_and_is_used_again() {
        let mut relay = Relay::new(LIMITS);
        let slot = relay.open(Topic([1; 16]), at(0)).unwrap();
        assert_ne!(relay.open(Topic([2; 16]), at(0)), Some(slot));

        relay.close(slot);

        assert_eq!((relay.topic(slot), relay.carry(slot, 1, at(0))), (None, Carried::TooMuch));
        assert_eq!(relay.open(Topic([3; 16]), at(0)), Some(slot));
        assert_eq!(relay.topic(slot), Some(Topic([3; 16])));
    }
}
