//! The twin of a session: from the same handshake, on terms that both peers are able to keep (seed 001 par. 71,
//! "processing power").
//!
//! A session under keys of its own, with indices, counters and a replay window of its own. So no key ever serves two
//! ciphers, and no message says on which terms it is: its session does. Never decides the terms: the node does, by what
//! both ends said of themselves.
//!
//! # Life-cycle
//! [`SessionKeys`] → [`TwinKeys::of`] (before the keys go into a session) → both ends agree → [`TwinKeys::into_twin`].

use core::fmt;

use stead_wire::message::SessionIndex;
use stead_wire::options::Capabilities;
use zeroize::Zeroizing;

use crate::blake2s;
use crate::handshake::{Role, SessionKeys};
use crate::session::Session;

/// What the keys of a session's twin are made of. Wiped when dropped.
pub struct TwinKeys {
    send: Zeroizing<[u8; 32]>,
    receive: Zeroizing<[u8; 32]>,
    role: Role,
}

impl TwinKeys {
    /// Those that belong to `keys`. Neither tells anything of the other.
    #[must_use]
    pub fn of(keys: &SessionKeys) -> Self {
        let derived = |key: &[u8; 32]| Zeroizing::new(blake2s::derive(key, &[SEED_LABEL]));
        Self { send: derived(&keys.send), receive: derived(&keys.receive), role: keys.role }
    }

    /// The twin of `session` on `terms`: `local` is what we call it, `remote` what the peer does. It is as old as the
    /// session, and its keys depend on the terms: peers that mean different terms understand nothing.
    ///
    /// Consumes the keys: two sessions of them would seal different messages under one key and counter.
    #[must_use]
    pub fn into_twin(
        self,
        session: &Session,
        terms: Capabilities,
        (local, remote): (SessionIndex, SessionIndex),
    ) -> Session {
        let derived = |seed: &[u8; 32]| {
            Zeroizing::new(blake2s::derive(seed, &[KEY_LABEL, &terms.bits().to_be_bytes()]))
        };
        let (send, receive) = (derived(&self.send), derived(&self.receive));
        let keys = SessionKeys { send, receive, local, remote, role: self.role };
        Session::on_terms(terms, keys, session.created())
    }
}

impl fmt::Debug for TwinKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TwinKeys {{ role: {:?}, .. }}", self.role)
    }
}

const SEED_LABEL: &[u8] = b"stead twin seed v1";
const KEY_LABEL: &[u8] = b"stead twin key v1";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cipher::Cipher;
    use crate::session::Discard;
    use crate::session::tests::{sealed, session_named};
    use stead_wire::time::Instant;

    const AES: Capabilities = Capabilities::FAST_AES;
    const REKEY: u64 = Cipher::Aes256Gcm.rekey_after_messages();
    const REJECT: u64 = Cipher::Aes256Gcm.reject_after_messages();

    fn ends() -> [(Session, TwinKeys); 2] {
        [(Role::Initiator, 1, 2), (Role::Responder, 2, 1)].map(|(role, local, remote)| {
            let (send, receive) =
                if role == Role::Initiator { ([1; 32], [2; 32]) } else { ([2; 32], [1; 32]) };
            let (send, receive) = (Zeroizing::new(send), Zeroizing::new(receive));
            let (local, remote) = (SessionIndex(local), SessionIndex(remote));
            let keys = SessionKeys { send, receive, local, remote, role };
            (session_named(role, local, remote, Instant::from_micros(5)), TwinKeys::of(&keys))
        })
    }

    fn twins(terms: [Capabilities; 2]) -> [Session; 2] {
        let [(here, keys), (there, others)] = ends();
        let (one, other) = (SessionIndex(7), SessionIndex(8));
        [keys.into_twin(&here, terms[0], (one, other)), others.into_twin(&there, terms[1], (other, one))]
    }

    #[test]
    fn both_ends_derive_the_same_twin_and_it_carries_messages_both_ways() {
        for terms in [AES, Capabilities::PARTIAL_CHECKSUMS, AES | Capabilities::PARTIAL_CHECKSUMS] {
            let [here, there] = twins([terms, terms]);
            for (from, to) in [(&here, &there), (&there, &here)] {
                let mut message = sealed(from, b"sixteen bytes...");
                assert_eq!(to.open_in_place(&mut message).expect("authentic"), b"sixteen bytes...");
            }
            assert_eq!((here.cipher(), here.terms()), (Cipher::on(terms), terms));
            assert_eq!(here.created(), Instant::from_micros(5), "as old as its parent");
        }
    }

    #[test]
    fn no_message_opens_on_other_terms_or_in_the_other_twin() {
        let [here, there] = twins([AES, Capabilities::PARTIAL_CHECKSUMS]);
        let [(parent, _), (others, _)] = ends();
        for other in [&there, &others] {
            assert_eq!(other.open_in_place(&mut sealed(&here, b"x")), Err(Discard::Forged));
            assert_eq!(here.open_in_place(&mut sealed(other, b"x")), Err(Discard::Forged));
        }
        assert_eq!(there.open_in_place(&mut sealed(&parent, b"x")), Err(Discard::Forged));
    }

    #[test]
    fn the_nonce_of_aes_is_four_zero_bytes_and_the_counter_big_endian() {
        use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

        let [here, _] = twins([AES, AES]);
        here.reserve(0x0102).unwrap();
        let message = sealed(&here, b"sixteen bytes...");

        let seed = blake2s::derive(&[1; 32], &[SEED_LABEL]);
        let key = blake2s::derive(&seed, &[KEY_LABEL, &[0, 0, 0, 2]]);
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key).unwrap());
        let nonce = Nonce::assume_unique_for_key([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2]);
        let mut body = message[16..].to_vec();
        assert_eq!(key.open_in_place(nonce, Aad::empty(), &mut body).unwrap(), b"sixteen bytes...");
    }

    #[test]
    fn a_session_under_aes_is_renewed_and_ended_after_fewer_messages() {
        let [here, there] = twins([AES, AES]);
        assert!(here.reserve(REKEY - 1).is_some());
        assert!(!here.wants_rekey_on_send(Instant::ZERO));
        assert!(here.reserve(1).is_some());
        assert!(here.wants_rekey_on_send(Instant::ZERO));
        assert!(here.reserve(REJECT).is_none(), "not that many are left");
        assert!(here.reserve(REJECT - REKEY).is_some());
        assert!(here.reserve(1).is_none());

        let mut past = sealed(&there, b"");
        past[8..16].copy_from_slice(&REJECT.to_le_bytes());
        assert_eq!(here.open_in_place(&mut past), Err(Discard::CounterExhausted));
    }
}
