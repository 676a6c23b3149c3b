//! A service as plain data, for people and programs.

use core::net::SocketAddr;

use stead_noise::keys::PublicKey;
use stead_wire::options::Reason;
use stead_wire::time::{Duration, Instant};

use super::Service;
use crate::proxy::registration::Registration;

/// How a service stands. Times are moments of the driver's clock.
#[derive(Clone, Debug)]
pub struct ServiceStatus {
    /// Its configured name.
    pub name: String,
    /// Its identity.
    pub public_key: PublicKey,
    /// Where it last answered.
    pub remote: Option<SocketAddr>,
    /// Whether there is a session with it.
    pub connected: bool,
    /// When something authentic last came from it.
    pub last_answered: Option<Instant>,
    /// Round-trip time, where one was measured.
    pub rtt: Option<Duration>,
    /// Where it sees our datagrams come from, since we were last attached.
    pub apparent: Option<SocketAddr>,
    /// Whether that is where we believe to be (seed 001 figure 19); `None` before it said so.
    pub public: Option<bool>,
    /// For how many peers it keeps us subscribed.
    pub registered: usize,
    /// How many peers there are.
    pub peers: usize,
    /// How many handshakes completed.
    pub handshakes: u64,
    /// Whether it may relay for us.
    pub relays: bool,
    /// For how many peers it is ready to relay now.
    pub slots: usize,
    /// Why it last refused something that it has not granted since.
    pub refused: Option<&'static str>,
}

impl Service {
    pub(in crate::proxy) fn status(&self, now: Instant) -> ServiceStatus {
        let granted = self.registrations.values().filter(|it| it.is_granted(now)).count();
        ServiceStatus {
            name: self.name.clone(),
            public_key: self.contact.key(),
            remote: self.contact.place(),
            connected: self.contact.session(now).is_some(),
            last_answered: self.answered,
            rtt: self.patience.rtt(),
            apparent: self.apparent,
            public: self.public,
            registered: granted,
            peers: self.registrations.values().filter(|it| it.is_needed()).count(),
            handshakes: self.contact.completed(),
            relays: self.relays,
            slots: self.registrations.values().filter(|it| it.slot().is_some()).count(),
            refused: self.registrations.values().find_map(Registration::refused).map(Reason::label),
        }
    }
}
