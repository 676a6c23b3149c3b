//! The service: routes every datagram to the machine that it concerns, and seals what the machines answer.
//!
//! # Life-cycle
//! [`Service::new`] → any order of `handle_*` → after each, [`Service::drain`] (or the `poll_*` calls themselves) →
//! wait until the moment that it names, or the next datagram.
//!
//! # Invariants
//! - Nothing here reads a clock or draws randomness: `now` comes in, randomness is one seed.
//! - Same settings, same seed, same inputs: same outputs, byte for byte.
//! - Only what authenticated changes anything; what a stranger can cause is a cookie.

mod handshakes;
mod messages;
mod relaying;

use std::collections::{BTreeMap, VecDeque};

use core::fmt;

use stead_noise::doorkeeper::Doorkeeper;
use stead_noise::keys::{PublicKey, StaticSecret};
use stead_noise::random::{Random, RandomStream};
use stead_wire::datagram::{Arrival, Transmit};
use stead_wire::message::Message;
use stead_wire::options::{ChallengeToken, Declined, Reason, VcOption};
use stead_wire::relayed;
use stead_wire::time::Instant;

use crate::client::ClientId;
use crate::clients::Clients;
use crate::drops::{Discard, Drops};
use crate::event::{Event, Happening};
use crate::notify::Retries;
use crate::relay::Relay;
use crate::settings::Settings;
use crate::status::{ClientCounts, NotificationCounts, PublicationCounts, ServiceStatus};
use crate::store::Store;

/// See the module's documentation.
pub struct Service {
    pub(crate) settings: Settings,
    pub(crate) clients: Clients,
    pub(crate) store: Store,
    pub(crate) retries: Retries,
    pub(crate) relay: Option<Relay>,
    pub(crate) counts: Counts,
    identity: Identity,
    doorkeeper: Doorkeeper,
    streams: Streams,
    drops: Drops,
    outbox: Outbox,
    /// What is to be sent to whom when the input at hand is done with.
    answers: BTreeMap<ClientId, Vec<VcOption>>,
    began: Instant,
}

struct Identity {
    secret: StaticSecret,
    public: PublicKey,
}

/// Randomness, one stream per purpose.
struct Streams {
    handshakes: RandomStream,
    indices: RandomStream,
    challenges: RandomStream,
}

/// What waits to leave the service.
#[derive(Default)]
struct Outbox {
    transmits: VecDeque<Transmit>,
    events: VecDeque<Event>,
}

/// What it did so far.
#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) publications: PublicationCounts,
    pub(crate) notifications: NotificationCounts,
    pub(crate) declined: BTreeMap<Reason, u64>,
}

/// Leases that end in one call at most; the next one follows at once. When a network with a million nodes vanishes, the
/// others' datagrams do not wait for its leases' end.
const LEASES_AT_ONCE: usize = 1024;

/// Why the service wants to be woken. The words are metric labels.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Wake {
    /// A notification went unacknowledged.
    Notification,
    /// A lease ends.
    Lease,
    /// A session ends, or a handshake was never used.
    Session,
}

impl fmt::Display for Wake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Notification => "notification",
            Self::Lease => "lease",
            Self::Session => "session",
        })
    }
}

/// Where [`Service::drain`] puts what leaves the service.
pub trait Outlet {
    /// A datagram to send.
    fn transmit(&mut self, transmit: Transmit);
    /// Something worth telling.
    fn event(&mut self, event: Event);
}

impl Service {
    /// A service that nobody has spoken to yet.
    ///
    /// `seed` is all its randomness, so it must be unpredictable in the field.
    #[must_use]
    pub fn new(settings: Settings, seed: [u8; 32], now: Instant) -> Self {
        let public = settings.secret.public_key();
        let random = Random::from_seed(seed);
        Self {
            clients: Clients::new(settings.quotas),
            store: Store::default(),
            retries: Retries::default(),
            relay: settings.relay.map(Relay::new),
            counts: Counts::default(),
            identity: Identity { secret: settings.secret.clone(), public },
            doorkeeper: Doorkeeper::new(&public),
            streams: Streams {
                handshakes: random.stream("handshakes"),
                indices: random.stream("session indices"),
                challenges: random.stream("path challenges"),
            },
            drops: Drops::default(),
            outbox: Outbox::default(),
            answers: BTreeMap::new(),
            settings,
            began: now,
        }
    }

