use super::*;
use crate::handshake::{Role, SessionKeys};
use crate::schedule::REJECT_AFTER_MESSAGES;
use crate::session::tests::sealed;
use stead_wire::time::Duration;
use zeroize::Zeroizing;

use crate::twin::TwinKeys;
use stead_wire::options::Capabilities;

const T0: Instant = Instant::from_micros(1_000_000);
const TICK: Duration = Duration::from_micros(1);

/// Both ends of one session, named by a number that also makes its keys.
fn ends(number: u8, created: Instant) -> (Arc<Session>, Arc<Session>) {
    let end = |role, local: u32, remote: u32, send: u8, receive: u8| {
        let keys = SessionKeys {
            send: Zeroizing::new([send; 32]),
            receive: Zeroizing::new([receive; 32]),
            local: SessionIndex(local),
            remote: SessionIndex(remote),
            role,
        };
        Arc::new(Session::new(keys, created))
    };
    let (here, there) = (u32::from(number), u32::from(number) + 1000);
    let initiated = end(Role::Initiator, here, there, number, number + 100);
    (initiated, end(Role::Responder, there, here, number + 100, number))
}

/// The twins of both ends of a session; the initiator calls its own `number`.
fn twins(initiated: &Session, responded: &Session, number: u32) -> [Arc<Session>; 2] {
    let keys = |role, send: u8, receive: u8, of: &Session| SessionKeys {
        send: Zeroizing::new([send; 32]),
        receive: Zeroizing::new([receive; 32]),
        local: of.local(),
        remote: of.remote(),
        role,
    };
    let names = (SessionIndex(number), SessionIndex(number + 1000));
    let twin = |keys: &SessionKeys, of: &Session, names| {
        Arc::new(TwinKeys::of(keys).into_twin(of, Capabilities::FAST_AES, names))
    };
    [
        twin(&keys(Role::Initiator, 1, 2, initiated), initiated, names),
        twin(&keys(Role::Responder, 2, 1, responded), responded, (names.1, names.0)),
    ]
}

fn initiated(number: u8, created: Instant) -> Arc<Session> {
    ends(number, created).0
}

fn responded(number: u8, created: Instant) -> Arc<Session> {
    ends(number, created).1
}

fn indices(keypairs: &Keypairs) -> Vec<u32> {
    keypairs.iter().map(|session| session.local().0).collect()
}

fn sealing(keypairs: &Keypairs, now: Instant) -> Option<u32> {
    keypairs.sealing(now).map(|session| session.local().0)
}

/// A message arrives: whatever session it is for opens it, and that confirms the session.
fn receive(keypairs: &mut Keypairs, message: &[u8], now: Instant) -> Result<bool, &'static str> {
    let index = SessionIndex(u32::from_le_bytes(message[4..8].try_into().unwrap()));
    let session = keypairs.by_index(index).ok_or("no such session")?;
    session.open_in_place(&mut message.to_vec()).map_err(|_| "not opened")?;
    Ok(keypairs.confirm(index, now))
}

/// What this side would send now.
fn send(keypairs: &Keypairs, now: Instant) -> Vec<u8> {
    sealed(keypairs.sealing(now).expect("a session to seal in"), b"in flight")
}

#[test]
fn an_initiated_session_seals_at_once_and_a_responded_one_after_it_was_confirmed() {
    let mut here = Keypairs::new();
    let mut there = Keypairs::new();
    let (initiated, responded) = ends(1, T0);
    assert_eq!((sealing(&here, T0), sealing(&there, T0)), (None, None));

    assert_eq!(there.install_responded(responded), []);
    assert_eq!(here.install_initiated(initiated), []);

    assert_eq!((sealing(&here, T0), sealing(&there, T0)), (Some(1), None));
    let first = send(&here, T0);
    assert_eq!(receive(&mut there, &first, T0), Ok(true), "the first message confirms");
    assert_eq!(sealing(&there, T0), Some(1001));
    let second = send(&here, T0);
    assert_eq!(receive(&mut there, &second, T0), Ok(false), "the second does not");
}

