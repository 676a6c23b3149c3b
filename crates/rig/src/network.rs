//! A network: a router with a bridge for its hosts and a line to the internet.

mod line;
mod plan;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::address::{Family, Prefix};
use crate::error::RigError;
use crate::namespace::Namespace;
use crate::nat::Ports;
use crate::netlink::Route;
use crate::scenario::{Attack, Link, Nat};
use crate::sysctl::Settings;
use crate::uplink::Uplink;
use line::Line;
pub(crate) use line::MOST_NETWORKS;
pub use plan::NetworkPlan;

/// A network in a world; cheap to clone, every clone is the same network.
#[derive(Clone, Debug)]
pub struct Network(Arc<Inner>);

impl Network {
    /// Builds the router and joins it to `internet` by the line `number`.
    pub(crate) fn build(
        internet: &Arc<Namespace>,
        name: &str,
        number: u8,
        plan: &NetworkPlan,
    ) -> Result<Self, RigError> {
        let v4 = plan.v4.as_deref().map(str::parse).transpose()?;
        let v6 = plan.v6.as_deref().map(str::parse).transpose()?;
        let wrong = |reason| RigError::Plan { network: name.to_owned(), reason };
        if v4.is_none() && v6.is_none() {
            return Err(wrong("has no prefix"));
        }
        let nat = plan.nat.unwrap_or(Nat::None);
        if nat.translates() && v4.is_none() {
            return Err(wrong("only IPv4 can be behind a NAT"));
        }
        let router = Namespace::new(name, Settings { forwards: true, ..Settings::default() })?;
        let mut network = Inner {
            name: name.to_owned(),
            line: Line { number },
            internet: Arc::clone(internet),
            router: Arc::new(router),
            v4,
            v6,
            nat,
            expiry: plan.expiry.unwrap_or(EXPIRY),
            mtu: plan.mtu.unwrap_or(DEFAULT_MTU),
            uplink: None,
            leases: Mutex::default(),
        };
        network.make_inside()?;
        network.uplink = network.lay_line(plan.link)?;
        network.join()?;
        if nat.translates() {
            network.translate(Ports::Kept)?;
        }
        Ok(Self(Arc::new(network)))
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Whether it has addresses of `family` for its hosts.
    #[must_use]
    pub fn offers(&self, family: Family) -> bool {
        match family {
            Family::V4 => self.0.v4.is_some(),
            Family::V6 => self.0.v6.is_some(),
        }
    }

    /// Whether its hosts sit behind a NAT.
    #[must_use]
    pub fn is_translated(&self) -> bool {
        self.0.nat.translates()
    }

    /// What it is, for people: `private IPv4 behind NAT`, `IPv6 only`, …
    #[must_use]
    pub fn character(&self) -> &'static str {
        match (self.0.v4.is_some(), self.0.v6.is_some(), self.0.nat.translates()) {
            (true, false, true) => "private IPv4 behind NAT",
            (true, false, false) => "public IPv4",
            (true, true, true) => "private IPv4 behind NAT, IPv6",
            (true, true, false) => "public IPv4 and IPv6",
            (false, _, _) => "IPv6 only",
        }
    }

    /// Gives `host` the address with this number from now on, for instance one that another host left.
    pub fn reserve(&self, host: &str, number: u32) {
        self.leases().insert(host.to_owned(), number);
    }

    /// Gives `host` the address that `former` had here, from the next time it comes; `former` gets another.
    pub fn hand_over(&self, former: &str, host: &str) {
        let mut leases = self.leases();
        if let Some(number) = leases.remove(former) {
            leases.insert(host.to_owned(), number);
        }
    }

    /// Forgets every NAT mapping and gives new ones other ports: to a peer outside, a host's datagrams
    /// suddenly come from another port of the same address.
    ///
    /// # Errors
    /// [`RigError::Plan`] if there is no NAT; else what `nft` or the kernel said.
    pub fn rebind_nat(&self) -> Result<(), RigError> {
        self.0.translate(Ports::Random)
    }

