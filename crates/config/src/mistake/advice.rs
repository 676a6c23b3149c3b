//! What should have been there, and what to do, for each mistake.

use super::Mistake;

impl Mistake {
    /// What the file should have had in this place. May have several lines.
    #[must_use]
    pub fn expected(&self) -> String {
        match self {
            Self::Unreadable { .. } | Self::TooLarge { .. } => "expected a readable file of YAML".into(),
            Self::NotUtf8 => "expected UTF-8 from here on".into(),
            Self::Empty => "expected at least `private_key_file:`".into(),
            Self::Tab => "expected spaces: YAML does not allow tabs here".into(),
            Self::Syntax { .. } => {
                "expected `key: value`, indented with spaces, lists as `[a, b]` or `- a`".into()
            }
            Self::SecondDocument => "expected one document, the one that began above".into(),
            Self::NotKeys { .. } => "expected lines such as `interface: stead0`".into(),
            Self::KeyNotText { .. } => "expected a name; numbers as names need quotes".into(),
            Self::DuplicateKey { first_line, .. } => {
                format!("expected it once; the first is at line {first_line}")
            }
            Self::UnknownKey { known, .. } => format!("expected one of: {}", known.join(", ")),
            Self::MissingKey { expected, .. } => format!("expected {expected}"),
            Self::WrongType { expected, .. } => format!("expected {expected}"),
            Self::OutOfRange { expected, .. } => format!("expected {expected}"),
            Self::MtuTooSmall { .. } => {
                "expected at least 1280: the interface carries the IPv6 address that belongs to the key,\n\
                 and IPv6 needs 1280 bytes (RFC 8200 §5)"
                    .into()
            }
            Self::MtuTooLarge { .. } => format!(
                "expected at most {}: a UDP datagram holds 65507 bytes, 32 of them are the tunnel's,\n\
                 and packets are padded to 16",
                crate::raw::MTU_LARGEST
            ),
            Self::InterfaceName { .. } => {
                "expected a name of 1 to 15 letters, digits, `-`, `_` or `.`".into()
            }
            Self::InterfacePattern { .. } => {
                "expected the name of an interface such as `wlan0`, or a part of names such as `\"wwan*\"`"
                    .into()
            }
            Self::PeerName { .. } | Self::ServiceName { .. } => {
                "expected 1 to 63 letters, digits, `-`, `_` or `.`".into()
            }
            Self::LogFilter { .. } => "expected `off`, `error`, `warn`, `info`, `debug` or `trace`".into(),
            Self::Path { .. } => "expected the path of a file".into(),
            Self::Duration { .. } => "expected a whole number and its unit, such as `25s` or `5m`".into(),
            Self::Size { .. } => "expected a whole number and its unit, such as `256kB` or `1MB`".into(),
            Self::PublicKey { .. } => "expected the peer's public key, 44 characters of base64".into(),
            Self::Endpoint { .. } => "expected `ip:port`, `\"[ipv6]:port\"` or `name:port`".into(),
            Self::Prefix { .. } => {
                "expected an address or a block such as `10.77.0.2/32` or `fd00::/64`".into()
            }
            Self::KeyInPlaceOfItsFile { .. } => "expected the path of a file that holds the key".into(),
            Self::KeyFileMissing { .. } | Self::KeyFileUnreadable { .. } | Self::KeyFileContent { .. } => {
                "expected a file with one line, 44 characters of base64".into()
            }
            Self::OwnKey { .. } => {
                "expected the key that `stead pubkey` prints on the peer, not on this node".into()
            }
            Self::SameKey { first, first_line, .. } => {
                format!(
                    "expected a key of its own for each peer; `{first}` has this one at line {first_line}"
                )
            }
            Self::ServiceKey { .. } => {
                "expected a key of its own for each service, neither a peer's nor this node's".into()
            }
            Self::PrefixTwice { first, first_line, .. } => {
                format!("expected one peer per block; `{first}` claims it at line {first_line}")
            }
            Self::ForeignVirtualAddress { .. } => {
                "expected none of fd73:7465:6164::/48 but the peer's own, which needs not be listed".into()
            }
            Self::OwnAddress { .. } => "expected addresses of the peer, or of networks behind it".into(),
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Unreadable { .. } => "`stead init DIR` writes a first configuration".into(),
            Self::TooLarge { .. } => "is this the right file?".into(),
            Self::NotUtf8 => "save it as UTF-8; `file` and `iconv` tell and convert encodings".into(),
            Self::Empty => "`stead init DIR` writes a configuration with every key explained".into(),
            Self::Tab => "replace the tab with spaces".into(),
            Self::Syntax { bracketed_endpoint: true, .. } => {
                "an IPv6 endpoint needs quotes: `\"[2001:db8::7]:51820\"`".into()
            }
            Self::Syntax { .. } => {
                "look at this line and the one above: indentation, quotes, brackets".into()
            }
            Self::SecondDocument => {
                "remove the `---`, or keep the other configuration in a file of its own".into()
            }
            Self::NotKeys { .. } => "`stead init DIR` writes a configuration to start from".into(),
            Self::KeyNotText { .. } => "put the name in quotes, or remove the line".into(),
            Self::DuplicateKey { .. } => "keep one of the two".into(),
            Self::UnknownKey { likely: Some(likely), .. } => format!("did you mean `{likely}`?"),
            Self::UnknownKey { likely: None, .. } => {
                "remove the line; the examples in `configs/` explain every key".into()
            }
            Self::MissingKey { hint, .. } | Self::WrongType { hint, .. } | Self::Path { hint, .. } => {
                (*hint).into()
            }
            Self::OutOfRange { .. } => "leave the line out for the default".into(),
            Self::MtuTooSmall { .. } | Self::MtuTooLarge { .. } => {
                "leave the line out for the default, 1420".into()
            }
            Self::InterfaceName { fault, .. } => fault.hint(),
            Self::InterfacePattern { .. } => {
                "`ip link` lists them; a `*` stands for any characters, and needs quotes at the beginning"
                    .into()
            }
            Self::PeerName { .. } | Self::ServiceName { .. } => {
                "choose a name that can be typed on a command line".into()
            }
            Self::LogFilter { fault, .. } => fault.hint(),
            Self::Duration { fault, .. } => fault.hint(),
            Self::Size { fault, .. } => fault.hint(),
            Self::PublicKey { fault, .. } => fault.hint().into(),
            Self::Endpoint { found, fault, .. } => fault.hint(found),
            Self::Prefix { fault, .. } => fault.hint(),
            Self::KeyInPlaceOfItsFile { .. } => {
                "put the key into a file of mode 0600 and its name here; configurations get shown".into()
            }
            Self::KeyFileMissing { remedy, .. } => remedy.clone(),
            Self::KeyFileUnreadable { path, .. } => {
                format!("`ls -l {}` shows what it is and who may read it", path.display())
            }
            Self::KeyFileContent { .. } => {
                "the file holds the key alone, as `stead keygen --out FILE` writes it".into()
            }
            Self::OwnKey { .. } => {
                "every node has a key of its own; remove the peer if it is this node".into()
            }
            Self::SameKey { .. } => "if both are one peer, keep one entry with all its `endpoints`".into(),
            Self::ServiceKey { .. } => {
                "`stead pubkey` prints the key where the service runs; one service is one entry with all its \
                 `endpoints`"
                    .into()
            }
            Self::PrefixTwice { .. } => "give one of them a longer prefix, or take the block from one".into(),
            Self::ForeignVirtualAddress { .. } => {
                "remove it: nobody but the key's owner can answer for it".into()
            }
            Self::OwnAddress { .. } => "`addresses` are this node's, `allowed_ips` are the peer's".into(),
        }
    }
}
