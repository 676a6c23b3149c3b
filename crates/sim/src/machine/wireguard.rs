//! A plain WireGuard peer: no VC options, no moves, no local connection translation.
//!
//! It keeps sessions by WireGuard's timers, trims what it opens to the IP total length, and roams to wherever
//! an authenticated message came from. What it leaves out: cookies, and sessions next to the current one.

use core::net::{IpAddr, SocketAddr};
use std::collections::VecDeque;

use stead_node::{Arrival, LocalAttachment, PeerSettings, Transmit};
use stead_noise::cookie::{CookieChecker, Mac1Key, seal_mac1};
use stead_noise::handshake::{Initiator, Responder, Tai64N};
use stead_noise::keys::{PresharedKey, StaticSecret};
use stead_noise::random::{Random, RandomStream};
use stead_noise::schedule::{
    KEEPALIVE_TIMEOUT, REKEY_ATTEMPT_TIME, REKEY_TIMEOUT, REKEY_TIMEOUT_JITTER, SILENCE_TIMEOUT,
};
use stead_noise::session::Session;
use stead_wire::ip::IpHeaders;
use stead_wire::message::{Message, SessionIndex, TAG_LEN, TRANSPORT_HEADER_LEN};
use stead_wire::plaintext::Plaintext;
use stead_wire::time::{Duration, Instant, UnixTime};

use super::{Exits, Machine};

/// See the module's documentation.
pub(crate) struct WireguardMachine {
    secret: StaticSecret,
    checker: CookieChecker,
    peers: Vec<Peer>,
    random: RandomStream,
    last_index: u32,
    wall: (UnixTime, Instant),
    exits: Exits,
}

struct Peer {
    settings: PeerSettings,
    endpoint: Option<SocketAddr>,
    session: Option<Session>,
    /// The session before, for what is under way.
    previous: Option<Session>,
    asked: Option<Asked>,
    newest: Option<Tai64N>,
    waiting: VecDeque<Vec<u8>>,
    /// Since when a packet went unanswered.
    unanswered: Option<Instant>,
    /// Since when an answer is owed.
    owed: Option<Instant>,
}

/// A handshake under way.
struct Asked {
    initiator: Initiator,
    again_at: Instant,
    give_up_at: Instant,
}

/// Packets that wait for a session, as in the Linux implementation.
const WAITING: usize = 128;

impl WireguardMachine {
    pub(crate) fn new(
        secret: StaticSecret,
        peers: Vec<PeerSettings>,
        seed: [u8; 32],
        wall: UnixTime,
        now: Instant,
    ) -> Self {
        let checker = CookieChecker::new(&secret.public_key());
        let peers = peers.into_iter().map(Peer::new).collect();
        let random = Random::from_seed(seed).stream("wireguard");
        Self { secret, checker, peers, random, last_index: 0, wall: (wall, now), exits: Exits::default() }
    }

    /// Begins a handshake with a peer, unless one is under way.
    fn ask(&mut self, number: usize, now: Instant) {
        if self.peers[number].asked.is_none() {
            self.initiate(number, now + REKEY_ATTEMPT_TIME, now);
        }
    }

    fn initiate(&mut self, number: usize, give_up_at: Instant, now: Instant) {
        let index = self.next_index();
        let jitter = u64::from(self.random.next_u32()) % 334;
        let again_at = now + REKEY_TIMEOUT + Duration::from_millis(jitter).min(REKEY_TIMEOUT_JITTER);
        let timestamp = Tai64N::from(self.wall.0 + (now - self.wall.1));
        let peer = &mut self.peers[number];
        let Some(endpoint) = peer.endpoint else { return };
        let key = peer.settings.public_key;
        let psk = peer.psk();
        let Ok((initiator, mut message)) =
            Initiator::start(&self.secret, &key, &psk, index, timestamp, &mut self.random)
        else {
            return;
        };
        seal_mac1(&mut message, &Mac1Key::for_receiver(&key));
        peer.asked = Some(Asked { initiator, again_at, give_up_at });
        self.transmit(endpoint, message.to_vec());
    }

