//! What happened that a person or a test may want to know. The driver logs these.

use core::fmt;
use core::net::SocketAddr;

use stead_noise::cipher::Cipher;
use stead_wire::time::Duration;

/// Something happened with a peer, or with a subscribe-notify service.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Event {
    /// The peer's or service's configured name.
    pub peer: String,
    /// What happened.
    pub what: Happening,
}

/// What happened.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Happening {
    /// A handshake completed.
    SessionEstablished {
        /// Whether we asked for it.
        initiated: bool,
    },
    /// No answer to any initiation for as long as WireGuard tries.
    HandshakeGaveUp {
        /// Packets that waited for it and were dropped.
        dropped: usize,
    },
    /// The peer asked for a session with a calendar that is behind the one it had before, so we ask in its stead; or
    /// somebody repeats what it once asked.
    OutdatedHandshake,
    /// The peer answered our probe, or sent VC options of its own (seed 001 figure 21).
    VcEnhanced,
    /// Both ends go on in the session's twin (seed 001 par. 71).
    TermsAgreed {
        /// What seals from now on.
        cipher: Cipher,
        /// Whether packets go without being summed.
        partial_checksums: bool,
    },
    /// The peer ignores VC options: a plain WireGuard peer.
    Plain,
    /// Traffic to the peer is suspended.
    Suspended {
        /// Why.
        why: Suspension,
    },
    /// Traffic to the peer flows again.
    Resumed {
        /// How long it was suspended.
        after: Duration,
        /// Packets that were held meanwhile and go first.
        held: usize,
    },
    /// What a move had lost was sent again.
    Resent {
        /// How many datagrams.
        datagrams: u64,
        /// How long that took, from the proof of the path.
        took: Duration,
    },
    /// The active path changed.
    PathMoved {
        /// The path before; `None` at the first contact.
        from: Option<Ends>,
        /// The path now.
        to: Ends,
        /// Who moved.
        who: Mover,
        /// How many connections moved with it.
        connections: usize,
    },
    /// The active path takes packets up to another length than before.
    PathTakes {
        /// The longest, in bytes.
        longest: usize,
    },
    /// This host's own filter refuses datagrams to the peer; it is tried again until it does not.
    Refused {
        /// From where to where.
        ends: Ends,
    },
    /// A new path did not answer our challenges; the old one stays.
    PathUnproven {
        /// The address that did not answer.
        remote: SocketAddr,
    },
    /// A service answers, for the first time since we were last attached.
    ServiceAnswers {
        /// Where it sees our datagrams come from.
        apparent: SocketAddr,
        /// Whether that is where we believe to be (seed 001 figure 19).
        public: bool,
    },
    /// A service answers no more.
    ServiceSilent,
}

/// The two ends of a path.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Ends {
    /// Our attachment point; `None` leaves it to the system's routes.
    pub local: Option<SocketAddr>,
    /// The peer's attachment point.
    pub remote: SocketAddr,
}

/// Why traffic to a peer is suspended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Suspension {
    /// Somebody ordered it, and only an order ends it.
    Ordered,
    /// An order ended the suspension and the peer has not confirmed that it hears us.
    Resuming,
    /// This host is attached to no network that leads to the peer.
    Detached,
    /// We moved and the peer has not confirmed it yet.
    Moving,
    /// The peer said that it moved and has not proven its new place yet.
    PeerMoving,
    /// Nothing comes back over the path: neither to packets nor to challenges.
    Silent,
    /// This host's own filter lets no datagram go there.
    Refused,
}

/// Which end moved.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mover {
    /// This node (the migrator of seed 002).
    Us,
    /// The peer; this node is the non-migrator.
    Peer,
    /// A plain peer roamed, as WireGuard lets it.
    Roaming,
}

impl fmt::Display for Ends {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.local {
            Some(local) => write!(f, "{local} -> {}", self.remote),
            None => write!(f, "-> {}", self.remote),
        }
    }
}

