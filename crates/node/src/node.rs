//! The node: routes every input to the machine it concerns; what the machines put out leaves by the [outlet].
//!
//! # Life-cycle
//! [`Node::new`] → any order of `handle_*` → after each, [`Node::drain`] (or the `poll_*` calls themselves) →
//! wait until the moment that it names, or the next input.
//!
//! # Invariants
//! - Nothing here reads a clock or draws randomness: `now` comes in, randomness is one seed.
//! - Same settings, same seed, same inputs: same outputs, byte for byte.

mod commands;
mod founding;
mod ground;
mod handshakes;
mod orders;
mod outlet;
mod wakes;

use core::net::{IpAddr, SocketAddr};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use stead_lct::{OriginalSpecification, PeerId};
use stead_noise::doorkeeper::Doorkeeper;
use stead_noise::keys::PublicKey;
use stead_wire::ip::{IpHeaders, Protocol};
use stead_wire::time::Instant;

use self::ground::Ground;
use self::wakes::Wakes;
use crate::attachment::LocalAttachment;
use crate::drops::Discard;
use crate::notice::{Arrival, Notice, Sighting, Transmit};
use crate::packet_path::{FlowCursor, Outbound, PacketPath, Verdict};
use crate::peer::Peer;
use crate::proxy::{News, Proxy};
use crate::relay::{RelayAddress, is_made_up};
use crate::turn::Turn;

pub use self::commands::{Answer, Command, ConnectionStatus, NodeStatus};
pub use self::orders::{Obeyed, Order, UnknownPeer};
pub use self::outlet::Outlet;
pub use self::wakes::Wake;

/// See the module's documentation.
pub struct Node {
    ground: Ground,
    peers: Vec<Peer>,
    by_key: BTreeMap<PublicKey, PeerId>,
    proxy: Proxy,
    cursor: FlowCursor,
    doorkeeper: Doorkeeper,
    wakes: Wakes,
    /// How often a peer's proven points changed.
    proofs: u64,
}

impl Node {
    /// The part that workers share: everything a plain data packet needs.
    #[must_use]
    pub fn packet_path(&self) -> Arc<PacketPath> {
        Arc::clone(&self.ground.path)
    }

    /// A datagram from the underlay: whatever the packet path did not do itself.
    pub fn handle_datagram(&mut self, arrival: Arrival, datagram: &mut [u8], now: Instant) {
        let path = Arc::clone(&self.ground.path);
        let mut cursor = core::mem::take(&mut self.cursor);
        let inbound = path.inbound(&mut cursor, arrival, datagram, now);
        self.cursor = cursor;
        if let Some(packet) = inbound.packet {
            self.ground.outbox.packets.push_back(packet.to_vec());
        }
        let (notice, verdict) = (inbound.notice, inbound.verdict);
        if let Some(notice) = notice {
            self.handle_notice(*notice, now);
        }
        if verdict == Verdict::ForNode {
            self.handle_handshake(arrival, datagram, now);
        }
    }

    /// An inner packet from the TUN that the packet path could not send by itself.
    pub fn handle_packet(&mut self, packet: &[u8], now: Instant) {
        let path = Arc::clone(&self.ground.path);
        match path.outbound_at_node(packet, now) {
            Outbound::Send(mut grant) => {
                let mut message = crate::peer::layout(packet, path.mtu());
                grant.seal(&mut message);
                path.keep(grant.peer(), &message, now);
                let (remote, local) = (grant.remote(), grant.local());
                self.ground.outbox.transmits.push_back(Transmit {
                    remote,
                    local,
                    datagram: message,
                    whole: false,
                });
                if let Some(notice) = grant.take_notice() {
                    self.handle_notice(notice, now);
                }
            }
            Outbound::Hold | Outbound::Shorten(_) => {
                let owner = IpHeaders::parse(packet)
                    .ok()
                    .and_then(|headers| path.routes().owner(headers.destination()));
                if let Some(peer) = owner {
                    self.with_peer(peer, now, |peer, turn| peer.handle_packet(packet, turn));
                }
            }
            Outbound::Drop(_) => {}
        }
    }

