//! Every way a configuration can be unusable.
//!
//! One variant per mistake; its text says what is wrong, [`Mistake::expected`] what should have been
//! there, [`Mistake::hint`] what to do.

use std::path::PathBuf;

use crate::value::duration::DurationFault;
use crate::value::endpoint::EndpointFault;
use crate::value::interface_name::InterfaceNameFault;
use crate::value::key::KeyFault;
use crate::value::log_filter::LogFilterFault;
use crate::value::prefix::{Prefix, PrefixFault};
use crate::value::size::SizeFault;

mod advice;

/// Why a configuration cannot be used. One variant per mistake.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Mistake {
    /// The file could not be opened or read.
    #[error("cannot read the configuration: {reason}")]
    Unreadable {
        /// In the system's words.
        reason: String,
    },
    /// Larger than any configuration.
    #[error("the file is larger than {limit} bytes")]
    TooLarge {
        /// The bound.
        limit: u64,
    },
    /// Some byte is no UTF-8.
    #[error("the file is not UTF-8 text")]
    NotUtf8,
    /// Nothing but white space and comments.
    #[error("the configuration is empty")]
    Empty,
    /// YAML forbids tabs as indentation.
    #[error("this line is indented with a tab")]
    Tab,
    /// Not YAML.
    #[error("this is not YAML: {problem}")]
    Syntax {
        /// In the parser's words.
        problem: String,
        /// Whether the line looks like an endpoint whose brackets YAML took for a list.
        bracketed_endpoint: bool,
    },
    /// A second `---`.
    #[error("a second document begins here")]
    SecondDocument,
    /// A list or a single value at the top.
    #[error("the configuration is {found}, not a set of keys")]
    NotKeys {
        /// What it is.
        found: String,
    },
    /// A key that is a number, a list, …
    #[error("a key {} is {found}", within(section))]
    KeyNotText {
        /// What it is.
        found: String,
        /// Path of the keys around it; empty at the top.
        section: String,
    },
    /// The same key twice in one place.
    #[error("`{key}` is there twice")]
    DuplicateKey {
        /// Path of the key.
        key: String,
        /// Line of the first.
        first_line: usize,
    },
    /// A key that means nothing here.
    #[error("unknown key `{key}` {}", within(section))]
    UnknownKey {
        /// As written.
        key: String,
        /// Path of the keys around it; empty at the top.
        section: String,
        /// The known key that was probably meant.
        likely: Option<&'static str>,
        /// The keys that mean something here.
        known: &'static [&'static str],
    },
    /// A key that has no default.
    #[error("`{key}` is missing")]
    MissingKey {
        /// Path of the key.
        key: String,
        /// What it would hold.
        expected: &'static str,
        /// How to get it.
        hint: &'static str,
    },
    /// A list where a number belongs, and the like.
    #[error("`{key}` is {found}")]
    WrongType {
        /// Path of the key.
        key: String,
        /// What it is.
        found: String,
        /// What it should be.
        expected: String,
        /// What to do.
        hint: &'static str,
    },
    /// A number outside its range.
    #[error("`{key}` is {found}, out of range")]
    OutOfRange {
        /// Path of the key.
        key: String,
        /// As written.
        found: String,
        /// The range and what it counts.
        expected: &'static str,
    },
    /// Smaller than IPv6 allows.
    #[error("`mtu` is {mtu}, too small")]
    MtuTooSmall {
        /// As written.
        mtu: u64,
    },
    /// Larger than a UDP datagram can carry.
    #[error("`mtu` is {mtu}, too large")]
    MtuTooLarge {
        /// As written.
        mtu: u64,
    },
    /// No interface can have this name.
    #[error("`{key}`{} {fault}", quoted(found))]
    InterfaceName {
        /// Path of the key.
        key: String,
        /// As written.
        found: String,
        /// Why not.
        fault: InterfaceNameFault,
    },
    /// No interface can be meant by this.
    #[error("network `{}` {fault}", found.escape_default())]
    InterfacePattern {
        /// As written.
        found: String,
        /// Why not.
        fault: InterfaceNameFault,
    },
    /// A peer's name that would be ambiguous on a terminal or a command line.
    #[error("peer `{}` has a name that cannot be shown as it is", name.escape_default())]
    PeerName {
        /// As written.
        name: String,
    },
    /// A service's name that would be ambiguous on a terminal or a command line.
    #[error("service `{}` has a name that cannot be shown as it is", name.escape_default())]
    ServiceName {
        /// As written.
        name: String,
    },
    /// No log filter.
    #[error("`{key}` {fault}")]
    LogFilter {
        /// Path of the key.
        key: String,
        /// Why not.
        fault: LogFilterFault,
    },
    /// A path that the system cannot use for a socket or a file.
    #[error("`{key}` {problem}")]
    Path {
        /// Path of the key.
        key: String,
        /// What is wrong with it.
        problem: &'static str,
        /// What to do.
        hint: &'static str,
    },
    /// No duration.
    #[error("`{key}`: `{found}` {fault}")]
    Duration {
        /// Path of the key.
        key: String,
        /// As written.
        found: String,
        /// Why not.
        fault: DurationFault,
    },
    /// No number of bytes.
    #[error("`{key}`: `{found}` {fault}")]
    Size {
        /// Path of the key.
        key: String,
        /// As written.
        found: String,
        /// Why not.
        fault: SizeFault,
    },
    /// No public key.
    #[error("`{key}` {fault}")]
    PublicKey {
        /// Path of the key.
        key: String,
        /// Why not.
        fault: KeyFault,
    },
    /// No endpoint.
    #[error("`{key}`: `{found}` {fault}")]
    Endpoint {
        /// Path of the key.
        key: String,
        /// As written.
        found: String,
        /// Why not.
        fault: EndpointFault,
    },
    /// No prefix.
    #[error("`{key}`: `{found}` {fault}")]
    Prefix {
        /// Path of the key.
        key: String,
        /// As written.
        found: String,
        /// Why not.
        fault: PrefixFault,
    },
    /// A secret pasted where its file should be named. It is not repeated.
    #[error("`{key}` holds a key itself")]
    KeyInPlaceOfItsFile {
        /// Path of the key.
        key: String,
    },
    /// A file with a secret is not there.
    #[error("`{key}` names `{}`, which does not exist", path.display())]
    KeyFileMissing {
        /// Path of the key.
        key: String,
        /// The file.
        path: PathBuf,
        /// The command that makes one.
        remedy: String,
    },
    /// A file with a secret is there and cannot be read.
    #[error("`{key}` names `{}`, which cannot be read: {reason}", path.display())]
    KeyFileUnreadable {
        /// Path of the key.
        key: String,
        /// The file.
        path: PathBuf,
        /// In the system's words.
        reason: String,
    },
    /// A file with a secret holds something else.
    #[error("`{key}` names `{}`, whose content {fault}", path.display())]
    KeyFileContent {
        /// Path of the key.
        key: String,
        /// The file.
        path: PathBuf,
        /// Why it is no key.
        fault: KeyFault,
    },
    /// The node named itself as its peer.
    #[error("peer `{peer}` has this node's own public key")]
    OwnKey {
        /// The peer.
        peer: String,
    },
    /// Two peers with one identity.
    #[error("peers `{first}` and `{peer}` have the same public key")]
    SameKey {
        /// The second.
        peer: String,
        /// The first.
        first: String,
        /// Line of the first key.
        first_line: usize,
    },
    /// A service that is somebody else: whoever answers there could be either.
    #[error("service `{service}` has the public key of {owner}")]
    ServiceKey {
        /// The service.
        service: String,
        /// Whose key it is: this node's, a peer's, another service's.
        owner: String,
    },
    /// Two peers answer for the same block: packets could go to either.
    #[error("peers `{first}` and `{peer}` both claim {prefix}")]
    PrefixTwice {
        /// The second.
        peer: String,
        /// The first.
        first: String,
        /// Line of the first claim.
        first_line: usize,
        /// The block.
        prefix: Prefix,
    },
    /// A peer claims an address that a key alone gives.
    #[error("peer `{peer}` claims {prefix}, which belongs to another key")]
    ForeignVirtualAddress {
        /// The peer.
        peer: String,
        /// The address.
        prefix: Prefix,
    },
    /// A peer claims an address of this node.
    #[error("peer `{peer}` claims {prefix}, which is this node's own address")]
    OwnAddress {
        /// The peer.
        peer: String,
        /// The address.
        prefix: Prefix,
    },
}

fn quoted(found: &str) -> String {
    if found.is_empty() { String::new() } else { format!(": `{found}`") }
}

fn within(section: &str) -> String {
    if section.is_empty() { "at the top level".into() } else { format!("in `{section}`") }
}
