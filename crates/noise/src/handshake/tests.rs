use super::*;
use crate::cookie::{Mac1Key, seal_mac1};
use crate::keys::tests::{hex, low_order_points};
use crate::random::Random;
use crate::session::Session;
use crate::session::tests::sealed;
use stead_wire::message::{Counter, Message};
use stead_wire::time::{Duration, Instant, UnixTime};

const HERE: SessionIndex = SessionIndex(0x1122_3344);
const THERE: SessionIndex = SessionIndex(0x5566_7788);

/// The handshake of `Cast::new` as computed by a separate program from WireGuard's paper with another
/// library's X25519, ChaCha20-Poly1305 and BLAKE2s.
pub(crate) const INITIATION: &str = concat!(
    "01000000443322110c1387a8372bce0c7812a216f59f3323075aeaf72aad61dc8b5f5e5c206c1f05e7761579d909e2d4",
    "eb6cd40ca091b292cc8fb938207aa91ea1ac69b62a58699420149fa882d131292a11272a9077dee41e46df209cff2bc2",
    "67415e9e77ad96466907e4db9e00f29a0a89db518865f120a785dd601f57e2953da065af000000000000000000000000",
    "00000000",
);
const RESPONSE: &str = concat!(
    "02000000887766554433221120e543635b658aba5c8b97757d4c4094ce37e1f28e2e4fbefebece14a40b66013dbd02a0",
    "eaeb8021b7603857aa525fd8dd4794f432176c3c2167ffd58ea0ab7800000000000000000000000000000000",
);
const INITIATOR_SENDS: &str = "306dba67dc5b7ff48fc8647af0d9ea5e4d13d0697c409b35edf98dc7a04a478b";
const RESPONDER_SENDS: &str = "258a3fb12e6a3a481e153d52da6fe71729655fc0e9160a91d6cd80a5149a93d1";
/// The first keepalive in that session, and a message of 16 bytes with the counter 0x0102030405060708.
const KEEPALIVE: &str = "04000000887766550000000000000000459b073c1c7798e04d601bb85c95d9a3";
const MESSAGE: &str =
    "0400000088776655080706050403020121c5012b96e5d169ac75361cccc09ea95d488e222c2bcb89bf26f5b04f59f7ae";

/// Two peers that know each other.
struct Cast {
    initiator: StaticSecret,
    responder: StaticSecret,
    psk: PresharedKey,
    initiator_random: RandomStream,
    responder_random: RandomStream,
}

impl Cast {
    fn new() -> Self {
        Self {
            initiator: StaticSecret::from_random([1; 32]),
            responder: StaticSecret::from_random([2; 32]),
            psk: PresharedKey::from_bytes([3; 32]),
            initiator_random: Random::from_seed([4; 32]).stream("handshake"),
            responder_random: Random::from_seed([5; 32]).stream("handshake"),
        }
    }

    fn start(&mut self) -> (Initiator, [u8; INITIATION_LEN]) {
        let remote = self.responder.public_key();
        let random = &mut self.initiator_random;
        Initiator::start(&self.initiator, &remote, &self.psk, HERE, timestamp(), random).unwrap()
    }

    fn respond(&mut self, message: &[u8]) -> ([u8; RESPONSE_LEN], SessionKeys) {
        let responder = Responder::receive(&self.responder, &initiation(message)).unwrap();
        responder.respond(&self.psk, THERE, &mut self.responder_random).unwrap()
    }
}

fn timestamp() -> Tai64N {
    UnixTime(Duration::new(1_700_000_000, 123_456_789)).into()
}

fn initiation(bytes: &[u8]) -> Initiation<'_> {
    match Message::decode(bytes) {
        Ok(Message::Initiation(initiation)) => initiation,
        other => panic!("not an initiation: {other:?}"),
    }
}

fn response(bytes: &[u8]) -> Response<'_> {
    match Message::decode(bytes) {
        Ok(Message::Response(response)) => response,
        other => panic!("not a response: {other:?}"),
    }
}

fn assert_matching(here: &SessionKeys, there: &SessionKeys) {
    assert_eq!(*here.send, *there.receive);
    assert_eq!(*here.receive, *there.send);
    assert_ne!(*here.send, *here.receive);
    assert_eq!((here.local, here.remote), (there.remote, there.local));
    assert_eq!((here.role, there.role), (Role::Initiator, Role::Responder));
}