#[test]
fn confirming_anything_but_the_next_session_changes_nothing() {
    let mut keypairs = Keypairs::new();
    let _ = keypairs.install_initiated(initiated(1, T0));
    let _ = keypairs.install_responded(responded(2, T0));

    for index in [1, 1001, 2, 77] {
        assert!(!keypairs.confirm(SessionIndex(index), T0), "{index}");
    }
    assert!(!keypairs.confirm(SessionIndex(1002), T0 + REJECT_AFTER_TIME), "too old to be confirmed");

    assert_eq!(sealing(&keypairs, T0), Some(1));
}

#[test]
fn a_rekey_by_either_side_loses_nothing_in_flight() {
    for old_initiator_renews in [true, false] {
        let (mut here, mut there) = (Keypairs::new(), Keypairs::new());
        let (old_here, old_there) = ends(1, T0);
        let _ = there.install_responded(old_there);
        let _ = here.install_initiated(old_here);
        let first = send(&here, T0);
        receive(&mut there, &first, T0).unwrap();
        let (mut initiator, mut responder) = if old_initiator_renews { (here, there) } else { (there, here) };

        // In flight while the handshake runs: sent before it, while only the responder has the keys, and
        // after.
        let mut to_responder = vec![send(&initiator, T0)];
        let mut to_initiator = vec![send(&responder, T0)];
        let (new_here, new_there) = ends(2, T0);
        assert_eq!(responder.install_responded(new_there), []);
        to_initiator.push(send(&responder, T0));
        to_responder.push(send(&initiator, T0));
        assert_eq!(initiator.install_initiated(new_here), []);
        to_initiator.push(send(&responder, T0));
        to_responder.push(send(&initiator, T0));

        // The newest arrives first.
        for message in to_responder.iter().rev() {
            assert!(receive(&mut responder, message, T0).is_ok());
        }
        to_initiator.push(send(&responder, T0));
        for message in to_initiator.iter().rev() {
            assert!(receive(&mut initiator, message, T0).is_ok());
        }
        assert_eq!((sealing(&initiator, T0), sealing(&responder, T0)), (Some(2), Some(1002)));
    }
}

#[test]
fn handshakes_begun_by_both_sides_at_once_lose_nothing_in_whatever_order_they_end() {
    // The four things that happen: each side responds to the other's initiation, and gets its own response.
    let orders: [[(char, char); 4]; 3] = [
        [('a', 'r'), ('b', 'r'), ('a', 'i'), ('b', 'i')],
        [('b', 'r'), ('a', 'i'), ('a', 'r'), ('b', 'i')],
        [('a', 'r'), ('b', 'i'), ('b', 'r'), ('a', 'i')],
    ];
    for order in orders {
        let (mut a, mut b) = (Keypairs::new(), Keypairs::new());
        let (old_a, old_b) = ends(1, T0);
        let _ = b.install_responded(old_b);
        let _ = a.install_initiated(old_a);
        let first = send(&a, T0);
        receive(&mut b, &first, T0).unwrap();
        let (by_a, answered_by_b) = ends(2, T0);
        let (by_b, answered_by_a) = ends(3, T0);

        let (mut to_a, mut to_b) = (Vec::new(), Vec::new());
        for event in order {
            to_b.push(send(&a, T0));
            to_a.push(send(&b, T0));
            let gone = match event {
                ('a', 'r') => a.install_responded(Arc::clone(&answered_by_a)),
                ('b', 'r') => b.install_responded(Arc::clone(&answered_by_b)),
                ('a', 'i') => a.install_initiated(Arc::clone(&by_a)),
                ('b', 'i') => b.install_initiated(Arc::clone(&by_b)),
                other => panic!("{other:?} does not happen"),
            };
            assert_eq!(gone, [], "{order:?}");
        }
        to_b.push(send(&a, T0));
        to_a.push(send(&b, T0));

        for message in to_b.iter().rev() {
            assert!(receive(&mut b, message, T0).is_ok(), "{order:?}");
        }
        for message in to_a.iter().rev() {
            assert!(receive(&mut a, message, T0).is_ok(), "{order:?}");
        }
        let (from_a, from_b) = (send(&a, T0), send(&b, T0));
        assert!(receive(&mut b, &from_a, T0).is_ok(), "{order:?}: afterwards");
        assert!(receive(&mut a, &from_b, T0).is_ok(), "{order:?}: afterwards");
    }
}

