//! Sends datagrams, many of one length at a time.

use core::net::{IpAddr, SocketAddr};
use std::io;
use std::net::UdpSocket;
use std::sync::Arc;

use quinn_udp::{Transmit, UdpSockRef, UdpSocketState, is_msg_size_err};
use tracing::debug;

use super::{Egress, UdpSockets, fresh_state, platform};
use crate::drops::IoDrop;

/// Most bytes that go out with one system call: the largest UDP payload over IPv4.
pub const LONGEST_BATCH: usize = 65_507;

/// Datagrams for one remote.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    /// Where to.
    pub remote: SocketAddr,
    /// From which local address; `None` leaves the choice to the system's routes.
    pub local: Option<IpAddr>,
    /// One datagram after the other, [`LONGEST_BATCH`] bytes at most.
    pub datagrams: &'a [u8],
    /// Length of each datagram but the last, which may be shorter.
    pub stride: usize,
}

impl<'a> Outgoing<'a> {
    /// A single datagram.
    #[must_use]
    pub const fn single(remote: SocketAddr, local: Option<IpAddr>, datagram: &'a [u8]) -> Self {
        Self { remote, local, datagrams: datagram, stride: datagram.len() }
    }

    pub(super) const fn is_single(&self) -> bool {
        self.stride >= self.datagrams.len()
    }

    fn each(self) -> impl Iterator<Item = Self> {
        self.datagrams.chunks(self.stride.max(1)).map(move |one| Self::single(self.remote, self.local, one))
    }
}

/// Why datagrams did not go out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SendError {
    /// The system takes no more now, and took nothing of these: wait until the [socket](Sender::socket) is writable.
    Full,
    /// They are lost (of several, at least one), which harms nothing but them.
    Lost(IoDrop),
}

/// The sending end of both sockets. Each worker has its own.
#[derive(Debug)]
pub struct Sender {
    v4: Option<Outlet>,
    v6: Option<Outlet>,
    /// Where segmentation offload failed last; it is tried again once datagrams go elsewhere.
    unsegmented: Option<(SocketAddr, Option<IpAddr>)>,
    egress: Arc<Egress>,
}

#[derive(Debug)]
struct Outlet {
    socket: UdpSocket,
    state: UdpSocketState,
}

impl Sender {
    /// A sender on its own descriptors of the sockets.
    ///
    /// # Errors
    /// What the system reports when it cannot duplicate them.
    pub fn new(sockets: &UdpSockets) -> io::Result<Self> {
        let outlet = |socket: &UdpSocket| -> io::Result<Outlet> {
            let socket = socket.try_clone()?;
            Ok(Outlet { state: fresh_state(&socket)?, socket })
        };
        Ok(Self {
            v4: sockets.v4.as_ref().map(outlet).transpose()?,
            v6: sockets.v6.as_ref().map(outlet).transpose()?,
            unsegmented: None,
            egress: sockets.egress(),
        })
    }

    /// How many datagrams for `remote` may go out with one system call.
    #[must_use]
    pub fn most_segments(&self, remote: SocketAddr) -> usize {
        self.outlet(remote).map_or(1, |outlet| outlet.state.max_gso_segments()).max(1)
    }

    /// Sends without waiting.
    ///
    /// A source address that has vanished is left to the system's choice; datagrams that cannot go out
    /// together go one by one.
    ///
    /// # Errors
    /// See [`SendError`]. None is fatal for the socket.
    pub fn try_send(&mut self, outgoing: Outgoing<'_>) -> Result<(), SendError> {
        let place = (outgoing.remote, outgoing.local);
        if outgoing.is_single() {
            return self.send_at_once(outgoing).map_err(|error| reason(&error, outgoing));
        }
        if self.unsegmented == Some(place) {
            return self.send_one_by_one(outgoing);
        }
        match self.send_at_once(outgoing) {
            Ok(()) => Ok(()),
            Err(error) if platform::segmentation_failed(&error) => {
                debug!(remote = %outgoing.remote, %error, "Datagrams to this place go one by one");
                self.unsegmented = Some(place);
                self.renew(outgoing.remote);
                self.send_one_by_one(outgoing)
            }
            Err(error) => Err(reason(&error, outgoing)),
        }
    }

    /// Sends a single datagram that nobody may cut: it is lost where it is too long. With it the option of the socket
    /// is changed, for all its senders, for the moment that it takes.
    ///
    /// # Errors
    /// See [`SendError`].
    pub fn try_send_whole(&mut self, outgoing: Outgoing<'_>) -> Result<(), SendError> {
        self.set_fragments(outgoing.remote, false);
        let sent = self.send_at_once(outgoing).map_err(|error| reason(&error, outgoing));
        self.set_fragments(outgoing.remote, true);
        sent
    }

