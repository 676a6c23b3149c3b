//! The handshake: two messages that prove who both are and give a session's keys (WireGuard paper §5.4).
//!
//! Noise `IKpsk2` over snow, with the messages' bodies exactly WireGuard's. An [`Initiator`] or a
//! [`Responder`] is one attempt; when to attempt, whether a timestamp is newer than the last one from that
//! peer, and which preshared key belongs to it is the caller's to decide, and the macs around the body are
//! [`cookie`](crate::cookie)'s.
//!
//! # Life-cycle
//! [`Initiator::start`] → message 1 → [`Responder::receive`] → (who is it, is it fresh) →
//! [`Responder::respond`] → message 2 → [`Initiator::finish`]. The initiator may send first in the new session;
//! the responder must wait until it received something in it (§5.4.5).
//!
//! # Invariants
//! - A forged response changes nothing: the genuine one is still accepted.
//! - A low-order public key, ours or theirs, static or ephemeral, never yields a message or a session.
//! - The ephemeral key comes from the caller's stream, so the same seed gives the same bytes.
//!
//! # Secrets
//! Ephemeral and static keys, cipher keys, snow's state and the intermediate values of the key derivation are wiped, and
//! the preshared key is lent to snow only while it is read. Copies that snow makes on the stack are not.

mod resolver;
mod state;
mod timestamp;

use core::fmt;

use snow::HandshakeState;
use stead_wire::message::{self, INITIATION_LEN, INITIATION_NOISE_LEN, RESPONSE_LEN, RESPONSE_NOISE_LEN};
use stead_wire::message::{Initiation, Response, SessionIndex};
use zeroize::Zeroizing;

use crate::keys::{PresharedKey, PublicKey, StaticSecret};
use crate::random::RandomStream;
use resolver::{EphemeralSlot, Resolver};
use state::WipedState;
pub use timestamp::Tai64N;

/// Which side of the handshake a node was. Only an initiator renews a session by its age.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Role {
    /// Sent message 1.
    Initiator,
    /// Sent message 2.
    Responder,
}

/// What a handshake yields: the keys of a session, and what both sides call it.
pub struct SessionKeys {
    /// Seals what we send.
    pub send: Zeroizing<[u8; 32]>,
    /// Opens what we receive.
    pub receive: Zeroizing<[u8; 32]>,
    /// Our index: what the peer writes into its messages.
    pub local: SessionIndex,
    /// The peer's index: what we write into ours.
    pub remote: SessionIndex,
    /// Which side we were.
    pub role: Role,
}

/// Why a handshake message was refused or could not be made. Nothing changed.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum HandshakeError {
    /// The message was not made with the keys that it should have been made with, or was altered.
    #[error("the handshake message does not authenticate")]
    Forged,
    /// An exchange with a public key gave zero, as only low-order keys do.
    #[error("a public key in the handshake is of low order")]
    LowOrderKey,
    /// The response answers another initiation.
    #[error("the response is for session {0}, which is not this handshake's")]
    WrongReceiver(SessionIndex),
    /// The genuine response was already here.
    #[error("the handshake is finished already")]
    Finished,
    /// The Noise state machine refused; no message of a peer can cause it.
    #[error("the Noise state machine failed: {0}")]
    Machine(snow::Error),
}

/// A handshake that we began and whose response is awaited.
pub struct Initiator {
    noise: WipedState,
    preshared: PresharedKey,
    index: SessionIndex,
}

impl Initiator {
    /// Begins a handshake with `remote` and returns the initiation to send, its macs still zero.
    ///
    /// `index` is what we will call the session. `timestamp` must be later than that of any initiation sent
    /// to this peer before.
    ///
    /// # Errors
    /// [`HandshakeError::LowOrderKey`] if `remote` is of low order.
    pub fn start(
        local: &StaticSecret,
        remote: &PublicKey,
        psk: &PresharedKey,
        index: SessionIndex,
        timestamp: Tai64N,
        random: &mut RandomStream,
    ) -> Result<(Self, [u8; INITIATION_LEN]), HandshakeError> {
        let ephemeral = EphemeralSlot::default();
        ephemeral.put(random);
        let builder = builder(local, &ephemeral)?.remote_public_key(&remote.0)?;
        let mut noise = WipedState::new(builder.build_initiator()?);

        let mut body = [0; INITIATION_NOISE_LEN];
        noise.write_message(&timestamp.0, &mut body)?;
        Ok((Self { noise, preshared: psk.clone(), index }, message::encode_initiation(index, &body)))
    }

    /// What we will call the session.
    #[must_use]
    pub fn index(&self) -> SessionIndex {
        self.index
    }

    /// Reads the response and returns the session's keys.
    ///
    /// # Errors
    /// [`HandshakeError::Forged`] or [`HandshakeError::LowOrderKey`] if the response is not the peer's, and
    /// [`HandshakeError::WrongReceiver`] if it is not for this handshake; the genuine one is still accepted.
    /// [`HandshakeError::Finished`] once it was.
    pub fn finish(&mut self, response: &Response<'_>) -> Result<SessionKeys, HandshakeError> {
        if response.receiver != self.index {
            return Err(HandshakeError::WrongReceiver(response.receiver));
        }
        if self.noise.is_handshake_finished() {
            return Err(HandshakeError::Finished);
        }
        self.noise.set_psk(PSK_POSITION, self.preshared.as_bytes())?;
        let read = self.noise.read_message(response.noise, &mut []);
        self.noise.set_psk(PSK_POSITION, &NO_PSK)?;
        read?;
        Ok(split(&mut self.noise, Role::Initiator, self.index, response.sender))
    }
}

