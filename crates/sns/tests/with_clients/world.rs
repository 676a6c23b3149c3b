//! A service and its clients in virtual time, a datagram's way between them taking none.
//!
//! A client is at an attachment point of the world; what it claims may be another one, as behind a NAT. Whatever is
//! sent to a point where nobody is, or to a client that is deaf, is lost.

use std::net::SocketAddr;

use stead_noise::cookie::CookieStore;
use stead_noise::handshake::Initiator;
use stead_noise::keys::{PresharedKey, PublicKey, StaticSecret};
use stead_noise::random::{Random, RandomStream};
use stead_noise::rendezvous::Rendezvous;
use stead_noise::session::Session;
use stead_sns::{Discard, Event, Happening, Outlet, Service, ServiceStatus, Settings};
use stead_wire::datagram::{Arrival, Transmit};
use stead_wire::message::{Message, SessionIndex, TAG_LEN, TRANSPORT_HEADER_LEN, padded_len};
use stead_wire::options::{
    self, Declined, Lease, Marks, Notification, Publication, Reason, Receipt, RelaySlot, Sealed, Subscribed,
    Subscription, Topic, VcOption, Wishes,
};
use stead_wire::plaintext::Plaintext;
use stead_wire::time::{Duration, Instant, UnixTime};

/// 2026-01-01, so that timestamps look like real ones.
const WALL: UnixTime = UnixTime(Duration::from_secs(1_767_225_600));

pub(crate) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(crate) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) fn at(text: &str) -> SocketAddr {
    text.parse().expect("ip:port")
}

pub(crate) fn secret(number: u32) -> StaticSecret {
    let mut bytes = [7; 32];
    // Not at the ends, which a secret key has clamped.
    bytes[4..8].copy_from_slice(&number.to_le_bytes());
    StaticSecret::from_random(bytes)
}

/// The service's own.
pub(crate) fn service_secret() -> StaticSecret {
    secret(u32::MAX)
}

