//! TCP connections that this host kept while no program of ours ran: what wakes them.
//!
//! The program before may have told this host's TCP to wait, and was killed. Each of these connections is asked for its
//! numbers, which then go to the peer and open the window there; when the path is proven, the peer's TCP is asked for its
//! own, unless the peer tells them by itself; and this host's TCP hears that what it repeated was lost for want of a
//! path. It does not find the connections: the driver does.
//!
//! # Life-cycle of a survivor
//! own stack asked → (it answered) → (packets flow) → peer asked → (its numbers came) → backoff taken back → gone.
//!
//! # Invariants
//! - Every survivor is gone after a bounded number of packets, each without data.

use stead_lct::{OriginalSpecification, ask_own, ask_peer, revert_backoff};
use stead_wire::time::{Duration, Instant};

use super::Peer;
use crate::turn::Turn;

/// Connections of one peer that are woken; further ones wait for their own timers.
const MOST_SURVIVORS: usize = 1024;

/// How many stacks are asked at once, so that their answers fit the device's queue.
const MOST_AT_ONCE: usize = 128;

/// Between two groups that are asked at once.
const GROUP_INTERVAL: Duration = Duration::from_millis(5);

/// Between the questions to this host's TCP. Linux answers one in 500 ms, and one in 2^32 divided by the window is not
/// refused but taken in.
const ASK_OWN_AFTER: [Duration; 3] =
    [Duration::from_millis(200), Duration::from_millis(600), Duration::from_millis(600)];

/// Before the first question to the peer's TCP: a peer that lived through it tells by itself.
const TELLS_WITHIN: Duration = Duration::from_millis(60);

/// Between the questions to the peer's TCP: two round trips of a slow line, and what Linux leaves unanswered.
const ASK_PEER_AFTER: [Duration; 3] =
    [Duration::from_millis(220), Duration::from_millis(600), Duration::from_millis(600)];

/// How often a backoff is taken back: from the longest timeout, 120 s, to the shortest, 200 ms.
const REVERTS: u32 = 10;

/// Between two of them.
const REVERT_INTERVAL: Duration = Duration::from_millis(10);

/// One peer's survivors.
#[derive(Debug, Default)]
pub(crate) struct Survivors(Vec<Survivor>);

#[derive(Clone, Copy, Debug)]
struct Survivor {
    connection: OriginalSpecification,
    numbers: [u32; 2],
    step: Step,
    at: Instant,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Step {
    /// This host's TCP was asked so often.
    AskOwn(usize),
    /// It has answered; when packets flow, the peer's is asked.
    Await,
    /// The peer's was asked so often.
    AskPeer(usize),
    /// Both have told; the backoff was taken back so often since they were there.
    Revert(u32, (Option<u32>, Option<u32>)),
    /// Nothing is left to be done.
    Over,
}

/// Packets that one step made.
#[derive(Debug, Default)]
struct Made {
    own: Vec<Vec<u8>>,
    peer: Vec<Vec<u8>>,
}

impl Survivors {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// When something is to be done. What needs the peer waits until packets flow.
    pub(crate) fn poll_timeout(&self, flows: bool) -> Option<Instant> {
        self.0.iter().filter(|survivor| flows || survivor.step.is_own()).map(|survivor| survivor.at).min()
    }
}

impl Step {
    /// Whether the step is between us and this host's TCP alone.
    const fn is_own(self) -> bool {
        matches!(self, Self::AskOwn(_))
    }
}

impl Survivor {
    /// Goes as far as it can now.
    fn advance(&mut self, flows: bool, peer: &Peer, made: &mut Made, turn: &Turn<'_>) {
        let entry = turn.path.table().lookup(&self.connection).filter(|entry| entry.peer() == peer.about.id);
        let own = entry.as_ref().and_then(|entry| entry.own_progress());
        let told = entry.as_ref().and_then(|entry| entry.peer_progress());
        if self.step.is_own() && (own.is_some() || peer.stage.holds(&self.connection)) {
            (self.step, self.at) = (Step::Await, turn.now);
        }
        if self.step == Step::Await && flows {
            (self.step, self.at) = (Step::AskPeer(0), turn.now + TELLS_WITHIN);
        }
        if matches!(self.step, Step::AskPeer(_)) && told.is_some() {
            (self.step, self.at) = (Step::Revert(0, (own, told)), turn.now);
        }
        if turn.now < self.at || !(flows || self.step.is_own()) {
            return;
        }
        match self.step {
            Step::Await | Step::Over => {}
            Step::AskOwn(asked) => {
                // Half the circle away from the question before.
                let numbers = self.numbers.map(|number| number.wrapping_add((asked as u32 % 2) << 31));
                made.own.extend(ask_own(&self.connection, numbers));
                self.after(ASK_OWN_AFTER.get(asked), Step::AskOwn(asked + 1), turn);
            }
            Step::AskPeer(asked) => {
                made.peer.extend(entry.as_deref().and_then(ask_peer));
                self.after(ASK_PEER_AFTER.get(asked), Step::AskPeer(asked + 1), turn);
            }
            // Whoever goes on needs no help.
            Step::Revert(_, before) if before != (own, told) => self.step = Step::Over,
            Step::Revert(reverted, before) => {
                made.own.extend(entry.as_deref().and_then(revert_backoff));
                let pause = (reverted + 1 < REVERTS).then_some(&REVERT_INTERVAL);
                self.after(pause, Step::Revert(reverted + 1, before), turn);
            }
        }
    }

    fn after(&mut self, pause: Option<&Duration>, next: Step, turn: &Turn<'_>) {
        match pause {
            Some(pause) => (self.step, self.at) = (next, turn.now + *pause),
            None => self.step = Step::Over,
        }
    }
}

impl Peer {
    /// Connections with the peer are older than this node: the peer may not know where we are any more, nobody's
    /// application need have anything to say soon, and the program before may have told this host's TCP to wait.
    pub(crate) fn on_survivors(&mut self, connections: &[OriginalSpecification], turn: &mut Turn<'_>) {
        if self.plays_dead() {
            return;
        }
        if self.handshaking.sealing(turn.now).is_none() {
            let targets = self.every_target(turn);
            self.handshaking.begin_often(&targets, turn);
        }
        let room = MOST_SURVIVORS.saturating_sub(self.survivors.0.len());
        for (number, connection) in (0..).zip(connections.iter().take(room)) {
            let random = turn.fresh_challenge().0;
            let numbers = [0, 4].map(|at| u32::from_le_bytes(core::array::from_fn(|byte| random[at + byte])));
            let at = turn.now + GROUP_INTERVAL * (number / MOST_AT_ONCE as u32);
            self.survivors.0.push(Survivor { connection: *connection, numbers, step: Step::AskOwn(0), at });
        }
    }

    /// Wakes connections that outlived the program before.
    pub(super) fn wake_survivors(&mut self, flows: bool, turn: &mut Turn<'_>) {
        if self.survivors.is_empty() || self.plays_dead() {
            return;
        }
        let (mut survivors, mut made) = (core::mem::take(&mut self.survivors.0), Made::default());
        survivors.iter_mut().for_each(|survivor| survivor.advance(flows, self, &mut made, turn));
        survivors.retain(|survivor| survivor.step != Step::Over);
        self.survivors = Survivors(survivors);
        turn.out.packets.extend(made.own);
        for packet in made.peer {
            self.send_fitting(&packet, turn);
        }
    }
}