    fn next_index(&mut self) -> SessionIndex {
        self.last_index += 1;
        SessionIndex(self.last_index)
    }

    fn transmit(&mut self, remote: SocketAddr, datagram: Vec<u8>) {
        self.exits.transmits.push(Transmit { remote, local: None, datagram, whole: false });
    }

    /// Seals a plaintext, if there is a session and an endpoint.
    fn seal(&mut self, number: usize, plaintext: &[u8], now: Instant) -> bool {
        let peer = &mut self.peers[number];
        let (Some(session), Some(endpoint)) =
            (peer.session.as_ref().filter(|session| !session.expired(now)), peer.endpoint)
        else {
            return false;
        };
        let Some(counter) = session.reserve(1) else { return false };
        let mut message = vec![0; TRANSPORT_HEADER_LEN + plaintext.len().next_multiple_of(16) + TAG_LEN];
        message[TRANSPORT_HEADER_LEN..][..plaintext.len()].copy_from_slice(plaintext);
        session.seal_in_place(counter, &mut message);
        let renew = session.wants_rekey_on_send(now);
        peer.owed = None;
        if !plaintext.is_empty() {
            peer.unanswered.get_or_insert(now);
        }
        self.transmit(endpoint, message);
        if renew {
            self.ask(number, now);
        }
        true
    }

    fn flush(&mut self, number: usize, now: Instant) {
        let waiting = core::mem::take(&mut self.peers[number].waiting);
        // The first message confirms the session to the responder.
        if waiting.is_empty() {
            self.seal(number, &[], now);
        }
        for packet in waiting {
            self.seal(number, &packet, now);
        }
    }

    fn on_initiation(&mut self, source: SocketAddr, datagram: &[u8], now: Instant) -> Option<()> {
        let Ok(Message::Initiation(initiation)) = Message::decode(datagram) else { return None };
        if !self.checker.mac1_valid(&initiation.macs) {
            return None;
        }
        let responder = Responder::receive(&self.secret, &initiation).ok()?;
        let key = responder.remote();
        let number = self.peers.iter().position(|peer| peer.settings.public_key == key)?;
        let timestamp = responder.timestamp();
        if self.peers[number].newest.as_ref().is_some_and(|newest| newest.0 >= timestamp.0) {
            return None;
        }
        let index = self.next_index();
        let psk = self.peers[number].psk();
        let (mut answer, keys) = responder.respond(&psk, index, &mut self.random).ok()?;
        seal_mac1(&mut answer, &Mac1Key::for_receiver(&key));
        let peer = &mut self.peers[number];
        peer.newest = Some(timestamp);
        peer.endpoint = Some(source);
        peer.install(Session::new(keys, now));
        self.transmit(source, answer.to_vec());
        Some(())
    }

    fn on_response(&mut self, source: SocketAddr, datagram: &[u8], now: Instant) -> Option<()> {
        let Ok(Message::Response(response)) = Message::decode(datagram) else { return None };
        let asked = |peer: &Peer| {
            peer.asked.as_ref().is_some_and(|asked| asked.initiator.index() == response.receiver)
        };
        let number = self.peers.iter().position(asked)?;
        let peer = &mut self.peers[number];
        let keys = peer.asked.as_mut()?.initiator.finish(&response).ok()?;
        peer.asked = None;
        peer.unanswered = None;
        peer.endpoint = Some(source);
        peer.install(Session::new(keys, now));
        self.flush(number, now);
        Some(())
    }