/// Every copy of `bytes` with one bit of `range` flipped.
fn flips(bytes: &[u8], range: core::ops::Range<usize>) -> impl Iterator<Item = (usize, Vec<u8>)> {
    range.flat_map(move |at| {
        [0x01, 0x10, 0x80].map(|bit| {
            let mut altered = bytes.to_vec();
            altered[at] ^= bit;
            (at, altered)
        })
    })
}

#[test]
fn both_messages_and_the_keys_are_byte_for_byte_those_of_wireguard() {
    let mut cast = Cast::new();

    let (mut initiator, mut first) = cast.start();
    let (mut second, there) = cast.respond(&first);
    let here = initiator.finish(&response(&second)).unwrap();
    seal_mac1(&mut first, &Mac1Key::for_receiver(&cast.responder.public_key()));
    seal_mac1(&mut second, &Mac1Key::for_receiver(&cast.initiator.public_key()));

    assert_eq!(first, hex(INITIATION));
    assert_eq!(second, hex(RESPONSE));
    assert_eq!(*here.send, hex(INITIATOR_SENDS));
    assert_eq!(*here.receive, hex(RESPONDER_SENDS));
    assert_matching(&here, &there);
}

#[test]
fn transport_messages_are_byte_for_byte_those_of_wireguard() {
    let mut cast = Cast::new();
    let (mut initiator, first) = cast.start();
    let (second, _) = cast.respond(&first);
    let session = Session::new(initiator.finish(&response(&second)).unwrap(), Instant::ZERO);

    assert_eq!(sealed(&session, b""), hex::<32>(KEEPALIVE));
    let mut message: [u8; 48] = [0; 48];
    message[16..32].copy_from_slice(b"sixteen byte tex");
    session.seal_in_place(Counter(0x0102_0304_0506_0708), &mut message);
    assert_eq!(message, hex(MESSAGE));
}

#[test]
fn the_responder_learns_who_it_is_and_when_it_began() {
    let mut cast = Cast::new();
    let (initiator, first) = cast.start();

    let responder = Responder::receive(&cast.responder, &initiation(&first)).unwrap();

    assert_eq!(responder.remote(), cast.initiator.public_key());
    assert_eq!(responder.timestamp(), timestamp());
    assert_eq!(initiator.index(), HERE);
}

#[test]
fn a_handshake_without_a_preshared_key_gives_other_keys_that_match_too() {
    let mut cast = Cast { psk: PresharedKey::default(), ..Cast::new() };

    let (mut initiator, first) = cast.start();
    let (second, there) = cast.respond(&first);
    let here = initiator.finish(&response(&second)).unwrap();

    assert_matching(&here, &there);
    assert_ne!(*here.send, hex(INITIATOR_SENDS));
}

#[test]
fn the_same_seeds_give_the_same_bytes_and_each_handshake_has_its_own_ephemeral_keys() {
    let run = || {
        let mut cast = Cast::new();
        let (_, first) = cast.start();
        let (second, _) = cast.respond(&first);
        let (_, third) = cast.start();
        let (fourth, _) = cast.respond(&third);
        (first, second, third, fourth)
    };

    let (first, second, third, fourth) = run();

    assert_eq!((first, second, third, fourth), run());
    assert_ne!(first[8..40], third[8..40]);
    assert_ne!(second[12..44], fourth[12..44]);
}

#[test]
fn a_wrong_preshared_key_shows_at_the_initiator_and_the_right_one_still_works() {
    let mut cast = Cast::new();
    let (mut initiator, first) = cast.start();
    let wrong = PresharedKey::from_bytes([9; 32]);
    let none = PresharedKey::default();

    for psk in [wrong, none] {
        let responder = Responder::receive(&cast.responder, &initiation(&first)).unwrap();
        let (second, _) = responder.respond(&psk, THERE, &mut cast.responder_random).unwrap();
        assert_eq!(initiator.finish(&response(&second)).unwrap_err(), HandshakeError::Forged);
    }

    let (second, there) = cast.respond(&first);
    assert_matching(&initiator.finish(&response(&second)).unwrap(), &there);
}

#[test]
fn an_initiation_for_another_key_or_our_own_is_refused() {
    let mut cast = Cast::new();
    let (_, first) = cast.start();
    let stranger = StaticSecret::from_random([8; 32]);

    assert_eq!(Responder::receive(&stranger, &initiation(&first)).unwrap_err(), HandshakeError::Forged);
    assert_eq!(Responder::receive(&cast.initiator, &initiation(&first)).unwrap_err(), HandshakeError::Forged);
}

