//! Datagrams from somebody who is no peer: noise, cuts of genuine messages, forged handshakes.

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use stead_noise::cookie::{Mac1Key, seal_mac1};
use stead_noise::handshake::{Initiator, Tai64N};
use stead_noise::keys::{PresharedKey, PublicKey, StaticSecret};
use stead_noise::random::{Random, RandomStream};
use stead_rig::{Host, RigError};
use stead_wire::message::SessionIndex;
use stead_wire::time::UnixTime;

/// A socket on a host that no peer runs on.
#[derive(Debug)]
pub struct Stranger {
    socket: UdpSocket,
}

impl Stranger {
    /// Opens the socket, for datagrams to `target`.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn new(host: &Host, target: SocketAddr) -> Result<Self, RigError> {
        host.call(move || Self::here(target))
    }

    /// As [`new`](Self::new), on the host in whose namespace this runs.
    ///
    /// # Panics
    /// If the system refuses.
    #[must_use]
    pub fn here(target: SocketAddr) -> Self {
        let any: SocketAddr = if target.is_ipv4() { ([0; 4], 0).into() } else { ([0_u16; 8], 0).into() };
        let socket = UdpSocket::bind(any).expect("a port is free");
        socket.connect(target).expect("there is a route");
        Self { socket }
    }

    /// Sends one datagram.
    ///
    /// # Panics
    /// If the system refuses.
    pub fn send(&self, datagram: &[u8]) {
        self.socket.send(datagram).expect("a datagram can be sent");
    }

    /// Everything that came back until nothing more came for `patience`.
    ///
    /// # Panics
    /// If the socket fails; that a port is closed would be an answer, too.
    pub fn answers(&self, patience: Duration) -> Vec<Vec<u8>> {
        self.socket.set_read_timeout(Some(patience)).expect("a timeout can be set");
        let mut answers = Vec::new();
        let mut datagram = [0; 2048];
        loop {
            match self.socket.recv(&mut datagram) {
                Ok(length) => answers.push(datagram[..length].to_vec()),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return answers,
                Err(error) => panic!("the socket fails: {error}"),
            }
        }
    }
}

/// Makes datagrams; the same seed makes the same.
pub struct Forge {
    random: RandomStream,
    target: PublicKey,
    secret: StaticSecret,
}

impl Forge {
    /// For a node with this public key, as base64.
    ///
    /// # Panics
    /// If it is no key.
    #[must_use]
    pub fn new(target: &str) -> Self {
        let random = Random::from_seed([0x5a; 32]);
        let mut secret = [0; 32];
        random.stream("static").fill(&mut secret);
        Self {
            random: random.stream("datagrams"),
            target: target.parse().expect("a public key"),
            secret: StaticSecret::from_random(secret),
        }
    }

    /// `length` random bytes.
    pub fn noise(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.random.fill(&mut bytes);
        bytes
    }

    /// Random bytes that begin as a message of this type.
    pub fn disguised(&mut self, kind: u8, length: usize) -> Vec<u8> {
        let mut bytes = self.noise(length);
        bytes[..4].copy_from_slice(&[kind, 0, 0, 0]);
        bytes
    }

    /// An initiation as it should be, to the last byte, from a key that the node does not know.
    ///
    /// # Panics
    /// If the node's key is of low order.
    pub fn initiation(&mut self) -> Vec<u8> {
        let index = SessionIndex(self.random.next_u32());
        let timestamp = Tai64N::from(UnixTime(Duration::from_secs(1_750_000_000)));
        let psk = PresharedKey::default();
        let (_, mut message) =
            Initiator::start(&self.secret, &self.target, &psk, index, timestamp, &mut self.random)
                .expect("the target's key is sound");
        seal_mac1(&mut message, &Mac1Key::for_receiver(&self.target));
        message.to_vec()
    }
}