pub(crate) fn settings() -> Settings {
    Settings::new(service_secret())
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Id(pub(crate) usize);

/// One client.
pub(crate) struct Client {
    pub(crate) secret: StaticSecret,
    /// Where its datagrams come from.
    pub(crate) at: SocketAddr,
    /// Where it believes to be; `None` to say nothing of it.
    pub(crate) claimed: Option<SocketAddr>,
    /// Nothing reaches it.
    pub(crate) deaf: bool,
    /// It acknowledges notifications and answers challenges.
    pub(crate) polite: bool,
    pub(crate) session: Option<Session>,
    handshake: Option<Initiator>,
    cookies: CookieStore,
    /// All options that it was ever sent, in order.
    pub(crate) heard: Vec<(Instant, VcOption)>,
    /// All relayed datagrams that it was ever sent.
    pub(crate) relayed: Vec<Vec<u8>>,
    pub(crate) bytes_in: usize,
    pub(crate) bytes_out: usize,
}

/// See the module's documentation.
pub(crate) struct World {
    pub(crate) now: Instant,
    pub(crate) service: Service,
    pub(crate) clients: Vec<Client>,
    pub(crate) events: Vec<Event>,
    /// Everything ever sent to the service.
    pub(crate) sent: Vec<(SocketAddr, Vec<u8>)>,
    random: RandomStream,
}

#[derive(Default)]
struct Collected {
    transmits: Vec<Transmit>,
    events: Vec<Event>,
}

impl Outlet for Collected {
    fn transmit(&mut self, transmit: Transmit) {
        self.transmits.push(transmit);
    }

    fn event(&mut self, event: Event) {
        self.events.push(event);
    }
}

impl World {
    pub(crate) fn new() -> Self {
        Self::of(settings())
    }

    pub(crate) fn of(settings: Settings) -> Self {
        let now = Instant::from_micros(1_000_000);
        Self {
            now,
            service: Service::new(settings, [5; 32], now),
            clients: Vec::new(),
            events: Vec::new(),
            sent: Vec::new(),
            random: Random::from_seed([6; 32]).stream("clients"),
        }
    }

    /// A public client: it is where it believes to be. Not yet connected.
    pub(crate) fn stranger(&mut self, point: &str) -> Id {
        let secret = secret(self.clients.len() as u32);
        self.clients.push(Client {
            secret,
            at: at(point),
            claimed: Some(at(point)),
            deaf: false,
            polite: true,
            session: None,
            handshake: None,
            cookies: CookieStore::new(&service_secret().public_key()),
            heard: Vec::new(),
            relayed: Vec::new(),
            bytes_in: 0,
            bytes_out: 0,
        });
        Id(self.clients.len() - 1)
    }

    /// A public client with a session.
    pub(crate) fn public(&mut self, point: &str) -> Id {
        let id = self.stranger(point);
        self.connect(id);
        id
    }

    /// A client behind a NAT: it comes from `point` and believes to be elsewhere.
    pub(crate) fn private(&mut self, point: &str) -> Id {
        let id = self.stranger(point);
        self.client(id).claimed = Some(at("192.168.1.2:51820"));
        self.connect(id);
        id
    }

    pub(crate) fn client(&mut self, id: Id) -> &mut Client {
        &mut self.clients[id.0]
    }

    pub(crate) fn key(&self, id: Id) -> PublicKey {
        self.clients[id.0].secret.public_key()
    }

    pub(crate) fn status(&self) -> ServiceStatus {
        self.service.status(self.now)
    }

    pub(crate) fn drops(&self, reason: Discard) -> u64 {
        self.service.drops().of(reason)
    }

    /// Handshake, and a first message that confirms it.
    pub(crate) fn connect(&mut self, id: Id) {
        self.initiate(id);
        assert!(self.clients[id.0].session.is_some(), "the handshake completed");
        self.send(id, &[]);
    }

    /// An initiation, and what comes of it.
    pub(crate) fn initiate(&mut self, id: Id) {
        let initiation = self.initiation(id);
        self.inject(self.clients[id.0].at, initiation);
    }

    /// An initiation that is not sent.
    pub(crate) fn initiation(&mut self, id: Id) -> Vec<u8> {
        let service = service_secret().public_key();
        let index = SessionIndex(self.random.next_u32());
        let wall = WALL + (self.now - Instant::ZERO);
        let client = &mut self.clients[id.0];
        let (handshake, mut message) = Initiator::start(
            &client.secret,
            &service,
            &PresharedKey::default(),
            index,
            wall.into(),
            &mut self.random,
        )
        .expect("an ordinary key");
        client.cookies.finish_macs(&mut message, self.now);
        client.handshake = Some(handshake);
        message.to_vec()
    }

    /// One message with these options and, where the client says so, where it believes to be.
    pub(crate) fn send(&mut self, id: Id, options: &[VcOption]) {
        let claimed = self.clients[id.0].claimed.map(VcOption::Claimed);
        let sealed = self.sealed(id, &claimed.into_iter().chain(options.iter().cloned()).collect::<Vec<_>>());
        self.inject(self.clients[id.0].at, sealed);
    }

    /// The same, not sent.
    pub(crate) fn sealed(&mut self, id: Id, options: &[VcOption]) -> Vec<u8> {
        let mut list = Vec::new();
        options.iter().for_each(|option| option.encode(&mut list));
        self.sealed_bytes(id, &list)
    }

    /// A message with this plaintext, not sent.
    pub(crate) fn sealed_bytes(&mut self, id: Id, plaintext: &[u8]) -> Vec<u8> {
        let session = self.clients[id.0].session.as_ref().expect("a session");
        let mut message = vec![0; TRANSPORT_HEADER_LEN + padded_len(plaintext.len()) + TAG_LEN];
        message[TRANSPORT_HEADER_LEN..][..plaintext.len()].copy_from_slice(plaintext);
        session.seal_in_place(session.reserve(1).expect("a counter"), &mut message);
        message
    }

    /// A datagram that appears to come from `source`.
    pub(crate) fn inject(&mut self, source: SocketAddr, datagram: Vec<u8>) {
        self.sent.push((source, datagram.clone()));
        for client in self.clients.iter_mut().filter(|client| client.at == source) {
            client.bytes_out += datagram.len();
        }
        let mut bytes = datagram;
        self.service.handle_datagram(Arrival { source, local: None }, &mut bytes, self.now);
        self.deliver();
    }

    /// Lets time pass, waking the service when it wants to be.
    pub(crate) fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some((at, _)) = self.service.poll_timeout().filter(|(at, _)| *at <= end) {
            self.now = self.now.max(at);
            self.service.handle_timeout(self.now);
            self.deliver();
        }
        self.now = end;
    }

    /// Everything to everyone, until nobody has anything to say.
    fn deliver(&mut self) {
        let mut collected = Collected::default();
        self.service.drain(&mut collected);
        self.events.extend(collected.events);
        for transmit in collected.transmits {
            let found = self.clients.iter().position(|it| it.at == transmit.remote && !it.deaf);
            let Some(id) = found.map(Id) else { continue };
            let answers = self.receive(id, transmit.datagram);
            if !answers.is_empty() {
                let sealed = self.sealed(id, &answers);
                self.inject(self.clients[id.0].at, sealed);
            }
        }
    }

    /// What the client answers.
    fn receive(&mut self, id: Id, mut datagram: Vec<u8>) -> Vec<VcOption> {
        let now = self.now;
        let client = &mut self.clients[id.0];
        client.bytes_in += datagram.len();
        match Message::decode(&datagram) {
            Ok(Message::Response(response)) => {
                let Some(handshake) = &mut client.handshake else { return Vec::new() };
                if let Ok(keys) = handshake.finish(&response) {
                    client.session = Some(Session::new(keys, now));
                }
                Vec::new()
            }
            Ok(Message::CookieReply(reply)) => {
                client.cookies.opened(&reply, now).expect("a cookie for us");
                Vec::new()
            }
            Ok(Message::Transport(_)) => {
                let Some(session) = &client.session else { return Vec::new() };
                let Ok(plaintext) = session.open_in_place(&mut datagram) else { return Vec::new() };
                let options = Plaintext::split(plaintext).expect("options").options;
                let options: Vec<_> = options::decode(options).map(|it| it.expect("well-formed")).collect();
                client.heard.extend(options.iter().map(|option| (now, option.clone())));
                if client.polite { options.iter().filter_map(answer_to).collect() } else { Vec::new() }
            }
            Ok(Message::Initiation(_)) => panic!("the service begins no handshake"),
            Err(_) => {
                client.relayed.push(datagram);
                Vec::new()
            }
        }
    }
}

