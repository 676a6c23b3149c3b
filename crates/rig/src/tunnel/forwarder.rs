//! The plainest tunnel there is: packets from a TUN device into UDP datagrams and back, as they are.
//!
//! It goes the way that fast tunnels go: a super-packet of TCP leaves the device uncut, crosses as a [`train`] of
//! datagrams that the kernel cuts and joins, and enters the other device uncut; packets of one length that are there
//! together leave together. So it shows what they could reach.
//!
//! No handshake, no roaming, and no cryptography unless it is told to [seal](cipher) what it sends: whatever an outage costs
//! here, it costs the applications' own TCP. The fixed side sends to wherever its first datagram came from, for good.

use std::fs::File;
use std::io::{IoSlice, IoSliceMut, Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, SocketAddrV6, UdpSocket};
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrIn6, recvmsg, sendmsg, setsockopt, sockopt,
};

use self::cipher::Cipher;
use self::train::{Assembler, Batch, Cutter, SLICES, SUPER_PACKET};
use super::setup::{PORT, Setup};
use super::system::{Running, System};
use crate::address::{Family, Prefix};
use crate::error::RigError;
use crate::host::Host;
use crate::namespace::Task;

mod cipher;
mod train;

/// Datagrams as they are.
pub(super) const PLAIN: System = System::new("forwarder", |host, setup| start(host, setup, Cipher::default));

/// Each datagram sealed and opened with AES-256-GCM: what a tunnel with this cipher could reach, if all else were free.
pub(super) const SEALING: System =
    System::new("forwarder-aes", |host, setup| start(host, setup, Cipher::aes));

fn start(host: &Host, setup: &Setup, cipher: fn() -> Cipher) -> Result<Running, RigError> {
    Ok(Running { forwarder: Some(Forwarder::start(host, setup, cipher)?), ..Running::default() })
}

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
    peer: OnceLock<SocketAddrV6>,
    over: AtomicBool,
}

