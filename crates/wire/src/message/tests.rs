use proptest::prelude::*;

use super::*;

const NOISE: [u8; INITIATION_NOISE_LEN] = [0xee; INITIATION_NOISE_LEN];
const SENDER: SessionIndex = SessionIndex(0x0403_0201);
const RECEIVER: SessionIndex = SessionIndex(0x0807_0605);

fn samples() -> [Vec<u8>; 4] {
    [
        encode_initiation(SENDER, &NOISE).to_vec(),
        encode_response(SENDER, RECEIVER, &[0xee; RESPONSE_NOISE_LEN]).to_vec(),
        encode_cookie_reply(RECEIVER, &[0xaa; 24], &[0xbb; 32]).to_vec(),
        transport(RECEIVER, Counter(0x0807_0605_0403_0201), &[0xcc; TAG_LEN]),
    ]
}

fn transport(receiver: SessionIndex, counter: Counter, ciphertext: &[u8]) -> Vec<u8> {
    let mut header = [0xff; TRANSPORT_HEADER_LEN];
    encode_transport_header(receiver, counter, &mut header);
    [&header, ciphertext].concat()
}

#[test]
fn the_lengths_are_wireguards() {
    // WireGuard paper §5.4.2, §5.4.3, §5.4.7, §5.4.6.
    assert_eq!([INITIATION_LEN, RESPONSE_LEN, COOKIE_REPLY_LEN, TRANSPORT_MIN_LEN], [148, 92, 64, 32]);
    assert_eq!(samples().map(|sample| sample.len()), [148, 92, 64, 32]);
}

#[test]
fn the_bytes_are_where_wireguard_has_them() {
    let [initiation, response, cookie_reply, transport] = samples();

    assert_eq!(initiation[..9], [1, 0, 0, 0, 1, 2, 3, 4, 0xee]);
    assert_eq!(initiation[115..], [[0xee].as_slice(), &[0; 32]].concat());
    assert_eq!(response[..13], [2, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0xee]);
    assert_eq!(response[59..], [[0xee].as_slice(), &[0; 32]].concat());
    assert_eq!(cookie_reply[..9], [3, 0, 0, 0, 5, 6, 7, 8, 0xaa]);
    assert_eq!(cookie_reply[31..33], [0xaa, 0xbb]);
    assert_eq!(transport[..17], [4, 0, 0, 0, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8, 0xcc]);
}

#[test]
fn each_mac_covers_everything_before_it() {
    let mut bytes = encode_initiation(SENDER, &NOISE);
    bytes[116..132].fill(0x11);
    bytes[132..].fill(0x22);

    let Ok(Message::Initiation(initiation)) = Message::decode(&bytes) else { panic!("no initiation") };
    assert_eq!(initiation.macs.covered_by_mac1, &bytes[..116]);
    assert_eq!(initiation.macs.mac1, &[0x11; 16]);
    assert_eq!(initiation.macs.covered_by_mac2, &bytes[..132]);
    assert_eq!(initiation.macs.mac2, &[0x22; 16]);

    let mut bytes = encode_response(SENDER, RECEIVER, &[0; RESPONSE_NOISE_LEN]);
    bytes[60..76].fill(0x11);
    bytes[76..].fill(0x22);

    let Ok(Message::Response(response)) = Message::decode(&bytes) else { panic!("no response") };
    assert_eq!(response.macs.covered_by_mac1, &bytes[..60]);
    assert_eq!(response.macs.mac1, &[0x11; 16]);
    assert_eq!(response.macs.covered_by_mac2, &bytes[..76]);
    assert_eq!(response.macs.mac2, &[0x22; 16]);
}

#[test]
fn every_truncation_is_refused() {
    for sample in samples() {
        assert!(Message::decode(&sample).is_ok());
        for len in 0..sample.len() {
            assert!(Message::decode(&sample[..len]).is_err(), "type {} of {len} bytes", sample[0]);
        }
    }
}

#[test]
fn only_transport_messages_may_be_longer() {
    let [.., transport] = samples().map(|mut sample| {
        sample.push(0);
        sample
    });
    assert!(Message::decode(&transport).is_ok());

    for (mut sample, expected) in samples().into_iter().zip([148, 92, 64]) {
        sample.push(0);
        let refused = Message::decode(&sample).unwrap_err();
        assert!(
            matches!(refused, DecodeError::WrongLength { expected: e, found, .. } if e == expected && found == e + 1),
            "{refused}"
        );
    }
}

