use core::net::SocketAddr;

use proptest::prelude::*;

use super::*;
use crate::message::{Counter, SessionIndex};

fn encoded(option: &VcOption) -> Vec<u8> {
    let mut out = Vec::new();
    option.encode(&mut out);
    out
}

fn decoded(bytes: &[u8]) -> Vec<Result<VcOption, DecodeError>> {
    decode(bytes).collect()
}

fn v4() -> SocketAddr {
    "192.0.2.7:51820".parse().unwrap()
}

fn v6() -> SocketAddr {
    "[2001:db8::7]:51820".parse().unwrap()
}

const TOKEN: ChallengeToken = ChallengeToken([1, 2, 3, 4, 5, 6, 7, 8]);
const OTHER: ChallengeToken = ChallengeToken([9; 8]);
const TOPIC: Topic = Topic([0xa0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 0xaf]);
const SUBSCRIBED_SAMPLE: Subscribed = Subscribed {
    topic: TOPIC,
    lease: Lease::from_secs(300),
    slot: RelaySlot::new(0x0a_0b_0c),
    present: true,
};

/// As many holes of two as can be told, three apart.
fn received() -> Received {
    let next = Counter(0x0102_0304_0506_0708);
    let holes = (1..).map(|n| Hole { first: Counter(next.0 - 5 * n), len: 2 });
    Received { session: SessionIndex(0x0a0b_0c0d), next, holes: Holes::below(next, holes.take(99)) }
}

/// One of each, with the longest of each list.
fn samples() -> Vec<VcOption> {
    let probe = Probe { version: 1, capabilities: Capabilities::MOBILE, claimed: Some(v4()) };
    let update = ConnectionUpdate {
        sequence: 0x0102_0304_0506_0708,
        challenge: TOKEN,
        claimed: Some(v6()),
        connections: Connections::All,
    };
    let acknowledge = ConnectionUpdateAcknowledge {
        sequence: 7,
        outcome: Outcome::Updated,
        echo: TOKEN,
        challenge: OTHER,
        claimed: Some(v4()),
    };
    vec![
        VcOption::Probe(Probe { claimed: None, ..probe }),
        VcOption::ProbeReply(probe),
        VcOption::Twin(Twin { index: SessionIndex(0x0102_0304), able: Capabilities::FAST_AES }),
        VcOption::ConnectionUpdate(update.clone()),
        VcOption::ConnectionUpdate(ConnectionUpdate {
            connections: Connections::Tokens(Tokens::new(&[u64::MAX; Tokens::MOST]).unwrap()),
            ..update
        }),
        VcOption::ConnectionUpdateAcknowledge(acknowledge),
        VcOption::ConnectionUpdateAcknowledge(ConnectionUpdateAcknowledge { claimed: None, ..acknowledge }),
        VcOption::ConnectionUpdateRequest(ConnectionUpdateRequest { challenge: TOKEN }),
        VcOption::PathChallenge(TOKEN),
        VcOption::PathResponse(TOKEN),
        VcOption::AttachmentPoints(AttachmentPoints::default()),
        VcOption::Received(received()),
        VcOption::Received(Received { holes: Holes::default(), ..received() }),
        VcOption::AttachmentPoints(AttachmentPoints::new(&[v6(); AttachmentPoints::MOST])),
        VcOption::Subscription(Subscription {
            topic: TOPIC,
            lease: Lease::from_secs(600),
            wishes: Wishes::WATCH | Wishes::RELAY,
        }),
        VcOption::Subscribed(SUBSCRIBED_SAMPLE),
        VcOption::Subscribed(Subscribed { slot: None, present: false, ..SUBSCRIBED_SAMPLE }),
        VcOption::Publication(Publication {
            topic: TOPIC,
            number: 0x0102_0304_0506_0708,
            marks: Marks::MOVED,
            sealed: Sealed::new(&[7; Sealed::MOST]).unwrap(),
        }),
        VcOption::Published(Receipt { topic: TOPIC, number: 9 }),
        VcOption::Notification(Notification {
            topic: TOPIC,
            number: 9,
            apparent: v6(),
            sealed: Sealed::new(&[7; Sealed::MOST]).unwrap(),
        }),
        VcOption::Notified(Receipt { topic: TOPIC, number: u64::MAX }),
        VcOption::Apparent(v4()),
        VcOption::Claimed(v6()),
        VcOption::Declined(Declined { topic: TOPIC, reason: Reason::Quota }),
    ]
}

