//! The way from a simulated host's workers to its node: mails that the node reads a little later.
//!
//! The daemon's workers run on threads of their own. What they cannot do they post, and the node sees it when its thread
//! gets the processor: meanwhile packets and datagrams go on past it. Job: hold the mails, say when the node reads
//! them, and give them in the daemon's order. Not its job: to decide what becomes of a mail.
//!
//! # Invariants
//! - A read gives packets first: one of the other mails may let traffic flow, and what workers send then is newer.
//! - Mails of one kind keep their order.
//! - The mailbox is bounded as the daemon's is, and notices have room of their own in it.
//! - When a mail is read follows from the seed alone.

use std::collections::VecDeque;

use stead_node::{Arrival, Notice};
use stead_noise::random::RandomStream;
use stead_wire::time::{Duration, Instant};

use crate::dice::Dice;

/// What workers leave to the node.
#[derive(Debug)]
pub(super) enum Mail {
    /// An inner packet that cannot leave now.
    Packet(Vec<u8>),
    /// A datagram that is no plain data message.
    Datagram(Arrival, Vec<u8>),
    /// Something the packet path saw.
    Notice(Notice),
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Mailbox {
    mails: VecDeque<Mail>,
    read_at: Option<Instant>,
    dice: Dice,
}

/// How much the mailbox holds, and how much of that only notices may use: the daemon's figures.
const MAILBOX: usize = 4096;
const FOR_NOTICES: usize = 1024;

/// Most mails of one read: the daemon's figure.
const MAILS: usize = 256;

/// How soon the node's thread runs after a mail came: a wake of a thread, on a processor that has time.
const SOON: (Duration, Duration) = (Duration::from_micros(10), Duration::from_micros(300));

/// The same on a busy processor, and how often that is so.
const LATE: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(5));
const OFTEN_LATE: f64 = 0.02;

/// The node's thread is awake already: it takes the next mails at once.
const NEXT: Duration = Duration::from_micros(10);

impl Mailbox {
    /// An empty mailbox, whose delays are drawn from `stream`.
    pub(super) const fn new(stream: RandomStream) -> Self {
        Self { mails: VecDeque::new(), read_at: None, dice: Dice::new(stream) }
    }

    /// Leaves a mail for the node; it is lost where there is no room.
    pub(super) fn post(&mut self, mail: Mail, now: Instant) {
        let reserved = match mail {
            Mail::Notice(_) => 0,
            Mail::Datagram(..) | Mail::Packet(_) => FOR_NOTICES,
        };
        if self.mails.len() + reserved >= MAILBOX {
            return;
        }
        self.mails.push_back(mail);
        if self.read_at.is_none() {
            let (least, most) = if self.dice.chance(OFTEN_LATE) { LATE } else { SOON };
            self.read_at = Some(now + self.dice.between(least, most));
        }
    }

    /// When the node reads; `None` while there is nothing.
    pub(super) const fn poll_timeout(&self) -> Option<Instant> {
        self.read_at
    }

    /// What the node reads by `now`: packets first.
    pub(super) fn read(&mut self, now: Instant) -> Vec<Mail> {
        if self.read_at.is_none_or(|at| at > now) {
            return Vec::new();
        }
        let count = self.mails.len().min(MAILS);
        let (mut packets, others): (Vec<Mail>, Vec<Mail>) =
            self.mails.drain(..count).partition(|mail| matches!(mail, Mail::Packet(_)));
        self.read_at = (!self.mails.is_empty()).then_some(now + NEXT);
        packets.extend(others);
        packets
    }
}

#[cfg(test)]
mod tests {
    use stead_lct::PeerId;
    use stead_node::Sighting;
    use stead_noise::random::Random;

    use super::*;

    const T0: Instant = Instant::from_micros(1_000_000);

    fn mailbox(seed: u8) -> Mailbox {
        Mailbox::new(Random::from_seed([seed; 32]).stream("mailbox"))
    }

    fn notice() -> Mail {
        Mail::Notice(Notice { peer: PeerId(0), sighting: Sighting::Stirred })
    }

    #[test]
    fn a_mail_is_read_after_a_while_and_packets_come_before_what_was_posted_earlier() {
        let mut mailbox = mailbox(1);
        mailbox.post(notice(), T0);
        mailbox.post(Mail::Packet(vec![1]), T0);
        mailbox.post(Mail::Packet(vec![2]), T0);

        let at = mailbox.poll_timeout().unwrap();
        assert!(at >= T0 + SOON.0 && at <= T0 + LATE.1, "{:?}", at - T0);
        assert!(mailbox.read(T0).is_empty(), "the node does not run yet");
        let mails = mailbox.read(at);
        assert!(
            matches!(&mails[..], [Mail::Packet(first), Mail::Packet(second), Mail::Notice(_)]
                if (first[0], second[0]) == (1, 2)),
            "{mails:?}"
        );
        assert_eq!(mailbox.poll_timeout(), None);
    }

    #[test]
    fn the_same_seed_reads_at_the_same_moments_and_some_reads_are_late() {
        let moments = |seed| -> Vec<Duration> {
            let mut mailbox = mailbox(seed);
            let read = |_| {
                mailbox.post(notice(), T0);
                let at = mailbox.poll_timeout().unwrap();
                mailbox.read(at);
                at - T0
            };
            (0..500).map(read).collect()
        };
        assert_eq!(moments(1), moments(1));
        assert_ne!(moments(1), moments(2));
        let late = moments(1).into_iter().filter(|after| *after >= LATE.0).count();
        assert!((1..50).contains(&late), "{late} of 500");
    }

    #[test]
    fn a_flood_of_packets_leaves_room_for_notices_and_is_read_in_parts() {
        let mut mailbox = mailbox(1);
        for _ in 0..2 * MAILBOX {
            mailbox.post(Mail::Packet(vec![1]), T0);
        }
        mailbox.post(notice(), T0);

        assert_eq!(mailbox.mails.len(), MAILBOX - FOR_NOTICES + 1);
        let first = mailbox.poll_timeout().unwrap();
        assert_eq!(mailbox.read(first).len(), MAILS);
        assert_eq!(mailbox.poll_timeout(), Some(first + NEXT));
    }
}