/// A handshake that a peer began: who it says to be, proven by its static key, and not answered yet.
pub struct Responder {
    noise: WipedState,
    ephemeral: EphemeralSlot,
    peer_index: SessionIndex,
    remote: PublicKey,
    timestamp: Tai64N,
}

impl Responder {
    /// Reads an initiation. Costs two Diffie-Hellman exchanges, so its mac1 should have been checked before.
    ///
    /// It may be a replay: compare [`Responder::timestamp`] with the last one of [`Responder::remote`].
    ///
    /// # Errors
    /// [`HandshakeError::Forged`] if it is not for our key or was altered, [`HandshakeError::LowOrderKey`] if a
    /// key in it is of low order.
    pub fn receive(local: &StaticSecret, message: &Initiation<'_>) -> Result<Self, HandshakeError> {
        let ephemeral = EphemeralSlot::default();
        let mut noise = WipedState::new(builder(local, &ephemeral)?.build_responder()?);

        let mut timestamp = Tai64N([0; 12]);
        noise.read_message(message.noise, &mut timestamp.0)?;
        let remote = noise.get_remote_static().and_then(|key| key.try_into().ok());
        let remote = PublicKey(remote.ok_or(snow::Error::Input)?);
        Ok(Self { noise, ephemeral, peer_index: message.sender, remote, timestamp })
    }

    /// Who began the handshake. Its possession of the key is proven, the freshness of the message is not.
    #[must_use]
    pub fn remote(&self) -> PublicKey {
        self.remote
    }

    /// When the initiator says that it began: never the same or earlier in a genuine next message of that
    /// peer.
    #[must_use]
    pub fn timestamp(&self) -> Tai64N {
        self.timestamp
    }

    /// Answers and returns the response to send, its macs still zero, and the session's keys.
    ///
    /// `index` is what we call the session. A wrong `psk` shows only at the initiator, which ignores the
    /// response.
    ///
    /// # Errors
    /// [`HandshakeError::LowOrderKey`] if the initiator's keys give zero with our ephemeral one.
    pub fn respond(
        mut self,
        psk: &PresharedKey,
        index: SessionIndex,
        random: &mut RandomStream,
    ) -> Result<([u8; RESPONSE_LEN], SessionKeys), HandshakeError> {
        self.ephemeral.put(random);
        let mut body = [0; RESPONSE_NOISE_LEN];
        self.noise.set_psk(PSK_POSITION, psk.as_bytes())?;
        let written = self.noise.write_message(&[], &mut body);
        self.noise.set_psk(PSK_POSITION, &NO_PSK)?;
        written?;
        let keys = split(&mut self.noise, Role::Responder, index, self.peer_index);
        Ok((message::encode_response(index, self.peer_index, &body), keys))
    }
}

impl From<snow::Error> for HandshakeError {
    fn from(error: snow::Error) -> Self {
        match error {
            snow::Error::Decrypt => Self::Forged,
            snow::Error::Dh => Self::LowOrderKey,
            other => Self::Machine(other),
        }
    }
}

impl fmt::Debug for SessionKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { local, remote, role, .. } = self;
        write!(f, "SessionKeys {{ local: {local}, remote: {remote}, role: {role:?}, .. }}")
    }
}

impl fmt::Debug for Initiator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Initiator {{ index: {}, .. }}", self.index)
    }
}

impl fmt::Debug for Responder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Responder {{ remote: {}, timestamp: {:?}, .. }}", self.remote, self.timestamp)
    }
}

/// `Construction` of the paper.
const CONSTRUCTION: &str = "Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s";

/// `Identifier` of the paper.
const IDENTIFIER: &[u8] = b"WireGuard v1 zx2c4 Jason@zx2c4.com";

/// Where `psk2` stands in snow's list.
const PSK_POSITION: usize = 2;

/// What overwrites the preshared key in snow's state after use.
const NO_PSK: [u8; 32] = [0; 32];

fn builder<'k>(
    local: &'k StaticSecret,
    ephemeral: &EphemeralSlot,
) -> Result<snow::Builder<'k>, HandshakeError> {
    let resolver = Resolver::new(ephemeral.clone());
    let builder = snow::Builder::with_resolver(CONSTRUCTION.parse()?, Box::new(resolver));
    Ok(builder.prologue(IDENTIFIER)?.local_private_key(local.as_bytes())?)
}

fn split(noise: &mut HandshakeState, role: Role, local: SessionIndex, remote: SessionIndex) -> SessionKeys {
    let (to_responder, to_initiator) = noise.dangerously_get_raw_split();
    let (to_responder, to_initiator) = (Zeroizing::new(to_responder), Zeroizing::new(to_initiator));
    let (send, receive) = match role {
        Role::Initiator => (to_responder, to_initiator),
        Role::Responder => (to_initiator, to_responder),
    };
    SessionKeys { send, receive, local, remote, role }
}

#[cfg(test)]
pub(crate) mod tests;