#[test]
fn each_option_survives_the_wire_alone_and_in_a_list() {
    let mut list = Vec::new();
    for option in samples() {
        let bytes = encoded(&option);
        assert_eq!(bytes.len(), option.encoded_len());
        assert_eq!(usize::from(bytes[1]), bytes.len());
        assert_eq!(decoded(&bytes), [Ok(option)]);
        list.push(NO_OPERATION);
        list.extend(bytes);
    }
    list.extend([0; 16]);
    assert_eq!(decoded(&list), samples().into_iter().map(Ok).collect::<Vec<_>>());
}

#[test]
fn the_bytes_are_these() {
    let update = ConnectionUpdate {
        sequence: 3,
        challenge: TOKEN,
        claimed: Some(v4()),
        connections: Connections::Tokens(Tokens::new(&[0x0a0b]).unwrap()),
    };
    #[rustfmt::skip]
    let expected = [
        0x20, 34,
        0, 0, 0, 0, 0, 0, 0, 3,
        1, 2, 3, 4, 5, 6, 7, 8,
        4, 0xca, 0x6c, 192, 0, 2, 7,
        1, 0, 0, 0, 0, 0, 0, 0x0a, 0x0b,
    ];
    assert_eq!(encoded(&VcOption::ConnectionUpdate(update)), expected);

    let probe = Probe {
        version: 1,
        capabilities: Capabilities::MOBILE | Capabilities::FAST_AES,
        claimed: Some(v6()),
    };
    #[rustfmt::skip]
    let expected = [
        0x10, 26, 1, 0, 0, 0, 3,
        6, 0xca, 0x6c, 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7,
    ];
    assert_eq!(encoded(&VcOption::Probe(probe)), expected);

    let able = Capabilities::FAST_AES | Capabilities::PARTIAL_CHECKSUMS;
    let twin = Twin { index: SessionIndex(0x0a0b_0c0d), able };
    assert_eq!(encoded(&VcOption::Twin(twin)), [0x12, 10, 0x0a, 0x0b, 0x0c, 0x0d, 0, 0, 0, 6]);
}

#[test]
fn the_bytes_between_client_and_service_are_these() {
    let cases: [(VcOption, &[u8]); 7] = [
        (
            VcOption::Subscription(Subscription {
                topic: TOPIC,
                lease: Lease::from_secs(0x0102),
                wishes: Wishes::RELAY,
            }),
            &[0x70, 21, 1, 2, 2],
        ),
        (VcOption::Subscribed(SUBSCRIBED_SAMPLE), &[0x71, 24, 1, 44, 10, 11, 12, 1]),
        (
            VcOption::Publication(Publication {
                topic: TOPIC,
                number: 3,
                marks: Marks::MOVED,
                sealed: Sealed::new(&[8, 9]).unwrap(),
            }),
            &[0x72, 30, 0, 0, 0, 0, 0, 0, 0, 3, 1, 2, 8, 9],
        ),
        (VcOption::Published(Receipt { topic: TOPIC, number: 4 }), &[0x73, 26, 0, 0, 0, 0, 0, 0, 0, 4]),
        (
            VcOption::Notification(Notification {
                topic: TOPIC,
                number: 5,
                apparent: v4(),
                sealed: Sealed::new(&[7]).unwrap(),
            }),
            &[0x74, 35, 0, 0, 0, 0, 0, 0, 0, 5, 4, 0xca, 0x6c, 192, 0, 2, 7, 1, 7],
        ),
        (VcOption::Notified(Receipt { topic: TOPIC, number: 6 }), &[0x75, 26, 0, 0, 0, 0, 0, 0, 0, 6]),
        (VcOption::Declined(Declined { topic: TOPIC, reason: Reason::Stale }), &[0x78, 19, 4]),
    ];
    for (option, around_the_topic) in cases {
        let (header, rest) = around_the_topic.split_at(2);
        assert_eq!(encoded(&option), [header, &TOPIC.0, rest].concat(), "{option:?}");
    }
    assert_eq!(encoded(&VcOption::Apparent(v4())), [0x76, 9, 4, 0xca, 0x6c, 192, 0, 2, 7]);
    assert_eq!(encoded(&VcOption::Claimed(v4())), [0x77, 9, 4, 0xca, 0x6c, 192, 0, 2, 7]);
}

