//! What a network is to be, before it is built.

use std::time::Duration;

use crate::scenario::{Link, Nat};

/// What a network offers to the hosts on it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct NetworkPlan {
    pub(super) v4: Option<String>,
    pub(super) v6: Option<String>,
    pub(super) nat: Option<Nat>,
    pub(super) expiry: Option<Duration>,
    pub(super) mtu: Option<u32>,
    pub(super) link: Option<Link>,
}

impl NetworkPlan {
    /// Public addresses of `prefix` alone, IPv4 or IPv6.
    #[must_use]
    pub fn public(prefix: &str) -> Self {
        Self::default().and(prefix)
    }

    /// Private IPv4 addresses behind a port-restricted NAT.
    #[must_use]
    pub fn behind_nat(prefix: &str) -> Self {
        Self::default().and(prefix).nat(Nat::PortRestricted)
    }

    /// A further prefix, of the other family.
    #[must_use]
    pub fn and(mut self, prefix: &str) -> Self {
        let slot = if prefix.contains(':') { &mut self.v6 } else { &mut self.v4 };
        *slot = Some(prefix.to_owned());
        self
    }

    /// What stands between its IPv4 addresses and the internet.
    #[must_use]
    pub const fn nat(mut self, nat: Nat) -> Self {
        self.nat = Some(nat);
        self
    }

    /// How long an idle mapping of the NAT lasts, in whole seconds; five minutes unless told.
    #[must_use]
    pub const fn expiry(mut self, expiry: Duration) -> Self {
        self.expiry = Some(expiry);
        self
    }

    /// How its line to the internet is in the beginning. Without it the line is a bare cable for good, with
    /// neither delay nor loss, which the kernel alone serves.
    #[must_use]
    pub const fn link(mut self, link: Link) -> Self {
        self.link = Some(link);
        self
    }

    /// The MTU of every link in it; 1500 unless told.
    #[must_use]
    pub const fn mtu(mut self, mtu: u32) -> Self {
        self.mtu = Some(mtu);
        self
    }
}
