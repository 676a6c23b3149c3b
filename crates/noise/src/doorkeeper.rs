//! What stands between strangers and handshakes (WireGuard paper §5.3).
//!
//! Ties [`admission`](crate::admission) and [`cookie`](crate::cookie) together: under load only those pass who proved
//! their address by a cookie, each source at its rate. Whoever answers handshakes has one.

use core::net::SocketAddr;

use stead_wire::message::{COOKIE_REPLY_LEN, Macs, SessionIndex};
use stead_wire::time::Instant;

use crate::admission::Admission;
use crate::cookie::CookieChecker;
use crate::keys::PublicKey;
use crate::random::RandomStream;

/// See the module's documentation.
pub struct Doorkeeper {
    admission: Admission,
    cookies: CookieChecker,
}

/// Why a handshake message is not looked at.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Refused {
    /// There is load, and no valid cookie: this reply goes to where the message came from.
    CookieRequired([u8; COOKIE_REPLY_LEN]),
    /// There is load, and the source asked too often.
    RateLimited,
}

impl Doorkeeper {
    /// For whoever has this key.
    #[must_use]
    pub fn new(public: &PublicKey) -> Self {
        Self { admission: Admission::default(), cookies: CookieChecker::new(public) }
    }

    /// Whether the message was made for our key at all.
    #[must_use]
    pub fn mac1_valid(&self, macs: &Macs<'_>) -> bool {
        self.cookies.mac1_valid(macs)
    }

    /// Counts a message whose mac1 was valid, from `sender`'s handshake at `source`, and lets it in or not.
    ///
    /// # Errors
    /// [`Refused`], only under load.
    pub fn admit(
        &mut self,
        macs: &Macs<'_>,
        sender: SessionIndex,
        source: SocketAddr,
        random: &mut RandomStream,
        now: Instant,
    ) -> Result<(), Refused> {
        if !self.admission.on_handshake(now) {
            return Ok(());
        }
        if !self.cookies.mac2_valid(macs, source, now) {
            return Err(Refused::CookieRequired(self.cookies.reply(macs, sender, source, now, random)));
        }
        if self.admission.admit(source.ip(), now) { Ok(()) } else { Err(Refused::RateLimited) }
    }
}