#[test]
fn a_relay_slot_has_24_bits_and_is_never_zero() {
    assert_eq!((RelaySlot::new(0), RelaySlot::new(1 << 24)), (None, None));
    assert_eq!(RelaySlot::new(RelaySlot::COUNT).unwrap().to_bytes(), [0xff; 3]);
    assert_eq!(RelaySlot::from_bytes([0; 3]), None);
    assert_eq!(RelaySlot::from_bytes([1, 2, 3]).map(RelaySlot::number), Some(0x01_02_03));
}

#[test]
fn values_that_mean_nothing_between_client_and_service_are_refused() {
    let declined = |code| decoded(&[[DECLINED, 19].as_slice(), &TOPIC.0, &[code]].concat()).remove(0);
    for reason in Reason::ALL {
        assert!(
            (0..5).any(|code| declined(code) == Ok(VcOption::Declined(Declined { topic: TOPIC, reason })))
        );
    }
    let unknown = |message, field, found| Err(DecodeError::UnknownValue { message, field, found });
    assert_eq!(declined(5), unknown("declined option", "reason", 5));

    let mut bytes = encoded(&VcOption::Subscribed(SUBSCRIBED_SAMPLE));
    *bytes.last_mut().unwrap() = 2;
    assert_eq!(decoded(&bytes), [unknown("subscribed option", "presence", 2)]);

    assert_eq!(decoded(&[CLAIMED, 3, 0]), [unknown("claimed option", "attachment point", 0)]);
}

#[test]
fn what_is_sealed_has_a_bound() {
    assert_eq!(Sealed::new(&[0; Sealed::MOST + 1]), None);
    let long = [[PUBLICATION, 229].as_slice(), &TOPIC.0, &[0; 9], &[201], &[0; 201]].concat();
    let refused = decoded(&long).remove(0).unwrap_err();
    assert_eq!(refused.to_string(), "publication option lists 201 sealed bytes, expected at most 200");
}

#[test]
fn no_kind_looks_like_the_first_byte_of_a_packet_and_all_are_different() {
    let mut kinds = KINDS.to_vec();
    kinds.sort_unstable();
    kinds.dedup();
    assert_eq!(kinds.len(), KINDS.len());

    for option in samples() {
        let first = encoded(&option)[0];
        assert!(KINDS.contains(&first) && !matches!(first >> 4, 4 | 6), "{first:#x}");
    }
}

#[test]
fn every_truncation_of_the_list_is_refused() {
    for option in samples() {
        let bytes = encoded(&option);
        for len in 1..bytes.len() {
            let refused = decoded(&bytes[..len]);
            let [Err(DecodeError::Truncated { message: "option", .. })] = refused.as_slice() else {
                panic!("{len} bytes of {option:?} gave {refused:?}")
            };
        }
    }
}

#[test]
fn every_truncation_of_an_option_is_refused_by_the_options_name_and_field() {
    for option in samples() {
        let bytes = encoded(&option);
        for len in HEADER_LEN..bytes.len() {
            let mut bytes = bytes[..len].to_vec();
            bytes[1] = u8::try_from(len).unwrap();
            let refused = decoded(&bytes);
            let [Err(DecodeError::Truncated { message, .. })] = refused.as_slice() else {
                panic!("{len} bytes of {option:?} gave {refused:?}")
            };
            assert!(message.len() > "option".len() && message.ends_with("option"), "{message}");
        }
    }
}

#[test]
fn fields_of_a_later_version_are_ignored() {
    for option in samples() {
        let mut bytes = encoded(&option);
        bytes.extend([0xff; 4]);
        bytes[1] += 4;
        assert_eq!(decoded(&bytes), [Ok(option)]);
    }
}

