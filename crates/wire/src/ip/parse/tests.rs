use proptest::prelude::*;

use super::*;

const SOURCE_V4: [u8; 4] = [10, 77, 0, 1];
const DESTINATION_V4: [u8; 4] = [192, 0, 2, 9];
const SOURCE_V6: [u8; 16] = [0xfd, 0x73, 0x74, 0x65, 0x61, 0x64, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
const DESTINATION_V6: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9];
const PORTS: (u16, u16) = (40000, 443);
const MORE_FRAGMENTS: u16 = 0x2000;
const DONT_FRAGMENT: u16 = 0x4000;

fn ipv4(protocol: u8, payload: &[u8]) -> Vec<u8> {
    ipv4_with(&[], DONT_FRAGMENT, protocol, payload)
}

fn ipv4_with(options: &[u8], fragment: u16, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let header_len = 20 + options.len();
    let [t0, t1] = u16::try_from(header_len + payload.len()).unwrap().to_be_bytes();
    let [f0, f1] = fragment.to_be_bytes();
    let first = 0x40 | u8::try_from(header_len / 4).unwrap();
    let fixed = [first, 0, t0, t1, 0, 7, f0, f1, 64, protocol, 0, 0];
    [&fixed, &SOURCE_V4[..], &DESTINATION_V4, options, payload].concat()
}

fn ipv6(next: u8, payload: &[u8]) -> Vec<u8> {
    let [p0, p1] = u16::try_from(payload.len()).unwrap().to_be_bytes();
    [&[0x60, 0, 0, 0, p0, p1, next, 64], &SOURCE_V6[..], &DESTINATION_V6, payload].concat()
}

fn ports() -> [u8; 4] {
    let ([s0, s1], [d0, d1]) = (PORTS.0.to_be_bytes(), PORTS.1.to_be_bytes());
    [s0, s1, d0, d1]
}

fn tcp(flags: u8) -> Vec<u8> {
    [&ports(), &[0, 0, 0, 1, 0, 0, 0, 2, 0x50, flags, 0xff, 0xff, 0, 0, 0, 0][..]].concat()
}

fn udp(payload: &[u8]) -> Vec<u8> {
    let [l0, l1] = u16::try_from(8 + payload.len()).unwrap().to_be_bytes();
    [&ports(), &[l0, l1, 0, 0], payload].concat()
}

fn echo(kind: u8) -> Vec<u8> {
    vec![kind, 0, 0, 0, 0x12, 0x34, 0, 1, 0xaa, 0xbb]
}

/// An extension header of `units` times eight bytes (or four and a bit, for the authentication header).
fn extension(next: u8, len: u8, bytes: usize) -> Vec<u8> {
    let mut header = vec![0xee; bytes];
    header[..2].copy_from_slice(&[next, len]);
    header
}

fn fragment_header(next: u8, offset: u16, more: bool) -> Vec<u8> {
    let [o0, o1] = (offset << 3 | u16::from(more)).to_be_bytes();
    vec![next, 0, o0, o1, 0, 0, 0, 7]
}

fn v4(source_port: u16, destination_port: u16, protocol: Protocol) -> FiveTuple {
    FiveTuple {
        source: SocketAddr::from((SOURCE_V4, source_port)),
        destination: SocketAddr::from((DESTINATION_V4, destination_port)),
        protocol,
    }
}

fn v6(source_port: u16, destination_port: u16, protocol: Protocol) -> FiveTuple {
    FiveTuple {
        source: SocketAddr::from((SOURCE_V6, source_port)),
        destination: SocketAddr::from((DESTINATION_V6, destination_port)),
        protocol,
    }
}

fn samples() -> Vec<Vec<u8>> {
    let hop_by_hop = extension(17, 0, 8);
    vec![
        ipv4(6, &tcp(0x02)),
        ipv4_with(&[1; 40], 0, 6, &tcp(0x10)),
        ipv4(17, &udp(b"hello")),
        ipv4(1, &echo(8)),
        ipv4_with(&[], MORE_FRAGMENTS | 3, 17, &[0xee; 16]),
        ipv4(47, b"gre"),
        ipv6(6, &tcp(0x11)),
        ipv6(17, &udp(b"")),
        ipv6(58, &echo(128)),
        ipv6(HOP_BY_HOP, &[hop_by_hop, udp(b"x")].concat()),
        ipv6(FRAGMENT, &[fragment_header(6, 0, true), tcp(0x18)].concat()),
        ipv6(59, b""),
    ]
}

