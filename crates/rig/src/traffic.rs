//! Traffic between two hosts, as applications make it, and what the receiving application saw.
//!
//! Every kind is started, runs on threads inside the hosts, and ends in a report that serialises. A
//! connection that breaks is a verdict ([`Outcome`]), never a panic.

pub mod bulk;
pub mod datagrams;
pub mod flood;
pub mod keystrokes;
pub mod outcome;
mod pace;
mod patient;
mod pattern;
pub mod round_trip;
pub mod tcp_state;
pub mod ticker;
pub mod timeline;
pub mod volley;

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use nix::sys::socket::{setsockopt, sockopt};
use nix::sys::time::{TimeVal, TimeValLike as _};

use crate::error::RigError;
use crate::host::Host;

pub use bulk::{Bulk, BulkReport, BulkRun, Length};
pub use datagrams::{Datagrams, DatagramsReport, DatagramsRun};
pub use flood::{Flood, FloodReport, FloodRun};
pub use keystrokes::Keystrokes;
pub use outcome::Outcome;
pub use round_trip::{Probe, RoundTrips};
pub use tcp_state::TcpState;
pub use ticker::{Ticker, TickerReport, TickerRun};
pub use timeline::{Gap, Stall, Timeline};
pub use volley::search::{RateFound, highest_rate};
pub use volley::{Range, Volley, VolleyReport};

/// Two hosts, and the address under which the first reaches the second.
#[derive(Clone, Debug)]
pub struct Line {
    /// The host that connects.
    pub client: Host,
    /// The host that is connected to.
    pub server: Host,
    /// The server's address as the client dials it.
    pub address: IpAddr,
}

/// Which way the payload flows over a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// The server sends, the client receives: a download.
    ToClient,
    /// The client sends, the server receives: an upload.
    ToServer,
}

impl Line {
    /// A listener on the server, on a port of the kernel's choice.
    pub(crate) fn listen(&self) -> Result<(TcpListener, SocketAddr), RigError> {
        let wanted = SocketAddr::new(self.address, 0);
        let doing = format!("{}: listen on {wanted}", self.server.name());
        self.server
            .call(move || {
                let listener = TcpListener::bind(wanted)?;
                let bound = listener.local_addr()?;
                Ok((listener, bound))
            })?
            .map_err(RigError::io(doing))
    }

    /// A connection from the client to the server: the client's end, then the server's.
    pub(crate) fn connect(&self) -> Result<(TcpStream, TcpStream), RigError> {
        let (listener, target) = self.listen()?;
        let doing = format!("{}: connect to {target}", self.client.name());
        let dialled = self.client.run(move || TcpStream::connect_timeout(&target, CONNECT_PATIENCE))?;
        let client = dialled.join()?.map_err(RigError::io(doing.clone()))?;
        // The client has connected, so the other end is ready or is about to be.
        let patience = TimeVal::seconds(CONNECT_PATIENCE.as_secs().cast_signed());
        setsockopt(&listener, sockopt::ReceiveTimeout, &patience)
            .map_err(|error| RigError::Io { doing: doing.clone(), source: error.into() })?;
        let (server, _) = listener.accept().map_err(RigError::io(doing))?;
        Ok((client, server))
    }
}

/// Whether an error only says that nothing came or went within the time given.
pub(crate) fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
        && error.raw_os_error() != Some(libc::ETIMEDOUT)
}

/// How long a connection may take to open; a tunnel's first handshake is part of it.
const CONNECT_PATIENCE: Duration = Duration::from_secs(15);
/// How often a thread that waits looks whether it should stop.
pub(crate) const LOOK_UP: Duration = Duration::from_millis(50);
