//! What the fuzzers run: plain functions of bytes that panic where a decoder breaks a promise.
//!
//! `tests/fuzz` feeds them through libFuzzer; the suite `fuzz_corpus` replays the committed corpus with them.
//!
//! ```text
//! cargo install cargo-fuzz
//! cd tests/fuzz && RUSTC_BOOTSTRAP=1 cargo fuzz run --sanitizer none ip -- -max_total_time=60
//! ```
//!
//! What it finds belongs into the corpus as the few inputs that reach new code:
//! `cargo fuzz cmin --sanitizer none ip -- -set_cover_merge=1 -use_counters=0`, and then the hand-made seeds anew, since
//! that renames them (the suite tells how).

// The fuzz crate has this file as its root, so the place of the module's file must be named.
#[path = "fuzz_node.rs"]
mod node;

pub use self::node::node;
use stead_wire::ip::IpHeaders;
use stead_wire::message::{self, Message, TRANSPORT_HEADER_LEN};
use stead_wire::options::{self, VcOption};
use stead_wire::plaintext::Plaintext;
use stead_wire::reader::DecodeError;

/// One fuzz target.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, and its corpus' directory.
    pub name: &'static str,
    /// What it does with an input.
    pub run: fn(&[u8]),
}

/// Every target there is.
pub const TARGETS: [Target; 5] = [
    Target { name: "message", run: message },
    Target { name: "plaintext", run: plaintext },
    Target { name: "options", run: options },
    Target { name: "ip", run: ip },
    Target { name: "node", run: node },
];

/// Datagrams: accepted exactly if type, reserved bytes and length are WireGuard's, and not a byte goes astray.
pub fn message(bytes: &[u8]) {
    let sound = match *bytes {
        [1, 0, 0, 0, ..] => bytes.len() == 148,
        [2, 0, 0, 0, ..] => bytes.len() == 92,
        [3, 0, 0, 0, ..] => bytes.len() == 64,
        [4, 0, 0, 0, ..] => bytes.len() >= 32,
        _ => false,
    };
    let decoded = Message::decode(bytes);
    assert_eq!(decoded.is_ok(), sound, "{decoded:?}");
    if let Ok(decoded) = decoded {
        assert_eq!(encode(&decoded), bytes);
    }
}

fn encode(decoded: &Message<'_>) -> Vec<u8> {
    match decoded {
        Message::Initiation(initiation) => {
            let mut out = message::encode_initiation(initiation.sender, initiation.noise);
            fill_macs(&mut out, &initiation.macs);
            out.to_vec()
        }
        Message::Response(response) => {
            let mut out = message::encode_response(response.sender, response.receiver, response.noise);
            fill_macs(&mut out, &response.macs);
            out.to_vec()
        }
        Message::CookieReply(reply) => {
            message::encode_cookie_reply(reply.receiver, reply.nonce, reply.sealed_cookie).to_vec()
        }
        Message::Transport(transport) => {
            let mut header = [0; TRANSPORT_HEADER_LEN];
            message::encode_transport_header(transport.receiver, transport.counter, &mut header);
            [&header, transport.ciphertext].concat()
        }
    }
}

fn fill_macs(out: &mut [u8], macs: &message::Macs<'_>) {
    let (first, second) = (macs.covered_by_mac1.len(), macs.covered_by_mac2.len());
    assert_eq!(&out[..first], macs.covered_by_mac1);
    out[first..second].copy_from_slice(macs.mac1);
    out[second..].copy_from_slice(macs.mac2);
    assert_eq!(&out[..second], macs.covered_by_mac2);
}

/// Opened transport messages: packet and options are parts of the input, and padding changes neither.
pub fn plaintext(bytes: &[u8]) {
    let Ok(split) = Plaintext::split(bytes) else { return };
    let packet_len = split.packet.map_or(0, |(packet, headers)| {
        assert_eq!(packet.len(), headers.total_len);
        assert_eq!(packet, &bytes[..headers.total_len]);
        headers.total_len
    });
    assert!(split.options.is_empty() || split.options == &bytes[packet_len..]);
    let Ok(list) = options::decode(split.options).collect::<Result<Vec<_>, _>>() else { return };

    let padded = [bytes, &[0; 16]].concat();
    let again = Plaintext::split(&padded).expect("padding does no harm");
    assert_eq!(again.packet, split.packet);
    assert_eq!(options::decode(again.options).collect::<Result<Vec<_>, _>>(), Ok(list));
}

/// Options: what was understood survives encoding, in as many bytes as it announces and no more than it had.
pub fn options(bytes: &[u8]) {
    let decoded: Vec<_> = options::decode(bytes).collect();
    let errors = decoded.iter().filter(|option| option.is_err()).count();
    assert_eq!(errors, usize::from(decoded.last().is_some_and(Result::is_err)), "nothing follows an error");

    let mut out = Vec::new();
    let known: Vec<_> =
        decoded.into_iter().flatten().filter(|option| !matches!(option, VcOption::Unknown { .. })).collect();
    for option in &known {
        let start = out.len();
        option.encode(&mut out);
        assert_eq!(out.len() - start, option.encoded_len());
    }
    assert!(out.len() <= bytes.len());
    assert_eq!(options::decode(&out).collect::<Result<Vec<_>, DecodeError>>(), Ok(known));
}

/// Inner packets: the headers lie within the datagram, nothing after it matters, and all of it is needed.
pub fn ip(bytes: &[u8]) {
    let Ok(headers) = IpHeaders::parse(bytes) else { return };
    assert!(headers.transport_offset <= headers.total_len && headers.total_len <= bytes.len());
    let datagram = &bytes[..headers.total_len];
    assert_eq!(IpHeaders::parse(datagram), Ok(headers));
    assert!(IpHeaders::parse(&datagram[..headers.total_len - 1]).is_err());
    assert_eq!(headers.tuple.reversed().reversed(), headers.tuple);
}
