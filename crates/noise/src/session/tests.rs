use super::*;
use crate::keys::tests::hex;
use crate::schedule::REJECT_AFTER_MESSAGES;
use std::collections::BTreeSet;
use std::sync::Barrier;
use std::thread;
use stead_wire::message::padded_len;
use zeroize::Zeroizing;

/// A session with keys that depend on its role only: two of opposite roles understand each other.
pub(crate) fn session_of(role: Role, created: Instant) -> Session {
    session_named(role, SessionIndex(1), SessionIndex(2), created)
}

pub(crate) fn session_named(
    role: Role,
    local: SessionIndex,
    remote: SessionIndex,
    created: Instant,
) -> Session {
    let (send, receive) = match role {
        Role::Initiator => ([1; 32], [2; 32]),
        Role::Responder => ([2; 32], [1; 32]),
    };
    let (send, receive) = (Zeroizing::new(send), Zeroizing::new(receive));
    Session::new(SessionKeys { send, receive, local, remote, role }, created)
}

fn pair() -> (Session, Session) {
    let here = session_named(Role::Initiator, SessionIndex(1), SessionIndex(2), Instant::ZERO);
    let there = session_named(Role::Responder, SessionIndex(2), SessionIndex(1), Instant::ZERO);
    (here, there)
}

pub(crate) fn sealed(session: &Session, plaintext: &[u8]) -> Vec<u8> {
    let counter = session.reserve(1).expect("the session has counters left");
    sealed_as(session, counter, plaintext)
}

fn sealed_as(session: &Session, counter: Counter, plaintext: &[u8]) -> Vec<u8> {
    let mut message = vec![0; TRANSPORT_HEADER_LEN + padded_len(plaintext.len()) + TAG_LEN];
    message[TRANSPORT_HEADER_LEN..][..plaintext.len()].copy_from_slice(plaintext);
    session.seal_in_place(counter, &mut message);
    message
}

#[test]
fn the_cipher_opens_the_message_of_rfc_8439_appendix_a_5() {
    let key = AeadKey::new(
        Cipher::ChaCha20Poly1305,
        &hex("1c9240a5eb55d38af333888604f6b5f0473917c1402b80099dca5cbc207075c0"),
    );
    let associated: [u8; 12] = hex("f33388860000000000004e91");
    let mut text: [u8; 281] = hex(concat!(
        "64a0861575861af460f062c79be643bd5e805cfd345cf389f108670ac76c8cb24c6cfc18755d43eea09ee94e382d26b0",
        "bdb7b73c321b0100d4f03b7f355894cf332f830e710b97ce98c8a84abd0b948114ad176e008d33bd60f982b1ff37c855",
        "9797a06ef4f0ef61c186324e2b3506383606907b6a7c02b0f9f6157b53c867e4b9166c767b804d46a59b5216cde7a4e9",
        "9040c5a40433225ee282a1b0a06c523eaf4534d7f83fa1155b0047718cbc546a0d072b04b3564eea1b422273f548271a",
        "0bb2316053fa76991955ebd63159434ecebb4e466dae5a1073a6727627097a1049e617d91d361094fa68f0ff77987130",
        "305beaba2eda04df997b714d6c6f2c29a6ad5cb4022b02709beead9d67890cbb22392336fea1851f38",
    ));
    let expected = concat!(
        "Internet-Drafts are draft documents valid for a maximum of six months and may be updated, replaced, or ",
        "obsoleted by other documents at any time. It is inappropriate to use Internet-Drafts as reference ",
        "material or to cite them other than as /\u{201c}work in progress./\u{201d}",
    );

    let plaintext = key.open(0x0807_0605_0403_0201, &associated, &mut text).expect("authentic");

    assert_eq!(core::str::from_utf8(plaintext), Ok(expected));
}

#[test]
fn messages_go_both_ways_and_come_out_as_they_went_in() {
    let (here, there) = pair();
    for (from, to) in [(&here, &there), (&there, &here)] {
        for len in [0, 1, 15, 16, 17, 1420, 65_000] {
            let plaintext = vec![0xa5; len];
            let mut message = sealed(from, &plaintext);

            let opened = to.open_in_place(&mut message).expect("authentic");

            assert_eq!(opened.len(), padded_len(len));
            assert_eq!(opened[..len], plaintext);
            assert!(opened[len..].iter().all(|&byte| byte == 0));
        }
    }
}

#[test]
fn the_header_says_type_index_and_counter() {
    let (here, _) = pair();
    here.reserve(0x0102_0304_0506_0708).unwrap();

    let message = sealed(&here, b"");

    assert_eq!(message[..16], [4, 0, 0, 0, 2, 0, 0, 0, 8, 7, 6, 5, 4, 3, 2, 1]);
    assert_eq!(here.sent(), Counter(0x0102_0304_0506_0709));
}

#[test]
fn altered_truncated_and_lengthened_messages_are_refused_and_the_genuine_one_is_still_accepted() {
    let (here, there) = pair();
    let genuine = sealed(&here, b"sixteen bytes.. and some more");

    for at in (8..genuine.len()).flat_map(|byte| (0..8).map(move |bit| (byte, bit))) {
        let mut altered = genuine.clone();
        altered[at.0] ^= 1 << at.1;
        let refused = there.open_in_place(&mut altered).unwrap_err();
        assert!(matches!(refused, Discard::Forged | Discard::CounterExhausted), "{at:?}: {refused:?}");
        assert_eq!(there.received_highest(), None, "{at:?}");
    }
    for len in 0..genuine.len() {
        let expected = if len < 32 { Discard::TooShort } else { Discard::Forged };
        assert_eq!(there.open_in_place(&mut genuine[..len].to_vec()), Err(expected), "{len}");
    }
    let mut lengthened = [&genuine[..], &[0; 16]].concat();
    assert_eq!(there.open_in_place(&mut lengthened), Err(Discard::Forged));

    assert!(there.open_in_place(&mut genuine.clone()).is_ok());
    assert_eq!(there.received_highest(), Some(Counter(0)));
}

