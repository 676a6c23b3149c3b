//! Transport messages: options in from a client, options out to it.

use core::mem;

use stead_noise::session;
use stead_wire::datagram::{Arrival, Transmit};
use stead_wire::message::{Counter, SessionIndex, TAG_LEN, TRANSPORT_HEADER_LEN, padded_len};
use stead_wire::options::{self, VcOption};
use stead_wire::plaintext::Plaintext;
use stead_wire::time::Instant;

use super::{Service, fresh_challenge};
use crate::client::{ClientId, Stage};
use crate::clients::NoRoom;
use crate::drops::Discard;
use crate::event::{Event, Happening};

/// Most options in one message that are looked at: more than a full one has of the shortest kinds in use.
const MOST_OPTIONS: usize = 64;

/// Longest plaintext sent: what IPv6 carries everywhere (1280) less its header (40), UDP's (8), ours (16) and the tag.
const MOST_PLAINTEXT: usize = 1200;

impl Service {
    pub(super) fn on_transport(
        &mut self,
        index: SessionIndex,
        arrival: Arrival,
        datagram: &mut [u8],
        now: Instant,
    ) -> Result<(), Discard> {
        let id = self.clients.by_session(index).ok_or(Discard::UnknownSession)?;
        let client = self.clients.get_mut(id).ok_or(Discard::UnknownSession)?;
        let session = client.keypairs.by_index(index).cloned().ok_or(Discard::UnknownSession)?;
        if session.expired(now) {
            return Err(Discard::ExpiredSession);
        }
        let bytes = datagram.len();
        let counter = counter_of(datagram);
        let plaintext = session.open_in_place(datagram).map_err(reason)?;
        self.arrived(id, arrival.source, now)?;
        let Some(client) = self.clients.get_mut(id) else { return Ok(()) };
        client.confirm(index, now);
        let newest = client.is_current(index, now) && session.received_highest() == counter;
        let from = client.whereabouts.on_message(arrival, bytes, newest);
        self.clients.rehome(id);
        if let Some(from) = from {
            self.on_elsewhere(id, from, arrival, now);
        }
        self.on_plaintext(id, arrival, plaintext, now)
    }

    /// The first message of a client that knocked: now it counts.
    fn arrived(&mut self, id: ClientId, from: core::net::SocketAddr, now: Instant) -> Result<(), Discard> {
        let Some(client) = self.clients.get(id).filter(|client| client.stage == Stage::Knocking) else {
            return Ok(());
        };
        let key = client.key;
        match self.clients.confirm(id, now) {
            Ok(made_room) => {
                if let Some(idle) = made_room {
                    self.event(Event { client: idle, what: Happening::Left });
                }
                self.clients.rewake(id, now);
                self.event(Event { client: key, what: Happening::Arrived { from } });
                Ok(())
            }
            Err(NoRoom::Full) => Err(Discard::ClientsFull),
            Err(NoRoom::Address) => Err(Discard::AddressFull),
        }
    }

    /// The client's messages come from elsewhere: it learns so at once, and what waited for it goes there.
    fn on_elsewhere(&mut self, id: ClientId, from: core::net::SocketAddr, arrival: Arrival, now: Instant) {
        let Some(client) = self.clients.get(id) else { return };
        let (key, topics) = (client.key, client.topics.clone());
        self.event(Event { client: key, what: Happening::Moved { from, to: arrival.source } });
        self.answers.entry(id).or_default();
        for topic in topics {
            if let Some(which) = self.store.pair(&topic).and_then(|pair| pair.of(id)) {
                self.notify_waiting(topic, which, now);
            }
        }
    }

    fn on_plaintext(
        &mut self,
        id: ClientId,
        arrival: Arrival,
        plaintext: &[u8],
        now: Instant,
    ) -> Result<(), Discard> {
        let split = Plaintext::split(plaintext).map_err(|_| Discard::Packet)?;
        if split.packet.is_some() {
            return Err(Discard::Packet);
        }
        let mut listed = Vec::new();
        for option in options::decode(split.options) {
            if listed.len() == MOST_OPTIONS {
                self.drops.count(Discard::NeedlessOptions);
                break;
            }
            match option {
                Ok(option) => listed.push(option),
                Err(_) => self.drops.count(Discard::MalformedOptions),
            }
        }
        // What says where the client is comes before what depends on it.
        listed.sort_by_key(|option| !matches!(option, VcOption::Claimed(_) | VcOption::PathResponse(_)));
        for option in listed {
            let outcome = self.on_option(id, arrival, option, now);
            self.count(outcome);
        }
        Ok(())
    }

