//! One turn of the node: what a peer's machines may look at and write to while they act on one input.

use core::net::{IpAddr, SocketAddr};
use std::collections::{BTreeMap, VecDeque};

use stead_lct::PeerId;
use stead_noise::keys::{PublicKey, StaticSecret};
use stead_noise::random::RandomStream;
use stead_wire::message::SessionIndex;
use stead_wire::options::{Capabilities, ChallengeToken};
use stead_wire::time::{Instant, UnixTime};

use crate::attachment::LocalAttachment;
use crate::event::Event;
use crate::lane::Flow;
use crate::notice::Transmit;
use crate::packet_path::PacketPath;

/// Who we are.
pub(crate) struct Identity {
    pub(crate) secret: StaticSecret,
    pub(crate) public: PublicKey,
    pub(crate) listen_port: u16,
    /// On what terms we are able to keep a session's twin.
    pub(crate) able: Capabilities,
    /// Whether we may be attached elsewhere one day.
    pub(crate) mobile: bool,
}

impl Identity {
    /// What we tell peers of ourselves.
    pub(crate) const fn capabilities(&self) -> Capabilities {
        if self.mobile {
            self.able.union(Capabilities::MOBILE)
        } else {
            self.able.without(Capabilities::MOBILE)
        }
    }
}

/// Randomness, one stream per purpose, so that one purpose's use never shifts another's.
pub(crate) struct Streams {
    pub(crate) handshakes: RandomStream,
    pub(crate) indices: RandomStream,
    pub(crate) challenges: RandomStream,
    pub(crate) jitter: RandomStream,
}

/// What waits to leave the node.
#[derive(Default)]
pub(crate) struct Outbox {
    pub(crate) transmits: VecDeque<Transmit>,
    pub(crate) packets: VecDeque<Vec<u8>>,
    pub(crate) events: VecDeque<Event>,
    /// Whose packets workers may send themselves as soon as all datagrams here have left, how, and since when.
    pub(crate) opening: BTreeMap<PeerId, (Flow, Instant)>,
}

/// See the module's documentation.
pub(crate) struct Turn<'n> {
    pub(crate) now: Instant,
    pub(crate) wall: UnixTime,
    pub(crate) identity: &'n Identity,
    pub(crate) attachment: &'n LocalAttachment,
    pub(crate) path: &'n PacketPath,
    /// Whether there is a service that could find a peer.
    pub(crate) can_look_up: bool,
    /// Session indices of handshakes in flight, by peer.
    pub(crate) flights: &'n mut BTreeMap<SessionIndex, PeerId>,
    pub(crate) random: &'n mut Streams,
    pub(crate) out: &'n mut Outbox,
}

impl Turn<'_> {
    /// Puts a datagram into the outbox.
    pub(crate) fn transmit(&mut self, remote: SocketAddr, local: Option<IpAddr>, datagram: Vec<u8>) {
        self.out.transmits.push_back(Transmit { remote, local, datagram, whole: false });
    }

    /// As [`transmit`](Self::transmit), a datagram that must not be cut on its way.
    pub(crate) fn transmit_whole(&mut self, remote: SocketAddr, local: Option<IpAddr>, datagram: Vec<u8>) {
        self.out.transmits.push_back(Transmit { remote, local, datagram, whole: true });
    }

    /// A session index that nobody uses.
    pub(crate) fn fresh_index(&mut self) -> SessionIndex {
        loop {
            let index = SessionIndex(self.random.indices.next_u32());
            if !self.path.knows(index) && !self.flights.contains_key(&index) {
                return index;
            }
        }
    }

    /// A challenge that nobody can guess; never all zero, which means none.
    pub(crate) fn fresh_challenge(&mut self) -> ChallengeToken {
        let mut bytes = [0; 8];
        self.random.challenges.fill(&mut bytes);
        bytes[0] |= 1;
        ChallengeToken(bytes)
    }

    /// What we claim as our attachment point towards `remote` (seed 001 par. 71, 106).
    pub(crate) fn claimed(&self, remote: SocketAddr) -> Option<SocketAddr> {
        let source = self.attachment.source_for(remote.ip())?;
        Some(SocketAddr::new(source, self.identity.listen_port))
    }
}
