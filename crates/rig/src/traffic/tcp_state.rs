//! What the kernel knows about one TCP connection.

use std::io;
use std::mem;
use std::net::TcpStream;
use std::os::fd::AsRawFd as _;

/// A look at a connection's timers and counters (`TCP_INFO`).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, serde::Serialize)]
pub struct TcpState {
    /// The retransmission timeout in force, back-off included, in microseconds.
    pub rto_micros: u32,
    /// The smoothed round-trip time, in microseconds.
    pub rtt_micros: u32,
    /// How many timeouts in a row have doubled the retransmission timeout.
    pub backoff: u8,
    /// Segments sent again so far.
    pub retransmissions: u32,
    /// The largest segment it sends, in bytes.
    pub segment: u32,
}

impl TcpState {
    /// Asks the kernel about `stream`.
    ///
    /// # Errors
    /// What the kernel refused.
    pub fn of(stream: &TcpStream) -> io::Result<Self> {
        let known = tcp_info(stream)?;
        Ok(Self {
            rto_micros: known.tcpi_rto,
            rtt_micros: known.tcpi_rtt,
            backoff: known.tcpi_backoff,
            retransmissions: known.tcpi_total_retrans,
            segment: known.tcpi_snd_mss,
        })
    }
}

#[expect(unsafe_code, reason = "no safe binding reads TCP_INFO")]
fn tcp_info(stream: &TcpStream) -> io::Result<libc::tcp_info> {
    let mut length = size_of::<libc::tcp_info>() as libc::socklen_t;
    // SAFETY: `tcp_info` is a plain C structure of integers, for which zero is a value.
    let mut known: libc::tcp_info = unsafe { mem::zeroed() };
    // SAFETY: the descriptor is open while `stream` is borrowed, and the kernel writes at most `length`
    // bytes to `known`.
    let result = unsafe {
        libc::getsockopt(
            stream.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            (&raw mut known).cast(),
            &raw mut length,
        )
    };
    if result == 0 { Ok(known) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn an_open_connection_has_a_retransmission_timeout() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let state = TcpState::of(&stream).unwrap();
        assert!(state.rto_micros >= 1_000, "{state:?}");
        assert_eq!((state.backoff, state.retransmissions), (0, 0));
    }
}
