//! What `wg` says of a host's WireGuard, and how it is told something else.

use std::process::Command;

use stead_rig::{Host, Process, RigError};

use crate::command::{ip, write};
use crate::patience::{secs, within};

/// The interface of the other WireGuard.
pub const INTERFACE: &str = "wg0";

/// The line of `wg show wg0 dump` about the only peer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Dump {
    /// Its public key, base64.
    pub public_key: String,
    /// Where it was last heard, or is to be found.
    pub endpoint: String,
    /// When the last handshake completed, in seconds of the calendar; zero if none did.
    pub latest_handshake: u64,
    /// Bytes received from it, all of the message.
    pub received: u64,
    /// Bytes sent to it, all of the message.
    pub sent: u64,
    /// Seconds between keepalives, or `off`.
    pub persistent_keepalive: String,
}

impl Dump {
    /// Asks the host's `wg`.
    ///
    /// # Errors
    /// If `wg` fails.
    ///
    /// # Panics
    /// If it prints what it never did.
    pub fn of(host: &Host) -> Result<Self, RigError> {
        let text = host.output(wg(&["show", INTERFACE, "dump"]))?;
        Ok(Self::read(&text).unwrap_or_else(|| panic!("no peer in {text}")))
    }

    fn read(text: &str) -> Option<Self> {
        let columns: Vec<&str> = text.lines().nth(1)?.split('\t').collect();
        let [public_key, _shared, endpoint, _allowed, handshake, received, sent, keepalive] = columns[..]
        else {
            return None;
        };
        Some(Self {
            public_key: public_key.to_owned(),
            endpoint: endpoint.to_owned(),
            latest_handshake: handshake.parse().ok()?,
            received: received.parse().ok()?,
            sent: sent.parse().ok()?,
            persistent_keepalive: keepalive.to_owned(),
        })
    }
}

/// Gives the host's WireGuard another preshared key for its peer than it has.
///
/// # Errors
/// If `wg` fails.
pub fn change_preshared_key(host: &Host) -> Result<(), RigError> {
    let other = host.output(wg(&["genpsk"]))?;
    let file = write(host, "other.psk", other)?;
    let peer = Dump::of(host)?.public_key;
    host.output(wg(&["set", INTERFACE, "peer", &peer, "preshared-key", &file])).map(drop)
}

/// Gives the host's WireGuard the endpoint that it has, once more: wireguard-go goes on sending from an IPv4
/// address that is gone until somebody does, or until a handshake is due.
///
/// # Errors
/// If `wg` fails.
pub fn set_endpoint_again(host: &Host) -> Result<(), RigError> {
    let Dump { public_key, endpoint, .. } = Dump::of(host)?;
    host.output(wg(&["set", INTERFACE, "peer", &public_key, "endpoint", &endpoint])).map(drop)
}

/// Starts the host's wireguard-go again in stead of `quiet`, with all it can say in its log.
///
/// # Errors
/// If it does not start.
///
/// # Panics
/// If it never takes its settings.
pub fn restart_talkative(host: &Host, mut quiet: Process, addresses: &[&str]) -> Result<Process, RigError> {
    let settings = host.output(wg(&["showconf", INTERFACE]))?;
    let file = write(host, "kept.conf", settings)?;
    quiet.kill()?;
    host.call(|| std::fs::remove_file("/run/wireguard/wg0.sock").ok())?;
    let mut command = Command::new("wireguard-go");
    command.args(["-f", INTERFACE]).env("LOG_LEVEL", "verbose");
    let process = host.spawn(command)?;
    let taken = within(secs(10), || host.output(wg(&["setconf", INTERFACE, &file])).is_ok());
    assert!(taken, "wireguard-go takes no settings:\n{}", process.log());
    for address in addresses {
        ip(host, &format!("address add {address} dev {INTERFACE}"))?;
    }
    ip(host, &format!("link set {INTERFACE} mtu 1420 up"))?;
    Ok(process)
}

fn wg(arguments: &[&str]) -> Command {
    let mut command = Command::new("wg");
    command.args(arguments);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_read_from_the_second_line() {
        let text = "SECRET\tPUBLIC\t51820\toff\n\
                    PEER\t(none)\t198.18.0.10:51820\t10.77.0.2/32,fd77::2/128\t1754040000\t92\t180\t25\n";
        let dump = Dump::read(text).unwrap();
        assert_eq!((dump.public_key.as_str(), dump.endpoint.as_str()), ("PEER", "198.18.0.10:51820"));
        assert_eq!((dump.latest_handshake, dump.received, dump.sent), (1_754_040_000, 92, 180));
        assert_eq!(dump.persistent_keepalive, "25");
        assert_eq!(Dump::read("SECRET\tPUBLIC\t51820\toff\n"), None);
    }
}
