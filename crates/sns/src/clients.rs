//! All clients: by key, by session, and in the order in which they make room.
//!
//! # Invariants
//! - No more than a bounded number of confirmed clients, and of those that knock.
//! - A client that holds a lease makes room for nobody.
//! - Every client has one entry in `wakes`; every client without a lease has one in `leaseless`.

use std::collections::{BTreeMap, BTreeSet};

use stead_noise::keys::PublicKey;
use stead_wire::message::SessionIndex;
use stead_wire::options::Topic;
use stead_wire::time::Instant;

use crate::client::{Client, ClientId, Stage};
use crate::quota::{Tallies, Tally};
use crate::settings::Quotas;

/// Handshakes answered and not used yet, at most: who does not follow a response within the time that this many new
/// ones take has lost it. At the rate of initiations that one core can answer, a second.
const KNOCKING: usize = 4096;

/// The end of time.
const NEVER: Instant = Instant::from_micros(u64::MAX);

/// See the module's documentation.
pub(crate) struct Clients {
    places: Vec<Option<Client>>,
    free: Vec<u32>,
    by_key: BTreeMap<PublicKey, ClientId>,
    by_session: BTreeMap<SessionIndex, ClientId>,
    wakes: BTreeSet<(Instant, ClientId)>,
    leaseless: BTreeSet<(Stage, Instant, ClientId)>,
    confirmed: usize,
    tallies: Tallies,
    quotas: Quotas,
}

/// Why a client was not let in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum NoRoom {
    /// As many as there may be hold leases.
    Full,
    /// Its address has as many as it may have.
    Address,
}

impl Clients {
    pub(crate) fn new(quotas: Quotas) -> Self {
        Self {
            places: Vec::new(),
            free: Vec::new(),
            by_key: BTreeMap::new(),
            by_session: BTreeMap::new(),
            wakes: BTreeSet::new(),
            leaseless: BTreeSet::new(),
            confirmed: 0,
            tallies: Tallies::default(),
            quotas,
        }
    }

    pub(crate) fn get(&self, id: ClientId) -> Option<&Client> {
        self.places.get(id.0 as usize)?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, id: ClientId) -> Option<&mut Client> {
        self.places.get_mut(id.0 as usize)?.as_mut()
    }

    pub(crate) fn by_key(&self, key: &PublicKey) -> Option<ClientId> {
        self.by_key.get(key).copied()
    }

    pub(crate) fn by_session(&self, index: SessionIndex) -> Option<ClientId> {
        self.by_session.get(&index).copied()
    }

    pub(crate) fn knows(&self, index: SessionIndex) -> bool {
        self.by_session.contains_key(&index)
    }

