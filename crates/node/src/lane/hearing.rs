//! In which sessions the peer seals, and what of them it is told to have arrived.
//!
//! Nothing is noted when a datagram arrives: a session's replay window knows what did. Each report looks which windows
//! have moved since the report before. So the packet path pays nothing for it.
//!
//! # Invariants
//! - No report tells of more than [`SESSIONS_TOLD`] sessions.
//! - A session in which the peer seals is told of, however many handshakes came after it that the peer did not use.

use core::cmp::Reverse;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use stead_noise::session::Session;
use stead_wire::message::{Counter, SessionIndex};
use stead_wire::options::VcOption;

/// Sessions of which is told what arrived: the one in use, the one before, and one that is just beginning.
const SESSIONS_TOLD: usize = 3;

/// The sessions with one peer whose messages are opened.
#[derive(Debug, Default)]
pub(super) struct Hearing(Mutex<Heard>);

#[derive(Debug, Default)]
struct Heard {
    /// In the order in which they were admitted.
    sessions: Vec<Admitted>,
    /// How many reports there were.
    reports: u64,
}

#[derive(Debug)]
struct Admitted {
    session: Arc<Session>,
    /// The greatest counter when the last report was made.
    known: Option<Counter>,
    /// The first report after something came; zero before.
    heard: u64,
}

impl Hearing {
    pub(super) fn admit(&self, session: &Arc<Session>) {
        self.lock().sessions.push(Admitted { session: Arc::clone(session), known: None, heard: 0 });
    }

    pub(super) fn forget(&self, index: SessionIndex) {
        self.lock().sessions.retain(|admitted| admitted.session.local() != index);
    }

    /// What arrived in the sessions in which the peer has sealed since the last report, the newest first; then in those
    /// in which it did before. A session in which nothing has arrived is told of if it is newer than the others, or than
    /// all but the latest that the peer used: the peer may have begun to use it, and all of that may be lost.
    pub(super) fn report(&self) -> Vec<VcOption> {
        let mut heard = self.lock();
        heard.look();
        let sessions = &heard.sessions;
        let mut told: Vec<usize> = (0..sessions.len()).filter(|at| sessions[*at].heard > 0).collect();
        told.sort_by_key(|at| Reverse((sessions[*at].heard, *at)));
        let unheard = sessions.iter().rposition(|admitted| admitted.heard == 0);
        match (unheard, told.as_slice()) {
            (Some(at), []) => told.push(at),
            (Some(at), [latest, ..]) if at > *latest => told.insert(0, at),
            (Some(at), [_, before, ..]) if at > *before => told.insert(1, at),
            _ => {}
        }
        let told = told.into_iter().take(SESSIONS_TOLD);
        told.map(|at| VcOption::Received(sessions[at].session.received())).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Heard> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Heard {
    /// Notes in which sessions something came since the last report.
    fn look(&mut self) {
        self.reports += 1;
        for admitted in &mut self.sessions {
            let highest = admitted.session.received_highest();
            if highest > admitted.known {
                (admitted.known, admitted.heard) = (highest, self.reports);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stead_noise::handshake::{Role, SessionKeys};
    use stead_wire::time::Instant;
    use zeroize::Zeroizing;

    /// Our end of a session called `number`, and the peer's.
    fn ends(number: u32) -> (Arc<Session>, Session) {
        let keys = |role, local: u32, remote: u32, send: u8, receive: u8| SessionKeys {
            send: Zeroizing::new([send; 32]),
            receive: Zeroizing::new([receive; 32]),
            local: SessionIndex(local),
            remote: SessionIndex(remote),
            role,
        };
        let ours = Session::new(keys(Role::Responder, number, number + 100, 1, 2), Instant::ZERO);
        (Arc::new(ours), Session::new(keys(Role::Initiator, number + 100, number, 2, 1), Instant::ZERO))
    }

    fn arrives((ours, theirs): &(Arc<Session>, Session)) {
        let mut message = vec![0; 48];
        theirs.seal_in_place(theirs.reserve(1).unwrap(), &mut message);
        ours.open_in_place(&mut message).expect("authentic");
    }

    fn hearing(sessions: &[(Arc<Session>, Session)]) -> Hearing {
        let hearing = Hearing::default();
        sessions.iter().for_each(|(ours, _)| hearing.admit(ours));
        hearing
    }

    fn told(hearing: &Hearing) -> Vec<(u32, u64)> {
        let options = hearing.report();
        let told = options.iter().map(|option| match option {
            VcOption::Received(received) => (received.session.0, received.next.0),
            other => panic!("{other:?}"),
        });
        told.collect()
    }

    #[test]
    fn handshakes_that_the_peer_did_not_use_push_the_session_in_use_out_of_no_report() {
        let sessions: Vec<_> = (1..=8).map(ends).collect();
        let hearing = hearing(&sessions);
        arrives(&sessions[0]);
        arrives(&sessions[1]);

        assert_eq!(told(&hearing), [(8, 0), (2, 1), (1, 1)]);
        assert_eq!(
            told(&hearing),
            [(8, 0), (2, 1), (1, 1)],
            "also when nothing came since: all that may be lost"
        );
        hearing.forget(SessionIndex(8));
        arrives(&sessions[0]);
        assert_eq!(told(&hearing), [(7, 0), (1, 2), (2, 1)], "the one in which something came comes first");
    }

    #[test]
    fn what_came_since_the_last_report_comes_first_and_of_that_the_newest() {
        let sessions: Vec<_> = (1..=5).map(ends).collect();
        let hearing = hearing(&sessions);
        sessions.iter().for_each(arrives);
        assert_eq!(told(&hearing), [(5, 1), (4, 1), (3, 1)]);

        arrives(&sessions[1]);
        assert_eq!(told(&hearing), [(2, 2), (5, 1), (4, 1)]);
        arrives(&sessions[0]);
        arrives(&sessions[4]);
        assert_eq!(told(&hearing), [(5, 2), (1, 2), (2, 2)]);
    }

    #[test]
    fn a_session_of_which_all_was_lost_is_told_of_when_the_next_one_is_heard() {
        let sessions: Vec<_> = (1..=4).map(ends).collect();
        let hearing = hearing(&sessions);
        sessions[..2].iter().for_each(arrives);
        told(&hearing);
        arrives(&sessions[3]);
        assert_eq!(told(&hearing), [(4, 1), (3, 0), (2, 1)]);
        assert_eq!(told(&hearing), [(4, 1), (3, 0), (2, 1)], "and again, should the report be lost");
    }

    #[test]
    fn of_sessions_in_which_nothing_came_only_one_that_is_newer_than_all_others_is_told_of() {
        let sessions: Vec<_> = (1..=3).map(ends).collect();
        let hearing = hearing(&sessions);
        assert_eq!(told(&hearing), [(3, 0)]);
        arrives(&sessions[2]);
        assert_eq!(told(&hearing), [(3, 1)], "those before were overtaken");
    }
}
