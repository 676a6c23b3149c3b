//! The line between two ends: a delay, a rate, a bounded queue, and darkness when a test says so.

use std::collections::VecDeque;
use std::fs::File;
use std::os::fd::AsFd as _;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant as SystemInstant;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use stead_wire::time::{Duration, Instant};

use crate::end::End;
use crate::judge::Judge;

/// From end to end.
const DELAY: Duration = Duration::from_millis(5);
/// Bytes per second, each way.
const RATE: u64 = 6_000_000;
/// What may wait while held packets are released: nothing of them is dropped.
const UNHURRIED: usize = 32 * 1024;

/// What a test wants the line to do.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Order {
    /// Nothing arrives any more.
    Cut,
    /// It carries again.
    Mend,
    /// An end finds out that the other cannot be reached.
    Suspend(usize),
    /// An end finds out that it can.
    Resume(usize),
}

/// What may wait for its turn on the line; whatever is beyond that is dropped, as by any router.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Room {
    /// Enough for all that one connection can have under way: what is lost is lost in the dark only. A kernel that
    /// overfills a router repairs that in its own time, which is no measure of what became of an outage.
    Ample,
    /// So little that a busy kernel overfills it.
    Scarce,
}

impl Room {
    const fn bytes(self) -> usize {
        match self {
            Self::Ample => 4 << 20,
            Self::Scarce => 192 << 10,
        }
    }
}

/// A line under way, on a thread of its own; dropping it ends it.
pub(crate) struct Line {
    orders: Option<Sender<Order>>,
    judge: Arc<Mutex<Judge>>,
    thread: Option<JoinHandle<()>>,
}

impl Line {
    pub(crate) fn between(devices: [File; 2], room: Room) -> Self {
        let judge = Arc::new(Mutex::new(Judge::default()));
        let (orders, inbox) = channel();
        let mut number = 0..2;
        let ends = devices.map(|device| End::new(number.next().expect("two of them"), device));
        let run = Run {
            began: SystemInstant::now(),
            ends,
            ways: [Way::with(room), Way::with(room)],
            dark: false,
            judge: Arc::clone(&judge),
        };
        let thread = std::thread::spawn(move || run.until_over(&inbox));
        Self { orders: Some(orders), judge, thread: Some(thread) }
    }

    /// Done within a millisecond or two.
    pub(crate) fn order(&self, order: Order) {
        let orders = self.orders.as_ref().expect("it is under way");
        orders.send(order).expect("the line has failed");
    }

    pub(crate) fn judge(&self) -> MutexGuard<'_, Judge> {
        self.judge.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        drop(self.orders.take());
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}

struct Run {
    began: SystemInstant,
    ends: [End; 2],
    /// Towards each end.
    ways: [Way; 2],
    dark: bool,
    judge: Arc<Mutex<Judge>>,
}

/// One direction.
struct Way {
    room: Room,
    queue: VecDeque<(Instant, Vec<u8>)>,
    bytes: usize,
    /// When the last packet has left.
    idle_at: Instant,
}

impl Run {
    fn until_over(mut self, inbox: &Receiver<Order>) {
        loop {
            self.wait();
            loop {
                match inbox.try_recv() {
                    Ok(order) => self.obey(order),
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => return,
                }
            }
            self.turn();
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Cut => self.dark = true,
            Order::Mend => {
                self.dark = false;
                // What was on its way was sent in the dark, too.
                for number in [0, 1] {
                    let sent = self.ways[number].drain();
                    self.ends[1 - number].find_lost(sent);
                }
            }
            Order::Suspend(number) => self.ends[number].suspend(),
            Order::Resume(number) => self.ends[number].resume(),
        }
    }

    fn turn(&mut self) {
        let now = self.now();
        let judge = Arc::clone(&self.judge);
        let mut judge = judge.lock().unwrap_or_else(PoisonError::into_inner);
        for number in [0, 1] {
            while let Some(packet) = self.ways[number].take_due(now) {
                if self.dark {
                    self.ends[1 - number].lose(packet);
                } else {
                    self.ends[number].arrive(&packet, &mut judge, now);
                }
            }
            // What waited goes before what its kernel sends only now.
            while self.ways[1 - number].bytes < UNHURRIED {
                let Some(packet) = self.ends[number].take_held(now) else { break };
                self.ways[1 - number].put(packet, now);
            }
            for packet in self.ends[number].take_departures(&mut judge, now) {
                self.ways[1 - number].put(packet, now);
            }
            self.ends[number].answer(&mut judge, now);
        }
    }

    /// Until a kernel has something, or a packet is due, or it is time to look for orders.
    fn wait(&self) {
        let mut wanted = self.ends.each_ref().map(|end| PollFd::new(end.device.as_fd(), PollFlags::POLLIN));
        let due = self.ways.iter().filter_map(|way| way.queue.front()).any(|(due, _)| *due <= self.now());
        let patience = if due { PollTimeout::ZERO } else { PollTimeout::from(1_u8) };
        let _interrupted = poll(&mut wanted, patience);
    }

    fn now(&self) -> Instant {
        Instant::ZERO + self.began.elapsed()
    }
}

impl Way {
    const fn with(room: Room) -> Self {
        Self { room, queue: VecDeque::new(), bytes: 0, idle_at: Instant::ZERO }
    }

    fn put(&mut self, packet: Vec<u8>, now: Instant) {
        if self.bytes + packet.len() > self.room.bytes() {
            return;
        }
        let takes = Duration::from_micros(packet.len() as u64 * 1_000_000 / RATE);
        self.idle_at = self.idle_at.max(now) + takes;
        self.bytes += packet.len();
        self.queue.push_back((self.idle_at + DELAY, packet));
    }

    fn drain(&mut self) -> impl Iterator<Item = Vec<u8>> {
        self.bytes = 0;
        self.queue.drain(..).map(|(_, packet)| packet)
    }

    fn take_due(&mut self, now: Instant) -> Option<Vec<u8>> {
        self.queue.front().filter(|(due, _)| *due <= now)?;
        let (_, packet) = self.queue.pop_front()?;
        self.bytes -= packet.len();
        Some(packet)
    }
}