fn answer_to(option: &VcOption) -> Option<VcOption> {
    match option {
        VcOption::PathChallenge(token) => Some(VcOption::PathResponse(*token)),
        VcOption::Notification(notification) => {
            let Notification { topic, number, .. } = *notification;
            Some(VcOption::Notified(Receipt { topic, number }))
        }
        _ => None,
    }
}

/// What clients ask for, and what they were told.
impl World {
    pub(crate) fn topic(&self, one: Id, other: Id) -> Topic {
        self.rendezvous(one, other).topic()
    }

    pub(crate) fn rendezvous(&self, own: Id, peer: Id) -> Rendezvous {
        let service = service_secret().public_key();
        Rendezvous::new(&self.clients[own.0].secret, &self.key(peer), &service).expect("ordinary keys")
    }

    pub(crate) fn subscribe(&mut self, own: Id, peer: Id, wishes: Wishes) {
        let subscription =
            Subscription { topic: self.topic(own, peer), lease: Lease::from_secs(600), wishes };
        self.send(own, &[VcOption::Subscription(subscription)]);
    }

    pub(crate) fn publish(&mut self, own: Id, peer: Id, number: u64, marks: Marks) {
        let sealed = Sealed::new(format!("{} for {}", own.0, peer.0).as_bytes()).expect("short");
        let publication = Publication { topic: self.topic(own, peer), number, marks, sealed };
        self.send(own, &[VcOption::Publication(publication)]);
    }

    /// Both are subscribed and have published where they are.
    pub(crate) fn acquaint(&mut self, one: Id, other: Id) {
        for (own, peer) in [(one, other), (other, one)] {
            self.subscribe(own, peer, Wishes::NONE);
            self.publish(own, peer, 1, Marks::NONE);
        }
    }

    /// The client is elsewhere now, and believes so if it is public.
    pub(crate) fn relocate(&mut self, id: Id, point: &str) {
        let client = self.client(id);
        let public = client.claimed == Some(client.at);
        client.at = at(point);
        if public {
            client.claimed = Some(client.at);
        }
    }

    /// Notifications that the client was ever sent: when, number, publisher's apparent source.
    pub(crate) fn notifications(&self, id: Id) -> Vec<(Instant, u64, SocketAddr)> {
        let told = |(at, option): &(Instant, VcOption)| match option {
            VcOption::Notification(it) => Some((*at, it.number, it.apparent)),
            _ => None,
        };
        self.clients[id.0].heard.iter().filter_map(told).collect()
    }

    pub(crate) fn declined(&self, id: Id) -> Vec<Reason> {
        let declined = |(_, option): &(Instant, VcOption)| match option {
            VcOption::Declined(Declined { reason, .. }) => Some(*reason),
            _ => None,
        };
        self.clients[id.0].heard.iter().filter_map(declined).collect()
    }

    pub(crate) fn subscribed(&self, id: Id) -> Option<Subscribed> {
        let granted = |(_, option): &(Instant, VcOption)| match option {
            VcOption::Subscribed(it) => Some(*it),
            _ => None,
        };
        self.clients[id.0].heard.iter().rev().find_map(granted)
    }

    pub(crate) fn slot(&self, id: Id) -> Option<RelaySlot> {
        self.subscribed(id).and_then(|it| it.slot)
    }

    /// Where the client was last told that it appears to be.
    pub(crate) fn apparent(&self, id: Id) -> Option<SocketAddr> {
        let told = |(_, option): &(Instant, VcOption)| match option {
            VcOption::Apparent(point) => Some(*point),
            _ => None,
        };
        self.clients[id.0].heard.iter().rev().find_map(told)
    }

    pub(crate) fn happened(&self, id: Id) -> Vec<Happening> {
        let key = self.key(id);
        self.events.iter().filter(|event| event.client == key).map(|event| event.what).collect()
    }
}