#[test]
fn an_initiation_altered_anywhere_is_refused_and_the_genuine_one_is_still_accepted() {
    let mut cast = Cast::new();
    let (mut initiator, first) = cast.start();

    // Behind type and sender, up to the macs: what Noise covers.
    for (at, altered) in flips(&first, 8..8 + INITIATION_NOISE_LEN) {
        // The top bit of an X25519 public key is not part of the point, but the hash covers it.
        let refused = Responder::receive(&cast.responder, &initiation(&altered)).unwrap_err();
        assert_eq!(refused, HandshakeError::Forged, "byte {at}");
    }

    let (second, there) = cast.respond(&first);
    assert_matching(&initiator.finish(&response(&second)).unwrap(), &there);
}

#[test]
fn a_response_altered_anywhere_is_refused_and_the_genuine_one_is_still_accepted() {
    let mut cast = Cast::new();
    let (mut initiator, first) = cast.start();
    let (second, there) = cast.respond(&first);

    for (at, altered) in flips(&second, 12..12 + RESPONSE_NOISE_LEN) {
        let refused = initiator.finish(&response(&altered)).unwrap_err();
        assert_eq!(refused, HandshakeError::Forged, "byte {at}");
    }
    for (at, altered) in flips(&second, 8..12) {
        let refused = initiator.finish(&response(&altered)).unwrap_err();
        assert!(matches!(refused, HandshakeError::WrongReceiver(index) if index != HERE), "byte {at}");
    }

    assert_matching(&initiator.finish(&response(&second)).unwrap(), &there);
}

#[test]
fn a_response_to_another_initiation_of_the_same_pair_is_refused() {
    let mut cast = Cast::new();
    let (_, earlier) = cast.start();
    let (mut initiator, first) = cast.start();
    let (stale, _) = cast.respond(&earlier);
    let (second, there) = cast.respond(&first);

    assert_eq!(initiator.finish(&response(&stale)).unwrap_err(), HandshakeError::Forged);

    assert_matching(&initiator.finish(&response(&second)).unwrap(), &there);
}

#[test]
fn a_handshake_is_finished_once() {
    let mut cast = Cast::new();
    let (mut initiator, first) = cast.start();
    let (second, _) = cast.respond(&first);
    initiator.finish(&response(&second)).unwrap();

    assert_eq!(initiator.finish(&response(&second)).unwrap_err(), HandshakeError::Finished);
}

#[test]
fn no_message_goes_to_a_public_key_of_low_order() {
    let mut cast = Cast::new();
    for point in low_order_points() {
        let random = &mut cast.initiator_random;
        let started = Initiator::start(&cast.initiator, &point, &cast.psk, HERE, timestamp(), random);
        assert_eq!(started.unwrap_err(), HandshakeError::LowOrderKey, "{point}");
    }
}

#[test]
fn ephemeral_keys_of_low_order_are_refused_in_both_messages() {
    let mut cast = Cast::new();
    let (mut initiator, first) = cast.start();
    let (second, there) = cast.respond(&first);

    for point in low_order_points() {
        let mut poisoned = first;
        poisoned[8..40].copy_from_slice(&point.0);
        let refused = Responder::receive(&cast.responder, &initiation(&poisoned)).unwrap_err();
        assert_eq!(refused, HandshakeError::LowOrderKey, "{point}");

        let mut poisoned = second;
        poisoned[12..44].copy_from_slice(&point.0);
        let refused = initiator.finish(&response(&poisoned)).unwrap_err();
        assert_eq!(refused, HandshakeError::LowOrderKey, "{point}");
    }

    assert_matching(&initiator.finish(&response(&second)).unwrap(), &there);
}

#[test]
fn an_initiator_that_claims_a_static_key_of_low_order_is_refused() {
    // Made by the rules up to the static key, with a point in its place: only its exchange can refuse it.
    for point in low_order_points() {
        let cast = Cast::new();
        let mut random = cast.initiator_random;
        let forged = resolver::tests::initiation_claiming(&point, &cast.responder.public_key(), &mut random);
        let message = message::encode_initiation(HERE, &forged);

        let refused = Responder::receive(&cast.responder, &initiation(&message)).unwrap_err();

        assert_eq!(refused, HandshakeError::LowOrderKey, "{point}");
    }
}

#[test]
fn keys_do_not_show_in_debug() {
    let mut cast = Cast::new();
    let (initiator, first) = cast.start();
    let (_, keys) = cast.respond(&first);

    let text = format!("{initiator:?} {keys:?}");

    assert!(text.contains("role: Responder"), "{text}");
    assert!(!text.contains("send") && !text.contains("psk"), "{text}");
}
