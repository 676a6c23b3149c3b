//! Handshakes: who may ask, and what is kept of who did (WireGuard paper §5). The service only responds.

use stead_noise::cookie::{Mac1Key, seal_mac1};
use stead_noise::doorkeeper::Refused;
use stead_noise::handshake::Responder;
use stead_noise::keys::PresharedKey;
use stead_noise::session::Session;
use stead_wire::datagram::{Arrival, Transmit};
use stead_wire::message::{Initiation, Macs, SessionIndex};
use stead_wire::time::Instant;

use super::Service;
use crate::client::{Client, ClientId};
use crate::drops::Discard;

impl Service {
    pub(super) fn on_initiation(
        &mut self,
        message: &Initiation<'_>,
        arrival: Arrival,
        now: Instant,
    ) -> Result<(), Discard> {
        if !self.doorkeeper.mac1_valid(&message.macs) {
            return Err(Discard::WrongMac1);
        }
        self.admit(&message.macs, message.sender, arrival, now)?;
        let responder =
            Responder::receive(&self.identity.secret, message).map_err(|_| Discard::ForgedHandshake)?;
        let key = responder.remote();
        if self.settings.clients.as_ref().is_some_and(|served| !served.contains(&key)) {
            return Err(Discard::NotServed);
        }
        let timestamp = responder.timestamp();
        let known = self.clients.by_key(&key);
        if known.and_then(|id| self.clients.get(id)).is_some_and(|client| client.latest >= timestamp) {
            return Err(Discard::ReplayedHandshake);
        }
        let index = self.fresh_index();
        let (mut response, keys) = responder
            .respond(&PresharedKey::default(), index, &mut self.streams.handshakes)
            .map_err(|_| Discard::ForgedHandshake)?;
        let id = known.unwrap_or_else(|| self.take_in(Client::new(key, timestamp, arrival.into(), now)));
        seal_mac1(&mut response, &Mac1Key::for_receiver(&key));
        self.install(id, Session::new(keys, now), timestamp, arrival, now);
        self.outbox.transmits.push_back(Transmit {
            remote: arrival.source,
            local: arrival.local,
            datagram: response.to_vec(),
            whole: false,
        });
        Ok(())
    }

    fn take_in(&mut self, client: Client) -> ClientId {
        let (id, crowded) = self.clients.admit(client);
        if crowded {
            self.drops.count(Discard::Unconfirmed);
        }
        id
    }

    fn install(
        &mut self,
        id: ClientId,
        session: Session,
        timestamp: stead_noise::handshake::Tai64N,
        arrival: Arrival,
        now: Instant,
    ) {
        let index = session.local();
        let Some(client) = self.clients.get_mut(id) else { return };
        client.latest = timestamp;
        let gone = client.install(session, arrival.into(), now);
        self.clients.unbind(gone);
        self.clients.bind(index, id);
        self.clients.rewake(id, now);
    }

    /// Under load only those pass who proved their address by a cookie, each source at its rate (§5.3).
    fn admit(
        &mut self,
        macs: &Macs<'_>,
        sender: SessionIndex,
        arrival: Arrival,
        now: Instant,
    ) -> Result<(), Discard> {
        let random = &mut self.streams.handshakes;
        self.doorkeeper.admit(macs, sender, arrival.source, random, now).map_err(|refused| match refused {
            Refused::CookieRequired(reply) => {
                self.outbox.transmits.push_back(Transmit {
                    remote: arrival.source,
                    local: arrival.local,
                    datagram: reply.to_vec(),
                    whole: false,
                });
                Discard::CookieRequired
            }
            Refused::RateLimited => Discard::RateLimited,
        })
    }

    /// A session index that nobody uses.
    fn fresh_index(&mut self) -> SessionIndex {
        loop {
            let index = SessionIndex(self.streams.indices.next_u32());
            if !self.clients.knows(index) {
                return index;
            }
        }
    }
}