#[test]
fn ports_and_flags_of_tcp_are_read_over_both_families() {
    for (flags, expected) in [
        (0x02, TcpFlags { syn: true, ..TcpFlags::default() }),
        (0x12, TcpFlags { syn: true, ack: true, ..TcpFlags::default() }),
        (0x11, TcpFlags { fin: true, ack: true, ..TcpFlags::default() }),
        (0x04, TcpFlags { rst: true, ..TcpFlags::default() }),
        (0xe8, TcpFlags::default()),
    ] {
        let (over_v4, over_v6) = (ipv4(6, &tcp(flags)), ipv6(6, &tcp(flags)));
        assert_eq!(
            IpHeaders::parse(&over_v4),
            Ok(IpHeaders {
                tuple: v4(PORTS.0, PORTS.1, Protocol::TCP),
                total_len: 40,
                transport_offset: 20,
                tcp: Some(expected)
            })
        );
        assert_eq!(
            IpHeaders::parse(&over_v6),
            Ok(IpHeaders {
                tuple: v6(PORTS.0, PORTS.1, Protocol::TCP),
                total_len: 60,
                transport_offset: 40,
                tcp: Some(expected)
            })
        );
    }
}

#[test]
fn ipv4_options_are_stepped_over() {
    for words in 0..=10 {
        let packet = ipv4_with(&vec![1; words * 4], 0, 17, &udp(b"payload"));
        let headers = IpHeaders::parse(&packet).unwrap();
        assert_eq!(headers.transport_offset, 20 + words * 4);
        assert_eq!(headers.tuple, v4(PORTS.0, PORTS.1, Protocol::UDP));
        assert_eq!(headers.total_len, packet.len());
    }
}

#[test]
fn what_follows_the_datagram_is_not_part_of_it() {
    for sample in samples() {
        let alone = IpHeaders::parse(&sample).unwrap();
        let followed = IpHeaders::parse(&[sample.as_slice(), &[0x10, 8, 1, 2, 3, 4, 5, 6]].concat()).unwrap();
        assert_eq!(alone, followed);
        assert_eq!(alone.total_len, sample.len());
    }
}

#[test]
fn a_super_packet_of_the_largest_size_is_read() {
    let packet = ipv4(6, &[tcp(0x10), vec![0; 65535 - 40]].concat());
    assert_eq!(IpHeaders::parse(&packet).unwrap().total_len, 65535);

    let packet = ipv6(6, &[tcp(0x10), vec![0; 65535 - 20]].concat());
    assert_eq!(IpHeaders::parse(&packet).unwrap().total_len, 65575);
}

#[test]
fn every_truncation_is_refused() {
    for sample in samples() {
        for len in 0..sample.len() {
            assert!(IpHeaders::parse(&sample[..len]).is_err(), "{len} bytes of {sample:02x?}");
        }
    }
}

#[test]
fn an_upper_header_cut_short_by_a_consistent_ip_length_is_refused_by_name() {
    for (protocol, whole, message) in [
        (6, tcp(0x02), "TCP segment"),
        (17, udp(b""), "UDP datagram"),
        (1, echo(8)[..8].to_vec(), "ICMP message"),
        (58, echo(128)[..8].to_vec(), "ICMPv6 message"),
    ] {
        for len in 0..whole.len() {
            let expected = Err(DecodeError::Truncated { message, field: "header" });
            assert_eq!(IpHeaders::parse(&ipv4(protocol, &whole[..len])), expected);
            assert_eq!(IpHeaders::parse(&ipv6(protocol, &whole[..len])), expected);
        }
    }
}

