//! What each program of a scenario is told, in its own configuration's words.

use std::env;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::address::Family;
use crate::scenario::Role;

/// A key, and the addresses that belong to whoever has it.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    pub(super) secret: String,
    pub(super) public: String,
    /// The virtual address derived from the key.
    pub(super) derived: IpAddr,
    /// The last part of its IPv4 address inside.
    pub(super) number: u8,
}

impl Identity {
    /// Its virtual address of a family.
    pub(super) const fn address(&self, family: Family) -> IpAddr {
        match family {
            Family::V4 => IpAddr::V4(Ipv4Addr::new(10, 77, 0, self.number)),
            Family::V6 => self.derived,
        }
    }

    /// All its virtual addresses, as prefixes of one address each.
    pub(super) fn prefixes(&self) -> [String; 2] {
        [format!("{}/32", self.address(Family::V4)), format!("{}/128", self.derived)]
    }
}

/// What a host knows of another.
#[derive(Clone, Debug)]
pub(super) struct Acquaintance {
    pub(super) name: String,
    pub(super) role: Role,
    pub(super) identity: Identity,
    pub(super) endpoints: Vec<SocketAddr>,
}

/// All that a host's program is told.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) role: Role,
    pub(super) identity: Identity,
    pub(super) known: Vec<Acquaintance>,
}

impl Plan {
    /// A node's configuration.
    pub(super) fn node(&self, socket: &str, key_file: &str) -> String {
        let mut text = format!(
            "interface: {INTERFACE}\n\
             private_key_file: {key_file}\n\
             listen_port: {PORT}\n\
             addresses: [\"{}/24\"]\n\
             control_socket: {socket}\n\
             state_directory: state\n\
             log: {}\n",
            self.identity.address(Family::V4),
            log_level(),
        );
        let (services, peers): (Vec<_>, Vec<_>) =
            self.known.iter().partition(|other| matches!(other.role, Role::Sns { .. }));
        if !services.is_empty() {
            text += "services:\n";
        }
        for service in services {
            text += &format!("  {}:\n    public_key: \"{}\"\n", service.name, service.identity.public);
            text += &format!("    endpoints: {:?}\n", texts(&service.endpoints));
        }
        if !peers.is_empty() {
            text += "peers:\n";
        }
        for peer in peers {
            text += &format!("  {}:\n    public_key: \"{}\"\n", peer.name, peer.identity.public);
            text += &format!("    allowed_ips: [\"{}\"]\n", peer.identity.prefixes()[0]);
            if !peer.endpoints.is_empty() {
                text += &format!("    endpoints: {:?}\n", texts(&peer.endpoints));
            }
        }
        text
    }

    /// A service's configuration.
    pub(super) fn service(window: Duration, relay: bool, socket: &str, key_file: &str) -> String {
        format!(
            "private_key_file: {key_file}\n\
             listen_port: {PORT}\n\
             control_socket: {socket}\n\
             window: {}ms\n\
             {}log: {}\n",
            window.as_millis(),
            if relay { "" } else { "relay: off\n" },
            log_level(),
        )
    }

    /// What `wg setconf` reads.
    pub(super) fn wireguard(&self) -> String {
        let mut text = format!("[Interface]\nPrivateKey = {}\nListenPort = {PORT}\n", self.identity.secret);
        for peer in &self.known {
            let [v4, v6] = peer.identity.prefixes();
            text += &format!("[Peer]\nPublicKey = {}\nAllowedIPs = {v4}, {v6}\n", peer.identity.public);
            if let Some(endpoint) = peer.endpoints.first() {
                text += &format!("Endpoint = {endpoint}\n");
            }
        }
        text
    }
}

fn texts(endpoints: &[SocketAddr]) -> Vec<String> {
    endpoints.iter().map(SocketAddr::to_string).collect()
}

/// `STEAD_RIG_LOG` asks for more when a failure is looked into.
fn log_level() -> String {
    env::var("STEAD_RIG_LOG").unwrap_or_else(|_| "info".to_owned())
}

/// The port that every program of a scenario listens on.
pub(super) const PORT: u16 = 51820;
pub(super) const INTERFACE: &str = "stead0";

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(number: u8) -> Identity {
        Identity {
            secret: "SECRET".to_owned(),
            public: format!("KEY{number}"),
            derived: format!("fd73::{number}").parse().unwrap(),
            number,
        }
    }

    #[test]
    fn a_node_is_told_keys_and_the_services_endpoints_and_nothing_else() {
        let known = |name: &str, role, number, endpoints: &[&str]| Acquaintance {
            name: name.to_owned(),
            role,
            identity: identity(number),
            endpoints: endpoints.iter().map(|text| text.parse().unwrap()).collect(),
        };
        let service = Role::Sns { window: Duration::from_secs(1), relay: true };
        let plan = Plan {
            role: Role::Node,
            identity: identity(1),
            known: vec![known("b", Role::Node, 2, &[]), known("s", service, 3, &["10.4.0.10:51820"])],
        };
        let text = plan.node("/run/x.sock", "private.key");
        assert!(
            text.ends_with(
                "services:
  s:
    public_key: \"KEY3\"
    endpoints: [\"10.4.0.10:51820\"]
peers:
  b:
    public_key: \"KEY2\"
    allowed_ips: [\"10.77.0.2/32\"]
"
            ),
            "{text}"
        );
        assert!(!text.contains("SECRET"), "{text}");
    }
}
