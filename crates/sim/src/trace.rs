//! What happened, in virtual time: one line each, and a diagram of who sent what to whom.
//!
//! Off unless asked for, since a fast run has no time to write. Two runs with the same seed give the same text, byte
//! for byte.

mod diagram;

use core::fmt;
use core::net::SocketAddr;
use std::collections::VecDeque;

use stead_wire::time::Instant;

use crate::clock::since_origin;
use crate::datagram::{Datagram, Kind};
use crate::link::Loss;
use crate::machine::Word;
use crate::nat::Refusal;
use crate::network::HostId;

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct Trace {
    records: VecDeque<Record>,
    most: usize,
    /// How many were forgotten because there were too many.
    forgotten: u64,
}

/// One thing that happened.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) at: Instant,
    pub(crate) what: What,
}

/// What happened.
#[derive(Clone, Debug)]
pub(crate) enum What {
    /// A host sent a datagram.
    Sent { by: HostId, seen: Seen },
    /// A host received a datagram that `by` had sent, if a host of this world had.
    Delivered { to: HostId, by: Option<HostId>, sent: Instant, seen: Seen },
    /// A datagram went no further.
    Dropped { by: Option<HostId>, seen: Seen, why: Drop },
    /// A NAT made a mapping.
    Mapped { network: String, inside: SocketAddr, outside: SocketAddr },
    /// An attacker put a datagram on the line.
    Injected { network: String, seen: Seen },
    /// A machine told something.
    Told { host: HostId, word: Word },
    /// The scenario did something.
    Done { deed: String },
    /// Something that must never happen did.
    Wrong { finding: String },
}

/// A datagram, as far as the trace remembers it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    pub(crate) kind: Kind,
    pub(crate) source: SocketAddr,
    pub(crate) destination: SocketAddr,
    pub(crate) len: usize,
}

impl Seen {
    pub(crate) fn of(datagram: &Datagram) -> Self {
        Self {
            kind: datagram.kind(),
            source: datagram.source,
            destination: datagram.destination,
            len: datagram.payload.len(),
        }
    }
}

/// Why a datagram went no further.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Drop {
    /// A link lost it.
    Link(Loss),
    /// A NAT refused it.
    Nat(Refusal),
    /// The sender has not, or not any more, the address it would send from.
    NoSource,
    /// No network leads there.
    NoRoute,
    /// Nobody has that address.
    Nobody,
    /// Nothing listens on that port, or the program does not run.
    NotListening,
    /// The host is suspended.
    Asleep,
    /// Its program is suspended, and its socket is full.
    SocketFull,
}

impl fmt::Display for Drop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Link(loss) => loss.fmt(f),
            Self::Nat(refusal) => refusal.fmt(f),
            Self::NoSource => f.write_str("the sender has no such address"),
            Self::NoRoute => f.write_str("no network leads there"),
            Self::Nobody => f.write_str("nobody has that address"),
            Self::NotListening => f.write_str("nothing listens there"),
            Self::Asleep => f.write_str("the host is asleep"),
            Self::SocketFull => f.write_str("the socket of a suspended program is full"),
        }
    }
}

impl Trace {
    /// A trace of the last `most` things that happen.
    #[must_use]
    pub const fn keeping(most: usize) -> Self {
        Self { records: VecDeque::new(), most, forgotten: 0 }
    }

    /// Whether anything is written.
    pub(crate) const fn is_on(&self) -> bool {
        self.most > 0
    }

    /// Writes what `what` says, if anything is written.
    pub(crate) fn note(&mut self, at: Instant, what: impl FnOnce() -> What) {
        if !self.is_on() {
            return;
        }
        if self.records.len() == self.most {
            self.records.pop_front();
            self.forgotten += 1;
        }
        self.records.push_back(Record { at, what: what() });
    }

    /// The lines, oldest first; `names` are the hosts'.
    #[must_use]
    pub fn lines(&self, names: &[&str]) -> Vec<String> {
        let forgotten = (self.forgotten > 0).then(|| format!("({} earlier lines)", self.forgotten));
        forgotten.into_iter().chain(self.records.iter().map(|record| record.line(names))).collect()
    }

    /// The lines without plain data that went its way, or was lost by a link, and without what attackers put on the
    /// line: what is left tells the story. The last `most` of them.
    #[must_use]
    pub fn story(&self, names: &[&str], most: usize) -> Vec<String> {
        let told: Vec<&Record> = self.records.iter().filter(|record| !record.is_routine()).collect();
        let from = told.len().saturating_sub(most);
        told[from..].iter().map(|record| record.line(names)).collect()
    }

    /// The last `rows` rows of the diagram.
    #[must_use]
    pub fn diagram(&self, names: &[&str], rows: usize) -> Vec<String> {
        diagram::draw(self.records.iter(), names, rows)
    }
}

impl Record {
    /// Data that was sent, delivered or lost by chance, and what an attacker made of it.
    const fn is_routine(&self) -> bool {
        match &self.what {
            What::Sent { seen, .. } | What::Delivered { by: Some(_), seen, .. } => seen.kind.is_data(),
            What::Dropped { why: Drop::Link(_), seen, .. } => seen.kind.is_data(),
            // There are as many of these as there is data.
            What::Injected { .. } | What::Delivered { by: None, .. } => true,
            _ => false,
        }
    }

    fn line(&self, names: &[&str]) -> String {
        let name = |host: &HostId| names.get(host.0).copied().unwrap_or("?");
        let sender = |by: &Option<HostId>| by.as_ref().map_or("attacker", name);
        let what = match &self.what {
            What::Sent { by, seen } => format!("{:<9} sends     {seen}", name(by)),
            What::Delivered { to, seen, .. } => format!("{:<9} receives  {seen}", name(to)),
            What::Dropped { by, seen, why } => format!("{:<9} loses     {seen}: {why}", sender(by)),
            What::Mapped { network, inside, outside } => {
                format!("{network:<9} maps      {inside} to {outside}")
            }
            What::Injected { network, seen } => format!("{network:<9} injects   {seen}"),
            What::Told { host, word } => format!("{:<9} tells     {word}", name(host)),
            What::Done { deed } => format!("*** {deed}"),
            What::Wrong { finding } => format!("!!! {finding}"),
        };
        format!("{} {what}", moment(self.at))
    }
}

/// Seconds since the beginning of the world.
pub(crate) fn moment(at: Instant) -> String {
    let since = since_origin(at);
    format!("{:>5}.{:06}", since.as_secs(), since.subsec_micros())
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, source, destination, len } = self;
        write!(f, "{kind:<12} {source} > {destination} {len} B")
    }
}
