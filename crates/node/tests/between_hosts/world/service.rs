//! Subscribe-notify services in the world: the real ones.

use std::net::SocketAddr;

use stead_node::{Answer, Arrival, Command, ServiceSettings, ServiceStatus};
use stead_sns::{Outlet, Service, Settings};
use stead_wire::datagram::Transmit;
use stead_wire::time::Instant;

use super::{Flight, HostId, World, secret, secs};

/// A host that runs a service.
pub(crate) struct ServiceHost {
    number: u8,
    pub(crate) address: SocketAddr,
    /// `None` while it is down.
    service: Option<Service>,
    pub(crate) timeout: Option<Instant>,
    started: u8,
}

#[derive(Default)]
struct Sent(Vec<Transmit>);

impl Outlet for Sent {
    fn transmit(&mut self, transmit: Transmit) {
        self.0.push(transmit);
    }
    fn event(&mut self, _event: stead_sns::Event) {}
}

impl World {
    /// A service at `address`; hosts that are made from now on know it. Returns its place among the services.
    pub(crate) fn service(&mut self, number: u8, address: &str) -> usize {
        let address = SocketAddr::new(address.parse().expect("an address"), 51821);
        self.services.push(ServiceHost { number, address, service: None, timeout: None, started: 0 });
        let at = self.services.len() - 1;
        self.start_service(at);
        at
    }

    pub(crate) fn kill_service(&mut self, at: usize) {
        self.services[at].service = None;
        self.services[at].timeout = None;
    }

    /// A new process with the same key, which knows nobody.
    pub(crate) fn start_service(&mut self, at: usize) {
        let host = &mut self.services[at];
        host.started += 1;
        let seed = [host.number ^ (host.started << 4); 32];
        host.service = Some(Service::new(Settings::new(secret(host.number)), seed, self.now));
    }

    /// What a node is told of the services.
    pub(super) fn service_settings(&self) -> Vec<ServiceSettings> {
        let settings = |host: &ServiceHost| ServiceSettings {
            name: format!("service{}", host.number),
            public_key: secret(host.number).public_key(),
            endpoints: vec![host.address],
            relay: self.relay,
            keepalive: Some(secs(25)),
        };
        self.services.iter().map(settings).collect()
    }

    pub(super) fn deliver_to_service(&mut self, at: usize, mut flight: Flight) {
        let arrival = Arrival { source: flight.source, local: Some(flight.destination.ip()) };
        let now = self.now;
        if let Some(service) = &mut self.services[at].service {
            service.handle_datagram(arrival, &mut flight.datagram, now);
            self.drain_service(at);
        }
    }

    pub(super) fn fire_services(&mut self) {
        let now = self.now;
        for at in 0..self.services.len() {
            if self.services[at].timeout.is_some_and(|when| when <= now) {
                if let Some(service) = &mut self.services[at].service {
                    service.handle_timeout(now);
                }
                self.drain_service(at);
            }
        }
    }

    fn drain_service(&mut self, at: usize) {
        let mut sent = Sent::default();
        let host = &mut self.services[at];
        host.timeout =
            host.service.as_mut().and_then(|service| service.drain(&mut sent)).map(|(when, _)| when);
        let source = host.address;
        for Transmit { remote, datagram, .. } in sent.0 {
            self.send_off(Flight { sent: self.now, source, destination: remote, datagram });
        }
    }

    /// Subscriptions that a service holds.
    pub(crate) fn subscriptions(&self, at: usize) -> usize {
        self.services[at].service.as_ref().map_or(0, |service| service.status(self.now).subscriptions)
    }

    /// How `host` sees its services.
    pub(crate) fn service_status(&self, host: HostId) -> Vec<ServiceStatus> {
        match self.hosts[host.0].node.handle_command(Command::Status, self.now) {
            Answer::Status(status) => status.services,
            Answer::Connections(_) => unreachable!("a status was asked for"),
        }
    }
}
