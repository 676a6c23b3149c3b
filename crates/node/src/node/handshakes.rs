//! Handshake messages: who may ask, and whom they concern (WireGuard paper §5).

use stead_noise::doorkeeper::Refused;
use stead_noise::handshake::Responder;
use stead_wire::message::{CookieReply, Initiation, Macs, Message, Response, SessionIndex};
use stead_wire::time::Instant;

use super::Node;
use crate::drops::Discard;
use crate::notice::Arrival;

impl Node {
    /// A handshake message whose mac1 the packet path has checked.
    pub(super) fn handle_handshake(&mut self, arrival: Arrival, datagram: &mut [u8], now: Instant) {
        let outcome = match self.ground.path.relays().receive(arrival, datagram) {
            Ok(arrival) => self.on_handshake(arrival, datagram, now),
            Err(reason) => Err(reason),
        };
        self.count(outcome);
    }

    fn on_handshake(&mut self, arrival: Arrival, datagram: &[u8], now: Instant) -> Result<(), Discard> {
        match Message::decode(datagram) {
            Ok(Message::Initiation(initiation)) => self.on_initiation(&initiation, arrival, now),
            Ok(Message::Response(response)) => self.on_response(&response, arrival, now),
            Ok(Message::CookieReply(reply)) => self.on_cookie(&reply, now),
            Ok(Message::Transport(_)) | Err(_) => Err(Discard::MalformedDatagram),
        }
    }

    fn on_initiation(
        &mut self,
        message: &Initiation<'_>,
        arrival: Arrival,
        now: Instant,
    ) -> Result<(), Discard> {
        self.admit(&message.macs, message.sender, arrival, now)?;
        let responder = Responder::receive(&self.ground.identity.secret, message)
            .map_err(|_| Discard::ForgedHandshake)?;
        let peer = *self.by_key.get(&responder.remote()).ok_or(Discard::ForgedHandshake)?;
        let sender = message.sender;
        self.with_peer(peer, now, |peer, turn| peer.on_initiation(responder, sender, arrival, turn))
            .unwrap_or(Err(Discard::ForgedHandshake))
    }

    fn on_response(&mut self, message: &Response<'_>, arrival: Arrival, now: Instant) -> Result<(), Discard> {
        let peer = *self.ground.flights.get(&message.receiver).ok_or(Discard::UnsolicitedHandshake)?;
        self.admit(&message.macs, message.sender, arrival, now)?;
        if self.is_service(peer) {
            return self.with_proxy(now, |proxy, turn| proxy.on_response(peer, message, arrival, turn));
        }
        self.with_peer(peer, now, |peer, turn| peer.on_response(message, arrival, turn))
            .unwrap_or(Err(Discard::UnsolicitedHandshake))
    }

    fn on_cookie(&mut self, reply: &CookieReply<'_>, now: Instant) -> Result<(), Discard> {
        let asked = self.ground.flights.get(&reply.receiver).copied();
        let peer = asked
            .or_else(|| self.ground.path.peer_of(reply.receiver))
            .ok_or(Discard::UnsolicitedHandshake)?;
        if self.is_service(peer) {
            return self.proxy.on_cookie(peer, reply, now);
        }
        self.with_peer(peer, now, |peer, turn| peer.on_cookie(reply, turn))
            .unwrap_or(Err(Discard::UnsolicitedHandshake))
    }

    /// Under load only those pass who proved their address by a cookie, each source at its rate (§5.3).
    fn admit(
        &mut self,
        macs: &Macs<'_>,
        sender: SessionIndex,
        arrival: Arrival,
        now: Instant,
    ) -> Result<(), Discard> {
        let random = &mut self.ground.streams.handshakes;
        self.doorkeeper.admit(macs, sender, arrival.source, random, now).map_err(|refused| match refused {
            Refused::CookieRequired(reply) => {
                self.ground.outbox.transmits.push_back(crate::notice::Transmit {
                    whole: false,
                    remote: arrival.source,
                    local: arrival.local,
                    datagram: reply.to_vec(),
                });
                Discard::CookieRequired
            }
            Refused::RateLimited => Discard::RateLimited,
        })
    }
}
