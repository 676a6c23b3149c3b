//! Looking again before going to sleep.
//!
//! To wake a thread, a processor that sleeps has to be woken too, which takes longer than all that stead does with a packet:
//! in a virtual machine 50 µs and more. So a worker that is busy looks for a moment whether there is something new
//! before it sleeps, and lets everybody else have the processor between two looks. One that is not busy sleeps at once;
//! so does one that carries bulk: whoever makes and takes the bulk needs the processor more, and the next super-packet is
//! worth waking for.

use core::cell::Cell;
use std::io;
use std::time::{Duration, Instant};

/// What a worker did lately.
#[derive(Debug, Default)]
pub(super) struct Lookout {
    /// The last wait was a short one.
    busy: Cell<bool>,
    /// It carries bulk, either way: turns left until what it carries counts as small again.
    bulk: Cell<u8>,
}

/// How long a busy worker looks.
const LOOKS_FOR: Duration = Duration::from_micros(100);

/// If it is gone for longer between two looks, somebody else wants the processor, which then does not sleep either.
const WANTED: Duration = Duration::from_micros(10);

/// A worker that waited no longer than this is busy.
const SHORT: Duration = Duration::from_micros(500);

/// Turns with little in them after which a bulk transfer is over: it has some between its own, with acknowledgements.
const LULL: u8 = 8;

impl Lookout {
    /// A turn is over. A `full` one is one of a bulk transfer.
    pub(super) fn on_turn(&self, full: bool) {
        self.bulk.set(if full { LULL } else { self.bulk.get().saturating_sub(1) });
    }

    /// A wait has taken so long.
    pub(super) fn on_wait(&self, took: Duration) {
        self.busy.set(took < SHORT);
    }

    /// Looks, over and over, until there is something or it is time to sleep. The wait `began` just now.
    pub(super) fn look<T>(
        &self,
        began: Instant,
        mut look: impl FnMut() -> io::Result<Option<T>>,
    ) -> io::Result<Option<T>> {
        let mut looked = Duration::ZERO;
        while self.is_worth_it() && looked < LOOKS_FOR {
            std::thread::yield_now();
            let yielded = began.elapsed();
            if yielded - looked > WANTED {
                break;
            }
            looked = yielded;
            if let Some(there) = look()? {
                return Ok(Some(there));
            }
        }
        Ok(None)
    }

    fn is_worth_it(&self) -> bool {
        self.busy.get() && self.bulk.get() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looks(lookout: &Lookout) -> u32 {
        let mut looks = 0;
        let there: Option<()> = lookout
            .look(Instant::now(), || {
                looks += 1;
                Ok(None)
            })
            .unwrap();
        assert_eq!(there, None);
        looks
    }

    #[test]
    fn who_waited_long_sleeps_at_once_and_who_waited_briefly_looks_first() {
        let lookout = Lookout::default();
        assert_eq!(looks(&lookout), 0, "nothing is known yet");
        lookout.on_wait(Duration::from_micros(20));
        // A machine under load may take the processor away at any one of them.
        assert!((0..1_000).any(|_| looks(&lookout) > 0));

        lookout.on_wait(SHORT);
        assert_eq!(looks(&lookout), 0);
    }

    #[test]
    fn what_a_look_finds_ends_the_looking() {
        let lookout = Lookout::default();
        lookout.on_wait(Duration::ZERO);
        let mut found = (0..1_000).map(|_| lookout.look(Instant::now(), || Ok(Some(7))).unwrap());
        assert!(found.any(|found| found == Some(7)));
    }

    #[test]
    fn who_carries_bulk_does_not_look_until_it_is_over() {
        let lookout = Lookout::default();
        lookout.on_wait(Duration::ZERO);
        lookout.on_turn(true);
        for _ in 1..LULL {
            lookout.on_turn(false);
            assert!(!lookout.is_worth_it(), "acknowledgements are part of it");
        }
        lookout.on_turn(false);
        assert!(lookout.is_worth_it());
    }
}
