//! Macs and cookies: what a handshake message must carry to be worth a look (WireGuard paper §5.3, §5.4.4,
//! §5.4.7).
//!
//! `mac1` shows that the sender knows whom it speaks to. `mac2` shows, while we are under load, that it can
//! receive at the address that it sends from: it is made with a cookie that we sent there. Whether we are
//! under load is the node's to decide, and so is what to do with a message whose macs are right.
//!
//! # Life-cycle
//! [`CookieStore::finish_macs`] → message → [`CookieChecker::mac1_valid`] → (under load)
//! [`CookieChecker::reply`] → [`CookieStore::opened`] → `finish_macs` on the next attempt → [`CookieChecker::mac2_valid`].
//!
//! # Invariants
//! - Answering a stranger stores nothing about it.
//! - A cookie holds for one address and port, at least [`COOKIE_LIFETIME`] after it was given and less than
//!   twice that.
//! - A cookie reply is believed once per message of ours, and only if it is for that message.

use core::net::{IpAddr, SocketAddr};

use chacha20poly1305::aead::AeadInPlace;
use chacha20poly1305::{KeyInit, XChaCha20Poly1305};
use stead_wire::message::{self, COOKIE_REPLY_LEN, CookieReply, Macs, SessionIndex, TAG_LEN};
use stead_wire::time::{Duration, Instant};
use subtle::ConstantTimeEq;
use zeroize::{ZeroizeOnDrop, Zeroizing};

use crate::blake2s;
use crate::keys::PublicKey;
use crate::random::RandomStream;

/// How long a cookie is used by who got it, and how long a secret gives out cookies (§5.4.7).
pub const COOKIE_LIFETIME: Duration = Duration::from_secs(120);

/// Bytes of mac1, of mac2 and of a cookie.
pub const MAC_LEN: usize = 16;

/// The key of mac1 in all messages to one receiver. Not secret: whoever knows the receiver's public key knows
/// it.
#[derive(Clone)]
pub struct Mac1Key([u8; 32]);

impl Mac1Key {
    /// The key for messages to the owner of `receiver`.
    #[must_use]
    pub fn for_receiver(receiver: &PublicKey) -> Self {
        Self(blake2s::hash(&[LABEL_MAC1, &receiver.0]))
    }
}

/// Writes mac1 into a handshake message and returns it.
///
/// # Panics
/// If `message` is too short to hold both macs.
pub fn seal_mac1(message: &mut [u8], key: &Mac1Key) -> [u8; MAC_LEN] {
    let (covered, macs) = message.split_at_mut(message.len() - 2 * MAC_LEN);
    let mac1 = blake2s::mac(&key.0, &[covered]);
    macs[..MAC_LEN].copy_from_slice(&mac1);
    mac1
}

/// Writes mac2 into a handshake message whose mac1 is written already.
///
/// # Panics
/// If `message` is too short to hold it.
pub fn seal_mac2(message: &mut [u8], cookie: &[u8; MAC_LEN]) {
    let (covered, mac2) = message.split_at_mut(message.len() - MAC_LEN);
    mac2.copy_from_slice(&blake2s::mac(cookie, &[covered]));
}

/// The receiving side: checks macs, gives cookies.
pub struct CookieChecker {
    mac1_key: Mac1Key,
    cookie_key: CookieKey,
    /// Gives and checks cookies.
    current: Option<Secret>,
    /// Gave the cookies before; checks them until the last of them is [`COOKIE_LIFETIME`] old.
    previous: Option<Secret>,
}

impl CookieChecker {
    /// The checker of the node whose key `local` is.
    #[must_use]
    pub fn new(local: &PublicKey) -> Self {
        Self {
            mac1_key: Mac1Key::for_receiver(local),
            cookie_key: CookieKey::of(local),
            current: None,
            previous: None,
        }
    }

    /// Whether the sender knew our public key. Costs one hash; anything else is silently dropped.
    #[must_use]
    pub fn mac1_valid(&self, macs: &Macs<'_>) -> bool {
        blake2s::mac(&self.mac1_key.0, &[macs.covered_by_mac1]).ct_eq(macs.mac1).into()
    }

    /// Whether the sender received a cookie of ours at `source` a short time ago.
    #[must_use]
    pub fn mac2_valid(&self, macs: &Macs<'_>, source: SocketAddr, now: Instant) -> bool {
        let secrets = self.current.iter().chain(&self.previous);
        secrets.filter(|secret| secret.checks(now)).any(|secret| {
            let cookie = secret.cookie(source);
            blake2s::mac(&cookie[..], &[macs.covered_by_mac2]).ct_eq(macs.mac2).into()
        })
    }

    /// The cookie reply to the message with these macs, whose mac1 was valid, from `receiver`'s handshake at
    /// `source`.
    pub fn reply(
        &mut self,
        macs: &Macs<'_>,
        receiver: SessionIndex,
        source: SocketAddr,
        now: Instant,
        random: &mut RandomStream,
    ) -> [u8; COOKIE_REPLY_LEN] {
        let mut nonce = [0; NONCE_LEN];
        random.fill(&mut nonce);
        let cookie = self.giving_secret(now, random).cookie(source);
        let sealed = self.cookie_key.seal(&nonce, macs.mac1, &cookie);
        message::encode_cookie_reply(receiver, &nonce, &sealed)
    }

    fn giving_secret(&mut self, now: Instant, random: &mut RandomStream) -> &Secret {
        let retired = self.current.take_if(|secret| !secret.gives(now));
        if retired.is_some() {
            self.previous = retired;
        }
        self.current.get_or_insert_with(|| Secret::new(now, random))
    }
}