    /// A datagram from the underlay.
    pub fn handle_datagram(&mut self, arrival: Arrival, datagram: &mut [u8], now: Instant) {
        let outcome = if let Some(slot) = relayed::slot_of(datagram) {
            self.on_relayed(slot, arrival, datagram, now)
        } else {
            match Message::decode(datagram) {
                Ok(Message::Initiation(initiation)) => self.on_initiation(&initiation, arrival, now),
                Ok(Message::Transport(transport)) => {
                    let session = transport.receiver;
                    self.on_transport(session, arrival, datagram, now)
                }
                Ok(Message::Response(_) | Message::CookieReply(_)) => Err(Discard::UnsolicitedHandshake),
                Err(_) => Err(Discard::MalformedDatagram),
            }
        };
        self.count(outcome);
        self.send_answers(now);
    }

    /// The moment that [`poll_timeout`](Self::poll_timeout) named has come.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.retry_notifications(now);
        for _ in 0..LEASES_AT_ONCE {
            let Some((topic, which)) = self.store.next_ended(now) else { break };
            self.unsubscribe(topic, which, now);
        }
        for client in self.clients.expire(now) {
            self.on_gone(client.key, client.stage);
        }
        self.send_answers(now);
    }

    /// The next datagram to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.outbox.transmits.pop_front()
    }

    /// The next thing worth telling.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.outbox.events.pop_front()
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called, and what for.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Instant, Wake)> {
        let notification = self.retries.poll_timeout().map(|at| (at, Wake::Notification));
        let lease = self.store.poll_timeout().map(|at| (at, Wake::Lease));
        let session = self.clients.poll_timeout().map(|at| (at, Wake::Session));
        [notification, lease, session].into_iter().flatten().min()
    }

    /// Empties the service into `outlet`; returns what [`poll_timeout`](Self::poll_timeout) does.
    ///
    /// The one loop that the program, the simulator and the tests share.
    pub fn drain(&mut self, outlet: &mut impl Outlet) -> Option<(Instant, Wake)> {
        while let Some(transmit) = self.poll_transmit() {
            outlet.transmit(transmit);
        }
        while let Some(event) = self.poll_event() {
            outlet.event(event);
        }
        self.poll_timeout()
    }

    /// Its identity.
    #[must_use]
    pub const fn public_key(&self) -> PublicKey {
        self.identity.public
    }

    /// Why what was dropped was, so far.
    #[must_use]
    pub const fn drops(&self) -> &Drops {
        &self.drops
    }

    /// How it is. Looks at every client.
    #[must_use]
    pub fn status(&self, now: Instant) -> ServiceStatus {
        let (confirmed, knocking) = self.clients.counts();
        let confirmed_ones = self.clients.iter().filter(|it| it.stage == crate::client::Stage::Confirmed);
        let private = confirmed_ones.filter(|client| client.whereabouts.is_private()).count();
        ServiceStatus {
            public_key: self.identity.public,
            age: now - self.began,
            quotas: self.settings.quotas,
            closed: self.settings.clients.is_some(),
            clients: ClientCounts { confirmed, knocking, private },
            subscriptions: self.store.subscriptions(),
            pairs: self.store.matched(),
            publications: self.counts.publications,
            notifications: self.counts.notifications,
            declined: self.counts.declined.clone(),
            relay: self.relay.as_ref().map(|relay| relay.status(now)),
            drops: self.drops.occurred(),
        }
    }

    /// Adds an option to what the client is sent after this input.
    pub(crate) fn answer(&mut self, id: ClientId, option: VcOption) {
        self.answers.entry(id).or_default().push(option);
    }

    pub(crate) fn decline(&mut self, id: ClientId, declined: Declined) {
        *self.counts.declined.entry(declined.reason).or_default() += 1;
        self.answer(id, VcOption::Declined(declined));
    }

    pub(crate) fn event(&mut self, event: Event) {
        self.outbox.events.push_back(event);
    }

    fn on_gone(&mut self, client: PublicKey, stage: crate::client::Stage) {
        match stage {
            crate::client::Stage::Knocking => self.drops.count(Discard::Unconfirmed),
            crate::client::Stage::Confirmed => self.event(Event { client, what: Happening::Left }),
        }
    }

    fn count(&mut self, outcome: Result<(), Discard>) {
        if let Err(reason) = outcome {
            self.drops.count(reason);
        }
    }
}

/// A challenge that nobody can guess.
fn fresh_challenge(random: &mut RandomStream) -> ChallengeToken {
    let mut bytes = [0; 8];
    random.fill(&mut bytes);
    ChallengeToken(bytes)
}