    /// Forgets every NAT mapping, as a router does that restarts: nothing is let in until something left.
    ///
    /// # Errors
    /// As [`rebind_nat`](Self::rebind_nat).
    pub fn reboot_nat(&self) -> Result<(), RigError> {
        self.0.translate(Ports::Kept)
    }

    /// How its line to the internet is now.
    ///
    /// # Errors
    /// [`RigError::Plan`] if it was made a bare cable.
    pub fn link(&self) -> Result<Link, RigError> {
        Ok(self.0.emulated()?.link())
    }

    /// Makes its line to the internet better or worse; what is under way arrives as it would have.
    ///
    /// # Errors
    /// [`RigError::Plan`] if it was made a bare cable.
    pub fn set_link(&self, link: Link) -> Result<(), RigError> {
        self.0.emulated()?.set_link(link);
        Ok(())
    }

    /// Has somebody on its line to the internet interfere for so long.
    ///
    /// # Errors
    /// [`RigError::Plan`] if it was made a bare cable.
    pub fn attack(&self, attack: Attack, lasts: Duration) -> Result<(), RigError> {
        self.0.emulated()?.attack(attack, lasts);
        Ok(())
    }

    pub(crate) fn router(&self) -> &Arc<Namespace> {
        &self.0.router
    }

    pub(crate) fn mtu(&self) -> u32 {
        self.0.mtu
    }

    /// The addresses of `host` here: the same whenever it comes back, unless another is reserved.
    pub(crate) fn lease(&self, host: &str) -> Vec<Prefix> {
        let mut leases = self.leases();
        let free = leases.values().max().map_or(FIRST_LEASE, |taken| taken + 1);
        let number = *leases.entry(host.to_owned()).or_insert(free);
        self.prefixes().map(|prefix| prefix.place(number)).collect()
    }