    /// Something that the packet path saw.
    pub fn handle_notice(&mut self, notice: Notice, now: Instant) {
        if self.is_service(notice.peer) {
            // Only options mean something from a service; it has no packets for us, and may be anywhere.
            if let Sighting::Options { session, arrival, options, .. } = notice.sighting {
                let id = notice.peer;
                self.with_proxy(now, |proxy, turn| {
                    proxy.on_message(id, session, arrival, &options, turn);
                });
            }
            return;
        }
        self.with_peer(notice.peer, now, |peer, turn| match notice.sighting {
            Sighting::Stirred => {}
            Sighting::SessionAges => peer.on_session_ages(turn),
            Sighting::Unexpected { session, arrival, bytes } => {
                peer.on_unexpected(session, (arrival, bytes), turn)
            }
            Sighting::Options { session, arrival, bytes, options } => {
                // The message may also be the first of its session, or come from a new address.
                peer.on_first_message(session, arrival, turn);
                peer.on_options(session, (arrival, bytes), &options, turn);
            }
        });
    }

    /// Where this host is attached now (seed 001 figure 17).
    ///
    /// The table decides which peers must hear of it: those with connections.
    pub fn handle_attachment(&mut self, attachment: LocalAttachment, now: Instant) {
        let before = core::mem::replace(&mut self.ground.attachment, attachment);
        // The peers hear of the routes to relays together with all else that changed.
        self.consult(now, |proxy, turn| proxy.on_attachment(&before, turn));
        let needed: BTreeSet<PeerId> = self.ground.path.table().peers_with_entries().into_iter().collect();
        for peer in (0..).map(PeerId).take(self.peers.len()) {
            let needed = needed.contains(&peer);
            self.with_peer(peer, now, |peer, turn| peer.on_attachment(&before, needed, turn));
        }
    }

    /// The host's applications still have these TCP connections from before this node was started: the peers that they
    /// belong to are asked for a session at once, where they are configured to be, and the connections are woken.
    ///
    /// Otherwise a connection on which only the peer has something to say would wait for ever, if the peer started
    /// anew too and cannot know where we are; and one that the program before told to wait would wait for its timers.
    pub fn handle_survivors(&mut self, connections: &[OriginalSpecification], now: Instant) {
        let routes = self.ground.path.routes();
        let mut owned: BTreeMap<PeerId, Vec<OriginalSpecification>> = BTreeMap::new();
        for connection in connections.iter().filter(|connection| connection.protocol == Protocol::TCP) {
            if let Some(owner) = routes.owner(connection.remote.ip()) {
                owned.entry(owner).or_default().push(*connection);
            }
        }
        for (owner, connections) in owned {
            self.with_peer(owner, now, |peer, turn| peer.on_survivors(&connections, turn));
        }
    }

    /// The system refused to send to `remote`, from `local` or wherever its routes say: a filter of this host.
    pub fn handle_refusal(&mut self, remote: SocketAddr, local: Option<IpAddr>, now: Instant) {
        let ids = (0..).map(PeerId).zip(&self.peers);
        let concerned: Vec<PeerId> =
            ids.filter(|(_, peer)| peer.may_be_at(remote)).map(|(id, _)| id).collect();
        for id in concerned {
            self.with_peer(id, now, |peer, turn| peer.on_refused(remote, local, turn));
        }
    }

    /// The system believes that an IP packet of more than `mtu` bytes does not get to `remote` whole: a router said so,
    /// or somebody in its name. It is asked whether that is so.
    pub fn handle_mtu_hint(&mut self, remote: SocketAddr, mtu: usize, now: Instant) {
        let ids = (0..).map(PeerId).zip(&self.peers);
        let concerned: Vec<PeerId> =
            ids.filter(|(_, peer)| peer.active_remote() == Some(remote)).map(|(id, _)| id).collect();
        for id in concerned {
            self.with_peer(id, now, |peer, turn| peer.on_mtu_hint(remote, mtu, turn));
        }
    }

