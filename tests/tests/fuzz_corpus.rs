//! Replays what the fuzzers' corpus holds, and keeps its hand-made seeds true to the wire format.
//!
//! `seed-*` are written by `STEAD_WRITE_SEEDS=1 cargo test -p stead-tests --test fuzz_corpus the_corpus_holds` after a
//! change of the format; all others were found by libFuzzer and are only replayed.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::panic::catch_unwind;
use std::path::PathBuf;

use stead_tests::fuzz::TARGETS;
use stead_wire::message::{
    Counter, SessionIndex, encode_cookie_reply, encode_initiation, encode_response, encode_transport_header,
};
use stead_wire::options::{
    AttachmentPoints, Capabilities, ChallengeToken, ConnectionUpdate, ConnectionUpdateAcknowledge,
    ConnectionUpdateRequest, Connections, Declined, Hole, Holes, Lease, Marks, Notification, Outcome, Probe,
    Publication, Reason, Receipt, Received, RelaySlot, Sealed, Subscribed, Subscription, Tokens, Topic,
    VcOption, Wishes,
};

/// Every target gets every target's inputs: an inner packet is an opened message, too, and a datagram is bytes.
#[test]
fn no_input_of_the_corpus_breaks_a_promise() {
    for source in TARGETS {
        let inputs = corpus(source.name);
        assert!(inputs.len() >= seeds(source.name).len(), "the corpus of {} is missing", source.name);
        for target in TARGETS {
            let failed: Vec<_> = inputs
                .iter()
                .filter(|(_, bytes)| catch_unwind(|| (target.run)(bytes)).is_err())
                .map(|(name, _)| name)
                .collect();
            assert!(failed.is_empty(), "target {} fails for {failed:?} of {}", target.name, source.name);
        }
    }
}

#[test]
fn the_corpus_holds_every_seed_as_it_is_encoded_now() {
    for target in TARGETS {
        let seeds = seeds(target.name);
        if std::env::var_os("STEAD_WRITE_SEEDS").is_some() {
            fs::create_dir_all(directory(target.name)).unwrap();
            for (name, bytes) in &seeds {
                fs::write(directory(target.name).join(name), bytes).unwrap();
            }
        }
        let committed: Vec<_> =
            corpus(target.name).into_iter().filter(|(name, _)| name.starts_with("seed-")).collect();
        let expected: Vec<_> = seeds.into_iter().collect();
        assert_eq!(committed, expected, "seeds of {}: see this file's head", target.name);
    }
}

/// Every seed and every prefix of it: truncation is the commonest damage.
#[test]
fn no_truncated_seed_breaks_a_promise() {
    for target in TARGETS {
        for bytes in seeds(target.name).values() {
            (0..bytes.len()).for_each(|len| (target.run)(&bytes[..len]));
        }
    }
}

type Inputs = BTreeMap<String, Vec<u8>>;

fn directory(target: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target)
}

fn corpus(target: &str) -> Inputs {
    let directory = directory(target);
    let entries = fs::read_dir(&directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    entries
        .map(|entry| {
            let entry = entry.unwrap();
            (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())
        })
        .collect()
}

fn seeds(target: &str) -> Inputs {
    let seeds: Vec<(&str, Vec<u8>)> = match target {
        "message" => messages(),
        "plaintext" => plaintexts(),
        "options" => options(),
        "ip" => packets(),
        "node" => stories(),
        other => panic!("target {other} has no seeds"),
    };
    seeds.into_iter().map(|(name, bytes)| (format!("seed-{name}"), bytes)).collect()
}

fn messages() -> Vec<(&'static str, Vec<u8>)> {
    let (sender, receiver) = (SessionIndex(1), SessionIndex(2));
    let transport = |ciphertext: usize| {
        let mut header = [0; 16];
        encode_transport_header(receiver, Counter(3), &mut header);
        [&header[..], &vec![0xcc; ciphertext]].concat()
    };
    let reserved_in_use = |bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        bytes[1] = 1;
        bytes
    };
    vec![
        ("initiation", encode_initiation(sender, &[0xee; 108]).to_vec()),
        ("response", encode_response(sender, receiver, &[0xee; 48]).to_vec()),
        ("cookie-reply", encode_cookie_reply(receiver, &[0xaa; 24], &[0xbb; 32]).to_vec()),
        ("initiation-reserved", reserved_in_use(&encode_initiation(sender, &[0xee; 108]))),
        ("response-reserved", reserved_in_use(&encode_response(sender, receiver, &[0xee; 48]))),
        ("cookie-reply-reserved", reserved_in_use(&encode_cookie_reply(receiver, &[0xaa; 24], &[0xbb; 32]))),
        ("transport-reserved", reserved_in_use(&transport(16))),
        ("keepalive", transport(16)),
        ("transport", transport(64)),
        ("transport-unpadded", transport(60)),
    ]
}