    /// Where a host here sends what is not local, with the prefix that says so.
    pub(crate) fn default_routes(&self) -> impl Iterator<Item = (Prefix, IpAddr)> + '_ {
        self.prefixes().map(|prefix| match prefix.address {
            IpAddr::V4(_) => (everything(Family::V4), prefix.nth(1)),
            // As a router advertisement would have it: by its link-local address.
            IpAddr::V6(_) => (everything(Family::V6), ROUTER_LINK_LOCAL.into()),
        })
    }

    /// Takes the router's end of a host's cable into the bridge.
    pub(crate) fn plug(&self, end: &str) -> Result<(), RigError> {
        let (end, mtu) = (end.to_owned(), self.0.mtu);
        self.0.router.run(move |inside| {
            inside.set_mtu(&end, mtu)?;
            inside.note_carrier(&end)?;
            inside.enslave(&end, BRIDGE)?;
            inside.set_up(&end)
        })?
    }

    /// Waits until the bridge forwards for a host's cable. Until the kernel has noticed the carrier there it
    /// drops the host's first ARP request, which would be asked again only a second later.
    pub(crate) fn await_plugged(&self, end: &str) -> Result<(), RigError> {
        let end = end.to_owned();
        self.0.router.run(move |inside| inside.await_forwarding(&end))?
    }

    fn prefixes(&self) -> impl Iterator<Item = Prefix> + '_ {
        self.0.v4.into_iter().chain(self.0.v6)
    }

    fn leases(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, u32>> {
        self.0.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
struct Inner {
    name: String,
    line: Line,
    internet: Arc<Namespace>,
    router: Arc<Namespace>,
    v4: Option<Prefix>,
    v6: Option<Prefix>,
    nat: Nat,
    expiry: Duration,
    mtu: u32,
    uplink: Option<Uplink>,
    leases: Mutex<BTreeMap<String, u32>>,
}

impl Inner {
    fn make_inside(&self) -> Result<(), RigError> {
        let (v4, v6, mtu) = (self.v4, self.v6, self.mtu);
        self.router.run(move |inside| {
            inside.add_bridge(BRIDGE)?;
            inside.set_mtu(BRIDGE, mtu)?;
            // A port that is always up, so that the bridge has a carrier while no host is there: a router's
            // own side of a network does not come and go with its guests.
            inside.add_pair(ANCHOR, ANCHOR_END)?;
            inside.enslave(ANCHOR, BRIDGE)?;
            inside.set_up(ANCHOR)?;
            inside.set_up(ANCHOR_END)?;
            inside.await_forwarding(ANCHOR)?;
            if let Some(prefix) = v4 {
                inside.add_address(BRIDGE, prefix.place(1))?;
            }
            if let Some(prefix) = v6 {
                inside.add_address(BRIDGE, prefix.place(1))?;
                inside.add_address(BRIDGE, Prefix { address: ROUTER_LINK_LOCAL.into(), length: 64 })?;
            }
            Ok(())
        })?
    }

    /// Makes the two ends of the line: a pair of interfaces of the kernel, or two that the rig serves.
    fn lay_line(&self, link: Option<Link>) -> Result<Option<Uplink>, RigError> {
        let (line, descriptor) = (self.line, self.router.descriptor());
        if let Some(link) = link {
            let ends = [(&*self.router, UPLINK.to_owned()), (&*self.internet, line.interface())];
            return Uplink::lay(ends, link, line.number.into()).map(Some);
        }
        self.internet.run(move |inside| {
            inside.add_pair(&line.interface(), UPLINK)?;
            inside.give(UPLINK, descriptor)
        })??;
        Ok(None)
    }

    fn emulated(&self) -> Result<&Uplink, RigError> {
        let reason = "has a bare cable for its line; only a plan with a link can change";
        self.uplink.as_ref().ok_or(RigError::Plan { network: self.name.clone(), reason })
    }

    fn translate(&self, ports: Ports) -> Result<(), RigError> {
        if !self.nat.translates() {
            return Err(RigError::Plan { network: self.name.clone(), reason: "has no NAT" });
        }
        let (nat, expiry) = (self.nat, self.expiry);
        self.router.run(move |inside| inside.translate(UPLINK, nat, ports, expiry))?
    }

    /// The line to the internet always speaks both families; what is behind it decides which are used.
    fn join(&self) -> Result<(), RigError> {
        let line = self.line;
        let public: Vec<Prefix> =
            self.v4.filter(|_| !self.nat.translates()).into_iter().chain(self.v6).collect();
        self.internet.run(move |inside| {
            let end = line.interface();
            inside.set_up(&end)?;
            Family::BOTH.into_iter().try_for_each(|family| inside.add_address(&end, line.place(family, 1)))
        })??;
        // A TUN device has its carrier as soon as it is open, and says so to nobody.
        let cable = self.uplink.is_none();
        self.router.run(move |inside| {
            inside.set_up(UPLINK)?;
            if cable {
                inside.await_carrier(UPLINK)?;
            }
            for family in Family::BOTH {
                inside.add_address(UPLINK, line.place(family, 2))?;
                let via = Some(line.place(family, 1).address);
                let interface = UPLINK.to_owned();
                inside.add_route(&Route { to: everything(family), via, interface, metric: None })?;
            }
            Ok::<_, RigError>(())
        })??;
        self.internet.run(move |inside| {
            public.into_iter().try_for_each(|to| {
                let via = Some(line.place(Family::of(to.address), 2).address);
                inside.add_route(&Route { to, via, interface: line.interface(), metric: None })
            })
        })?
    }
}

fn everything(family: Family) -> Prefix {
    let address = match family {
        Family::V4 => Ipv4Addr::UNSPECIFIED.into(),
        Family::V6 => Ipv6Addr::UNSPECIFIED.into(),
    };
    Prefix { address, length: 0 }
}

const BRIDGE: &str = "lan0";
const UPLINK: &str = "up0";
const ANCHOR: &str = "anchor0";
const ANCHOR_END: &str = "anchor1";
const FIRST_LEASE: u32 = 10;
const DEFAULT_MTU: u32 = 1500;
/// RFC 4787 REQ-5: no shorter than two minutes, five recommended.
const EXPIRY: Duration = Duration::from_secs(300);
const ROUTER_LINK_LOCAL: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