    /// The moment that [`poll_timeout`](Self::poll_timeout) named has come.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.ground.path.table().expire(now);
        for id in self.wakes.take_due(now) {
            if self.is_service(id) {
                self.with_proxy(now, |proxy, turn| proxy.handle_timeout(id, turn));
            } else {
                self.with_peer(id, now, |peer, turn| peer.handle_timeout(turn));
            }
        }
    }

    /// Lets `act` have its turn with one peer, then settles the peer and its timers.
    fn with_peer<T>(
        &mut self,
        id: PeerId,
        now: Instant,
        act: impl FnOnce(&mut Peer, &mut Turn<'_>) -> T,
    ) -> Option<T> {
        let peer = self.peers.get_mut(id.0 as usize)?;
        let mut turn = self.ground.turn(now);
        let proofs = peer.proofs();
        let result = act(peer, &mut turn);
        peer.settle(&mut turn);
        self.proofs += peer.proofs() - proofs;
        self.wakes.set(id, peer.poll_timeout());
        let relayed = peer.active_remote().and_then(RelayAddress::of);
        let stays = peer.stays();
        let told = self.proxy.follow(id, peer.sought(now), relayed, &mut turn);
        if self.proxy.settle_down(id, stays, &mut turn) || told {
            self.watch_services(now);
        }
        Some(result)
    }

    /// Lets `act` have its turn with the proxy, then tells the peers what it heard, and of routes to relays that came or
    /// went.
    fn with_proxy<T>(&mut self, now: Instant, act: impl FnOnce(&mut Proxy, &mut Turn<'_>) -> T) -> T {
        let (result, rerouted) = self.consult(now, act);
        if rerouted {
            for peer in (0..).map(PeerId).take(self.peers.len()) {
                self.with_peer(peer, now, Peer::on_routes);
            }
        }
        result
    }

    /// Lets `act` have its turn with the proxy, then tells the peers what it heard. Says also whether the routes to
    /// relays are others now.
    fn consult<T>(&mut self, now: Instant, act: impl FnOnce(&mut Proxy, &mut Turn<'_>) -> T) -> (T, bool) {
        let result = act(&mut self.proxy, &mut self.ground.turn(now));
        let attachment = &mut self.ground.attachment;
        let routes = self.proxy.relay_routes(attachment);
        let before = attachment.routes.iter().filter(|route| is_made_up(route.destination.address()));
        let rerouted = !before.eq(&routes);
        if rerouted {
            attachment.routes.retain(|route| !is_made_up(route.destination.address()));
            attachment.routes.extend(routes);
        }
        while let Some((peer, news)) = self.proxy.poll_news() {
            self.with_peer(peer, now, |peer, turn| match news {
                News::Whereabouts(whereabouts) => peer.on_whereabouts(whereabouts, turn),
                News::Relay(relay) => peer.on_relay(relay, turn),
            });
        }
        self.watch_services(now);
        (result, rerouted)
    }

    /// How often [`proven_points`](Self::proven_points) changed so far: when there is something new to keep.
    #[must_use]
    pub const fn proofs(&self) -> u64 {
        self.proofs
    }

    /// Where each peer was last proven to be, the newest first; what a program that is started later should remember
    /// (see [`PeerSettings::remembered`](crate::PeerSettings::remembered)). A few points per peer.
    pub fn proven_points(&self) -> impl Iterator<Item = (PublicKey, &[SocketAddr])> + '_ {
        let known = self.peers.iter().filter(|peer| !peer.proven_points().is_empty());
        known.map(|peer| (peer.key(), peer.proven_points()))
    }

    /// This program ends in good order: what the services keep for this node they need not keep any longer.
    pub fn handle_end(&mut self, now: Instant) {
        self.with_proxy(now, |proxy, turn| proxy.end(turn));
    }

    /// Services are numbered behind the peers.
    fn is_service(&self, id: PeerId) -> bool {
        id.0 as usize >= self.peers.len()
    }

    fn watch_services(&mut self, now: Instant) {
        for (id, next) in self.proxy.poll_timeouts(now) {
            self.wakes.set(id, next);
        }
    }

    fn count(&self, outcome: Result<(), Discard>) {
        if let Err(reason) = outcome {
            self.ground.path.drops().count(reason);
        }
    }
}