#[test]
fn lengths_that_contradict_each_other_are_refused_by_name() {
    let sample = ipv4(17, &udp(b"hello"));
    let changed = |at: usize, value: u8| {
        let mut packet = sample.clone();
        packet[at] = value;
        IpHeaders::parse(&packet).unwrap_err()
    };

    for (refused, expected) in [
        (changed(0, 0x44), too_small(IPV4, "header length", 20, 16)),
        (changed(0, 0x4f), too_small(IPV4, "total length", 60, 33)),
        (changed(3, 19), too_small(IPV4, "total length", 20, 19)),
        (
            changed(3, 34),
            DecodeError::LengthBeyondEnd { message: IPV4, field: "total length", available: 33, found: 34 },
        ),
        (changed(0, 0x55), DecodeError::UnknownValue { message: "packet", field: "IP version", found: 5 }),
    ] {
        assert_eq!(refused, expected);
    }
    assert!(matches!(changed(2, 0xff), DecodeError::LengthBeyondEnd { .. }));
}

#[test]
fn a_first_fragment_has_ports_and_a_later_one_has_only_addresses() {
    let first = IpHeaders::parse(&ipv4_with(&[], MORE_FRAGMENTS, 6, &tcp(0x02)[..8])).unwrap();
    assert_eq!((first.tuple, first.tcp), (v4(PORTS.0, PORTS.1, Protocol::TCP), None));

    let first = IpHeaders::parse(&ipv4_with(&[], MORE_FRAGMENTS, 6, &tcp(0x02))).unwrap();
    assert!(first.tcp.is_some_and(|flags| flags.syn));

    for fragment in [MORE_FRAGMENTS | 1, 1, 0x1000, 0x1fff] {
        let later = IpHeaders::parse(&ipv4_with(&[], fragment, 6, &tcp(0x04))).unwrap();
        assert_eq!((later.tuple, later.tcp), (v4(0, 0, Protocol::TCP), None));
    }
    let later =
        IpHeaders::parse(&ipv6(FRAGMENT, &[fragment_header(17, 1, false), vec![1]].concat())).unwrap();
    assert_eq!((later.tuple, later.transport_offset), (v6(0, 0, Protocol::UDP), 48));
}

#[test]
fn the_bytes_of_a_later_fragment_are_not_taken_for_extension_headers() {
    let payload = [fragment_header(DESTINATION_OPTIONS, 1, true), vec![0xff; 8]].concat();
    let headers = IpHeaders::parse(&ipv6(FRAGMENT, &payload)).unwrap();
    assert_eq!((headers.tuple, headers.transport_offset), (v6(0, 0, Protocol(DESTINATION_OPTIONS)), 48));
}

#[test]
fn an_atomic_fragment_is_a_whole_datagram() {
    let packet = ipv6(FRAGMENT, &[fragment_header(6, 0, false), tcp(0x10)].concat());
    assert_eq!(IpHeaders::parse(&packet).unwrap().tuple, v6(PORTS.0, PORTS.1, Protocol::TCP));

    let short = ipv6(FRAGMENT, &[fragment_header(6, 0, false), tcp(0x10)[..19].to_vec()].concat());
    assert_eq!(
        IpHeaders::parse(&short),
        Err(DecodeError::Truncated { message: "TCP segment", field: "header" })
    );
}

#[test]
fn every_ipv6_extension_header_is_walked() {
    let chain = [
        extension(DESTINATION_OPTIONS, 0, 8),
        extension(ROUTING, 2, 24),
        extension(AUTHENTICATION, 1, 16),
        extension(FRAGMENT, 4, 24),
        fragment_header(17, 0, true),
        udp(b"hello"),
    ]
    .concat();
    let headers = IpHeaders::parse(&ipv6(HOP_BY_HOP, &chain)).unwrap();

    assert_eq!(headers.tuple, v6(PORTS.0, PORTS.1, Protocol::UDP));
    assert_eq!(headers.transport_offset, 40 + 8 + 24 + 16 + 24 + 8);
}

#[test]
fn the_walk_is_bounded() {
    let chain = |headers: usize| {
        let mut payload = Vec::new();
        for at in 1..=headers {
            payload.extend(extension(if at == headers { 17 } else { DESTINATION_OPTIONS }, 0, 8));
        }
        ipv6(DESTINATION_OPTIONS, &[payload, udp(b"")].concat())
    };

    assert!(IpHeaders::parse(&chain(MOST_EXTENSION_HEADERS)).is_ok());
    let refused = IpHeaders::parse(&chain(MOST_EXTENSION_HEADERS + 1)).unwrap_err();
    assert_eq!(refused.to_string(), "IPv6 packet lists 9 extension headers, expected at most 8");
}