    /// The longest IP packet to `remote` that this host believes to arrive whole, where it can be asked. Anybody may
    /// have told it.
    #[must_use]
    pub fn believed_mtu(remote: SocketAddr, local: Option<IpAddr>) -> Option<usize> {
        platform::believed_mtu(remote, local)
    }

    fn set_fragments(&self, remote: SocketAddr, allowed: bool) {
        if let Some(outlet) = self.outlet(remote)
            && let Err(error) = platform::set_fragments(&outlet.socket, allowed)
        {
            debug!(%error, allowed, "Fragmentation stays as it was");
        }
    }

    /// The socket that datagrams to `remote` leave through.
    #[must_use]
    pub fn socket(&self, remote: SocketAddr) -> Option<&UdpSocket> {
        self.outlet(remote).map(|outlet| &outlet.socket)
    }

    /// As many as the system takes: if it takes some and then no more, the others are lost, as they would be
    /// in a full queue further on.
    fn send_one_by_one(&mut self, outgoing: Outgoing<'_>) -> Result<(), SendError> {
        for (index, one) in outgoing.each().enumerate() {
            match self.send_at_once(one).map_err(|error| reason(&error, one)) {
                Err(SendError::Full) if index > 0 => return Err(SendError::Lost(IoDrop::SendBufferFull)),
                settled => settled?,
            }
        }
        Ok(())
    }

    /// One system call; a second one without the source address if that has vanished.
    fn send_at_once(&mut self, outgoing: Outgoing<'_>) -> io::Result<()> {
        let Some(outlet) = self.outlet(outgoing.remote) else {
            return Err(io::Error::from(io::ErrorKind::Unsupported));
        };
        let through = outgoing.local.and_then(|local| Some((local, self.egress.interface(local)?)));
        let sent = match through {
            Some((local, interface)) => platform::send_through(&outlet.socket, outgoing, local, interface),
            None => outlet.send(outgoing, outgoing.local),
        };
        match sent {
            Err(error) if outgoing.local.is_some() && source_vanished(&error) => {
                outlet.send(outgoing, None)?;
                debug!(source = ?outgoing.local, remote = %outgoing.remote, "Source address has vanished");
                self.renew(outgoing.remote);
                Ok(())
            }
            settled => settled,
        }
    }

    fn outlet(&self, remote: SocketAddr) -> Option<&Outlet> {
        if remote.is_ipv4() { self.v4.as_ref() } else { self.v6.as_ref() }
    }

    /// Looks at the socket anew: quinn-udp takes the error of a vanished source for a kernel without
    /// segmentation, and would never segment again.
    fn renew(&mut self, remote: SocketAddr) {
        let outlet = if remote.is_ipv4() { self.v4.as_mut() } else { self.v6.as_mut() };
        if let Some(outlet) = outlet
            && let Ok(state) = fresh_state(&outlet.socket)
        {
            outlet.state = state;
        }
    }
}

impl Outlet {
    fn send(&self, outgoing: Outgoing<'_>, local: Option<IpAddr>) -> io::Result<()> {
        let transmit = Transmit {
            destination: outgoing.remote,
            ecn: None,
            contents: outgoing.datagrams,
            segment_size: (!outgoing.is_single()).then_some(outgoing.stride),
            src_ip: local,
        };
        self.state.try_send(UdpSockRef::from(&self.socket), &transmit)
    }
}

/// Which of these it is depends on the family and the kernel's version; Linux 6 says "unreachable" for IPv4.
fn source_vanished(error: &io::Error) -> bool {
    use io::ErrorKind;
    matches!(
        error.kind(),
        ErrorKind::InvalidInput | ErrorKind::AddrNotAvailable | ErrorKind::NetworkUnreachable
    )
}

fn reason(error: &io::Error, outgoing: Outgoing<'_>) -> SendError {
    use io::ErrorKind;
    SendError::Lost(match error.kind() {
        ErrorKind::WouldBlock => return SendError::Full,
        ErrorKind::NetworkUnreachable | ErrorKind::HostUnreachable | ErrorKind::NetworkDown => {
            IoDrop::Unreachable
        }
        // No address of the remote's family to send from: the same as no route.
        ErrorKind::AddrNotAvailable => IoDrop::Unreachable,
        ErrorKind::PermissionDenied => IoDrop::SendForbidden,
        ErrorKind::Unsupported => IoDrop::NoSocketOfFamily,
        _ if is_msg_size_err(error) => IoDrop::DatagramTooBig,
        _ => {
            debug!(remote = %outgoing.remote, local = ?outgoing.local, %error, "Datagram not sent");
            IoDrop::SendFailed
        }
    })
}
