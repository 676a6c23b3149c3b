//! The virtual clock: an agenda of tasks, each at a moment, taken in order.
//!
//! Nothing here waits: time is wherever the next task is.
//!
//! # Invariants
//! - Tasks of the same moment are taken in the order in which they were put down.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use stead_wire::time::{Duration, Instant};

/// Where the virtual clock begins: a machine that has been up for a while.
pub const ORIGIN: Instant = Instant::from_micros(1_000_000_000);

/// How long after the beginning of the world `moment` is.
#[must_use]
pub fn since_origin(moment: Instant) -> Duration {
    moment - ORIGIN
}

/// What is to happen, and when.
#[derive(Debug)]
pub(crate) struct Agenda<T> {
    tasks: BinaryHeap<Reverse<Entry<T>>>,
    put_down: u64,
}

#[derive(Debug)]
struct Entry<T> {
    at: Instant,
    number: u64,
    task: T,
}

impl<T> Default for Agenda<T> {
    fn default() -> Self {
        Self { tasks: BinaryHeap::new(), put_down: 0 }
    }
}

impl<T> Agenda<T> {
    /// Puts a task down for the moment `at`.
    pub(crate) fn put(&mut self, at: Instant, task: T) {
        self.put_down += 1;
        self.tasks.push(Reverse(Entry { at, number: self.put_down, task }));
    }

    /// When the next task is due.
    pub(crate) fn next_at(&self) -> Option<Instant> {
        self.tasks.peek().map(|Reverse(entry)| entry.at)
    }

    /// Takes the next task.
    pub(crate) fn take(&mut self) -> Option<T> {
        self.tasks.pop().map(|Reverse(entry)| entry.task)
    }
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.number) == (other.at, other.number)
    }
}

impl<T> Eq for Entry<T> {}

impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Entry<T> {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_come_by_their_moment_and_those_of_one_moment_in_the_order_given() {
        let mut agenda = Agenda::default();
        let at = |millis| ORIGIN + Duration::from_millis(millis);
        for (moment, task) in [(5, "c"), (1, "a"), (5, "d"), (1, "b")] {
            agenda.put(at(moment), task);
        }
        assert_eq!(agenda.next_at(), Some(at(1)));
        let order: Vec<&str> = core::iter::from_fn(|| agenda.take()).collect();
        assert_eq!(order, ["a", "b", "c", "d"]);
    }
}