    fn on_transport(&mut self, source: SocketAddr, datagram: &mut [u8], now: Instant) -> Option<()> {
        let Ok(Message::Transport(transport)) = Message::decode(datagram) else { return None };
        let receiver = transport.receiver;
        let number = self.peers.iter().position(|peer| peer.opener(receiver).is_some())?;
        let peer = &mut self.peers[number];
        let session = peer.opener(receiver).filter(|session| !session.expired(now))?;
        let plaintext = session.open_in_place(datagram).ok()?;
        let renew = session.wants_rekey_on_receive(now);
        let packet = Plaintext::split(plaintext)
            .ok()
            .and_then(|plain| plain.packet)
            .filter(|(_, headers)| peer.owns(headers.source()))
            .map(|(packet, headers)| packet[..headers.total_len].to_vec());
        // RFC-less but universal: an authenticated message tells where the peer is.
        peer.endpoint = Some(source);
        peer.unanswered = None;
        if let Some(packet) = packet {
            peer.owed.get_or_insert(now);
            self.exits.opened.push(packet);
        }
        if !self.peers[number].waiting.is_empty() {
            self.flush(number, now);
        }
        if renew {
            self.ask(number, now);
        }
        Some(())
    }
}

impl Peer {
    fn new(settings: PeerSettings) -> Self {
        let endpoint = settings.endpoints.first().copied();
        Self {
            settings,
            endpoint,
            session: None,
            previous: None,
            asked: None,
            newest: None,
            waiting: VecDeque::new(),
            unanswered: None,
            owed: None,
        }
    }

    fn psk(&self) -> PresharedKey {
        self.settings.preshared_key.clone().unwrap_or_default()
    }

    fn install(&mut self, session: Session) {
        self.previous = self.session.replace(session);
    }

    fn opener(&self, index: SessionIndex) -> Option<&Session> {
        [&self.session, &self.previous].into_iter().flatten().find(|session| session.local() == index)
    }

    fn owns(&self, address: IpAddr) -> bool {
        address == IpAddr::V6(self.settings.public_key.virtual_address())
            || self.settings.allowed_ips.iter().any(|prefix| prefix.contains(address))
    }

    fn due(&self) -> [Option<Instant>; 3] {
        [
            self.asked.as_ref().map(|asked| asked.again_at),
            self.unanswered.map(|since| since + SILENCE_TIMEOUT),
            self.owed.map(|since| since + KEEPALIVE_TIMEOUT),
        ]
    }
}

impl Machine for WireguardMachine {
    fn handle_datagrams(&mut self, datagrams: Vec<(Arrival, Vec<u8>)>, now: Instant) {
        for (arrival, mut datagram) in datagrams {
            // What cannot be used is dropped without a word, as every implementation does.
            let _used = match datagram.first() {
                Some(1) => self.on_initiation(arrival.source, &datagram, now),
                Some(2) => self.on_response(arrival.source, &datagram, now),
                Some(4) => self.on_transport(arrival.source, &mut datagram, now),
                _ => None,
            };
        }
    }

    fn handle_packet(&mut self, packet: &[u8], now: Instant) {
        let Ok(headers) = IpHeaders::parse(packet) else { return };
        let Some(number) = self.peers.iter().position(|peer| peer.owns(headers.destination())) else {
            return;
        };
        if !self.seal(number, packet, now) {
            let waiting = &mut self.peers[number].waiting;
            waiting.push_back(packet.to_vec());
            if waiting.len() > WAITING {
                waiting.pop_front();
            }
            self.ask(number, now);
        }
    }

    fn handle_attachment(&mut self, _attachment: LocalAttachment, _now: Instant) {
        // WireGuard does not look: the next packet leaves by whatever route there is.
    }

    fn handle_timeout(&mut self, now: Instant) {
        let due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        for number in 0..self.peers.len() {
            let [again, silent, owed] = self.peers[number].due();
            if due(again) {
                let asked = self.peers[number].asked.take();
                match asked.map(|asked| asked.give_up_at) {
                    Some(give_up_at) if now < give_up_at => self.initiate(number, give_up_at, now),
                    Some(_) | None => self.peers[number].waiting.clear(),
                }
            }
            if due(silent) {
                self.peers[number].unanswered = None;
                self.ask(number, now);
            }
            if due(owed) {
                self.peers[number].owed = None;
                self.seal(number, &[], now);
            }
        }
    }

    fn drain(&mut self, exits: &mut Exits) -> Option<Instant> {
        exits.transmits.append(&mut self.exits.transmits);
        exits.opened.append(&mut self.exits.opened);
        self.peers.iter().flat_map(Peer::due).flatten().min()
    }
}
