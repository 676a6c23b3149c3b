//! A subscribe-notify service, driven as its program drives it.

use stead_node::{Arrival, LocalAttachment, Transmit};
use stead_sns::{Event, Outlet, Service, Settings};
use stead_wire::time::Instant;

use super::{Exits, Machine, Word};

/// See the module's documentation.
pub(crate) struct ServiceMachine(Service);

impl ServiceMachine {
    /// A service that starts, and knows nothing.
    pub(crate) fn new(settings: Settings, seed: [u8; 32], now: Instant) -> Self {
        Self(Service::new(settings, seed, now))
    }
}

impl Machine for ServiceMachine {
    fn handle_datagrams(&mut self, datagrams: Vec<(Arrival, Vec<u8>)>, now: Instant) {
        for (arrival, mut datagram) in datagrams {
            self.0.handle_datagram(arrival, &mut datagram, now);
        }
    }

    fn handle_packet(&mut self, _packet: &[u8], _now: Instant) {
        // It has no TUN device, so nothing comes.
    }

    fn handle_attachment(&mut self, _attachment: LocalAttachment, _now: Instant) {
        // It answers from wherever it was spoken to.
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.0.handle_timeout(now);
    }

    fn drain(&mut self, exits: &mut Exits) -> Option<Instant> {
        self.0.drain(&mut Out(exits)).map(|(at, _)| at)
    }

    fn service(&self) -> Option<&Service> {
        Some(&self.0)
    }
}

/// The service's way out.
struct Out<'e>(&'e mut Exits);

impl Outlet for Out<'_> {
    fn transmit(&mut self, transmit: Transmit) {
        self.0.transmits.push(transmit);
    }

    fn event(&mut self, event: Event) {
        self.0.words.push(Word::OfService(event));
    }
}