#[test]
fn a_full_packet_that_its_sender_did_not_pad_beyond_the_mtu_is_taken() {
    let bytes = transport(RECEIVER, Counter(0), &[0; 1420 + TAG_LEN]);

    assert_eq!(bytes.len(), 1452);
    assert!(matches!(Message::decode(&bytes), Ok(Message::Transport(_))));
}

#[test]
fn reserved_bytes_in_use_are_refused() {
    for sample in samples() {
        for at in 1..4 {
            let mut bytes = sample.clone();
            bytes[at] = 0x80;
            let refused = Message::decode(&bytes).unwrap_err();
            assert!(matches!(refused, DecodeError::NotZero { field: "reserved", .. }), "{refused}");
        }
    }
}

#[test]
fn other_types_are_refused() {
    for kind in (0..=u8::MAX).filter(|kind| !(1..=4).contains(kind)) {
        let mut bytes = [0; INITIATION_LEN];
        bytes[0] = kind;
        let expected = DecodeError::UnknownValue { message: "datagram", field: "type", found: kind };
        assert_eq!(Message::decode(&bytes), Err(expected));
    }
}

#[test]
fn padding_goes_to_the_next_sixteen_and_not_beyond_the_mtu() {
    assert_eq!([0, 1, 15, 16, 17, 1420].map(padded_len), [0, 16, 16, 16, 32, 1424]);
    assert_eq!([0, 1, 1408, 1409, 1420].map(|len| padded_len_within(len, 1420)), [0, 16, 1408, 1420, 1420]);
    assert_eq!(padded_len_within(1421, 1420), 1421);
}

proptest! {
    #[test]
    fn initiations_and_responses_survive_the_wire(
        sender: u32, receiver: u32,
        noise in proptest::array::uniform32(any::<u8>()).prop_map(|seed| core::array::from_fn(|at| seed[at % 32])),
    ) {
        let (sender, receiver) = (SessionIndex(sender), SessionIndex(receiver));

        let bytes = encode_initiation(sender, &noise);
        let Ok(Message::Initiation(decoded)) = Message::decode(&bytes) else { panic!("no initiation") };
        prop_assert_eq!((decoded.sender, decoded.noise), (sender, &noise));

        let noise = core::array::from_fn(|at| noise[at]);
        let bytes = encode_response(sender, receiver, &noise);
        let Ok(Message::Response(decoded)) = Message::decode(&bytes) else { panic!("no response") };
        prop_assert_eq!((decoded.sender, decoded.receiver, decoded.noise), (sender, receiver, &noise));
    }

    #[test]
    fn cookie_replies_and_transport_messages_survive_the_wire(
        receiver: u32, counter: u64, nonce: [u8; 24], sealed: [u8; 32],
        ciphertext in proptest::collection::vec(any::<u8>(), TAG_LEN..200),
    ) {
        let receiver = SessionIndex(receiver);

        let bytes = encode_cookie_reply(receiver, &nonce, &sealed);
        let expected = CookieReply { receiver, nonce: &nonce, sealed_cookie: &sealed };
        prop_assert_eq!(Message::decode(&bytes), Ok(Message::CookieReply(expected)));

        let counter = Counter(counter);
        let bytes = transport(receiver, counter, &ciphertext);
        let expected = Transport { receiver, counter, ciphertext: &ciphertext };
        prop_assert_eq!(Message::decode(&bytes), Ok(Message::Transport(expected)));
    }

    #[test]
    fn random_bytes_never_panic(
        kind in 0_u8..6, used_reserved in prop::bool::weighted(0.1),
        rest in proptest::collection::vec(any::<u8>(), 0..160),
    ) {
        let bytes = [&[kind, 0, 0, u8::from(used_reserved)], rest.as_slice()].concat();
        let accepted = Message::decode(&bytes).is_ok();
        prop_assert!(!(accepted && used_reserved));
        prop_assert!(Message::decode(&rest).is_err() || rest[1..4] == [0; 3]);
    }
}