#[test]
fn a_message_is_opened_once_and_a_replayed_one_is_left_as_it_is() {
    let (here, there) = pair();
    let genuine = sealed(&here, b"once");

    assert!(there.open_in_place(&mut genuine.clone()).is_ok());

    let mut again = genuine.clone();
    assert_eq!(there.open_in_place(&mut again), Err(Discard::Replayed));
    assert_eq!(again, genuine);
    assert_eq!(here.open_in_place(&mut genuine.clone()), Err(Discard::Forged), "our own message, reflected");
}

#[test]
fn a_forged_counter_does_not_push_genuine_messages_out_of_the_window() {
    let (here, there) = pair();
    let genuine = sealed(&here, b"genuine");
    let mut forged = genuine.clone();
    forged[8..16].copy_from_slice(&(REJECT_AFTER_MESSAGES - 1).to_le_bytes());

    assert_eq!(there.open_in_place(&mut forged), Err(Discard::Forged));

    assert_eq!(there.received_highest(), None);
    assert!(there.open_in_place(&mut genuine.clone()).is_ok());
}

#[test]
fn messages_older_than_the_window_are_refused() {
    let (here, there) = pair();
    let counter = here.reserve(8193).unwrap();
    let mut first = sealed_as(&here, counter, b"first");
    let mut second = sealed_as(&here, Counter(1), b"second");
    let mut last = sealed_as(&here, Counter(8192), b"last");

    assert!(there.open_in_place(&mut last).is_ok());

    assert_eq!(there.open_in_place(&mut first), Err(Discard::TooOld));
    assert!(there.open_in_place(&mut second).is_ok());
}

#[test]
fn no_counter_is_given_out_or_accepted_past_the_last() {
    let (here, there) = pair();
    assert_eq!(here.reserve(0), None);
    assert_eq!(here.reserve(u64::MAX), None);
    assert_eq!(here.reserve(REJECT_AFTER_MESSAGES + 1), None);
    assert_eq!(here.reserve(REJECT_AFTER_MESSAGES - 2), Some(Counter(0)));
    assert_eq!(here.reserve(3), None, "two are left");
    assert_eq!(here.reserve(2), Some(Counter(REJECT_AFTER_MESSAGES - 2)));
    assert_eq!(here.reserve(1), None);
    assert_eq!(here.sent(), Counter(REJECT_AFTER_MESSAGES));

    let mut last = sealed_as(&here, Counter(REJECT_AFTER_MESSAGES - 1), b"last");
    let mut past = sealed_as(&here, Counter(REJECT_AFTER_MESSAGES), b"past");
    let mut end = sealed_as(&here, Counter(u64::MAX), b"end");
    assert!(there.open_in_place(&mut last).is_ok());
    assert_eq!(there.open_in_place(&mut past), Err(Discard::CounterExhausted));
    assert_eq!(there.open_in_place(&mut end), Err(Discard::CounterExhausted));
}

#[test]
fn workers_share_a_session_without_reusing_a_counter_or_losing_a_message() {
    let (here, there) = pair();
    let (here, there) = (&here, &there);
    let work = |me: u64| {
        let mut counters = Vec::new();
        for _ in 0..200 {
            let first = here.reserve(1 + me).unwrap().0;
            for counter in first..first + 1 + me {
                let mut message = sealed_as(here, Counter(counter), &counter.to_be_bytes());
                let opened = there.open_in_place(&mut message).expect("authentic and new");
                assert_eq!(opened[..8], counter.to_be_bytes());
                counters.push(counter);
            }
        }
        counters
    };

    let counters: Vec<u64> = thread::scope(|scope| {
        let workers: Vec<_> = (0..3).map(|me| scope.spawn(move || work(me))).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });

    assert_eq!(counters.len(), 200 * (1 + 2 + 3));
    assert_eq!(counters.iter().copied().collect::<BTreeSet<_>>(), (0..1200).collect());
}

#[test]
fn of_workers_with_the_same_message_one_opens_it() {
    const WORKERS: usize = 3;
    let (here, there) = pair();
    let gate = Barrier::new(WORKERS);
    // Long messages: all workers are past the first look at the window before one of them is through.
    let messages: Vec<_> = (0..50).map(|_| sealed(&here, &[7; 30_000])).collect();

    let opened: usize = thread::scope(|scope| {
        let work = || {
            let mine = messages.clone().into_iter().map(|mut message| {
                gate.wait();
                there.open_in_place(&mut message).is_ok()
            });
            mine.filter(|opened| *opened).count()
        };
        let workers: Vec<_> = (0..WORKERS).map(|_| scope.spawn(work)).collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).sum()
    });

    assert_eq!(opened, messages.len());
}

#[test]
fn a_session_tells_what_it_received_by_its_own_index() {
    let (here, there) = pair();
    let mut messages: Vec<_> = (0..4).map(|n| sealed(&here, &[n; 16])).collect();
    for arrives in [0, 3] {
        there.open_in_place(&mut messages[arrives]).unwrap();
    }

    let received = there.received();
    assert_eq!((received.session, received.next), (here.remote(), Counter(4)));
    let missing: Vec<_> = (0..6).filter(|counter| received.misses(Counter(*counter))).collect();
    assert_eq!(missing, [1, 2, 4, 5]);
}

#[test]
fn debug_shows_indices_and_no_keys() {
    let (here, _) = pair();

    let text = format!("{here:?}");

    assert!(text.contains("role: Initiator") && !text.contains("key"), "{text}");
}
