//! The systems that a tunnel can be made of: one row each.

use std::fmt;
use std::str::FromStr;

use super::system::{Program, Running, Source, System};
use super::{boringtun, forwarder, gotatun, nebula, openvpn, stead, tinc, wireguard_go};
use crate::requirements::{Requirements, say_skipped, skip};

/// Makes the table: what a [`Driver`] is for users of the rig, and the row behind each.
macro_rules! systems {
    ($($(#[$attribute:meta])* $driver:ident => $system:expr,)+) => {
        /// Which tunnel.
        #[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
        pub enum Driver {
            $($(#[$attribute])* $driver,)+
        }

        impl Driver {
            /// Every one there is.
            pub const ALL: &'static [Self] = &[$(Self::$driver,)+];

            pub(super) const fn system(self) -> &'static System {
                match self {
                    $(Self::$driver => const { &$system },)+
                }
            }
        }
    };
}

systems! {
    /// The program of this repository.
    Stead => stead::AS_IT_IS,
    /// The same, told to keep nothing for a move: no ring of what was sent, no memory of TCP's numbers.
    SteadForgetful => stead::FORGETFUL,
    /// The same, with a plain WireGuard at the fixed host.
    SteadPlainPeer => stead::PLAIN_PEER,
    /// The same, told to use ChaCha20-Poly1305 and no AES.
    SteadChacha => stead::CHACHA,
    /// WireGuard in user space, from the distribution.
    WireguardGo => wireguard_go::SYSTEM,
    /// WireGuard in user space, from crates.io.
    Boringtun => boringtun::SYSTEM,
    /// WireGuard in user space, from crates.io: a younger relative of boringtun.
    Gotatun => gotatun::SYSTEM,
    /// An overlay of certificates and lighthouses, from the distribution.
    Nebula => nebula::SYSTEM,
    /// TLS and AES-256-GCM in user space, from the distribution.
    Openvpn => openvpn::SYSTEM,
    /// A mesh of the older kind, from the distribution.
    Tinc => tinc::SYSTEM,
    /// Packets in UDP datagrams as they are: no cryptography, no roaming.
    Forwarder => forwarder::PLAIN,
    /// The same, with each datagram sealed by AES-256-GCM: what cryptography alone leaves of that.
    ForwarderAes => forwarder::SEALING,
    /// None: the hosts speak to each other's real addresses.
    None => System { inside: &[], ..System::new("none", |_, _| Ok(Running::default())) },
}

impl Driver {
    /// What it is called on the command line and in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.system().name
    }

    /// Whether it is the program of this repository.
    #[must_use]
    pub const fn is_stead(self) -> bool {
        self.system().is_stead
    }

    /// The programs that must be installed for it.
    #[must_use]
    pub const fn programs(self) -> &'static [Program] {
        self.system().programs
    }

    /// Whether it can run here.
    ///
    /// # Errors
    /// The first program that is missing, as a sentence that tells how it is installed.
    pub fn check(self) -> Result<(), String> {
        if self.is_stead() {
            stead::program().map_err(|error| error.to_string())?;
        }
        self.programs().iter().try_for_each(Program::check)?;
        self.opposite().map(drop)
    }

    /// For tests: whether it can run here; if not, says so as [`skip`] does.
    ///
    /// # Panics
    /// If the environment says `STEAD_RIG=required` and more is missing than programs of crates.io, which take minutes to
    /// build.
    #[must_use]
    pub fn met(self, test: &str) -> bool {
        if !Requirements::met(test, &[]) {
            return false;
        }
        let Err(reason) = self.check() else { return true };
        let lacking = self.lacking();
        let is_built = |program: &&Program| matches!(program.source, Source::Crate { .. });
        match !lacking.is_empty() && lacking.iter().all(is_built) {
            true => say_skipped(test, &reason),
            false => skip(test, &reason),
        }
        false
    }

    /// The programs that are to be installed before it can run here.
    #[must_use]
    pub fn lacking(self) -> Vec<&'static Program> {
        let own = self.programs().iter().filter(|program| program.find().is_none());
        let opposite = self.system().opposite.first().filter(|_| self.opposite().is_err());
        own.chain(opposite.into_iter().flat_map(|driver| driver.lacking())).collect()
    }

    /// What the fixed host runs: the same, unless the row names others.
    pub(super) fn opposite(self) -> Result<Self, String> {
        let Some((first, others)) = self.system().opposite.split_first() else { return Ok(self) };
        let reason = match first.check() {
            Ok(()) => return Ok(*first),
            Err(reason) => reason,
        };
        others.iter().copied().find(|driver| driver.check().is_ok()).ok_or(reason)
    }
}

impl fmt::Display for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Driver {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.iter().copied().find(|driver| driver.name() == text).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|driver| driver.name()).collect();
            format!("`{text}` is no tunnel: expected one of {}", names.join(", "))
        })
    }
}

impl serde::Serialize for Driver {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_system_is_found_by_a_name_of_its_own() {
        for driver in Driver::ALL {
            assert_eq!(driver.name().parse(), Ok(*driver));
        }
    }

    #[test]
    fn what_lacks_nothing_can_run_and_nothing_else_can() {
        for driver in Driver::ALL.iter().filter(|driver| !driver.is_stead()) {
            let lacking = driver.lacking();
            assert_eq!(lacking.is_empty(), driver.check().is_ok(), "{driver}: {lacking:?}");
        }
    }

    #[test]
    fn a_name_that_is_none_is_answered_with_those_that_are() {
        let reason = "openbsd".parse::<Driver>().expect_err("there is none");
        assert!(reason.contains("`openbsd` is no tunnel") && reason.contains("wireguard-go"), "{reason}");
    }
}
