use super::*;
use core::net::Ipv6Addr;

/// Bob's keys of RFC 7748 §6.1, as `wg` writes them.
const BOB_SECRET: &str = "XasIfmJKikt54X+Lg4AO5m87sSkmGLb9HC+LJ/+I4Os=";
const BOB_SECRET_CLAMPED: &str = "WKsIfmJKikt54X+Lg4AO5m87sSkmGLb9HC+LJ/+I4Gs=";
const BOB_PUBLIC: &str = "3p7bfXt9wbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08=";
/// Alice's public key there.
const ALICE_PUBLIC: &str = "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=";
/// What the two share.
const SHARED: [u8; 32] = [
    0x4a, 0x5d, 0x9d, 0x5b, 0xa4, 0xce, 0x2d, 0xe1, 0x72, 0x8e, 0x3b, 0xf4, 0x80, 0x35, 0x0f, 0x25, 0xe0,
    0x7e, 0x21, 0xc9, 0x47, 0xd1, 0x9e, 0x33, 0x76, 0xf0, 0x9b, 0x3c, 0x1e, 0x16, 0x17, 0x42,
];

/// Every encoding of a point of low order on Curve25519 or its twist: 0, 1, two points of order 8, p-1, p,
/// p+1, and these with the ignored top bit set.
pub(crate) fn low_order_points() -> Vec<PublicKey> {
    let order_eight_a = hex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800");
    let order_eight_b = hex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157");
    let mut one = [0; 32];
    one[0] = 1;
    let near_p = |lowest| {
        let mut point = [0xff; 32];
        point[0] = lowest;
        point[31] = 0x7f;
        point
    };
    let points = [[0; 32], one, order_eight_a, order_eight_b, near_p(0xec), near_p(0xed), near_p(0xee)];
    let with_top_bit = points.map(|mut point| {
        point[31] |= 0x80;
        point
    });
    points.into_iter().chain(with_top_bit).map(PublicKey).collect()
}

pub(crate) fn hex<const N: usize>(text: &str) -> [u8; N] {
    assert_eq!(text.len(), 2 * N);
    core::array::from_fn(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).expect("hexadecimal"))
}

#[test]
fn the_key_pair_of_rfc_7748_is_read_derived_and_written_as_wg_does() {
    let secret: StaticSecret = BOB_SECRET.parse().unwrap();

    assert_eq!(secret.public_key().to_string(), BOB_PUBLIC);
    assert_eq!(secret.to_string(), BOB_SECRET_CLAMPED);
    assert_eq!(BOB_SECRET_CLAMPED.parse(), Ok(secret));
    assert_eq!(BOB_PUBLIC.parse::<PublicKey>().unwrap().short(), "3p7bfXt9");
}

#[test]
fn the_shared_secret_is_that_of_rfc_7748() {
    let secret: StaticSecret = BOB_SECRET.parse().unwrap();
    let public: PublicKey = ALICE_PUBLIC.parse().unwrap();

    let shared = diffie_hellman(secret.as_bytes(), &public.0).unwrap();

    assert_eq!(*shared, SHARED);
}

#[test]
fn texts_that_are_not_keys_are_refused_with_the_reason() {
    let cases = [
        ("", KeyError::Length(0)),
        ("3p7bfXt9wbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08", KeyError::Length(43)),
        ("3p7bfXt9wbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08=\n", KeyError::Length(45)),
        ("ключ", KeyError::Length(4)),
        // No padding: 33 bytes.
        ("3p7bfXt9wbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08A", KeyError::NotBase64),
        // Twice padding: 31 bytes.
        ("3p7bfXt9wbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IKw==", KeyError::NotBase64),
        // Bits set beyond the last byte.
        ("3p7bfXt9wbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK09=", KeyError::NotBase64),
        ("3p7bfXt9wbTTW2HC7OQ1Nz-DQ8hbeGdNrfx-FG-IK08=", KeyError::NotBase64),
        ("3p7bfXt9wbTTW2HC7OQ1Nz ключ 8hbeGdNrfx+FGIK", KeyError::Length(43)),
    ];
    for (text, expected) in cases {
        assert_eq!(text.parse::<PublicKey>(), Err(expected), "{text:?}");
        assert_eq!(text.parse::<StaticSecret>().err(), Some(expected), "{text:?}");
        assert_eq!(text.parse::<PresharedKey>().err(), Some(expected), "{text:?}");
    }
}

#[test]
fn secrets_do_not_show_in_debug() {
    let secret: StaticSecret = BOB_SECRET.parse().unwrap();
    let preshared: PresharedKey = BOB_SECRET.parse().unwrap();

    assert_eq!(format!("{secret:?} {preshared:?}"), "StaticSecret(…) PresharedKey(…)");
    assert_eq!(preshared.to_string(), BOB_SECRET);
}

#[test]
fn a_random_secret_is_clamped() {
    for bytes in [[0; 32], [0xff; 32]] {
        let secret = StaticSecret::from_random(bytes);

        assert_eq!(secret.as_bytes()[0] & 0b111, 0);
        assert_eq!(secret.as_bytes()[31] & 0b1100_0000, 0b0100_0000);
    }
}

#[test]
fn the_virtual_address_of_a_key_lies_in_our_prefix_and_never_changes() {
    let one = StaticSecret::from_random([1; 32]).public_key();
    let other = StaticSecret::from_random([2; 32]).public_key();

    assert_eq!(one.virtual_address(), "fd73:7465:6164:3e31:2bbe:ace2:2040:340a".parse::<Ipv6Addr>().unwrap());
    assert_eq!(one.virtual_address().octets()[..6], other.virtual_address().octets()[..6]);
    assert_ne!(one.virtual_address(), other.virtual_address());
}

#[test]
fn low_order_points_are_known_as_such_and_share_no_secret_with_anyone() {
    for point in low_order_points() {
        assert!(point.is_low_order(), "{point}");
        for secret in [[0; 32], [0x5a; 32], [0xff; 32]] {
            assert_eq!(diffie_hellman(&secret, &point.0), None, "{point}");
        }
    }
}

#[test]
fn ordinary_keys_are_not_of_low_order() {
    for byte in 0..=255 {
        let key = StaticSecret::from_random([byte; 32]).public_key();
        assert!(!key.is_low_order(), "{key}");
    }
    // Some of these lie on the twist: still not of low order.
    for byte in 2..=64 {
        let mut bytes = [0; 32];
        bytes[0] = byte;
        assert!(!PublicKey(bytes).is_low_order(), "{byte}");
    }
}
