//! A plain WireGuard peer, as small as one can be: it trims what it opens to the IP total length, as every
//! implementation does, knows nothing of options, and roams to wherever an authenticated message comes from.

use std::net::SocketAddr;

use stead_noise::cookie::{Mac1Key, seal_mac1};
use stead_noise::handshake::{Initiator, Responder, Tai64N};
use stead_noise::keys::{PresharedKey, PublicKey, StaticSecret};
use stead_noise::random::{Random, RandomStream};
use stead_noise::session::Session;
use stead_wire::message::{Message, SessionIndex};
use stead_wire::plaintext::Plaintext;
use stead_wire::time::{Instant, UnixTime};

use crate::world::{secret, udp};

pub(crate) struct Plain {
    secret: StaticSecret,
    remote: PublicKey,
    pub(crate) address: SocketAddr,
    /// Where its peer was last heard.
    pub(crate) endpoint: Option<SocketAddr>,
    session: Option<Session>,
    asked: Option<Initiator>,
    random: RandomStream,
    indices: u32,
    /// Plaintexts as they came, padding and all.
    pub(crate) opened: Vec<Vec<u8>>,
}

impl Plain {
    /// The plain peer with key `number`, whose peer has the key `remote`.
    pub(crate) fn new(number: u8, remote: u8, address: SocketAddr) -> Self {
        Self {
            secret: secret(number),
            remote: secret(remote).public_key(),
            address,
            endpoint: None,
            session: None,
            asked: None,
            random: Random::from_seed([number; 32]).stream("plain"),
            indices: 0,
            opened: Vec::new(),
        }
    }

    fn index(&mut self) -> SessionIndex {
        self.indices += 1;
        SessionIndex(self.indices)
    }

    /// Takes a datagram; returns its answer.
    pub(crate) fn handle(
        &mut self,
        source: SocketAddr,
        datagram: &mut [u8],
        now: Instant,
    ) -> Option<Vec<u8>> {
        match Message::decode(datagram).ok()? {
            Message::Initiation(initiation) => {
                let responder = Responder::receive(&self.secret, &initiation).ok()?;
                let index = self.index();
                let (mut answer, keys) =
                    responder.respond(&PresharedKey::default(), index, &mut self.random).ok()?;
                seal_mac1(&mut answer, &Mac1Key::for_receiver(&self.remote));
                self.session = Some(Session::new(keys, now));
                self.endpoint = Some(source);
                Some(answer.to_vec())
            }
            Message::Response(response) => {
                let keys = self.asked.take()?.finish(&response).ok()?;
                self.session = Some(Session::new(keys, now));
                self.endpoint = Some(source);
                None
            }
            Message::Transport(_) => {
                let plaintext = self.session.as_ref()?.open_in_place(datagram).ok()?.to_vec();
                self.endpoint = Some(source);
                self.opened.push(plaintext);
                None
            }
            Message::CookieReply(_) => None,
        }
    }

    /// Asks for a session.
    pub(crate) fn initiate(&mut self, wall: UnixTime) -> Vec<u8> {
        let index = self.index();
        let (asked, mut message) = Initiator::start(
            &self.secret,
            &self.remote,
            &PresharedKey::default(),
            index,
            Tai64N::from(wall),
            &mut self.random,
        )
        .expect("keys are sound");
        seal_mac1(&mut message, &Mac1Key::for_receiver(&self.remote));
        self.asked = Some(asked);
        message.to_vec()
    }

    /// A sealed packet for the peer.
    pub(crate) fn seal(&self, payload: &[u8]) -> Vec<u8> {
        let packet = udp(self.secret.public_key().virtual_address(), self.remote.virtual_address(), payload);
        self.seal_plaintext(&packet)
    }

    /// A sealed plaintext of any kind.
    pub(crate) fn seal_plaintext(&self, plaintext: &[u8]) -> Vec<u8> {
        let session = self.session.as_ref().expect("a session");
        let mut message = vec![0; 16 + plaintext.len().next_multiple_of(16) + 16];
        message[16..16 + plaintext.len()].copy_from_slice(plaintext);
        session.seal_in_place(session.reserve(1).expect("a counter"), &mut message);
        message
    }

    /// Payloads of the packets that came.
    pub(crate) fn payloads(&self) -> Vec<Vec<u8>> {
        let packets = self.opened.iter().filter_map(|opened| Plaintext::split(opened).ok()?.packet);
        packets.map(|(packet, _)| packet[48..].to_vec()).collect()
    }

    /// For each plaintext that came with options: whether they rode on a packet.
    pub(crate) fn options_seen(&self) -> Vec<bool> {
        let carried = |opened: &Vec<u8>| {
            let split = Plaintext::split(opened).expect("a sound plaintext");
            let any = split.options.iter().any(|byte| *byte != 0);
            any.then_some(split.packet.is_some())
        };
        self.opened.iter().filter_map(carried).collect()
    }
}
