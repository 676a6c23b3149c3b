//! Match: who has to be told of a publication (seed 001 figure 18).
//!
//! A pure decision. What the parties look like is [`clients`](crate::clients)' and the store's to say, and how they
//! are told is [`notify`](crate::notify)'s.

use stead_wire::time::{Duration, Instant};

/// One side of a pair, as far as matching is concerned.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Party {
    /// Its claimed attachment point is not where its messages come from (figure 19).
    pub(crate) private: bool,
    /// It looks for its peer.
    pub(crate) watching: bool,
    /// When it last said that it moved.
    pub(crate) moved: Option<Instant>,
}

/// Who is to be told of the other's newest publication.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Told {
    pub(crate) subscriber: bool,
    pub(crate) publisher: bool,
    /// Both moved within the window.
    pub(crate) simultaneous: bool,
}

/// Decides for a publication that `publisher` made just now.
pub(crate) fn decide(publisher: Party, subscriber: Party, window: Duration, now: Instant) -> Told {
    let lately = |party: Party| party.moved.is_some_and(|at| now - at <= window);
    let simultaneous = lately(publisher) && lately(subscriber);
    // Who is private cannot be reached uninvited: it must be told, to open its NAT. If both are, both must.
    let at_once = subscriber.private || subscriber.watching;
    // Two public sides find each other by themselves unless both moved at once. A private publisher comes to a
    // public subscriber by itself, having been told where that is (figure 16: A is told, B is not).
    let both_lost = simultaneous && !publisher.private;
    Told {
        subscriber: at_once || both_lost,
        publisher: publisher.private && subscriber.private || !subscriber.private && both_lost,
        simultaneous,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Instant = Instant::from_micros(10_000_000);
    const WINDOW: Duration = Duration::from_secs(1);
    const STILL: Party = Party { private: false, watching: false, moved: None };
    const MOVED: Party = Party { moved: Some(NOW), ..STILL };

    fn told(publisher: Party, subscriber: Party) -> (bool, bool) {
        let Told { subscriber, publisher, .. } = decide(publisher, subscriber, WINDOW, NOW);
        (subscriber, publisher)
    }

    fn ago(millis: u64) -> Option<Instant> {
        Some(Instant::from_micros(NOW.as_micros() - millis * 1000))
    }

    #[test]
    fn a_private_subscriber_is_told_at_once_even_if_nobody_moved() {
        for publisher in [STILL, MOVED] {
            assert_eq!(told(publisher, Party { private: true, ..STILL }), (true, false));
        }
    }

    #[test]
    fn a_watching_subscriber_is_told_at_once() {
        assert_eq!(told(STILL, Party { watching: true, ..STILL }), (true, false));
    }

    #[test]
    fn a_public_subscriber_that_stayed_is_not_told() {
        assert_eq!(told(STILL, STILL), (false, false));
        assert_eq!(told(MOVED, STILL), (false, false));
        assert_eq!(told(Party { private: true, ..MOVED }, STILL), (false, false));
    }

    #[test]
    fn two_public_sides_are_both_told_if_both_moved_within_the_window_to_the_microsecond() {
        assert_eq!(told(MOVED, Party { moved: ago(1000), ..STILL }), (true, true));
        let just_past = Some(Instant::from_micros(NOW.as_micros() - 1_000_001));
        assert_eq!(told(MOVED, Party { moved: just_past, ..STILL }), (false, false));
        assert_eq!(told(STILL, MOVED), (false, false), "the publisher did not move");
    }

    #[test]
    fn of_two_that_move_at_once_only_the_private_one_is_told() {
        let private = Party { private: true, ..MOVED };
        assert_eq!(told(MOVED, private), (true, false), "figure 16: A is told");
        assert_eq!(told(private, MOVED), (false, false), "figure 16: B is not");
    }

    #[test]
    fn two_private_sides_are_both_told_so_that_both_nats_open() {
        let private = Party { private: true, ..STILL };
        assert_eq!(told(private, private), (true, true));
    }
}