#[test]
fn unknown_kinds_are_skipped_by_their_length() {
    let challenge = encoded(&VcOption::PathChallenge(TOKEN));
    for kind in (0..=u8::MAX).filter(|kind| !KINDS.contains(kind)) {
        let list = [&[kind, 5, 0, 0, 0], challenge.as_slice(), &[kind, 2]].concat();
        let unknown = || Ok(VcOption::Unknown { kind });
        assert_eq!(decoded(&list), [unknown(), Ok(VcOption::PathChallenge(TOKEN)), unknown()]);
    }
}

#[test]
fn an_unknown_option_is_never_sent() {
    let unknown = VcOption::Unknown { kind: 0xf0 };
    assert_eq!((encoded(&unknown), unknown.encoded_len()), (vec![], 0));
}

#[test]
fn a_list_ends_at_kind_zero_and_at_the_first_error() {
    let challenge = encoded(&VcOption::PathChallenge(TOKEN));
    assert_eq!(decoded(&[&[0], challenge.as_slice()].concat()), []);
    assert_eq!(decoded(&[1, 1, 1]), []);

    for (bad, found) in [([0x30, 0], 0), ([0x30, 1], 1)] {
        let list = [challenge.as_slice(), &bad, &challenge].concat();
        let refused = DecodeError::LengthTooSmall { message: "option", field: "length", least: 2, found };
        assert_eq!(decoded(&list), [Ok(VcOption::PathChallenge(TOKEN)), Err(refused)]);
    }
}

#[test]
fn an_address_of_another_family_is_refused() {
    for family in (0..=u8::MAX).filter(|family| ![0, 4, 6].contains(family)) {
        let mut bytes = encoded(&samples()[1]);
        bytes[7] = family;
        let refused = DecodeError::UnknownValue {
            message: "probe reply option",
            field: "claimed attachment point",
            found: family,
        };
        assert_eq!(decoded(&bytes), [Err(refused)]);
    }
}

#[test]
fn a_candidate_that_is_no_address_is_refused() {
    let refused = decoded(&[ATTACHMENT_POINTS, 4, 1, 0]);
    let expected = DecodeError::UnknownValue {
        message: "attachment points option",
        field: "attachment points",
        found: 0,
    };
    assert_eq!(refused, [Err(expected)]);
}

#[test]
fn lists_longer_than_their_bound_are_refused() {
    let points = [[ATTACHMENT_POINTS, 66, 9].as_slice(), &[4, 0, 1, 192, 0, 2, 7].repeat(9)].concat();
    let refused = decoded(&points).remove(0).unwrap_err();
    assert_eq!(refused.to_string(), "attachment points option lists 9 attachment points, expected at most 8");

    let tokens = [[CONNECTION_UPDATE, 156].as_slice(), &[0; 17], &[17], &[0; 136]].concat();
    let refused = decoded(&tokens).remove(0).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "connection update option lists 17 connection tokens, expected at most 16"
    );
}

#[test]
fn an_outcome_that_means_nothing_is_refused() {
    let acknowledges = |option: &VcOption| matches!(option, VcOption::ConnectionUpdateAcknowledge(_));
    let mut bytes = encoded(&samples().into_iter().find(acknowledges).unwrap());
    bytes[10] = 3;
    let refused = DecodeError::UnknownValue {
        message: "connection update acknowledge option",
        field: "outcome",
        found: 3,
    };
    assert_eq!(decoded(&bytes), [Err(refused)]);
}

#[test]
fn bounded_lists_keep_their_bounds() {
    assert_eq!(AttachmentPoints::new(&[v4(); 20]).as_slice(), [v4(); AttachmentPoints::MOST]);
    assert_eq!(Tokens::new(&[]), None);
    assert_eq!(Tokens::new(&[1; Tokens::MOST + 1]), None);
    assert_eq!(Tokens::new(&[1, 2]).unwrap().as_slice(), [1, 2]);
}