fn options() -> Vec<(&'static str, Vec<u8>)> {
    let (v4, v6) = (SocketAddr::from(([192, 0, 2, 7], 51820)), "[2001:db8::7]:51820".parse().unwrap());
    let (challenge, echo) = (ChallengeToken([7; 8]), ChallengeToken([8; 8]));
    let probe = Probe { version: 1, capabilities: Capabilities::MOBILE, claimed: None };
    let update =
        ConnectionUpdate { sequence: 9, challenge, claimed: Some(v4), connections: Connections::All };
    let named = Connections::Tokens(Tokens::new(&[10, 11]).unwrap());
    let acknowledge = ConnectionUpdateAcknowledge {
        sequence: 9,
        outcome: Outcome::Updated,
        echo: challenge,
        challenge: echo,
        claimed: Some(v6),
    };
    let points = VcOption::AttachmentPoints(AttachmentPoints::new(&[v4, v6]));
    let (topic, number, lease) = (Topic([6; 16]), 12, Lease::from_secs(360));
    let (receipt, sealed) = (Receipt { topic, number }, Sealed::new(&[5; 40]).unwrap());
    let hole = |first| Hole { first: Counter(first), len: 2 };
    let holes = Holes::below(Counter(70), [hole(60), hole(3)]);
    let received = Received { session: SessionIndex(9), next: Counter(70), holes };
    let (slot, wishes) = (RelaySlot::new(3), Wishes::WATCH | Wishes::RELAY);
    let encoded = |options: &[VcOption]| {
        let mut out = Vec::new();
        options.iter().for_each(|option| option.encode(&mut out));
        out
    };
    vec![
        ("probe", encoded(&[VcOption::Probe(probe)])),
        ("probe-reply", encoded(&[VcOption::ProbeReply(Probe { claimed: Some(v6), ..probe })])),
        ("update-all", encoded(&[VcOption::ConnectionUpdate(update.clone()), points.clone()])),
        (
            "update-named",
            encoded(&[VcOption::ConnectionUpdate(ConnectionUpdate { connections: named, ..update })]),
        ),
        ("acknowledge", encoded(&[VcOption::ConnectionUpdateAcknowledge(acknowledge)])),
        ("request", encoded(&[VcOption::ConnectionUpdateRequest(ConnectionUpdateRequest { challenge })])),
        ("path", encoded(&[VcOption::PathChallenge(challenge), VcOption::PathResponse(echo)])),
        ("points", encoded(&[points])),
        ("received", encoded(&[VcOption::PathResponse(echo), VcOption::Received(received)])),
        (
            "to-service",
            encoded(&[
                VcOption::Claimed(v4),
                VcOption::Subscription(Subscription { topic, lease, wishes }),
                VcOption::Publication(Publication {
                    topic,
                    number,
                    marks: Marks::MOVED,
                    sealed: sealed.clone(),
                }),
                VcOption::Notified(receipt),
            ]),
        ),
        (
            "from-service",
            encoded(&[
                VcOption::Apparent(v6),
                VcOption::Subscribed(Subscribed { topic, lease, slot, present: true }),
                VcOption::Published(receipt),
                VcOption::Notification(Notification { topic, number, apparent: v4, sealed }),
                VcOption::Declined(Declined { topic, reason: Reason::Quota }),
            ]),
        ),
        ("fillers-unknown-end", vec![1, 1, 0xf0, 4, 0, 0, 1, 0x30, 10, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0xff]),
    ]
}