#[test]
fn a_session_is_confirmed_by_its_first_message_whatever_handshakes_came_after_it() {
    let mut keypairs = Keypairs::new();
    let (early, answered) = ends(1, T0);
    let _ = keypairs.install_responded(answered);

    assert_eq!(keypairs.install_responded(responded(2, T0 + TICK)), []);
    assert_eq!(keypairs.awaited().collect::<Vec<_>>(), [1002, 1001].map(SessionIndex));

    assert_eq!(receive(&mut keypairs, &sealed(&early, b"late"), T0), Ok(true));
    assert_eq!(sealing(&keypairs, T0), Some(1001));
    assert!(keypairs.confirm(SessionIndex(1002), T0), "the peer may still go on to the later one");
    assert!(!keypairs.confirm(SessionIndex(1001), T0), "and never back");
    assert_eq!(sealing(&keypairs, T0), Some(1002));
}

#[test]
fn what_is_later_than_a_session_that_the_peer_used_first_is_all_that_it_may_go_on_to() {
    let mut keypairs = Keypairs::new();
    let (early, answered) = ends(1, T0);
    let (late, answered_too) = ends(2, T0 + TICK);
    let _ = keypairs.install_responded(answered);
    let _ = keypairs.install_responded(answered_too);

    assert_eq!(receive(&mut keypairs, &sealed(&late, b"overtook"), T0), Ok(true));

    assert_eq!(receive(&mut keypairs, &sealed(&early, b"overtaken"), T0), Ok(false), "it only opens");
    assert_eq!(sealing(&keypairs, T0), Some(1002));
}

#[test]
fn a_twin_is_confirmed_though_a_handshake_came_after_it_that_the_peer_never_used() {
    let mut keypairs = Keypairs::new();
    let (peers, parent) = ends(1, T0);
    let _ = keypairs.install_responded(Arc::clone(&parent));
    receive(&mut keypairs, &sealed(&peers, b"first"), T0).unwrap();
    let [theirs, ours] = twins(&peers, &parent, 50);
    let _ = keypairs.install_responded(ours);

    let _ = keypairs.install_responded(responded(2, T0 + TICK));

    assert_eq!(receive(&mut keypairs, &sealed(&theirs, b"first in the twin"), T0), Ok(true));
    assert_eq!(sealing(&keypairs, T0), Some(1050));
    assert!(
        keypairs.confirm(SessionIndex(1002), T0),
        "a handshake after the twin's parent is after the twin"
    );
}

#[test]
fn the_twin_of_a_session_that_was_replaced_meanwhile_opens_and_never_seals() {
    let mut keypairs = Keypairs::new();
    let (peers, parent) = ends(1, T0);
    let _ = keypairs.install_responded(Arc::clone(&parent));
    let _ = keypairs.install_initiated(initiated(2, T0 + TICK));
    let [theirs, ours] = twins(&peers, &parent, 50);
    assert!(!keypairs.is_later(&ours));

    assert_eq!(keypairs.install_responded(ours), []);

    assert_eq!(receive(&mut keypairs, &sealed(&theirs, b"in the twin"), T0), Ok(false));
    assert_eq!(sealing(&keypairs, T0), Some(2));
}

#[test]
fn no_more_sessions_are_kept_than_promised_and_the_one_that_seals_is_never_crowded_out() {
    let mut keypairs = Keypairs::new();
    let _ = keypairs.install_initiated(initiated(1, T0));

    let gone: Vec<_> =
        (2..=10).flat_map(|number| keypairs.install_responded(responded(number, T0))).collect();

    assert_eq!(gone, [1002, 1003, 1004].map(SessionIndex), "the oldest go first");
    assert_eq!(indices(&keypairs), [1, 1010, 1009, 1008, 1007, 1006, 1005]);
    assert!(keypairs.confirm(SessionIndex(1010), T0));
    assert_eq!(indices(&keypairs), [1010, 1, 1009, 1008, 1007, 1006, 1005]);
    assert_eq!(keypairs.install_initiated(initiated(11, T0)), [SessionIndex(1005)]);
    assert_eq!(indices(&keypairs), [11, 1010, 1, 1009, 1008, 1007, 1006]);
    assert_eq!(keypairs.install_responded(responded(12, T0)), [SessionIndex(1006)]);
    assert_eq!(keypairs.install_initiated(initiated(13, T0)), [SessionIndex(1007)]);
    assert_eq!(indices(&keypairs), [13, 11, 1012, 1010, 1, 1009, 1008]);
}

