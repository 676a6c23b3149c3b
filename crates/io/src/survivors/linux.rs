//! Linux: the kernel's tables of TCP sockets, as `proc(5)` describes them.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::fs;

/// One table per family. A thread's own, since it may be in another network namespace than its process.
const TABLES: [&str; 2] = ["/proc/thread-self/net/tcp", "/proc/thread-self/net/tcp6"];

/// States of a connection in which either end may still have something to say, as the kernel numbers them:
/// established, FIN-WAIT-1, FIN-WAIT-2, CLOSE-WAIT and CLOSING.
const ALIVE: [&str; 5] = ["01", "04", "05", "08", "0B"];

/// Both ends of every connection, our own first.
pub(super) fn connections() -> impl Iterator<Item = (SocketAddr, SocketAddr)> {
    let tables = TABLES.iter().filter_map(|path| fs::read_to_string(path).ok());
    tables.flat_map(|table| table.lines().filter_map(connection).collect::<Vec<_>>())
}

/// A line of a table: number, local and remote end, state, and what does not matter here.
fn connection(line: &str) -> Option<(SocketAddr, SocketAddr)> {
    let mut words = line.split_whitespace().skip(1);
    let (local, remote, state) = (words.next()?, words.next()?, words.next()?);
    if !ALIVE.contains(&state) {
        return None;
    }
    Some((end(local)?, end(remote)?))
}

/// An end, such as `0100007F:1F90`: the address word by word as it lies in memory, then the port.
fn end(end: &str) -> Option<SocketAddr> {
    let (digits, port) = end.split_once(':')?;
    Some(SocketAddr::new(address(digits)?, u16::from_str_radix(port, 16).ok()?))
}

fn address(digits: &str) -> Option<IpAddr> {
    let words = (0..digits.len() / 8).map(|at| u32::from_str_radix(digits.get(at * 8..at * 8 + 8)?, 16).ok());
    let bytes =
        words.collect::<Option<Vec<u32>>>()?.into_iter().flat_map(u32::to_ne_bytes).collect::<Vec<u8>>();
    if let Ok(v4) = <[u8; 4]>::try_from(bytes.as_slice()) {
        return Some(Ipv4Addr::from(v4).into());
    }
    let v6 = <[u8; 16]>::try_from(bytes.as_slice()).ok()?;
    Some(IpAddr::from(Ipv6Addr::from(v6)).to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn both_ends_of_a_connection_are_read_in_either_family() {
        let v4 = "   1: 01004D0A:A1B2 02004D0A:1F90 01 00000000:00000000 00:00000000 00000000 0 0 7 1";
        let ends = connection(v4).unwrap();
        assert_eq!(ends, ("10.77.0.1:41394".parse().unwrap(), "10.77.0.2:8080".parse().unwrap()));
        let v6 = "   0: 000077FD000000000000000001000000:1F90 000077FD000000000000000002000000:A1B2 01 0:0 0";
        assert_eq!(
            connection(v6),
            Some(("[fd77::1]:8080".parse().unwrap(), "[fd77::2]:41394".parse().unwrap()))
        );
        let mapped =
            "0: 0000000000000000FFFF000001004D0A:A1B2 0000000000000000FFFF000002004D0A:1F90 08 0:0 0";
        assert_eq!(connection(mapped), Some(ends));
    }

    #[test]
    fn who_only_listens_or_has_nothing_more_to_say_has_no_connection() {
        for state in ["0A", "06", "07"] {
            assert_eq!(connection(&format!("1: 01004D0A:A1B2 02004D0A:1F90 {state} 0:0 00:0")), None);
        }
        for torn in ["", "  sl  local_address rem_address   st", "1: 0100:1 0200:2 01", "1: 01004D0A:A1B2"] {
            assert_eq!(connection(torn), None, "{torn}");
        }
    }

    #[test]
    fn a_connection_of_this_process_is_found_in_the_kernels_tables() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();

        let ends = (stream.local_addr().unwrap(), stream.peer_addr().unwrap());
        assert!(connections().any(|found| found == ends));
        let found = super::super::of(&[Ipv4Addr::LOCALHOST.into()]);
        assert!(found.iter().any(|found| (found.local, found.remote) == ends));
        assert_eq!(super::super::of(&["192.0.2.9".parse().unwrap()]), Vec::new());
    }
}
