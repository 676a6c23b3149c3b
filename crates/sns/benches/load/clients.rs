//! A crowd of simulated clients around one service.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Instant as Clock;

use stead_noise::cookie::{Mac1Key, seal_mac1};
use stead_noise::handshake::Initiator;
use stead_noise::keys::{PresharedKey, StaticSecret};
use stead_noise::random::{Random, RandomStream};
use stead_noise::session::Session;
use stead_sns::{Quotas, Service, ServiceStatus, Settings};
use stead_wire::datagram::Arrival;
use stead_wire::message::{Message, SessionIndex, TAG_LEN, TRANSPORT_HEADER_LEN, padded_len};
use stead_wire::options::{
    self, Lease, Marks, Publication, Receipt, Sealed, Subscription, Topic, VcOption, Wishes,
};
use stead_wire::plaintext::Plaintext;
use stead_wire::time::{Duration, Instant, UnixTime};

/// Peers of one client.
const PEERS: usize = 64;

/// Bytes that a publication has sealed: two or three attachment points.
const SEALED: usize = 100;

/// A client: its session, and the pairs that it is a side of.
struct Client {
    session: Session,
    pairs: Vec<usize>,
}

pub(crate) struct Crowd {
    service: Service,
    now: Instant,
    clients: Vec<Client>,
    count: usize,
    pairs: usize,
    random: RandomStream,
    number: u64,
}

/// A datagram and where it comes from.
type Sent = (SocketAddr, Vec<u8>);

impl Crowd {
    pub(crate) fn new(subscriptions: usize) -> Self {
        let quotas = Quotas {
            clients: 1 << 20,
            clients_per_address: 1 << 20,
            subscriptions,
            subscriptions_per_client: 1 << 20,
            subscriptions_per_address: 1 << 20,
        };
        let settings = Settings { quotas, ..Settings::new(secret(u64::MAX)) };
        let now = Instant::from_micros(1_000_000);
        Self {
            service: Service::new(settings, [1; 32], now),
            now,
            clients: Vec::new(),
            count: (subscriptions / PEERS).max(3),
            pairs: subscriptions / 2,
            random: Random::from_seed([2; 32]).stream("crowd"),
            number: 1,
        }
    }

    pub(crate) fn status(&self) -> ServiceStatus {
        self.service.status(self.now)
    }

    /// A handshake each, and a first message, slowly enough that none is asked for a cookie.
    pub(crate) fn connect_all(&mut self) {
        for client in 0..self.count {
            self.now += Duration::from_millis(5);
            let session = self.handshake(client);
            self.clients.push(Client { session, pairs: Vec::new() });
            let claimed = VcOption::Claimed(SocketAddr::new(Ipv4Addr::new(192, 168, 1, 2).into(), 51820));
            let mut first = self.sealed(client, &[claimed]);
            self.handle(source(client), &mut first);
            self.collect();
        }
    }

    /// Both sides of every pair subscribe and publish, many to a message. How long the service took.
    pub(crate) fn subscribe_all(&mut self) -> Duration {
        for pair in 0..self.pairs {
            let (one, other) = self.sides(pair);
            self.clients[one].pairs.push(pair);
            self.clients[other].pairs.push(pair);
        }
        let mut took = Duration::ZERO;
        for client in 0..self.count {
            let pairs = self.clients[client].pairs.clone();
            for some in pairs.chunks(8) {
                let wanted: Vec<VcOption> = some.iter().flat_map(|pair| self.registration(*pair)).collect();
                let mut datagram = self.sealed(client, &wanted);
                let began = Clock::now();
                self.handle(source(client), &mut datagram);
                took += began.elapsed();
                let receipts = self.collect();
                let began = Clock::now();
                for (from, mut datagram) in receipts {
                    self.handle(from, &mut datagram);
                }
                took += began.elapsed();
            }
        }
        took
    }

    /// A new publication of some client for some peer.
    pub(crate) fn publication(&mut self) -> Sent {
        self.now += Duration::from_micros(1);
        self.number += 1;
        let client = self.random.next_u32() as usize % self.count;
        let pairs = &self.clients[client].pairs;
        let pair = pairs[self.random.next_u32() as usize % pairs.len()];
        let publication = publication(pair, self.number, Marks::MOVED);
        (source(client), self.sealed(client, &[publication]))
    }

    pub(crate) fn handle(&mut self, source: SocketAddr, datagram: &mut [u8]) {
        self.service.handle_datagram(Arrival { source, local: None }, datagram, self.now);
    }

    /// Takes what the service sends; the acknowledgements of its notifications.
    pub(crate) fn collect(&mut self) -> Vec<Sent> {
        let mut receipts = Vec::new();
        while let Some(mut transmit) = self.service.poll_transmit() {
            let client = number(transmit.remote);
            let Ok(plaintext) = self.clients[client].session.open_in_place(&mut transmit.datagram) else {
                continue;
            };
            let list = Plaintext::split(plaintext).expect("options").options;
            let heard: Vec<VcOption> =
                options::decode(list).filter_map(Result::ok).filter_map(receipt_for).collect();
            if !heard.is_empty() {
                receipts.push((transmit.remote, self.sealed(client, &heard)));
            }
        }
        while self.service.poll_event().is_some() {}
        receipts
    }