fn plaintexts() -> Vec<(&'static str, Vec<u8>)> {
    let followed = |packet: Vec<u8>, option: &[u8]| {
        let mut bytes = [packet.as_slice(), option].concat();
        bytes.resize(bytes.len().next_multiple_of(16), 0);
        bytes
    };
    let probe = options().remove(0).1;
    vec![
        ("keepalive", Vec::new()),
        ("padded", followed(ipv4(17, &UDP), &[])),
        ("packet-and-option", followed(ipv4(17, &UDP), &probe)),
        ("packet-v6-and-option", followed(ipv6(17, &UDP), &probe)),
        ("options-alone", followed(Vec::new(), &probe)),
    ]
}

/// What the target's steps mean is told in `tests/src/fuzz_node.rs`: two bytes each.
fn stories() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("move", vec![9, 1, 15, 0, 0, 0, 1, 0, 15, 0]),
        ("move-re-sourced", vec![9, 1, 7, 0, 7, 1, 12, 250, 15, 0, 0, 0, 15, 0]),
        ("data-re-sourced", vec![1, 0, 7, 0, 1, 0, 7, 1, 1, 0, 7, 2, 1, 0, 7, 3, 12, 250, 15, 0]),
        ("both-move", vec![9, 0, 9, 1, 12, 250, 15, 0, 13, 20, 15, 0]),
        ("detached-and-back", vec![10, 1, 1, 0, 13, 200, 1, 0, 9, 3, 15, 0, 1, 0, 15, 0]),
        ("session-ends-then-re-sourced", vec![13, 255, 1, 0, 7, 0, 3, 0, 7, 1, 7, 2, 1, 0, 7, 0, 15, 0]),
        ("woke-and-spoilt", vec![11, 1, 8, 5, 8, 7, 11, 0, 6, 0, 4, 1, 14, 3, 14, 9, 15, 0]),
    ]
}

fn packets() -> Vec<(&'static str, Vec<u8>)> {
    let mut later_fragment = ipv4(6, &TCP);
    later_fragment[6..8].copy_from_slice(&[0x20, 0x03]);
    let mut with_options = ipv4(17, &[&[1, 1, 1, 0], &UDP[..]].concat());
    with_options[0] = 0x46;
    let chain = [&[60, 0, 5, 2, 0, 0, 1, 0], &[44, 0, 1, 4, 0, 0, 0, 0], &[6, 0, 0, 1, 0, 0, 0, 7], &TCP[..]]
        .concat();
    vec![
        ("tcp-v4", ipv4(6, &TCP)),
        ("udp-v4", ipv4(17, &UDP)),
        ("echo-v4", ipv4(1, &[8, 0, 0, 0, 0x12, 0x34, 0, 1])),
        ("error-v4", ipv4(1, &[&[3, 1, 0, 0, 0, 0, 0, 0], &ipv4(17, &UDP)[..]].concat())),
        ("options-v4", with_options),
        ("later-fragment-v4", later_fragment),
        ("tcp-v6", ipv6(6, &TCP)),
        ("echo-v6", ipv6(58, &[128, 0, 0, 0, 0x12, 0x34, 0, 1])),
        ("extensions-v6", ipv6(0, &chain)),
        ("authentication-v6", ipv6(51, &[&[17, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2], &UDP[..]].concat())),
    ]
}

const TCP: [u8; 20] = [0x9c, 0x40, 1, 0xbb, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 0xff, 0xff, 0, 0, 0, 0];
const UDP: [u8; 12] = [0x9c, 0x40, 0, 53, 0, 12, 0, 0, 0xaa, 0xbb, 0xcc, 0xdd];

fn ipv4(protocol: u8, payload: &[u8]) -> Vec<u8> {
    let [t0, t1] = u16::try_from(20 + payload.len()).unwrap().to_be_bytes();
    [&[0x45, 0, t0, t1, 0, 0, 0x40, 0, 64, protocol, 0, 0, 10, 77, 0, 1, 10, 77, 0, 2], payload].concat()
}

fn ipv6(next: u8, payload: &[u8]) -> Vec<u8> {
    let [p0, p1] = u16::try_from(payload.len()).unwrap().to_be_bytes();
    [&[0x60, 0, 0, 0, p0, p1, next, 64], &[0xfd; 32][..], payload].concat()
}
