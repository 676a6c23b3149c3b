//! How many bytes may go to a place before it is heard what arrived.
//!
//! Starts as a TCP would (RFC 6928), doubles when all arrived, halves when something did not; the path's proven window is
//! where the next resumption over it starts. Bytes of messages, without the headers of IP and UDP.

use core::net::SocketAddr;

/// The first window: ten full packets, or many more small ones (RFC 6928 §2).
const FIRST: usize = 14_600;

/// However much is lost, two full packets go.
const LEAST: usize = FIRST / 5;

/// A ring's worth.
const MOST: usize = 4 << 20;

/// Places remembered; a peer moves between a few.
const PLACES: usize = 8;

/// The windows of the places where one peer was, the latest last.
#[derive(Debug, Default)]
pub(super) struct Windows(Vec<(SocketAddr, usize)>);

impl Windows {
    pub(super) fn of(&self, remote: SocketAddr) -> usize {
        self.0.iter().find(|(known, _)| *known == remote).map_or(FIRST, |(_, window)| *window)
    }

    /// `sent` bytes went there; `lost` tells that not all of them arrived. What filled less than half of the window
    /// proves no wider one.
    pub(super) fn judge(&mut self, remote: SocketAddr, sent: usize, lost: bool) {
        let window = self.of(remote);
        let next = match lost {
            true => (window / 2).max(LEAST),
            false if sent < window / 2 => window,
            false => (window * 2).min(MOST),
        };
        self.0.retain(|(known, _)| *known != remote);
        if self.0.len() == PLACES {
            self.0.remove(0);
        }
        self.0.push((remote, next));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_doubles_and_halves_and_is_remembered_for_its_place() {
        let place = |number: u16| SocketAddr::from(([192, 0, 2, 1], number));
        let mut windows = Windows::default();
        assert_eq!(windows.of(place(1)), FIRST);
        windows.judge(place(1), FIRST, false);
        windows.judge(place(1), FIRST * 2, false);
        windows.judge(place(1), FIRST, false);
        windows.judge(place(2), FIRST, true);
        assert_eq!((windows.of(place(1)), windows.of(place(2))), (FIRST * 4, FIRST / 2));
        (0..20).for_each(|_| windows.judge(place(1), MOST, false));
        (0..20).for_each(|_| windows.judge(place(2), FIRST, true));
        assert_eq!((windows.of(place(1)), windows.of(place(2))), (MOST, LEAST));

        (3..=9).for_each(|number| windows.judge(place(number), FIRST, false));
        assert_eq!(
            (windows.of(place(1)), windows.of(place(9))),
            (FIRST, FIRST * 2),
            "the one unused for longest is forgotten"
        );
    }
}