#[test]
fn an_extension_header_longer_than_the_packet_is_refused() {
    for kind in [HOP_BY_HOP, ROUTING, AUTHENTICATION, DESTINATION_OPTIONS] {
        let packet = ipv6(kind, &[extension(17, 255, 8), udp(b"")].concat());
        let expected = DecodeError::Truncated { message: IPV6, field: "extension headers" };
        assert_eq!(IpHeaders::parse(&packet), Err(expected));
    }
}

#[test]
fn an_echo_and_its_reply_are_the_two_ways_of_one_connection() {
    let both_ports = IpHeaders::parse(&ipv4(1, &echo(8))).unwrap().tuple;
    assert_eq!(both_ports, v4(0x1234, 0x1234, Protocol::ICMP));
    assert_eq!(IpHeaders::parse(&ipv4(1, &echo(0))).unwrap().tuple, both_ports);

    let both_ports = IpHeaders::parse(&ipv6(58, &echo(128))).unwrap().tuple;
    assert_eq!(both_ports, v6(0x1234, 0x1234, Protocol::ICMPV6));
    assert_eq!(IpHeaders::parse(&ipv6(58, &echo(129))).unwrap().tuple, both_ports);
}

#[test]
fn icmp_errors_and_other_protocols_are_named_by_their_addresses() {
    // Destination unreachable, packet too big, GRE, no next header.
    assert_eq!(IpHeaders::parse(&ipv4(1, &echo(3))).unwrap().tuple, v4(0, 0, Protocol::ICMP));
    assert_eq!(IpHeaders::parse(&ipv6(58, &echo(2))).unwrap().tuple, v6(0, 0, Protocol::ICMPV6));
    assert_eq!(IpHeaders::parse(&ipv4(47, b"")).unwrap().tuple, v4(0, 0, Protocol(47)));
    assert_eq!(IpHeaders::parse(&ipv6(59, b"")).unwrap().tuple, v6(0, 0, Protocol(59)));
}

/// Extension headers of any kind but the fragment header, each right in itself.
fn extensions() -> impl Strategy<Value = Vec<(u8, usize)>> {
    let kinds = prop::sample::select(vec![HOP_BY_HOP, ROUTING, AUTHENTICATION, DESTINATION_OPTIONS]);
    proptest::collection::vec((kinds, 1_usize..6), 0..=MOST_EXTENSION_HEADERS)
}

proptest! {
    #[test]
    fn any_chain_of_extension_headers_leads_to_the_ports(chain in extensions(), flags: u8) {
        let mut payload = Vec::new();
        for (at, (kind, units)) in chain.iter().enumerate() {
            let next = chain.get(at + 1).map_or(6, |(kind, _)| *kind);
            let len = if *kind == AUTHENTICATION { units * 2 - 2 } else { units - 1 };
            payload.extend(extension(next, u8::try_from(len).unwrap(), units * 8));
        }
        let transport_offset = 40 + payload.len();
        payload.extend(tcp(flags));
        let packet = ipv6(chain.first().map_or(6, |(kind, _)| *kind), &payload);

        let headers = IpHeaders::parse(&packet).unwrap();
        prop_assert_eq!(headers.tuple, v6(PORTS.0, PORTS.1, Protocol::TCP));
        prop_assert_eq!(headers.transport_offset, transport_offset);
        prop_assert_eq!(headers.tcp.map(|tcp| tcp.syn), Some(flags & 2 != 0));
    }

    #[test]
    fn random_bytes_never_panic(version in 4_u8..=6, mut packet in proptest::collection::vec(any::<u8>(), 0..120)) {
        if let [first, ..] = packet.as_mut_slice() {
            *first = version << 4 | *first & 0x0f;
        }
        if let Ok(headers) = IpHeaders::parse(&packet) {
            prop_assert!(headers.transport_offset <= headers.total_len && headers.total_len <= packet.len());
        }
    }

    #[test]
    fn a_sound_packet_with_one_byte_changed_never_panics(sample in prop::sample::select(samples()), at: prop::sample::Index, value: u8) {
        let mut packet = sample;
        let at = at.index(packet.len());
        packet[at] = value;
        if let Ok(headers) = IpHeaders::parse(&packet) {
            prop_assert!(headers.transport_offset <= headers.total_len && headers.total_len <= packet.len());
        }
    }
}
