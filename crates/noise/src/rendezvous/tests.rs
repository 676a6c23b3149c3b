use super::*;
use crate::random::Random;

fn secret(byte: u8) -> StaticSecret {
    StaticSecret::from_random([byte; 32])
}

fn rendezvous(own: u8, peer: u8, service: u8) -> Rendezvous {
    Rendezvous::new(&secret(own), &secret(peer).public_key(), &secret(service).public_key())
        .expect("ordinary keys")
}

fn random() -> RandomStream {
    Random::from_seed([9; 32]).stream("publications")
}

const TEXT: &[u8] = b"attachment points";

// Computed by a second implementation, from the RFCs' pseudocode alone: secrets are 32 bytes of 1 (publisher), 2
// (subscriber) and 3 (service), the number is 0x0102030405060708, the nonce 0, 1, 2, … 23, the text as above.
#[rustfmt::skip]
const TOPIC: [u8; 16] = [
    0x9f, 0xd2, 0xed, 0xd1, 0x93, 0x5f, 0x92, 0x2a, 0x40, 0xff, 0x32, 0xc1, 0x18, 0xdb, 0xcf, 0x38,
];
#[rustfmt::skip]
const SEALED: [u8; 57] = [
    0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f,
    0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x07, 0x39, 0x85, 0x26, 0xbe, 0x85, 0xae, 0x49,
    0x18, 0x6f, 0x72, 0x58, 0x72, 0x8d, 0xab, 0xf4, 0x53, 0x9e, 0x9c, 0xfc, 0x60, 0x2b, 0x18, 0xcb,
    0x77, 0xba, 0xc1, 0xb5, 0x1a, 0xe0, 0xd6, 0x94, 0x59,
];

#[test]
fn topic_and_sealed_bytes_are_those_of_a_second_implementation() {
    let (publisher, subscriber) = (rendezvous(1, 2, 3), rendezvous(2, 1, 3));

    assert_eq!((publisher.topic().0, subscriber.topic().0), (TOPIC, TOPIC));
    let sealed = Sealed::new(&SEALED).unwrap();
    assert_eq!(subscriber.open(0x0102_0304_0506_0708, &sealed).as_deref(), Ok(TEXT));
}

#[test]
fn what_one_side_seals_only_the_other_side_opens() {
    let (alice, bob) = (rendezvous(1, 2, 3), rendezvous(2, 1, 3));

    let sealed = alice.seal(7, TEXT, &mut random()).unwrap();

    assert_eq!(bob.open(7, &sealed).as_deref(), Ok(TEXT));
    assert_eq!(alice.open(7, &sealed), Err(Forged), "handed back to its publisher");
    assert_eq!(bob.open(8, &sealed), Err(Forged), "passed for another number");
    for (own, peer, service) in [(2, 1, 4), (4, 1, 3), (2, 4, 3), (3, 1, 3)] {
        assert_eq!(rendezvous(own, peer, service).open(7, &sealed), Err(Forged), "{own} {peer} {service}");
    }
}

#[test]
fn every_pair_and_every_service_has_a_topic_of_its_own() {
    let mut topics = vec![];
    for service in 5..8 {
        for (own, peer) in [(1, 2), (1, 3), (2, 3)] {
            topics.push(rendezvous(own, peer, service).topic());
            assert_eq!(topics.last(), Some(&rendezvous(peer, own, service).topic()));
        }
    }
    topics.sort();
    topics.dedup();
    assert_eq!(topics.len(), 9);
}

#[test]
fn a_flipped_bit_anywhere_and_any_truncation_is_refused() {
    let (alice, bob) = (rendezvous(1, 2, 3), rendezvous(2, 1, 3));
    let sealed = alice.seal(7, TEXT, &mut random()).unwrap();

    for at in 0..sealed.as_slice().len() {
        let mut bytes = sealed.as_slice().to_vec();
        bytes[at] ^= 1;
        assert_eq!(bob.open(7, &Sealed::new(&bytes).unwrap()), Err(Forged), "byte {at}");
        assert_eq!(bob.open(7, &Sealed::new(&sealed.as_slice()[..at]).unwrap()), Err(Forged), "{at} bytes");
    }
}

#[test]
fn nonces_never_repeat_and_long_texts_and_low_order_keys_are_refused() {
    let alice = rendezvous(1, 2, 3);
    let mut random = random();

    assert_ne!(alice.seal(7, TEXT, &mut random), alice.seal(7, TEXT, &mut random));
    assert!(alice.seal(7, &[0; Rendezvous::MOST], &mut random).is_some());
    assert_eq!(alice.seal(7, &[0; Rendezvous::MOST + 1], &mut random), None);
    assert!(Rendezvous::new(&secret(1), &PublicKey([0; 32]), &secret(3).public_key()).is_none());
}
