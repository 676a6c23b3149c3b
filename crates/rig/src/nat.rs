//! Network address translation on a network's router: the four kinds, and the loss of their memory.
//!
//! The kernel's connection tracking translates by connection, as RFC 4787's address and port-dependent mapping
//! does. What the other kinds have in common, one mapping for all destinations, is kept beside it, for UDP:
//!
//! ```text
//!                 mapped  inside address . port  → outside address . port     looked up by what leaves
//!                 owner   outside port           → inside address . port      looked up by what enters,
//!                 contacted  remote address . outside port                    if the filter lets it in
//! ```
//!
//! A first datagram keeps its port if no other host has it, as most home routers do, and is written down after
//! the translation. Every datagram that leaves renews what is written.

mod conntrack;

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::error::RigError;
use crate::namespace::Inside;
use crate::scenario::Nat;

/// Which outside port a new mapping gets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Ports {
    /// The inside port where it is free, as most home routers do.
    Kept,
    /// Any other: what a mapping looks like after the router forgot the first one.
    Random,
}

/// The first rule of what leaves and what enters, in the words of `nft`.
struct Rules<'a> {
    uplink: &'a str,
    nat: Nat,
    ports: Ports,
    expiry: Duration,
}

impl Inside {
    /// Translates what leaves through `uplink`, with an empty memory.
    pub(crate) fn translate(
        &self,
        uplink: &str,
        nat: Nat,
        ports: Ports,
        expiry: Duration,
    ) -> Result<(), RigError> {
        // While it forgets nothing passes: what left by an old connection would be written down as a new mapping.
        self.nft(
            "table inet forgetting {\nchain nothing {\ntype filter hook forward priority -400\npolicy drop\n}\n}\n",
        )?;
        self.nft(&Rules { uplink, nat, ports, expiry }.table())?;
        self.expire_mappings_after(expiry)?;
        self.flush_connections()?;
        self.nft("delete table inet forgetting\n")
    }

    fn nft(&self, rules: &str) -> Result<(), RigError> {
        let spawn = |source| RigError::Spawn {
            host: self.name().to_owned(),
            program: "nft (Debian: apt-get install nftables)".to_owned(),
            source,
        };
        let mut child = Command::new("nft")
            .args(["-f", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(spawn)?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(rules.as_bytes()).map_err(spawn)?;
        }
        let output = child.wait_with_output().map_err(spawn)?;
        if output.status.success() {
            return Ok(());
        }
        Err(RigError::Failed {
            host: self.name().to_owned(),
            program: "nft".to_owned(),
            status: output.status.to_string(),
            output: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }
}

impl Rules<'_> {
    /// Replaces whatever stood there, memory included.
    fn table(&self) -> String {
        let uplink = self.uplink;
        format!(
            "table inet rig {{}}\ndelete table inet rig\n\
             table inet rig {{\n\
             {memory}\
               chain translate {{ type nat hook postrouting priority 100;\n{outward}}}\n\
               chain remember {{ type filter hook postrouting priority 101;\n{remember}}}\n\
               chain enter {{ type nat hook prerouting priority -100;\n{inward}}}\n\
               chain filter {{ type filter hook forward priority 0; iifname \"{uplink}\" meta nfproto ipv4 ct status dnat accept; iifname \"{uplink}\" meta nfproto ipv4 ct state new,invalid drop; }}\n\
               chain own {{ type filter hook input priority 0; iifname \"{uplink}\" meta l4proto {{ tcp, udp }} ct state new,invalid drop; }}\n\
             }}\n",
            memory = self.memory(),
            outward = self.outward(),
            remember = self.remember(),
            inward = self.inward(),
        )
    }

    fn memory(&self) -> String {
        let limits = format!("flags dynamic,timeout; size 65536; timeout {}s;", self.expiry.as_secs().max(1));
        format!(
            "map mapped {{ type ipv4_addr . inet_service : ipv4_addr . inet_service; {limits} }}\n\
             map owner {{ type inet_service : ipv4_addr . inet_service; {limits} }}\n\
             set taken {{ type inet_service; {limits} }}\n\
             set contacted {{ type ipv4_addr . inet_service; {limits} }}\n"
        )
    }

    fn outward(&self) -> String {
        let leaving = format!("oifname \"{}\" meta nfproto ipv4", self.uplink);
        let random = "masquerade to :20000-60000 fully-random";
        let udp = match (self.nat, self.ports) {
            (Nat::Symmetric, _) => String::new(),
            (_, Ports::Kept) => format!("{leaving} meta l4proto udp udp sport @taken {random}\n"),
            (_, Ports::Random) => format!("{leaving} meta l4proto udp {random}\n"),
        };
        let rest = match (self.nat, self.ports) {
            (Nat::Symmetric, _) | (_, Ports::Random) => {
                format!("{leaving} meta l4proto {{ tcp, udp }} {random}\n")
            }
            (_, Ports::Kept) => String::new(),
        };
        format!(
            "{leaving} meta l4proto udp snat ip to ip saddr . udp sport map @mapped\n{udp}{rest}{leaving} masquerade\n"
        )
    }

    /// What a mapping that does not depend on the destination must know; a symmetric NAT knows nothing.
    fn remember(&self) -> String {
        if self.nat == Nat::Symmetric {
            return String::new();
        }
        let leaving = format!("oifname \"{}\" meta nfproto ipv4 meta l4proto udp", self.uplink);
        let inside = "ct original ip saddr . ct original proto-src";
        // What answers a datagram that was let in has the remote end as its origin, and teaches nothing.
        format!(
            "{leaving} ct direction original update @mapped {{ {inside} : ip saddr . udp sport }}\n\
             {leaving} ct direction original update @owner {{ udp sport : {inside} }}\n\
             {leaving} update @taken {{ udp sport }}\n\
             {leaving} update @contacted {{ ip daddr . udp sport }}\n"
        )
    }

    /// RFC 4787 §5: what is let in that does not belong to a connection.
    fn inward(&self) -> String {
        let entering = format!("iifname \"{}\" meta nfproto ipv4 meta l4proto udp", self.uplink);
        let owner = "dnat ip to udp dport map @owner";
        match self.nat {
            Nat::FullCone => format!("{entering} {owner}\n"),
            Nat::AddressRestricted => format!("{entering} ip saddr . udp dport @contacted {owner}\n"),
            // Connection tracking lets in what answers, and that is all.
            Nat::PortRestricted | Nat::Symmetric | Nat::None => String::new(),
        }
    }
}
