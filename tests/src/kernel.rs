//! What a host's kernel counts and knows, read inside its namespace.

use std::collections::BTreeSet;
use std::fs;

use stead_rig::{Host, RigError};

/// How many packets the host's kernel cut into fragments, both families together.
///
/// # Errors
/// If the host is gone.
pub fn fragmented(host: &Host) -> Result<u64, RigError> {
    Ok(counter(&read(host, "snmp")?, "Ip:", "FragCreates")
        + counter_v6(&read(host, "snmp6")?, "Ip6FragCreates"))
}

/// A count of the host's TCP, by its name in `/proc/net/snmp` or `/proc/net/netstat`; 0 if this kernel has none of it.
///
/// # Errors
/// If the host is gone.
pub fn tcp_count(host: &Host, name: &str) -> Result<u64, RigError> {
    let (basic, extended) = (read(host, "snmp")?, read(host, "netstat")?);
    Ok(find(&basic, "Tcp:", name).or_else(|| find(&extended, "TcpExt:", name)).unwrap_or(0))
}

/// How many packets the host gave to one of its interfaces.
///
/// # Errors
/// If the host is gone.
///
/// # Panics
/// If there is no such interface.
pub fn packets_into(host: &Host, interface: &str) -> Result<u64, RigError> {
    // Eight columns of what was received; then bytes sent, and packets.
    const PACKETS_SENT: usize = 9;
    let table = read(host, "dev")?;
    let figures = table.lines().find_map(|line| line.trim_start().strip_prefix(interface)?.strip_prefix(':'));
    let packets = figures.and_then(|figures| figures.split_whitespace().nth(PACKETS_SENT)?.parse().ok());
    Ok(packets.unwrap_or_else(|| panic!("no {interface} in\n{table}")))
}

/// Everything that a program could leave on a host: interfaces, routes and addresses. What the kernel does
/// for itself with link-local addresses, and when, is left out.
#[derive(Debug, Eq, PartialEq)]
pub struct Traces {
    interfaces: BTreeSet<String>,
    routes: BTreeSet<String>,
    addresses_v6: BTreeSet<String>,
}

impl Traces {
    /// Those that are there now.
    ///
    /// # Errors
    /// If the host is gone.
    pub fn of(host: &Host) -> Result<Self, RigError> {
        let interfaces = read(host, "dev")?;
        let names = interfaces.lines().filter_map(|line| Some(line.split_once(':')?.0.trim().to_owned()));
        let (v4, v6) = (read(host, "route")?, read(host, "ipv6_route")?);
        Ok(Self {
            interfaces: names.collect(),
            // Of the many columns: device, destination, gateway, metric and mask.
            routes: columns(&v4, &[0, 1, 2, 6, 7])
                // Destination and length, next hop, device.
                .chain(columns(&v6, &[0, 1, 4, 9]))
                .collect(),
            // Address, length and device.
            addresses_v6: columns(&read(host, "if_inet6")?, &[0, 2, 5]).collect(),
        })
    }
}

/// The chosen columns of each line of a table.
fn columns(table: &str, chosen: &[usize]) -> impl Iterator<Item = String> {
    let line = |line: &str| {
        let all: Vec<&str> = line.split_whitespace().collect();
        chosen.iter().filter_map(|column| all.get(*column).copied()).collect::<Vec<_>>().join(" ")
    };
    let kept: Vec<String> = table.lines().filter(|line| !line.starts_with("fe80")).map(line).collect();
    kept.into_iter()
}

fn read(host: &Host, table: &str) -> Result<String, RigError> {
    // Of this thread's namespace, not of the process'.
    let path = format!("/proc/thread-self/net/{table}");
    let doing = format!("{}: read {path}", host.name());
    host.call(move || fs::read_to_string(path))?.map_err(RigError::io(doing))
}

/// A value of /proc/net/snmp, where a line of names stands above a line of values.
fn counter(snmp: &str, protocol: &str, name: &str) -> u64 {
    find(snmp, protocol, name).expect("it is counted")
}

fn find(snmp: &str, protocol: &str, name: &str) -> Option<u64> {
    let mut lines = snmp.lines().filter(|line| line.starts_with(protocol));
    let (names, values) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let mut pairs = names.split_whitespace().zip(values.split_whitespace());
    pairs.find(|(found, _)| *found == name).and_then(|(_, value)| value.parse().ok())
}

/// A value of /proc/net/snmp6, where a name and a value stand on each line.
fn counter_v6(snmp6: &str, name: &str) -> u64 {
    let mut pairs = snmp6.lines().filter_map(|line| line.split_once(char::is_whitespace));
    pairs
        .find(|(found, _)| *found == name)
        .and_then(|(_, value)| value.trim().parse().ok())
        .expect("it is counted")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_found_by_name_in_both_layouts() {
        let snmp = "Ip: Forwarding FragOKs FragCreates\nIp: 1 0 12\nTcp: FragCreates\nTcp: 5\n";
        assert_eq!(counter(snmp, "Ip:", "FragCreates"), 12);
        assert_eq!(counter_v6("Ip6FragOKs   \t3\nIp6FragCreates   \t7\n", "Ip6FragCreates"), 7);
    }

    #[test]
    fn columns_of_use_and_link_local_lines_are_left_out() {
        let table = "fd77 40 00 0000 07 stead0\nfe80 40 00 0000 01 wlan0\n";
        assert_eq!(columns(table, &[0, 1, 5]).collect::<Vec<_>>(), ["fd77 40 stead0"]);
    }
}
