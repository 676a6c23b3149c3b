use proptest::prelude::*;

use super::*;
use crate::options::{ChallengeToken, VcOption, decode};

/// A UDP datagram of four bytes from port 1 to port 2.
const PACKET_V4: [u8; 32] = [
    0x45, 0, 0, 32, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 0, 1, 0, 2, 0, 12, 0, 0, 0xaa, 0xbb,
    0xcc, 0xdd,
];

fn packet_v6() -> Vec<u8> {
    let mut packet = vec![0x60, 0, 0, 0, 0, 12, 17, 64];
    packet.extend([0xfd; 32]);
    packet.extend(&PACKET_V4[20..]);
    packet
}

fn challenge() -> Vec<u8> {
    let mut option = Vec::new();
    VcOption::PathChallenge(ChallengeToken([7; 8])).encode(&mut option);
    option
}

#[test]
fn nothing_is_a_keepalive_and_so_is_padding() {
    for len in [0, 16, 32] {
        let plaintext = Plaintext::split(&[0; 32][..len]).unwrap();
        assert_eq!(plaintext, Plaintext { packet: None, options: &[] });
        assert!(plaintext.is_keepalive());
    }
}

#[test]
fn zero_padding_after_a_packet_is_an_empty_list() {
    for packet in [PACKET_V4.to_vec(), packet_v6()] {
        let padded = [packet.as_slice(), &[0; 15]].concat();
        for len in packet.len()..=padded.len() {
            let plaintext = Plaintext::split(&padded[..len]).unwrap();
            assert_eq!(plaintext.packet, Some((packet.as_slice(), IpHeaders::parse(&packet).unwrap())));
            assert_eq!(plaintext.options, [0; 0]);
            assert!(!plaintext.is_keepalive());
        }
    }
}

#[test]
fn options_follow_the_packet_at_its_own_length() {
    for packet in [PACKET_V4.to_vec(), packet_v6()] {
        let bytes = [packet.clone(), challenge(), vec![0; 5]].concat();
        let plaintext = Plaintext::split(&bytes).unwrap();

        assert_eq!(plaintext.packet.map(|(bytes, _)| bytes), Some(packet.as_slice()));
        let options: Vec<_> = decode(plaintext.options).collect();
        assert_eq!(options, [Ok(VcOption::PathChallenge(ChallengeToken([7; 8])))]);
    }
}

#[test]
fn a_message_may_hold_options_alone() {
    let bytes = [challenge(), vec![0; 6]].concat();
    let plaintext = Plaintext::split(&bytes).unwrap();

    assert_eq!(plaintext.packet, None);
    assert_eq!(plaintext.options, bytes);
    assert!(!plaintext.is_keepalive());
}

#[test]
fn only_the_nibbles_of_ip_begin_a_packet() {
    for first in 0..=u8::MAX {
        let plaintext = Plaintext::split(core::slice::from_ref(&first)).map(|plaintext| plaintext.packet);
        if matches!(first >> 4, 4 | 6) {
            assert!(plaintext.is_err(), "{first:#x} is the whole of an IP datagram");
        } else {
            assert_eq!(plaintext, Ok(None));
        }
    }
}

#[test]
fn a_packet_longer_than_the_plaintext_is_refused_at_every_length() {
    for packet in [PACKET_V4.to_vec(), packet_v6()] {
        for len in 1..packet.len() {
            assert!(Plaintext::split(&packet[..len]).is_err(), "{len} bytes");
        }
    }
}

proptest! {
    #[test]
    fn no_byte_is_lost_or_read_twice(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
        if let Ok(Plaintext { packet, options }) = Plaintext::split(&bytes) {
            let packet_len = packet.map_or(0, |(packet, _)| packet.len());
            prop_assert_eq!(packet.map(|(packet, _)| packet), packet.map(|_| &bytes[..packet_len]));
            prop_assert!(options == &bytes[packet_len..] || bytes[packet_len..].first() == Some(&0));
        }
    }
}