    /// How many are confirmed, and how many knock.
    pub(crate) fn counts(&self) -> (usize, usize) {
        (self.confirmed, self.by_key.len() - self.confirmed)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Client> {
        self.places.iter().flatten()
    }

    pub(crate) fn tallies(&self) -> &Tallies {
        &self.tallies
    }

    /// Takes in a client that knocks; the one that has knocked for longest goes if there are too many. Returns
    /// whether one did.
    pub(crate) fn admit(&mut self, client: Client) -> (ClientId, bool) {
        let (_, knocking) = self.counts();
        let crowded = if knocking >= KNOCKING {
            self.leaseless.first().filter(|(stage, ..)| *stage == Stage::Knocking).map(|(.., id)| *id)
        } else {
            None
        };
        if let Some(oldest) = crowded {
            self.remove(oldest);
        }
        let id = ClientId(self.free.pop().unwrap_or(u32::try_from(self.places.len()).unwrap_or(u32::MAX)));
        if id.0 as usize == self.places.len() {
            self.places.push(None);
        }
        self.by_key.insert(client.key, id);
        self.wakes.insert((client.wake, id));
        self.leaseless.insert((client.stage, client.leaseless, id));
        self.places[id.0 as usize] = Some(client);
        (id, crowded.is_some())
    }

    /// The client used the session that it asked for, so it counts from now on. Returns who made room for it.
    ///
    /// # Errors
    /// [`NoRoom`]; then it is gone.
    pub(crate) fn confirm(&mut self, id: ClientId, now: Instant) -> Result<Option<PublicKey>, NoRoom> {
        let Some(client) = self.get(id).filter(|client| client.stage == Stage::Knocking) else {
            return Ok(None);
        };
        let home = client.home;
        if self.tallies.of(home).clients >= self.quotas.clients_per_address {
            self.remove(id);
            return Err(NoRoom::Address);
        }
        let mut made_room = None;
        if self.confirmed >= self.quotas.clients {
            let idle = self.leaseless.range((Stage::Confirmed, Instant::ZERO, ClientId(0))..).next().copied();
            let Some((.., idle)) = idle else {
                self.remove(id);
                return Err(NoRoom::Full);
            };
            made_room = self.remove(idle).map(|client| client.key);
        }
        self.tallies.add(home, Tally { clients: 1, subscriptions: 0 });
        self.confirmed += 1;
        self.restage(id, |client| {
            client.stage = Stage::Confirmed;
            client.leaseless = now;
        });
        Ok(made_room)
    }

    /// The client's proven address may be another one: its quota goes there.
    pub(crate) fn rehome(&mut self, id: ClientId) {
        let Some(client) = self.places.get_mut(id.0 as usize).and_then(Option::as_mut) else { return };
        let Some(proven) = client.whereabouts.proven() else { return };
        if client.stage == Stage::Knocking || client.home == proven.remote.ip() {
            return;
        }
        let tally = Tally { clients: 1, subscriptions: client.topics.len() };
        self.tallies.remove(client.home, tally);
        client.home = proven.remote.ip();
        self.tallies.add(client.home, tally);
    }

    /// The client holds one more lease.
    pub(crate) fn subscribed(&mut self, id: ClientId, topic: Topic) {
        let Some(home) = self.get(id).map(|client| client.home) else { return };
        self.tallies.add(home, Tally { clients: 0, subscriptions: 1 });
        self.restage(id, |client| {
            client.topics.insert(topic);
        });
    }

    /// The client holds one lease less.
    pub(crate) fn unsubscribed(&mut self, id: ClientId, topic: &Topic, now: Instant) {
        let Some(home) = self.get(id).map(|client| client.home) else { return };
        self.tallies.remove(home, Tally { clients: 0, subscriptions: 1 });
        self.restage(id, |client| {
            client.topics.remove(topic);
            client.leaseless = now;
        });
    }

    pub(crate) fn bind(&mut self, session: SessionIndex, id: ClientId) {
        self.by_session.insert(session, id);
    }

    pub(crate) fn unbind(&mut self, sessions: Vec<SessionIndex>) {
        sessions.iter().for_each(|session| {
            self.by_session.remove(session);
        });
    }

    /// Sets when the client is looked at next.
    pub(crate) fn rewake(&mut self, id: ClientId, now: Instant) {
        let Some(client) = self.places.get_mut(id.0 as usize).and_then(Option::as_mut) else { return };
        let due = client.due(now);
        if due != client.wake {
            self.wakes.remove(&(client.wake, id));
            client.wake = due;
            self.wakes.insert((due, id));
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.wakes.first().map(|(at, _)| *at).filter(|at| *at < NEVER)
    }

    /// Drops sessions that ended, and clients of whom nothing is left; returns these.
    pub(crate) fn expire(&mut self, now: Instant) -> Vec<Client> {
        let due: Vec<_> = self.wakes.iter().take_while(|(at, _)| *at <= now).map(|(_, id)| *id).collect();
        let mut gone = Vec::new();
        for id in due {
            let Some(client) = self.get_mut(id) else { continue };
            let ended = client.keypairs.expire(now);
            let over = client.is_over(now);
            // Without a session, only its leases keep it; their end looks at it again.
            self.unbind(ended);
            if over {
                gone.extend(self.remove(id));
            } else if self.get(id).is_some_and(|client| client.keypairs.iter().next().is_none()) {
                self.sleep(id);
            } else {
                self.rewake(id, now);
            }
        }
        gone
    }

    /// A client without a session has nothing to wake for.
    fn sleep(&mut self, id: ClientId) {
        let Some(client) = self.places.get_mut(id.0 as usize).and_then(Option::as_mut) else { return };
        self.wakes.remove(&(client.wake, id));
        client.wake = NEVER;
        self.wakes.insert((client.wake, id));
    }

    /// Takes a client out. It must hold no lease.
    pub(crate) fn remove(&mut self, id: ClientId) -> Option<Client> {
        let client = self.places.get_mut(id.0 as usize)?.take()?;
        debug_assert!(client.topics.is_empty(), "its subscriptions name it");
        self.free.push(id.0);
        self.by_key.remove(&client.key);
        self.wakes.remove(&(client.wake, id));
        self.leaseless.remove(&(client.stage, client.leaseless, id));
        for session in client.keypairs.iter() {
            self.by_session.remove(&session.local());
        }
        if client.stage == Stage::Confirmed {
            self.confirmed -= 1;
            self.tallies.remove(client.home, Tally { clients: 1, subscriptions: 0 });
        }
        Some(client)
    }

    /// Changes what decides when the client makes room.
    fn restage(&mut self, id: ClientId, change: impl FnOnce(&mut Client)) {
        let Some(client) = self.places.get_mut(id.0 as usize).and_then(Option::as_mut) else { return };
        self.leaseless.remove(&(client.stage, client.leaseless, id));
        change(client);
        if client.topics.is_empty() {
            self.leaseless.insert((client.stage, client.leaseless, id));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::whereabouts::Reach;
    use stead_noise::handshake::Tai64N;

    /// A client with a key and a moment of its own.
    fn knocking(number: u32) -> Client {
        let mut key = [0; 32];
        key[..4].copy_from_slice(&number.to_le_bytes());
        let reach = Reach { remote: ([192, 0, 2, 1], 1).into(), local: None };
        Client::new(PublicKey(key), Tai64N([0; 12]), reach, Instant::from_micros(u64::from(number)))
    }

    #[test]
    fn of_too_many_that_knock_those_go_that_have_knocked_for_longest_and_nobody_who_was_let_in() {
        let mut clients = Clients::new(Quotas::default());
        let (inside, _) = clients.admit(knocking(0));
        clients.confirm(inside, Instant::ZERO).unwrap();

        let crowded = (1..=2 * KNOCKING as u32).filter(|number| clients.admit(knocking(*number)).1).count();

        assert_eq!((clients.counts(), crowded), ((1, KNOCKING), KNOCKING));
        assert!(clients.get(inside).is_some_and(|client| client.stage == Stage::Confirmed));
        let there = |number: u32| clients.by_key(&knocking(number).key).is_some();
        assert!(!there(KNOCKING as u32) && there(KNOCKING as u32 + 1));
        assert!(clients.places.len() <= KNOCKING + 1, "places are used again");
    }
}