    /// Noise, forged initiations, replays and malformed options, in equal parts. How long the service took.
    pub(crate) fn flood(&mut self, datagrams: usize) -> Duration {
        let mut took = Duration::ZERO;
        let (replayed_from, replayed) = self.publication();
        for n in 0..datagrams {
            let from = SocketAddr::new(Ipv4Addr::from(0xcb00_7100 | n as u32 & 0xffff).into(), 9);
            let (from, mut datagram) = match n % 4 {
                0 => (from, self.noise()),
                1 => (from, self.forged_initiation()),
                2 => (replayed_from, replayed.clone()),
                _ => (source(0), self.sealed_bytes(0, &[0x72, 9, 1, 2, 3])),
            };
            self.now += Duration::from_micros(20);
            let began = Clock::now();
            self.handle(from, &mut datagram);
            took += began.elapsed();
            while self.service.poll_transmit().is_some() {}
        }
        took
    }

    fn noise(&mut self) -> Vec<u8> {
        let mut noise = vec![0; 148];
        self.random.fill(&mut noise[4..]);
        noise[0] = 4;
        noise
    }

    /// By somebody who knows the service's public key.
    fn forged_initiation(&mut self) -> Vec<u8> {
        let mut noise = self.noise();
        noise[0] = 1;
        seal_mac1(&mut noise, &Mac1Key::for_receiver(&secret(u64::MAX).public_key()));
        noise
    }

    fn handshake(&mut self, client: usize) -> Session {
        let index = SessionIndex(client as u32);
        let wall = UnixTime(Duration::from_secs(1_767_225_600));
        let service = self.service.public_key();
        let (mut handshake, mut message) = Initiator::start(
            &secret(client as u64),
            &service,
            &PresharedKey::default(),
            index,
            wall.into(),
            &mut self.random,
        )
        .expect("an ordinary key");
        seal_mac1(&mut message, &Mac1Key::for_receiver(&service));
        self.handle(source(client), &mut message);
        let answer = self.service.poll_transmit().expect("a response");
        let Ok(Message::Response(response)) = Message::decode(&answer.datagram) else { panic!("a response") };
        Session::new(handshake.finish(&response).expect("for us"), self.now)
    }

    fn sealed(&self, client: usize, options: &[VcOption]) -> Vec<u8> {
        let mut list = Vec::new();
        options.iter().for_each(|option| option.encode(&mut list));
        self.sealed_bytes(client, &list)
    }

    fn sealed_bytes(&self, client: usize, plaintext: &[u8]) -> Vec<u8> {
        let session = &self.clients[client].session;
        let mut message = vec![0; TRANSPORT_HEADER_LEN + padded_len(plaintext.len()) + TAG_LEN];
        message[TRANSPORT_HEADER_LEN..][..plaintext.len()].copy_from_slice(plaintext);
        session.seal_in_place(session.reserve(1).expect("a counter"), &mut message);
        message
    }

    /// Which two clients a pair is of.
    fn sides(&self, pair: usize) -> (usize, usize) {
        let one = pair % self.count;
        (one, (one + 1 + pair / self.count % (self.count - 1)) % self.count)
    }

    fn registration(&self, pair: usize) -> [VcOption; 2] {
        let (lease, wishes) = (Lease::from_secs(600), Wishes::NONE);
        let subscription = Subscription { topic: topic(pair), lease, wishes };
        [VcOption::Subscription(subscription), publication(pair, 1, Marks::NONE)]
    }
}

fn publication(pair: usize, number: u64, marks: Marks) -> VcOption {
    let sealed = Sealed::new(&[7; SEALED]).expect("within the bound");
    VcOption::Publication(Publication { topic: topic(pair), number, marks, sealed })
}

fn receipt_for(option: VcOption) -> Option<VcOption> {
    match option {
        VcOption::Notification(it) => {
            Some(VcOption::Notified(Receipt { topic: it.topic, number: it.number }))
        }
        _ => None,
    }
}

/// As scattered as real ones.
fn topic(pair: usize) -> Topic {
    let mixed = (pair as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut topic = [0; Topic::LEN];
    topic[..8].copy_from_slice(&mixed.to_be_bytes());
    Topic(topic)
}

fn secret(number: u64) -> StaticSecret {
    let mut bytes = [7; 32];
    bytes[8..16].copy_from_slice(&number.to_le_bytes());
    StaticSecret::from_random(bytes)
}

/// Each client has an address of its own.
fn source(client: usize) -> SocketAddr {
    SocketAddr::new(Ipv4Addr::from(0x0a00_0000 | client as u32).into(), 51820)
}

fn number(source: SocketAddr) -> usize {
    match source.ip() {
        IpAddr::V4(ip) => (ip.to_bits() & 0x00ff_ffff) as usize,
        IpAddr::V6(_) => unreachable!("clients have IPv4 addresses"),
    }
}
