use super::*;
use crate::keys::StaticSecret;
use crate::keys::tests::hex;
use crate::random::Random;
use stead_wire::message::{INITIATION_LEN, Message};

/// The cookie reply for a fixed initiation, and that initiation's mac2, as computed by a separate program
/// from WireGuard's paper.
const REPLY: &str = concat!(
    "0300000044332211ef07634c73c14adf05a6a59eb57b09be0a638461f21d5457627131153445a925f3e4f87212d4d3d8",
    "81394893456497878863bf0105138a11",
);
const MAC2: &str = "d0f794cc604278acf7f8d35a1267bd57";

const T0: Instant = Instant::from_micros(1_000_000);
const TICK: Duration = Duration::from_micros(1);

/// An initiator's store, a responder's checker, and a message between them.
struct Cast {
    store: CookieStore,
    checker: CookieChecker,
    random: RandomStream,
    message: [u8; INITIATION_LEN],
}

impl Cast {
    fn new() -> Self {
        let responder = StaticSecret::from_random([2; 32]).public_key();
        Self {
            store: CookieStore::new(&responder),
            checker: CookieChecker::new(&responder),
            random: Random::from_seed([6; 32]).stream("cookie"),
            message: message::encode_initiation(SessionIndex(0x1122_3344), &[0xab; 108]),
        }
    }

    /// The next attempt is made and seen by the checker: are mac1 and mac2 right?
    fn attempt(&mut self, source: SocketAddr, now: Instant) -> (bool, bool) {
        self.message = message::encode_initiation(SessionIndex(0x1122_3344), &[0xab; 108]);
        self.store.finish_macs(&mut self.message, now);
        self.seen(source, now)
    }

    fn seen(&self, source: SocketAddr, now: Instant) -> (bool, bool) {
        let macs = macs(&self.message);
        (self.checker.mac1_valid(&macs), self.checker.mac2_valid(&macs, source, now))
    }

    fn reply(&mut self, source: SocketAddr, now: Instant) -> [u8; COOKIE_REPLY_LEN] {
        self.checker.reply(&macs(&self.message), SessionIndex(0x1122_3344), source, now, &mut self.random)
    }

    fn open(&mut self, reply: &[u8], now: Instant) -> Result<(), CookieError> {
        match Message::decode(reply) {
            Ok(Message::CookieReply(reply)) => self.store.opened(&reply, now),
            other => panic!("not a cookie reply: {other:?}"),
        }
    }

    /// An attempt, a cookie, as under load.
    fn with_cookie(source: SocketAddr, now: Instant) -> Self {
        let mut cast = Self::new();
        assert_eq!(cast.attempt(source, now), (true, false));
        let reply = cast.reply(source, now);
        cast.open(&reply, now).unwrap();
        cast
    }
}

fn macs(message: &[u8]) -> Macs<'_> {
    match Message::decode(message) {
        Ok(Message::Initiation(initiation)) => initiation.macs,
        Ok(Message::Response(response)) => response.macs,
        other => panic!("not a handshake message: {other:?}"),
    }
}

fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn alice() -> SocketAddr {
    addr("192.0.2.7:51820")
}

#[test]
fn replies_and_mac2_are_byte_for_byte_those_of_wireguard() {
    let mut cast = Cast::new();
    cast.message = hex(crate::handshake::tests::INITIATION);
    cast.store.last_mac1 = Some(seal_mac1(&mut cast.message, &cast.store.mac1_key));
    assert_eq!(cast.message, hex(crate::handshake::tests::INITIATION));

    let reply = cast.reply(alice(), T0);
    cast.open(&reply, T0).unwrap();
    cast.store.finish_macs(&mut cast.message, T0);

    assert_eq!(reply, hex(REPLY));
    assert_eq!(cast.message[132..], hex::<16>(MAC2));
}

#[test]
fn a_cookie_is_asked_for_given_and_accepted() {
    let mut cast = Cast::new();

    assert_eq!(cast.attempt(alice(), T0), (true, false));
    let reply = cast.reply(alice(), T0);
    assert_eq!(cast.open(&reply, T0), Ok(()));

    assert_eq!(cast.attempt(alice(), T0), (true, true));
}

#[test]
fn responses_carry_macs_too() {
    let mut cast = Cast::with_cookie(alice(), T0);
    let mut response = message::encode_response(SessionIndex(1), SessionIndex(2), &[0xcd; 48]);

    cast.store.finish_macs(&mut response, T0);

    assert!(cast.checker.mac1_valid(&macs(&response)));
    assert!(cast.checker.mac2_valid(&macs(&response), alice(), T0));
}

#[test]
fn macs_are_for_one_receiver() {
    let mut cast = Cast::with_cookie(alice(), T0);
    cast.checker = CookieChecker::new(&StaticSecret::from_random([9; 32]).public_key());

    assert_eq!(cast.attempt(alice(), T0), (false, false));
}

#[test]
fn a_message_altered_anywhere_has_no_valid_mac() {
    let mut cast = Cast::with_cookie(alice(), T0);
    cast.attempt(alice(), T0);
    let genuine = cast.message;

    // Behind the type, which the decoder already read.
    for at in 4..INITIATION_LEN {
        cast.message = genuine;
        cast.message[at] ^= 0x40;
        let mac1_covers = at < INITIATION_LEN - MAC_LEN;
        assert_eq!(cast.seen(alice(), T0), (!mac1_covers, false), "byte {at}");
    }
    cast.message = genuine;
    assert_eq!(cast.seen(alice(), T0), (true, true));
}

