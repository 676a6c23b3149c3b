//! The plainest tunnel there is: packets from a TUN device into UDP datagrams and back, as they are.
//!
//! No cryptography, no handshake, no roaming: whatever an outage costs here, it costs the applications' own TCP. The
//! fixed side sends to wherever its first datagram came from, for good.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::AsFd as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::setup::{PORT, Setup};
use super::system::{Running, System};
use crate::address::{Family, Prefix};
use crate::error::RigError;
use crate::host::Host;
use crate::namespace::Task;

pub(super) const SYSTEM: System = System::new("forwarder", |host, setup| {
    Ok(Running { forwarder: Some(Forwarder::start(host, setup)?), ..Running::default() })
});

/// One end under way; dropping it ends it, and its device goes with it.
#[derive(Debug)]
pub(super) struct Forwarder {
    shared: Arc<Shared>,
    ways: Vec<Task<()>>,
}

#[derive(Debug)]
struct Shared {
    device: File,
    socket: UdpSocket,
    peer: OnceLock<SocketAddr>,
    over: AtomicBool,
}

impl Forwarder {
    fn start(host: &Host, setup: &Setup) -> Result<Self, RigError> {
        let doing = format!("{}: start forwarding", host.name());
        let socket = host.call(|| UdpSocket::bind(("::", PORT)))?.map_err(RigError::io(doing.clone()))?;
        socket.set_read_timeout(Some(LOOK_UP)).map_err(RigError::io(doing))?;
        let own = [(Family::V4, 24), (Family::V6, 64)]
            .map(|(family, length)| Prefix { address: setup.inner.address(family), length });
        let device = host.device(INTERFACE, MTU, &own)?;
        let known = setup.peer.endpoints.first().and_then(|endpoint| endpoint.parse().ok());
        let peer = known.map(mapped).map_or_else(OnceLock::new, OnceLock::from);
        let shared = Arc::new(Shared { device, socket, peer, over: AtomicBool::new(false) });
        let (out, back) = (Arc::clone(&shared), Arc::clone(&shared));
        let ways = vec![host.run(move || out.wrap())?, host.run(move || back.unwrap())?];
        Ok(Self { shared, ways })
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
        for way in self.ways.drain(..) {
            let _gone = way.join();
        }
    }
}

impl Shared {
    /// From the device to the peer.
    fn wrap(&self) {
        let mut packet = vec![0; LARGEST];
        while !self.over.load(Ordering::Relaxed) {
            let mut wanted = [PollFd::new(self.device.as_fd(), PollFlags::POLLIN)];
            let _interrupted = poll(&mut wanted, PollTimeout::from(LOOK_UP_MILLIS));
            while let Ok(length) = (&self.device).read(&mut packet) {
                if let Some(peer) = self.peer.get() {
                    // A host that is nowhere cannot send: lost, as on any line.
                    let _lost = self.socket.send_to(&packet[..length], peer);
                }
            }
        }
    }

    /// From the peer to the device.
    fn unwrap(&self) {
        let mut packet = vec![0; LARGEST];
        while !self.over.load(Ordering::Relaxed) {
            let Ok((length, from)) = self.socket.recv_from(&mut packet) else { continue };
            if *self.peer.get_or_init(|| from) == from {
                let _refused = (&self.device).write(&packet[..length]);
            }
        }
    }
}

/// As a socket for both families names it.
fn mapped(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(v4) => SocketAddr::new(v4.to_ipv6_mapped().into(), address.port()),
        IpAddr::V6(_) => address,
    }
}

const INTERFACE: &str = "plain0";
/// What the tunnels beside it use, so that TCP cuts its segments alike.
const MTU: u32 = 1420;
const LARGEST: usize = 65536;
/// How often an end that carries nothing looks whether it is over.
const LOOK_UP: Duration = Duration::from_millis(LOOK_UP_MILLIS as u64);
const LOOK_UP_MILLIS: u16 = 100;