impl Suspension {
    /// The reason as a stable, greppable word.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Ordered => "ordered",
            Self::Resuming => "resuming",
            Self::Detached => "detached",
            Self::Moving => "moving",
            Self::PeerMoving => "peer-moving",
            Self::Silent => "silent",
            Self::Refused => "refused",
        }
    }
}

impl fmt::Display for Suspension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ordered => "on order, until `stead resume`",
            Self::Resuming => "resumed on order, the peer has not answered yet",
            Self::Detached => "no network leads to the peer",
            Self::Moving => "we moved",
            Self::PeerMoving => "the peer moved",
            Self::Silent => "nothing comes back over the path",
            Self::Refused => "this host's filter refuses its datagrams",
        })
    }
}

impl fmt::Display for Happening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SessionEstablished { initiated: true } => f.write_str("Session established (we asked)"),
            Self::SessionEstablished { initiated: false } => {
                f.write_str("Session established (the peer asked)")
            }
            Self::HandshakeGaveUp { dropped } => {
                write!(f, "No answer to any handshake; {dropped} waiting packets dropped")
            }
            Self::OutdatedHandshake => f.write_str(
                "A handshake older than one before: the peer's clock was set back, or somebody replays; asking the peer",
            ),
            Self::VcEnhanced => f.write_str("Peer is VC enhanced"),
            Self::TermsAgreed { cipher, partial_checksums } => {
                let checksums = if *partial_checksums { ", checksums left to the stacks" } else { "" };
                write!(f, "Both go on with {cipher}{checksums}")
            }
            Self::Plain => f.write_str("Peer is a plain WireGuard peer"),
            Self::Suspended { why } => write!(f, "Suspended: {why}"),
            Self::Resumed { after, held } => {
                write!(f, "Resumed after {:.1} ms; {held} held packets go first", after.as_secs_f64() * 1e3)
            }
            Self::Resent { datagrams, took } => {
                write!(f, "Lost datagrams sent again: {datagrams}, within {:.1} ms", took.as_secs_f64() * 1e3)
            }
            Self::PathMoved { from: None, to, .. } => write!(f, "First contact: {to}"),
            Self::PathMoved { from: Some(from), to, who, connections } => {
                let who = match who {
                    Mover::Us => "We moved",
                    Mover::Peer => "The peer moved",
                    Mover::Roaming => "The peer roamed",
                };
                write!(f, "{who}: {from} is now {to}; connections that moved: {connections}")
            }
            Self::Refused { ends } => {
                write!(f, "This host's filter refuses datagrams {ends}; allow UDP there, and the answers")
            }
            Self::PathTakes { longest } => write!(f, "Path takes packets up to {longest} bytes"),
            Self::PathUnproven { remote } => {
                write!(f, "No answer from {remote}; the path stays where it was")
            }
            Self::ServiceAnswers { apparent, public } => {
                let nat = if *public { "public" } else { "behind NAT" };
                write!(f, "Subscribe-notify service answers; it sees us at {apparent}, {nat}")
            }
            Self::ServiceSilent => f.write_str("Subscribe-notify service does not answer; still trying"),
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.peer, self.what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_move_says_who_moved_from_where_to_where() {
        let ends = |local: &str, remote: &str| Ends {
            local: Some(local.parse().unwrap()),
            remote: remote.parse().unwrap(),
        };
        let (home, cafe) = (ends("10.1.0.2:7", "192.0.2.1:7"), ends("10.2.0.9:7", "192.0.2.1:7"));

        let first = Happening::PathMoved { from: None, to: home, who: Mover::Roaming, connections: 0 };
        let moved = Happening::PathMoved { from: Some(home), to: cafe, who: Mover::Us, connections: 3 };

        assert_eq!(first.to_string(), "First contact: 10.1.0.2:7 -> 192.0.2.1:7");
        assert_eq!(
            moved.to_string(),
            "We moved: 10.1.0.2:7 -> 192.0.2.1:7 is now 10.2.0.9:7 -> 192.0.2.1:7; connections that moved: 3"
        );
    }
}