#[test]
fn a_cookie_is_bound_to_the_address_and_the_port_that_it_was_sent_to() {
    let mut cast = Cast::with_cookie(alice(), T0);
    let others = ["192.0.2.7:51821", "192.0.2.8:51820", "[2001:db8::7]:51820", "0.0.0.0:0"];

    for other in others {
        assert_eq!(cast.attempt(addr(other), T0), (true, false), "{other}");
    }

    assert_eq!(cast.attempt(addr("[::ffff:192.0.2.7]:51820"), T0), (true, true), "the same address, mapped");
    let mut sixth = Cast::with_cookie(addr("[2001:db8::7]:51820"), T0);
    assert_eq!(sixth.attempt(addr("[2001:db8::7]:51820"), T0), (true, true));
    assert_eq!(sixth.attempt(addr("[2001:db8::7]:51821"), T0), (true, false));
}

#[test]
fn a_tampered_or_foreign_reply_changes_nothing_and_the_genuine_one_is_still_accepted() {
    let mut cast = Cast::new();
    cast.attempt(alice(), T0);
    let genuine = cast.reply(alice(), T0);

    for at in 8..COOKIE_REPLY_LEN {
        let mut altered = genuine;
        altered[at] ^= 0x04;
        assert_eq!(cast.open(&altered, T0), Err(CookieError::Forged), "byte {at}");
    }
    assert!(cast.store.cookie.is_none());

    assert_eq!(cast.open(&genuine, T0), Ok(()));
}

#[test]
fn a_reply_is_accepted_once_and_only_to_the_last_message() {
    let mut cast = Cast::new();
    let early = cast.reply(alice(), T0);
    assert_eq!(cast.open(&early, T0), Err(CookieError::Unsolicited), "nothing was sent");

    cast.attempt(alice(), T0);
    let to_the_first = cast.reply(alice(), T0);
    cast.message[20] ^= 1;
    cast.store.finish_macs(&mut cast.message, T0);
    assert_eq!(cast.open(&to_the_first, T0), Err(CookieError::Forged), "answers an earlier message");

    let to_the_second = cast.reply(alice(), T0);
    assert_eq!(cast.open(&to_the_second, T0), Ok(()));
    assert_eq!(cast.open(&to_the_second, T0), Err(CookieError::Unsolicited), "replayed");
}

#[test]
fn a_cookie_is_used_for_its_lifetime_and_no_longer() {
    let mut cast = Cast::with_cookie(alice(), T0);

    assert_eq!(cast.attempt(alice(), T0 + (COOKIE_LIFETIME - TICK)), (true, true));
    assert_eq!(cast.attempt(alice(), T0 + COOKIE_LIFETIME), (true, false));
    assert_eq!(cast.message[INITIATION_LEN - MAC_LEN..], [0; MAC_LEN], "without a cookie, mac2 is zero");
    assert!(cast.store.cookie.is_none(), "an old cookie is forgotten");
}

#[test]
fn a_cookie_given_just_before_the_secret_changes_still_lives_as_long_as_any_other() {
    let late = T0 + (COOKIE_LIFETIME - TICK);
    let mut cast = Cast::with_cookie(addr("198.51.100.1:1"), T0);
    cast.store.cookie = None;
    cast.attempt(alice(), late);
    let reply = cast.reply(alice(), late);
    cast.open(&reply, late).unwrap();

    // Someone else's cookie is made with the next secret.
    cast.reply(addr("203.0.113.5:9"), late + TICK);

    assert_eq!(cast.attempt(alice(), late + TICK), (true, true));
    assert_eq!(cast.attempt(alice(), late + (COOKIE_LIFETIME - TICK)), (true, true));
}

#[test]
fn a_secret_checks_no_cookie_after_twice_its_time_whether_or_not_it_was_replaced() {
    for replaced in [false, true] {
        let mut cast = Cast::with_cookie(alice(), T0);
        cast.attempt(alice(), T0);
        if replaced {
            cast.reply(alice(), T0 + COOKIE_LIFETIME);
        }

        assert_eq!(cast.seen(alice(), T0 + (2 * COOKIE_LIFETIME - TICK)), (true, true), "{replaced}");
        assert_eq!(cast.seen(alice(), T0 + 2 * COOKIE_LIFETIME), (true, false), "{replaced}");
    }
}

#[test]
fn secrets_change_so_that_the_same_source_gets_other_cookies() {
    let mut cast = Cast::new();
    let key = |cast: &Cast| cast.checker.current.as_ref().map(|secret| secret.key);
    cast.reply(alice(), T0);
    let first = key(&cast);
    cast.reply(alice(), T0 + (COOKIE_LIFETIME - TICK));
    assert_eq!(key(&cast), first);

    cast.reply(alice(), T0 + COOKIE_LIFETIME);

    assert_ne!(key(&cast), first);
    assert_eq!(cast.checker.previous.as_ref().map(|secret| secret.key), first);
}

#[test]
fn before_the_first_cookie_no_mac2_is_valid() {
    let mut cast = Cast::new();

    cast.attempt(alice(), T0);
    assert_eq!(cast.seen(alice(), T0), (true, false));

    seal_mac2(&mut cast.message, &[0; MAC_LEN]);
    assert_eq!(cast.seen(alice(), T0), (true, false), "made with a cookie of zeros");
}
