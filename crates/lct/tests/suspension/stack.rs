//! A smoltcp stack with one TCP connection, and the applications at its ends.

use std::cell::Cell;
use std::collections::VecDeque;

use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::phy::{ChecksumCapabilities, Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::socket::tcp;
use smoltcp::time::{Duration as StackDuration, Instant as StackInstant};
use smoltcp::wire::{HardwareAddress, IpAddress, IpCidr, IpEndpoint, Ipv4Address};
use stead_wire::time::{Duration, Instant};

/// What the two applications do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// Bytes that this side sends before it closes.
    pub(crate) sends: usize,
    /// Room for what it receives: more than 65 535 scales the window.
    pub(crate) buffer: usize,
    /// How often it asks whether anybody is there.
    pub(crate) keepalive: Option<Duration>,
    /// How much its application reads at once, and after which pauses: slow readers close the window.
    pub(crate) reads: (usize, Duration),
    /// Whether segments carry timestamps.
    pub(crate) timestamps: bool,
}

pub(crate) struct Stack {
    interface: Interface,
    sockets: SocketSet<'static>,
    handle: SocketHandle,
    queues: Queues,
    plan: Plan,
    pub(crate) sent: usize,
    pub(crate) received: usize,
    /// A byte that was not the one that was sent.
    pub(crate) corrupt: Option<usize>,
    pub(crate) finished: bool,
    read_at: Instant,
    salt: u8,
}

/// The byte at a place of the stream from the side with this number.
fn byte_at(place: usize, salt: u8) -> u8 {
    (place.wrapping_mul(2_654_435_761) >> 13) as u8 ^ salt
}

thread_local! {
    /// smoltcp asks for the time by a bare function.
    static CLOCK: Cell<u32> = const { Cell::new(1) };
}

impl Stack {
    pub(crate) fn new(number: u8, plan: Plan, seed: u64) -> Self {
        let mut queues = Queues::default();
        let mut config = Config::new(HardwareAddress::Ip);
        config.random_seed = seed;
        let mut interface = Interface::new(config, &mut queues, StackInstant::ZERO);
        interface.update_ip_addrs(|own| {
            own.push(IpCidr::new(IpAddress::v4(10, 0, 0, number), 24)).unwrap();
        });
        interface.routes_mut().add_default_ipv4_route(Ipv4Address::new(10, 0, 0, 254)).unwrap();
        let buffer = |len| tcp::SocketBuffer::new(vec![0; len]);
        let mut socket = tcp::Socket::new(buffer(plan.buffer), buffer(128 * 1024));
        socket.set_nagle_enabled(false);
        socket.set_congestion_control(tcp::CongestionControl::Reno);
        socket
            .set_keep_alive(plan.keepalive.map(|every| StackDuration::from_micros(every.as_micros() as u64)));
        if plan.timestamps {
            socket.set_tsval_generator(Some(|| CLOCK.get()));
        }
        if number == 2 {
            socket.listen(22).unwrap();
        } else {
            let remote = IpEndpoint::new(IpAddress::v4(10, 0, 0, 2), 22);
            socket.connect(interface.context(), remote, 40000).unwrap();
        }
        let mut sockets = SocketSet::new(Vec::new());
        let handle = sockets.add(socket);
        let read_at = Instant::ZERO;
        Self {
            interface,
            sockets,
            handle,
            queues,
            plan,
            sent: 0,
            received: 0,
            corrupt: None,
            finished: false,
            read_at,
            salt: number,
        }
    }

    pub(crate) fn handle_packet(&mut self, packet: Vec<u8>) {
        self.queues.rx.push_back(packet);
    }

    pub(crate) fn poll_packet(&mut self) -> Option<Vec<u8>> {
        self.queues.tx.pop_front()
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        CLOCK.set((now.as_micros() / 1000) as u32 + 1);
        let at = StackInstant::from_micros(now.as_micros() as i64);
        self.interface.poll(at, &mut self.queues, &mut self.sockets);
        if self.run_application(now) {
            self.interface.poll(at, &mut self.queues, &mut self.sockets);
        }
    }

    pub(crate) fn poll_timeout(&mut self, now: Instant) -> Option<Instant> {
        let at = StackInstant::from_micros(now.as_micros() as i64);
        let stack = self.interface.poll_at(at, &self.sockets);
        let stack = stack.map(|at| Instant::from_micros(at.total_micros().max(0) as u64));
        let reads = self.socket().can_recv().then_some(self.read_at);
        let arrived = (!self.queues.rx.is_empty()).then_some(now);
        [stack, reads, arrived].into_iter().flatten().min()
    }

    pub(crate) fn socket(&mut self) -> &mut tcp::Socket<'static> {
        self.sockets.get_mut(self.handle)
    }

    /// Writes and reads what can be; whether anything changed.
    fn run_application(&mut self, now: Instant) -> bool {
        let (plan, salt, from) = (self.plan, self.salt, 3 - self.salt);
        let (sent, received) = (self.sent, self.received);
        let (mut corrupt, mut read) = (None, 0);
        let reads_now = now >= self.read_at;
        let socket = self.sockets.get_mut::<tcp::Socket<'static>>(self.handle);
        let mut wrote = 0;
        while socket.can_send() && sent + wrote < plan.sends {
            let room = socket.send(|buffer| {
                let len = buffer.len().min(plan.sends - sent - wrote);
                for (at, byte) in buffer[..len].iter_mut().enumerate() {
                    *byte = byte_at(sent + wrote + at, salt);
                }
                (len, len)
            });
            match room {
                Ok(len) if len > 0 => wrote += len,
                _ => break,
            }
        }
        if sent + wrote == plan.sends && socket.may_send() && plan.sends > 0 {
            socket.close();
        }
        while reads_now && socket.can_recv() && read < plan.reads.0 {
            let taken = socket.recv(|bytes| {
                let len = bytes.len().min(plan.reads.0 - read);
                let wrong = |at: &usize| bytes[*at] != byte_at(received + read + at, from);
                corrupt = corrupt.or((0..len).find(wrong).map(|at| received + read + at));
                (len, len)
            });
            read += taken.unwrap_or(0);
        }
        if read > 0 {
            self.read_at = now + plan.reads.1;
        }
        self.finished |= !socket.may_recv() && !socket.can_recv() && received + read > 0;
        (self.sent, self.received) = (sent + wrote, received + read);
        self.corrupt = self.corrupt.or(corrupt);
        wrote + read > 0
    }
}

#[derive(Default)]
struct Queues {
    rx: VecDeque<Vec<u8>>,
    tx: VecDeque<Vec<u8>>,
}

struct Received(Vec<u8>);

struct Room<'q>(&'q mut VecDeque<Vec<u8>>);

impl RxToken for Received {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&self.0)
    }
}

impl TxToken for Room<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let mut packet = vec![0; len];
        let result = f(&mut packet);
        self.0.push_back(packet);
        result
    }
}

impl Device for Queues {
    type RxToken<'q> = Received;
    type TxToken<'q> = Room<'q>;

    fn receive(&mut self, _now: StackInstant) -> Option<(Received, Room<'_>)> {
        let packet = self.rx.pop_front()?;
        Some((Received(packet), Room(&mut self.tx)))
    }

    fn transmit(&mut self, _now: StackInstant) -> Option<Room<'_>> {
        Some(Room(&mut self.tx))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ip;
        capabilities.max_transmission_unit = 1420;
        capabilities.checksum = ChecksumCapabilities::ignored();
        capabilities
    }
}