/// Why a cookie reply was ignored.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CookieError {
    /// No handshake message of ours is waiting for an answer.
    #[error("a cookie that we did not ask for")]
    Unsolicited,
    /// It does not authenticate, or answers another message.
    #[error("a cookie that is not for our last message")]
    Forged,
}

/// The sending side: the macs of messages to one peer, and the cookie that the peer gave us.
pub struct CookieStore {
    mac1_key: Mac1Key,
    cookie_key: CookieKey,
    cookie: Option<(Zeroizing<[u8; MAC_LEN]>, Instant)>,
    /// Of the last message, until a cookie reply to it came.
    last_mac1: Option<[u8; MAC_LEN]>,
}

impl CookieStore {
    /// A store without a cookie for messages to `remote`.
    #[must_use]
    pub fn new(remote: &PublicKey) -> Self {
        Self {
            mac1_key: Mac1Key::for_receiver(remote),
            cookie_key: CookieKey::of(remote),
            cookie: None,
            last_mac1: None,
        }
    }

    /// Writes mac1 and, with a cookie younger than [`COOKIE_LIFETIME`], mac2 into an initiation or a
    /// response.
    ///
    /// # Panics
    /// If `message` is too short to hold both macs.
    pub fn finish_macs(&mut self, message: &mut [u8], now: Instant) {
        self.last_mac1 = Some(seal_mac1(message, &self.mac1_key));
        self.cookie.take_if(|(_, received)| now - *received >= COOKIE_LIFETIME);
        if let Some((cookie, _)) = &self.cookie {
            seal_mac2(message, cookie);
        }
    }

    /// Keeps the cookie in a reply to our last message.
    ///
    /// # Errors
    /// [`CookieError::Unsolicited`] if that message was answered already or none was sent, [`CookieError::Forged`]
    /// if the reply does not open; the genuine reply is still accepted.
    pub fn opened(&mut self, reply: &CookieReply<'_>, now: Instant) -> Result<(), CookieError> {
        let mac1 = self.last_mac1.ok_or(CookieError::Unsolicited)?;
        let cookie = self.cookie_key.open(reply.nonce, &mac1, reply.sealed_cookie)?;
        self.cookie = Some((cookie, now));
        self.last_mac1 = None;
        Ok(())
    }
}

/// What cookies are made with.
#[derive(ZeroizeOnDrop)]
struct Secret {
    key: [u8; 32],
    #[zeroize(skip)]
    made: Instant,
}

impl Secret {
    fn new(now: Instant, random: &mut RandomStream) -> Self {
        let mut secret = Self { key: [0; 32], made: now };
        random.fill(&mut secret.key);
        secret
    }

    fn gives(&self, now: Instant) -> bool {
        now - self.made < COOKIE_LIFETIME
    }

    fn checks(&self, now: Instant) -> bool {
        now - self.made < 2 * COOKIE_LIFETIME
    }

    /// The cookie of `source`. With the port (§5.4.7), or one host behind a NAT could spend its neighbours'
    /// cookies.
    fn cookie(&self, source: SocketAddr) -> Zeroizing<[u8; MAC_LEN]> {
        let port = source.port().to_be_bytes();
        // A dual-stack socket shows IPv4 sources mapped into IPv6.
        Zeroizing::new(match source.ip().to_canonical() {
            IpAddr::V4(ip) => blake2s::mac(&self.key, &[&ip.octets(), &port]),
            IpAddr::V6(ip) => blake2s::mac(&self.key, &[&ip.octets(), &port]),
        })
    }
}

/// Seals cookies on their way. Not secret either: its point is that only who saw a message can answer it.
struct CookieKey([u8; 32]);

impl CookieKey {
    /// For cookies that the owner of `giver` gives.
    fn of(giver: &PublicKey) -> Self {
        Self(blake2s::hash(&[LABEL_COOKIE, &giver.0]))
    }

    fn seal(
        &self,
        nonce: &[u8; NONCE_LEN],
        mac1: &[u8; MAC_LEN],
        cookie: &[u8; MAC_LEN],
    ) -> [u8; SEALED_LEN] {
        let mut sealed = [0; SEALED_LEN];
        let (text, tag) = sealed.split_at_mut(MAC_LEN);
        text.copy_from_slice(cookie);
        let made = XChaCha20Poly1305::new(&self.0.into()).encrypt_in_place_detached(nonce.into(), mac1, text);
        tag.copy_from_slice(&made.expect("a cookie is far below the cipher's limit"));
        sealed
    }

    fn open(
        &self,
        nonce: &[u8; NONCE_LEN],
        mac1: &[u8; MAC_LEN],
        sealed: &[u8; SEALED_LEN],
    ) -> Result<Zeroizing<[u8; MAC_LEN]>, CookieError> {
        let (text, tag) = sealed.split_at(MAC_LEN);
        let mut cookie = Zeroizing::new([0; MAC_LEN]);
        cookie.copy_from_slice(text);
        XChaCha20Poly1305::new(&self.0.into())
            .decrypt_in_place_detached(nonce.into(), mac1, &mut cookie[..], tag.into())
            .map_err(|_| CookieError::Forged)?;
        Ok(cookie)
    }
}

const NONCE_LEN: usize = 24;
const SEALED_LEN: usize = MAC_LEN + TAG_LEN;

const LABEL_MAC1: &[u8] = b"mac1----";
const LABEL_COOKIE: &[u8] = b"cookie--";

#[cfg(test)]
mod tests;