impl Forwarder {
    fn start(host: &Host, setup: &Setup, cipher: fn() -> Cipher) -> Result<Self, RigError> {
        let doing = format!("{}: start forwarding", host.name());
        let socket = host.call(|| UdpSocket::bind(("::", PORT)))?.map_err(RigError::io(doing.clone()))?;
        socket.set_read_timeout(Some(LOOK_UP)).map_err(RigError::io(doing.clone()))?;
        prepare(&socket).map_err(|error| RigError::io(doing)(error.into()))?;
        let own = [(Family::V4, 24), (Family::V6, 64)]
            .map(|(family, length)| Prefix { address: setup.inner.address(family), length });
        let device = host.offloading_device(INTERFACE, MTU, SUPER_PACKET, &own)?;
        let known = setup.peer.endpoints.first().and_then(|endpoint| endpoint.parse().ok());
        let peer = known.map(mapped).map_or_else(OnceLock::new, OnceLock::from);
        let shared = Arc::new(Shared { device, socket, peer, over: AtomicBool::new(false) });
        let (out, back) = (Arc::clone(&shared), Arc::clone(&shared));
        let ways = vec![
            host.run(move || out.wrap(Cutter::new(cipher())))?,
            host.run(move || back.unwrap(Assembler::new(cipher())))?,
        ];
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
    fn wrap(&self, mut cutter: Cutter) {
        let mut batch = Batch::new();
        while !self.over.load(Ordering::Relaxed) {
            let mut wanted = [PollFd::new(self.device.as_fd(), PollFlags::POLLIN)];
            let _interrupted = poll(&mut wanted, PollTimeout::from(LOOK_UP_MILLIS));
            while let Ok(length) = (&self.device).read(batch.vacancy()) {
                if batch.join(length, &mut cutter) {
                    continue;
                }
                self.send_batch(&batch);
                batch.clear(length);
                if !batch.join(length, &mut cutter) {
                    let size = cutter.size();
                    self.send_train(&cutter.cut(&mut batch.vacancy()[..length]), size);
                }
            }
            // Nobody waits for company.
            self.send_batch(&batch);
            batch.clear(0);
        }
    }

    fn send_batch(&self, batch: &Batch) {
        let (datagrams, size) = batch.datagrams();
        if datagrams.len() <= size {
            self.send(&[IoSlice::new(datagrams)], None);
        } else if self.send(&[IoSlice::new(datagrams)], Some(size)) == Sent::Uncuttable {
            for datagram in datagrams.chunks(size) {
                self.send(&[IoSlice::new(datagram)], None);
            }
        }
    }

    fn send_train(&self, train: &[IoSlice<'_>], size: usize) {
        if self.send(train, Some(size)) == Sent::Uncuttable {
            for datagram in train.chunks(SLICES) {
                self.send(datagram, None);
            }
        }
    }

    /// Sends one datagram, or many, `cut` by the kernel into so many bytes each.
    fn send(&self, datagrams: &[IoSlice<'_>], cut: Option<usize>) -> Sent {
        let Some(peer) = self.peer.get().filter(|_| datagrams.iter().any(|slice| !slice.is_empty())) else {
            return Sent::OrLost;
        };
        let size = cut.unwrap_or_default() as u16;
        let control = [ControlMessage::UdpGsoSegments(&size)];
        let control = if cut.is_some() { &control[..] } else { &[] };
        let peer = SockaddrIn6::from(*peer);
        match sendmsg(self.socket.as_raw_fd(), datagrams, control, MsgFlags::empty(), Some(&peer)) {
            Err(Errno::EIO | Errno::EINVAL | Errno::EMSGSIZE) => Sent::Uncuttable,
            _ => Sent::OrLost,
        }
    }

    /// From the peer to the device.
    fn unwrap(&self, mut assembler: Assembler) {
        let mut received = vec![0; LARGEST];
        while !self.over.load(Ordering::Relaxed) {
            let Some((length, size, from)) = self.receive(&mut received) else { continue };
            if *self.peer.get_or_init(|| from) == from {
                assembler.take(&mut received[..length], size, |packet| {
                    let _refused = (&self.device).write_vectored(packet);
                });
            }
        }
    }

    /// How much came at once, in datagrams of how many bytes, and from where; none if nothing comes for a while.
    fn receive(&self, into: &mut [u8]) -> Option<(usize, usize, SocketAddrV6)> {
        let (mut control, mut into) = (nix::cmsg_space!(i32), [IoSliceMut::new(into)]);
        let socket = self.socket.as_raw_fd();
        let received =
            recvmsg::<SockaddrIn6>(socket, &mut into, Some(&mut control), MsgFlags::empty()).ok()?;
        let joined = received.cmsgs().ok()?.find_map(|message| match message {
            ControlMessageOwned::UdpGroSegments(size) => usize::try_from(size).ok(),
            _ => None,
        });
        Some((received.bytes, joined.unwrap_or(received.bytes), received.address?.into()))
    }
}

#[derive(Debug, Eq, PartialEq)]
enum Sent {
    /// A host that is nowhere cannot send: lost, as on any line.
    OrLost,
    /// The way out does not take datagrams to be cut.
    Uncuttable,
}

/// Has the kernel join what it can, and keep what comes while nobody reads.
fn prepare(socket: &UdpSocket) -> nix::Result<()> {
    setsockopt(socket, sockopt::UdpGroSegment, &true)?;
    setsockopt(socket, sockopt::RcvBufForce, &BUFFER)?;
    setsockopt(socket, sockopt::SndBufForce, &BUFFER)
}

/// As a socket for both families names it.
fn mapped(address: SocketAddr) -> SocketAddrV6 {
    let ip = match address.ip() {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    };
    SocketAddrV6::new(ip, address.port(), 0, 0)
}

const INTERFACE: &str = "plain0";
/// What the tunnels beside it use, so that TCP cuts its segments alike.
const MTU: u32 = 1420;
const LARGEST: usize = 65536;
/// Room for trains at either end of the socket, in bytes.
const BUFFER: usize = 4 << 20;
/// How often an end that carries nothing looks whether it is over.
const LOOK_UP: Duration = Duration::from_millis(LOOK_UP_MILLIS as u64);
const LOOK_UP_MILLIS: u16 = 100;
