//! Relayed messages: from one side of a pair to the other, as they are.

use stead_wire::datagram::{Arrival, Transmit};
use stead_wire::message::{COOKIE_REPLY_LEN, INITIATION_LEN, RESPONSE_LEN, TRANSPORT_MIN_LEN};
use stead_wire::options::RelaySlot;
use stead_wire::time::Instant;

use super::Service;
use crate::drops::Discard;
use crate::event::{Event, Happening};
use crate::relay::Carried;
use crate::store::{SlotKnown, Which};

impl Service {
    /// Carries a message if it comes from the proven address of one side, to the proven address of the other.
    pub(super) fn on_relayed(
        &mut self,
        slot: RelaySlot,
        arrival: Arrival,
        datagram: &[u8],
        now: Instant,
    ) -> Result<(), Discard> {
        if !has_the_length_of_its_kind(datagram) {
            return Err(Discard::MalformedDatagram);
        }
        let relay = self.relay.as_mut().ok_or(Discard::RelayStranger)?;
        let topic = relay.topic(slot).ok_or(Discard::RelayStranger)?;
        let pair = self.store.pair_mut(&topic).ok_or(Discard::RelayStranger)?;
        let sides = [Which::First, Which::Second].into_iter();
        let (from, sender) = sides
            .filter_map(|which| Some((which, self.clients.get(pair.side(which)?.client)?)))
            .find(|(_, client)| client.whereabouts.proven().is_some_and(|it| it.remote == arrival.source))
            .ok_or(Discard::RelayStranger)?;
        let sender = sender.key;
        let receiver = pair.side(from.other()).ok_or(Discard::RelayUnreachable)?;
        // Who has no session has not spoken for minutes: its address may be somebody else's by now.
        let reach = self
            .clients
            .get(receiver.client)
            .filter(|client| client.keypairs.sealing(now).is_some())
            .and_then(|client| client.whereabouts.proven())
            .ok_or(Discard::RelayUnreachable)?;
        let carried = relay.carry(slot, datagram.len(), now);
        if carried == Carried::TooMuch {
            return Err(Discard::RelayLimit);
        }
        if let Some(side) = pair.side_mut(from) {
            side.slot = SlotKnown::Surely;
        }
        if carried == Carried::First {
            self.event(Event { client: sender, what: Happening::Relaying });
        }
        // Ahead of the message, so that it is known for what it is.
        self.tell_slot(topic, from.other(), now);
        self.send_answers(now);
        self.outbox.transmits.push_back(Transmit {
            remote: reach.remote,
            local: reach.local,
            datagram: datagram.to_vec(),
            whole: false,
        });
        Ok(())
    }
}

/// The relay carries WireGuard's messages and nothing else.
fn has_the_length_of_its_kind(datagram: &[u8]) -> bool {
    match datagram.first().map(|kind| kind & 0x0f) {
        Some(1) => datagram.len() == INITIATION_LEN,
        Some(2) => datagram.len() == RESPONSE_LEN,
        Some(3) => datagram.len() == COOKIE_REPLY_LEN,
        Some(4) => datagram.len() >= TRANSPORT_MIN_LEN,
        Some(_) | None => false,
    }
}