#[test]
fn handshakes_that_the_peer_never_used_crowd_out_no_session_in_which_it_has_sealed() {
    let mut keypairs = Keypairs::new();
    let used: Vec<_> = (1..=4).map(|number| (number, T0 + TICK * u32::from(number))).collect();
    let mut theirs = Vec::new();
    for (number, created) in &used {
        let (peers, ours) = ends(*number, *created);
        let _ = keypairs.install_responded(ours);
        receive(&mut keypairs, &sealed(&peers, b"used"), T0).unwrap();
        theirs.push(peers);
    }
    let _ = keypairs.install_initiated(initiated(5, T0 + TICK * 5));

    let gone: Vec<_> =
        (6..=30).flat_map(|number| keypairs.install_responded(responded(number, T0 + TICK * 6))).collect();

    assert_eq!(gone.first(), Some(&SessionIndex(1006)), "the earliest unused one");
    assert!(!gone.iter().any(|index| (1001..=1004).contains(&index.0)), "{gone:?}");
    for peers in &theirs {
        assert!(receive(&mut keypairs, &sealed(peers, b"still"), T0).is_ok());
    }
    assert_eq!(indices(&keypairs), [5, 1030, 1029, 1004, 1003, 1002, 1001]);
}

#[test]
fn of_sessions_that_the_peer_used_the_earliest_goes_for_one_that_it_may_use_next() {
    let mut keypairs = Keypairs::new();
    for number in 1..=7 {
        let (peers, ours) = ends(number, T0 + TICK * u32::from(number));
        assert_eq!(keypairs.install_responded(ours), []);
        receive(&mut keypairs, &sealed(&peers, b"used"), T0).unwrap();
    }
    assert_eq!(keypairs.install_responded(responded(8, T0 + TICK * 8)), [SessionIndex(1001)]);
    assert_eq!(keypairs.install_responded(responded(9, T0 + TICK * 9)), [SessionIndex(1002)]);
    assert_eq!(keypairs.install_responded(responded(10, T0 + TICK * 10)), [SessionIndex(1008)]);
}

#[test]
fn sessions_go_when_they_are_too_old_and_the_next_to_go_is_known() {
    let mut keypairs = Keypairs::new();
    let later = T0 + Duration::from_secs(60);
    let latest = T0 + Duration::from_secs(100);
    assert_eq!(keypairs.poll_timeout(), None);
    let _ = keypairs.install_initiated(initiated(1, T0));
    let _ = keypairs.install_initiated(initiated(2, later));
    let _ = keypairs.install_responded(responded(3, latest));

    assert_eq!(keypairs.poll_timeout(), Some(T0 + REJECT_AFTER_TIME));
    assert_eq!(keypairs.expire(latest), []);
    assert_eq!(keypairs.expire(T0 + REJECT_AFTER_TIME), [SessionIndex(1)]);
    assert_eq!(keypairs.poll_timeout(), Some(later + REJECT_AFTER_TIME));
    assert_eq!(
        sealing(&keypairs, later + REJECT_AFTER_TIME),
        None,
        "too old to seal even before it is dropped"
    );
    assert_eq!(keypairs.expire(latest + REJECT_AFTER_TIME), [2, 1003].map(SessionIndex));
    assert_eq!(indices(&keypairs), []);
    assert_eq!(keypairs.poll_timeout(), None);
}

#[test]
fn an_exhausted_session_does_not_seal_but_opens() {
    let mut keypairs = Keypairs::new();
    let (here, there) = ends(1, T0);
    let _ = keypairs.install_initiated(here);
    assert!(keypairs.sealing(T0).unwrap().reserve(REJECT_AFTER_MESSAGES).is_some());

    assert_eq!(sealing(&keypairs, T0), None);
    assert!(receive(&mut keypairs, &sealed(&there, b"still"), T0).is_ok());
}