#[test]
fn what_is_missing_is_told_counter_by_counter_from_the_newest_to_the_oldest() {
    let (next, hole) = (Counter(100), |first, len| Hole { first: Counter(first), len });
    let holes = Holes::below(next, [hole(97, 2), hole(10, 1)]);
    let received = Received { session: SessionIndex(1), next, holes };
    let missing: Vec<u64> = (0..103).filter(|counter| received.misses(Counter(*counter))).collect();
    assert_eq!(missing, [10, 97, 98, 100, 101, 102]);

    let bytes = encoded(&VcOption::Received(received));
    assert_eq!(
        bytes[14..],
        [2, 0, 1, 0, 2, 0, 86, 0, 1],
        "the distance from what was told before, and the length"
    );
}

#[test]
fn holes_that_cannot_be_told_are_left_out_with_all_that_are_older() {
    let (next, hole) = (Counter(1 << 20), |first, len| Hole { first: Counter(first), len });
    let tellable = hole((1 << 20) - 9, 1);
    for other in [hole((1 << 20) - 9, 2), hole(1 << 19, 1), hole(7, 0), hole((1 << 20) - 1, 2)] {
        assert_eq!(Holes::below(next, [tellable, other, hole(1, 1)]).as_slice(), [tellable], "{other:?}");
    }
    assert_eq!(received().holes.as_slice().len(), Holes::MOST);
}

#[test]
fn a_hole_below_zero_or_of_no_length_is_refused() {
    let refused = |down: u8, len: u8| {
        let bytes = [&[RECEIVED, 19, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9, 1][..], &[0, down, 0, len]].concat();
        decoded(&bytes).remove(0).map_err(|refused| refused.to_string())
    };
    assert!(refused(7, 2).is_ok());
    let below = "received option has 9 for its next counter, expected at least 10";
    assert_eq!(refused(7, 3), Err(below.into()));
    let empty = "received option has 0 for its length of a hole, expected at least 1";
    assert_eq!(refused(7, 0), Err(empty.into()));
}

#[test]
fn capabilities_are_a_set() {
    let both = Capabilities::MOBILE | Capabilities::FAST_AES;
    assert!(both.contains(Capabilities::MOBILE) && both.contains(both) && both.contains(Capabilities::NONE));
    assert!(!Capabilities::MOBILE.contains(both));
    assert_eq!(Capabilities::from_bits(1 << 31).bits(), 1 << 31);
}

fn address() -> impl Strategy<Value = SocketAddr> {
    prop_oneof![
        any::<([u8; 4], u16)>().prop_map(SocketAddr::from),
        any::<([u8; 16], u16)>().prop_map(SocketAddr::from)
    ]
}

fn token() -> impl Strategy<Value = ChallengeToken> {
    any::<[u8; 8]>().prop_map(ChallengeToken)
}

fn connections() -> impl Strategy<Value = Connections> {
    proptest::collection::vec(any::<u64>(), 0..=Tokens::MOST)
        .prop_map(|tokens| Tokens::new(&tokens).map_or(Connections::All, Connections::Tokens))
}

fn option() -> impl Strategy<Value = VcOption> {
    let claimed = || proptest::option::of(address());
    let outcome = prop::sample::select(vec![Outcome::Updated, Outcome::Unchanged, Outcome::Refused]);
    prop_oneof![
        (any::<(bool, u8, u32)>(), claimed()).prop_map(|((reply, version, bits), claimed)| {
            let probe = Probe { version, capabilities: Capabilities::from_bits(bits), claimed };
            if reply { VcOption::ProbeReply(probe) } else { VcOption::Probe(probe) }
        }),
        (any::<u64>(), token(), claimed(), connections()).prop_map(
            |(sequence, challenge, claimed, connections)| {
                VcOption::ConnectionUpdate(ConnectionUpdate { sequence, challenge, claimed, connections })
            }
        ),
        (any::<u64>(), outcome, token(), token(), claimed()).prop_map(
            |(sequence, outcome, echo, challenge, claimed)| {
                VcOption::ConnectionUpdateAcknowledge(ConnectionUpdateAcknowledge {
                    sequence,
                    outcome,
                    echo,
                    challenge,
                    claimed,
                })
            }
        ),
        token()
            .prop_map(|challenge| VcOption::ConnectionUpdateRequest(ConnectionUpdateRequest { challenge })),
        token().prop_map(VcOption::PathChallenge),
        token().prop_map(VcOption::PathResponse),
        proptest::collection::vec(address(), 0..=AttachmentPoints::MOST)
            .prop_map(|points| VcOption::AttachmentPoints(AttachmentPoints::new(&points))),
        (
            any::<u32>(),
            any::<u64>(),
            proptest::collection::vec((any::<u16>(), 1..9_u16), 0..=2 * Holes::MOST)
        )
            .prop_map(|(session, next, runs)| {
                let mut bound = next;
                let holes = runs.into_iter().map_while(|(down, len)| {
                    bound = bound.checked_sub(u64::from(down) + u64::from(len))?;
                    Some(Hole { first: Counter(bound), len })
                });
                let (session, next) = (SessionIndex(session), Counter(next));
                VcOption::Received(Received { session, next, holes: Holes::below(next, holes) })
            }),
        to_service(),
        from_service(),
    ]
}

