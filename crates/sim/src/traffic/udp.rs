//! Numbered datagrams at an even rate.

use core::net::SocketAddr;
use std::collections::BTreeSet;

use smoltcp::iface::SocketHandle;
use smoltcp::wire::IpEndpoint;
use stead_wire::time::{Duration, Instant};

use super::tick;
use super::{End, Flow, Outcome, Side};
use crate::clock::since_origin;
use crate::stack::Stack;

pub(crate) struct UdpFlow {
    every: Duration,
    lasts: Duration,
    size: usize,
    dont_fragment: bool,
    client: Option<Sending>,
    server: Option<SocketHandle>,
    seen: BTreeSet<u64>,
    outcome: Outcome,
}

struct Sending {
    socket: SocketHandle,
    remote: IpEndpoint,
    next: Instant,
    until: Instant,
}

impl UdpFlow {
    /// Datagrams of `size` bytes.
    pub(crate) fn new(every: Duration, lasts: Duration, (size, dont_fragment): (usize, bool)) -> Self {
        let outcome = Outcome { end: End::Closed, ..Outcome::default() };
        let size = size.max(tick::SHORTEST);
        let (client, server, seen) = (None, None, BTreeSet::new());
        Self { every, lasts, size, dont_fragment, client, server, seen, outcome }
    }

    fn send(&mut self, stack: &mut Stack, now: Instant) -> Option<Instant> {
        let sending = self.client.as_mut()?;
        if sending.next < sending.until && sending.next <= now {
            let remote = SocketAddr::new(sending.remote.addr.into(), sending.remote.port);
            let headers = if remote.is_ipv4() { IPV4_AND_UDP } else { IPV6_AND_UDP };
            if self.dont_fragment && self.size + headers > stack.path_mtu(remote.ip()) {
                self.outcome.refused += 1;
                self.outcome.told.get_or_insert(since_origin(now));
            } else {
                let socket = stack.udp(sending.socket);
                // What finds no room, or no route, is lost like any other.
                let tick = tick::encode_long(self.outcome.sent, self.size);
                let _lost = socket.send_slice(&tick, sending.remote);
                self.outcome.missing.insert(self.outcome.sent, since_origin(now));
                self.outcome.sent += 1;
            }
            // A sender that slept does not catch up.
            sending.next = (sending.next + self.every).max(now);
        }
        (sending.next < sending.until).then_some(sending.next)
    }

    fn receive(&mut self, stack: &mut Stack, now: Instant) {
        let Some(server) = self.server else { return };
        while let Ok((payload, _)) = stack.udp(server).recv() {
            let Some(number) = tick::decode(payload) else {
                self.outcome.corrupt = true;
                continue;
            };
            self.outcome.corrupt |= number >= self.outcome.sent || payload.len() != self.size;
            if self.seen.last().is_some_and(|last| *last > number) {
                self.outcome.reordered += 1;
            }
            if self.seen.insert(number) {
                self.outcome.missing.remove(&number);
                self.outcome.received += 1;
                self.outcome.arrived(since_origin(now));
            } else {
                self.outcome.duplicated += 1;
            }
        }
    }
}

/// Lengths of headers.
const IPV4_AND_UDP: usize = 28;
const IPV6_AND_UDP: usize = 48;

impl Flow for UdpFlow {
    fn open(&mut self, side: Side, stack: &mut Stack, remote: SocketAddr, now: Instant) {
        match side {
            Side::Server => self.server = stack.bind(remote.port()),
            Side::Client => {
                let remote = IpEndpoint::new(remote.ip().into(), remote.port());
                let socket = stack.bind(remote.port);
                self.client =
                    socket.map(|socket| Sending { socket, remote, next: now, until: now + self.lasts });
            }
        }
    }

    fn drive(&mut self, side: Side, stack: &mut Stack, now: Instant) -> Option<Instant> {
        match side {
            Side::Client => self.send(stack, now),
            Side::Server => {
                self.receive(stack, now);
                None
            }
        }
    }

    fn outcome(&self) -> &Outcome {
        &self.outcome
    }
}