    fn on_option(
        &mut self,
        id: ClientId,
        arrival: Arrival,
        option: VcOption,
        now: Instant,
    ) -> Result<(), Discard> {
        match option {
            VcOption::Claimed(claimed) => {
                if let Some(client) = self.clients.get_mut(id) {
                    client.whereabouts.on_claim(claimed);
                }
                // Whoever says where it believes to be is told where it is (figure 19).
                self.answers.entry(id).or_default();
            }
            VcOption::PathResponse(token) => {
                let client = self.clients.get_mut(id).ok_or(Discard::UnsolicitedResponse)?;
                if !client.whereabouts.on_response(token, arrival.source, now) {
                    return Err(Discard::UnsolicitedResponse);
                }
                self.clients.rehome(id);
            }
            VcOption::PathChallenge(token) => self.answer(id, VcOption::PathResponse(token)),
            VcOption::Subscription(subscription) => self.on_subscription(id, subscription, now),
            VcOption::Publication(publication) => self.on_publication(id, publication, now),
            VcOption::Notified(receipt) => return self.on_notified(id, receipt),
            // From the future.
            VcOption::Unknown { .. } => {}
            VcOption::Probe(_)
            | VcOption::ProbeReply(_)
            | VcOption::Twin(_)
            | VcOption::ConnectionUpdate(_)
            | VcOption::ConnectionUpdateAcknowledge(_)
            | VcOption::ConnectionUpdateRequest(_)
            | VcOption::AttachmentPoints(_)
            | VcOption::Received(_)
            | VcOption::Subscribed(_)
            | VcOption::Published(_)
            | VcOption::Notification(_)
            | VcOption::Apparent(_)
            | VcOption::Declined(_) => return Err(Discard::NeedlessOptions),
        }
        Ok(())
    }

    /// Seals what this input has to say to each client, several options in a message.
    pub(super) fn send_answers(&mut self, now: Instant) {
        for (id, options) in mem::take(&mut self.answers) {
            let mut rest = options.into_iter().peekable();
            while let Some(mut list) = self.preface(id, now) {
                while let Some(option) = rest.next_if(|it| list.len() + it.encoded_len() <= MOST_PLAINTEXT) {
                    option.encode(&mut list);
                }
                if let Err(reason) = self.send(id, &list, now) {
                    self.drops.count(reason);
                }
                if rest.peek().is_none() {
                    break;
                }
            }
        }
    }

    /// What every message to a client begins with: where it appears to be, and a challenge until that is proven.
    fn preface(&mut self, id: ClientId, now: Instant) -> Option<Vec<u8>> {
        let client = self.clients.get_mut(id)?;
        let mut list = Vec::with_capacity(256);
        VcOption::Apparent(client.whereabouts.newest()?.remote).encode(&mut list);
        let challenges = &mut self.streams.challenges;
        if let Some(token) = client.whereabouts.challenge(|| fresh_challenge(challenges), now) {
            VcOption::PathChallenge(token).encode(&mut list);
        }
        Some(list)
    }

    fn send(&mut self, id: ClientId, list: &[u8], now: Instant) -> Result<(), Discard> {
        let client = self.clients.get_mut(id).ok_or(Discard::NoSession)?;
        let reach = client.whereabouts.newest().ok_or(Discard::NoSession)?;
        let session = client.keypairs.sealing(now).cloned().ok_or(Discard::NoSession)?;
        let len = TRANSPORT_HEADER_LEN + padded_len(list.len()) + TAG_LEN;
        if !client.whereabouts.spend(len) {
            return Err(Discard::AmplificationLimit);
        }
        let counter = session.reserve(1).ok_or(Discard::NoSession)?;
        let mut datagram = vec![0; len];
        datagram[TRANSPORT_HEADER_LEN..TRANSPORT_HEADER_LEN + list.len()].copy_from_slice(list);
        session.seal_in_place(counter, &mut datagram);
        self.outbox.transmits.push_back(Transmit {
            remote: reach.remote,
            local: reach.local,
            datagram,
            whole: false,
        });
        Ok(())
    }
}

/// The counter in a transport message's header.
fn counter_of(datagram: &[u8]) -> Option<Counter> {
    let bytes = datagram.get(8..TRANSPORT_HEADER_LEN)?.try_into().ok()?;
    Some(Counter(u64::from_le_bytes(bytes)))
}

const fn reason(refused: session::Discard) -> Discard {
    match refused {
        session::Discard::TooShort => Discard::MalformedDatagram,
        session::Discard::Forged => Discard::ForgedTransport,
        session::Discard::Replayed | session::Discard::TooOld => Discard::ReplayedTransport,
        session::Discard::CounterExhausted => Discard::ExpiredSession,
    }
}