fn topic() -> impl Strategy<Value = Topic> {
    any::<[u8; 16]>().prop_map(Topic)
}

fn receipt() -> impl Strategy<Value = Receipt> {
    (topic(), any::<u64>()).prop_map(|(topic, number)| Receipt { topic, number })
}

fn sealed() -> impl Strategy<Value = Sealed> {
    proptest::collection::vec(any::<u8>(), 0..=Sealed::MOST)
        .prop_map(|bytes| Sealed::new(&bytes).expect("within the bound"))
}

fn to_service() -> impl Strategy<Value = VcOption> {
    prop_oneof![
        (topic(), any::<(u16, u8)>()).prop_map(|(topic, (lease, wishes))| {
            let (lease, wishes) = (Lease::from_secs(lease), Wishes::from_bits(wishes));
            VcOption::Subscription(Subscription { topic, lease, wishes })
        }),
        (topic(), any::<(u64, u8)>(), sealed()).prop_map(|(topic, (number, marks), sealed)| {
            VcOption::Publication(Publication { topic, number, marks: Marks::from_bits(marks), sealed })
        }),
        receipt().prop_map(VcOption::Notified),
        address().prop_map(VcOption::Claimed),
    ]
}

fn from_service() -> impl Strategy<Value = VcOption> {
    prop_oneof![
        (topic(), any::<u16>(), 0..=RelaySlot::COUNT, any::<bool>()).prop_map(
            |(topic, lease, slot, present)| {
                let (lease, slot) = (Lease::from_secs(lease), RelaySlot::new(slot));
                VcOption::Subscribed(Subscribed { topic, lease, slot, present })
            }
        ),
        receipt().prop_map(VcOption::Published),
        (topic(), any::<u64>(), address(), sealed()).prop_map(|(topic, number, apparent, sealed)| {
            VcOption::Notification(Notification { topic, number, apparent, sealed })
        }),
        address().prop_map(VcOption::Apparent),
        (topic(), prop::sample::select(Reason::ALL.to_vec()))
            .prop_map(|(topic, reason)| VcOption::Declined(Declined { topic, reason })),
    ]
}

proptest! {
    #[test]
    fn any_list_survives_the_wire(options in proptest::collection::vec(option(), 0..8), padding in 0_usize..16) {
        let mut bytes = Vec::new();
        for option in &options {
            option.encode(&mut bytes);
        }
        prop_assert_eq!(bytes.len(), options.iter().map(VcOption::encoded_len).sum::<usize>());
        bytes.resize(bytes.len() + padding, 0);
        prop_assert_eq!(decoded(&bytes), options.into_iter().map(Ok).collect::<Vec<_>>());
    }

    #[test]
    fn random_bytes_never_panic_and_end_with_at_most_one_error(
        kind in prop::sample::select(KINDS.to_vec()), len: u8,
        rest in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        for bytes in [rest.clone(), [&[kind, len], rest.as_slice()].concat()] {
            let options = decoded(&bytes);
            let errors = options.iter().filter(|option| option.is_err()).count();
            prop_assert!(errors <= 1 && errors == usize::from(options.last().is_some_and(Result::is_err)));
        }
    }
}
