//! How many datagrams may go to a place before it is heard what arrived.
//!
//! Starts as a TCP would (RFC 6928), doubles when all arrived, halves when something did not; the path's proven window is
//! where the next resumption over it starts.

use core::net::SocketAddr;

/// The first window (RFC 6928).
const FIRST: usize = 10;

/// However much is lost, some go.
const LEAST: usize = 2;

/// A ring's worth of full packets.
const MOST: usize = 4096;

/// Places remembered; a peer moves between a few.
const PLACES: usize = 8;

/// The windows of the places where one peer was, the latest last.
#[derive(Debug, Default)]
pub(super) struct Windows(Vec<(SocketAddr, usize)>);

impl Windows {
    pub(super) fn of(&self, remote: SocketAddr) -> usize {
        self.0.iter().find(|(known, _)| *known == remote).map_or(FIRST, |(_, window)| *window)
    }

    /// A window's worth went there; `lost` tells that not all of it arrived.
    pub(super) fn judge(&mut self, remote: SocketAddr, lost: bool) {
        let window = self.of(remote);
        let next = if lost { (window / 2).max(LEAST) } else { (window * 2).min(MOST) };
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
        assert_eq!(windows.of(place(1)), 10);
        windows.judge(place(1), false);
        windows.judge(place(1), false);
        windows.judge(place(2), true);
        assert_eq!((windows.of(place(1)), windows.of(place(2))), (40, 5));
        (0..20).for_each(|_| windows.judge(place(1), false));
        (0..20).for_each(|_| windows.judge(place(2), true));
        assert_eq!((windows.of(place(1)), windows.of(place(2))), (MOST, LEAST));

        (3..=9).for_each(|number| windows.judge(place(number), false));
        assert_eq!(
            (windows.of(place(1)), windows.of(place(9))),
            (10, 20),
            "the one unused for longest is forgotten"
        );
    }
}
