//! Looking again before going to sleep.
//!
//! To wake a thread, a processor that sleeps has to be woken too, which takes longer than all that stead does with a packet:
//! in a virtual machine 50 µs and more. So a worker that is busy looks for a moment whether there is something new
//! before it sleeps, and lets everybody else have the processor between two looks. One that is not busy sleeps at once;
//! so does one that carries bulk: whoever makes and takes the bulk needs the processor more, and the next super-packet is
//! worth waking for.

use core::cell::Cell;
use core::future::poll_fn;
use core::pin::pin;
use core::task::Poll;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::QUANTUM;

/// One way's.
#[derive(Debug, Default)]
pub(super) struct Lookout {
    /// The last wait was a short one.
    busy: bool,
    bulk: Rc<Bulk>,
}

/// Whether a thread carries bulk, either way: turns left until what it carries counts as small again.
#[derive(Debug, Default)]
pub(super) struct Bulk(Cell<u8>);

/// How long a busy worker looks.
const LOOKS_FOR: Duration = Duration::from_micros(100);

/// If it is gone for longer between two looks, somebody else wants the processor, which then does not sleep either.
const WANTED: Duration = Duration::from_micros(10);

/// A worker that waited no longer than this is busy.
const SHORT: Duration = Duration::from_micros(500);

/// A turn with so many bytes is one of a bulk transfer.
const BULK: usize = QUANTUM;

/// Turns with little in them after which a bulk transfer is over: it has some between its own, with acknowledgements.
const LULL: u8 = 8;

impl Bulk {
    fn is_under_way(&self) -> bool {
        self.0.get() > 0
    }
}

impl Lookout {
    /// For one of the ways of a thread, which share `bulk`.
    pub(super) const fn new(bulk: Rc<Bulk>) -> Self {
        Self { busy: false, bulk }
    }

    /// A turn has carried so many bytes.
    pub(super) fn on_turn(&self, bytes: usize) {
        let Bulk(left) = &*self.bulk;
        left.set(if bytes >= BULK { LULL } else { left.get().saturating_sub(1) });
    }

    /// Waits until `awaited` is there.
    pub(super) async fn wait<T>(&mut self, awaited: impl Future<Output = T>) -> T {
        let mut awaited = pin!(awaited);
        let began = Instant::now();
        let mut looked = Duration::ZERO;
        while self.busy && !self.bulk.is_under_way() && looked < LOOKS_FOR {
            std::thread::yield_now();
            let yielded = began.elapsed();
            if yielded - looked > WANTED {
                break;
            }
            looked = yielded;
            // Only between two turns of its tasks does the runtime ask the system what is new.
            tokio::task::yield_now().await;
            let look = poll_fn(|context| Poll::Ready(awaited.as_mut().poll(context)));
            if let Poll::Ready(there) = look.await {
                return there;
            }
        }
        let there = awaited.await;
        self.busy = began.elapsed() < SHORT;
        there
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_waited_briefly_is_busy_and_who_waited_long_is_not() {
        let mut lookout = Lookout::default();
        // A machine under load may make any one of them long.
        for _ in 0..1_000 {
            lookout.wait(core::future::ready(())).await;
            if lookout.busy {
                break;
            }
        }
        assert!(lookout.busy);

        lookout.wait(tokio::time::sleep(LOOKS_FOR + 2 * SHORT)).await;
        assert!(!lookout.busy);
    }

    #[tokio::test]
    async fn what_comes_while_a_busy_worker_looks_is_not_missed() {
        let mut lookout = Lookout { busy: true, ..Lookout::default() };
        for after in [0, 20, 50, 100, 200, 400] {
            let (sender, receiver) = tokio::sync::oneshot::channel();
            let sent = std::thread::spawn(move || {
                std::thread::sleep(Duration::from_micros(after));
                sender.send(after)
            });
            assert_eq!(lookout.wait(receiver).await, Ok(after));
            assert!(sent.join().is_ok_and(|sent| sent.is_ok()));
            lookout.busy = true;
        }
    }

    #[tokio::test]
    async fn who_carries_bulk_does_not_look_until_it_is_over() {
        let bulk = Rc::default();
        let (out, back) = (Lookout::new(Rc::clone(&bulk)), Lookout::new(Rc::clone(&bulk)));
        out.on_turn(BULK);
        for _ in 1..LULL {
            back.on_turn(100);
            assert!(bulk.is_under_way(), "acknowledgements are part of it");
        }
        back.on_turn(100);
        assert!(!bulk.is_under_way());
    }
}
