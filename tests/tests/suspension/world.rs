//! Two hosts whose kernels talk over the line, and outages of it.

use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use stead_rig::address::{Family, Prefix};
use stead_rig::{Host, Requirements, RigError};
use stead_tests::kernel::tcp_count;
use stead_tests::patience::{ms, pass, secs, within};

use crate::line::{Line, Order, Room};

/// What both kernels agree on when a connection opens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Agreement {
    pub(crate) family: Family,
    pub(crate) timestamps: bool,
    pub(crate) sack: bool,
    pub(crate) scaling: bool,
}

impl Agreement {
    /// What Linux offers by itself.
    pub(crate) const fn usual(family: Family) -> Self {
        Self { family, timestamps: true, sack: true, scaling: true }
    }
}

/// The line is dark for a while; each end finds that out, and that it is over, in its own time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outage {
    pub(crate) lasts: Duration,
    /// After its begin.
    pub(crate) noticed: [Duration; 2],
    /// After its end.
    pub(crate) resumed: [Duration; 2],
}

impl Outage {
    /// As a tunnel would have it: noticed soon, and over one round trip after the line is back.
    pub(crate) const fn of(lasts: Duration) -> Self {
        Self { lasts, noticed: [ms(20), ms(30)], resumed: [ms(10), ms(15)] }
    }
}

/// See the module's documentation.
pub(crate) struct World {
    pub(crate) hosts: [Host; 2],
    pub(crate) line: Line,
    family: Family,
    _rig: stead_rig::World,
}

impl World {
    /// The world, or nothing where the machine lacks what it takes; the running test says so then.
    pub(crate) fn ready(agreement: Agreement) -> Result<Option<Self>, RigError> {
        Self::with(Room::Ample, agreement)
    }

    /// The same, with so much room on the line.
    pub(crate) fn with(room: Room, agreement: Agreement) -> Result<Option<Self>, RigError> {
        if !Requirements::met(thread::current().name().unwrap_or("suspension"), &[]) {
            return Ok(None);
        }
        let rig = stead_rig::World::new()?;
        let hosts = [rig.host("here")?, rig.host("there")?];
        for host in &hosts {
            for (key, on) in [
                ("net/ipv4/tcp_timestamps", agreement.timestamps),
                ("net/ipv4/tcp_sack", agreement.sack),
                ("net/ipv4/tcp_window_scaling", agreement.scaling),
            ] {
                host.set_sysctl(key, if on { "1" } else { "0" })?;
            }
        }
        let device = |number: usize| hosts[number].device("line0", MTU, &places(number));
        let line = Line::between([device(0)?, device(1)?], room);
        Ok(Some(Self { hosts, line, family: agreement.family, _rig: rig }))
    }

    /// Two sockets that are connected; `receive_buffers` are set before they are, so that the scale fits.
    pub(crate) fn connect(&self, receive_buffers: [Option<usize>; 2]) -> Result<[TcpStream; 2], RigError> {
        let listener = self.listen(receive_buffers[1])?;
        let to = address_of(&listener);
        let near = self.hosts[0].call(move || dial(to, receive_buffers[0]))?;
        Ok([near, accept(&listener)])
    }

    /// A socket that waits for connections at the second host.
    pub(crate) fn listen(&self, receive_buffer: Option<usize>) -> Result<Socket, RigError> {
        let at = SocketAddr::new(places(1)[usize::from(self.family == Family::V6)].address, 0);
        self.hosts[1].call(move || {
            let socket = socket(at, receive_buffer);
            // An address of version 6 takes a moment until it may be used.
            assert!(within(PATIENCE, || socket.bind(&at.into()).is_ok()), "{at} is not the host's");
            socket.listen(8).expect("it listens");
            socket
        })
    }

    /// Makes the line dark, does `meanwhile` once both ends know, and waits for the end.
    pub(crate) fn dark<T>(&self, outage: Outage, meanwhile: impl FnOnce() -> T) -> T {
        self.line.order(Order::Cut);
        let noticed = outage.noticed.map(|after| after.min(outage.lasts));
        self.in_turn(noticed, Order::Suspend);
        let (result, took) = timed(meanwhile);
        pass(outage.lasts.saturating_sub(noticed[0].max(noticed[1]) + took));
        self.line.order(Order::Mend);
        self.in_turn(outage.resumed, Order::Resume);
        result
    }

    /// The same, with ends that do nothing about it.
    pub(crate) fn plainly_dark(&self, lasts: Duration) {
        self.line.order(Order::Cut);
        pass(lasts);
        self.line.order(Order::Mend);
    }

    /// Nothing happened that must not, and neither kernel found a packet odd.
    pub(crate) fn assert_blameless(&self) -> Result<(), RigError> {
        let wrong = self.line.judge().wrong.clone();
        assert!(wrong.is_empty(), "{} things, first {:?}", wrong.len(), &wrong[..wrong.len().min(3)]);
        for host in &self.hosts {
            for name in ["InErrs", "InCsumErrors", "PAWSEstab", "TCPAbortOnTimeout"] {
                assert_eq!(tcp_count(host, name)?, 0, "{name} at {}", host.name());
            }
        }
        Ok(())
    }

    fn in_turn(&self, after: [Duration; 2], order: impl Fn(usize) -> Order) {
        let first = usize::from(after[1] < after[0]);
        pass(after[first]);
        self.line.order(order(first));
        pass(after[1 - first].saturating_sub(after[first]));
        self.line.order(order(1 - first));
    }
}

/// A socket connected to `to`; for a thread in the first host.
pub(crate) fn dial(to: SocketAddr, receive_buffer: Option<usize>) -> TcpStream {
    let socket = socket(to, receive_buffer);
    socket.connect_timeout(&to.into(), PATIENCE).expect("the other host answers");
    patient(socket)
}

/// The next connection.
pub(crate) fn accept(listener: &Socket) -> TcpStream {
    listener.set_read_timeout(Some(PATIENCE)).expect("any timeout will do");
    patient(listener.accept().expect("somebody has connected").0)
}

/// Where a listener can be found.
pub(crate) fn address_of(listener: &Socket) -> SocketAddr {
    listener.local_addr().ok().and_then(|address| address.as_socket()).expect("it has an address")
}

fn socket(at: SocketAddr, receive_buffer: Option<usize>) -> Socket {
    let socket = Socket::new(Domain::for_address(at), Type::STREAM, None).expect("a socket");
    if let Some(bytes) = receive_buffer {
        socket.set_recv_buffer_size(bytes).expect("any size will do");
    }
    socket
}

/// Waits long, not forever.
fn patient(socket: Socket) -> TcpStream {
    let stream = TcpStream::from(socket);
    stream.set_nodelay(true).expect("it is TCP");
    stream.set_read_timeout(Some(PATIENCE)).expect("any timeout will do");
    stream.set_write_timeout(Some(PATIENCE)).expect("any timeout will do");
    stream
}

fn timed<T>(body: impl FnOnce() -> T) -> (T, Duration) {
    let began = std::time::Instant::now();
    (body(), began.elapsed())
}

/// The addresses of an end's device.
fn places(number: usize) -> [Prefix; 2] {
    let number = number + 1;
    [format!("10.77.0.{number}/24"), format!("fd77::{number}/64")]
        .map(|text| text.parse().expect("an address with a length"))
}

/// What a tunnel leaves of 1500.
const MTU: u32 = 1420;
/// Longer than anything here takes that goes well.
pub(crate) const PATIENCE: Duration = secs(20);
