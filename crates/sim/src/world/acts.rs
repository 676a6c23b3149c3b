//! What can be done to a world: hosts move, programs die, NATs forget, links get worse, somebody attacks.

use core::net::{Ipv4Addr, SocketAddr};

use stead_node::Cause;
use stead_wire::time::Duration;

use super::{Task, World, own_stream};
use crate::attacker::{Attack, Attacker};
use crate::dice::Dice;
use crate::host::{PORT, Why};
use crate::link::LinkPlan;
use crate::nat::NatPlan;
use crate::network::{HostId, NetworkId};
use crate::trace::What;

/// One deed.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// A host leaves wherever it is and is in another network after `dark`.
    Move {
        /// Who.
        host: HostId,
        /// Where to.
        to: NetworkId,
        /// How long it is nowhere.
        dark: Duration,
        /// Whose former address it takes there, in stead of its own.
        takes: Option<HostId>,
    },
    /// A host joins one more network; the ones it is in stay preferred.
    Attach {
        /// Who.
        host: HostId,
        /// Which.
        network: NetworkId,
    },
    /// A host leaves one network.
    Detach {
        /// Who.
        host: HostId,
        /// Which.
        network: NetworkId,
    },
    /// A host leaves every network.
    Unplug {
        /// Who.
        host: HostId,
    },
    /// A host's program ends without a word, as by `kill -9`. Its key and its stack stay.
    Kill {
        /// Whose.
        host: HostId,
    },
    /// A host's program begins again; nothing, if it runs.
    Start {
        /// Whose.
        host: HostId,
    },
    /// A host's program does not get the processor for a while; its stack and its applications do.
    Freeze {
        /// Whose.
        host: HostId,
        /// How long.
        lasts: Duration,
    },
    /// A whole host is suspended. Time counts on for its machine, not for its stack's timers; what arrives is lost.
    Sleep {
        /// Which.
        host: HostId,
        /// How long.
        lasts: Duration,
    },
    /// A host's calendar is set back. Whoever started before goes on with the one it knew.
    SetCalendarBack {
        /// Whose.
        host: HostId,
        /// How far.
        by: Duration,
    },
    /// A network's NAT forgets every mapping; new ones get other ports.
    RebootNat {
        /// Whose.
        network: NetworkId,
    },
    /// A network's NAT behaves otherwise from now on, and forgets every mapping.
    ReplaceNat {
        /// Whose.
        network: NetworkId,
        /// How.
        nat: NatPlan,
    },
    /// A network's line gets better or worse.
    ChangeLink {
        /// Whose.
        network: NetworkId,
        /// Towards the internet.
        up: LinkPlan,
        /// From the internet.
        down: LinkPlan,
    },
    /// Somebody sits on a network's line for a while.
    Attack {
        /// Whose.
        network: NetworkId,
        /// What it does.
        attack: Attack,
        /// How long.
        lasts: Duration,
    },
}

impl World {
    /// Does it now.
    pub fn act(&mut self, action: Action) {
        self.begin();
        if self.trace.is_on() {
            let deed = self.describe(&action);
            self.note(|| What::Done { deed });
        }
        let now = self.now;
        match action {
            Action::Move { host, to, dark, takes } => self.travel(host, to, dark, takes),
            Action::Attach { host, network } => {
                if !self.hosts[host.0].is_in(network) {
                    self.join(host, network, None);
                    self.tell_attachment(host, Cause::Changed);
                }
            }
            Action::Detach { host, network } => self.part(host, |other| other == network),
            Action::Unplug { host } => {
                self.hosts[host.0].travels += 1;
                self.part(host, |_| true);
            }
            Action::Kill { host } => self.power_down(host),
            Action::Start { host } => self.power_up(host),
            Action::Freeze { host, lasts } => self.pause(host, lasts, false),
            Action::Sleep { host, lasts } => self.pause(host, lasts, true),
            Action::SetCalendarBack { host, by } => self.hosts[host.0].calendar_behind += by,
            Action::RebootNat { network } => {
                if let Some(nat) = &mut self.networks[network.0].nat {
                    nat.reboot();
                }
            }
            Action::ReplaceNat { network, nat: plan } => {
                if let Some(nat) = &mut self.networks[network.0].nat {
                    nat.replace(plan);
                }
            }
            Action::ChangeLink { network, up, down } => {
                let plan = &mut self.networks[network.0].plan;
                (plan.up, plan.down) = (up, down);
            }
            Action::Attack { network, attack, lasts } => {
                let dice = Dice::new(own_stream(&mut self.draws.attackers));
                let attacker = Attacker::new(attack, now + lasts, ATTACKER, dice);
                self.networks[network.0].attacker = Some(attacker);
            }
        }
    }

    /// A host leaves and arrives somewhere else.
    fn travel(&mut self, host: HostId, to: NetworkId, dark: Duration, takes: Option<HostId>) {
        self.hosts[host.0].travels += 1;
        let travels = self.hosts[host.0].travels;
        if dark.is_zero() {
            // Gone and back within one look of the address monitor.
            self.depart(host, |_| true);
            return self.arrive(host, to, takes, travels);
        }
        self.part(host, |_| true);
        self.agenda.put(self.now + dark, Task::Arrive { host, network: to, takes, travels });
    }

    /// A host that travelled is there, unless it has left for somewhere else since.
    pub(super) fn arrive(&mut self, host: HostId, network: NetworkId, takes: Option<HostId>, travels: u64) {
        if self.hosts[host.0].travels == travels && !self.hosts[host.0].is_in(network) {
            self.join(host, network, takes);
            self.tell_attachment(host, Cause::Changed);
        }
    }

    pub(super) fn join(&mut self, host: HostId, network: NetworkId, takes: Option<HostId>) {
        let addresses = self.networks[network.0].join(host, takes);
        for (ip, _) in &addresses {
            self.audit.place(host, SocketAddr::new(*ip, PORT));
        }
        self.hosts[host.0].join(network, addresses);
        self.hosts[host.0].end_outage(Why::Nowhere, self.now);
    }

    /// A host leaves networks, and its address monitor tells.
    fn part(&mut self, host: HostId, from: impl Fn(NetworkId) -> bool) {
        if self.depart(host, from) {
            self.tell_attachment(host, Cause::Changed);
        }
    }

    /// Whether it left any.
    fn depart(&mut self, host: HostId, from: impl Fn(NetworkId) -> bool) -> bool {
        let left = self.hosts[host.0].leave(from);
        for network in &left {
            self.networks[network.0].leave(host);
        }
        if self.hosts[host.0].attached.is_empty() {
            self.hosts[host.0].begin_outage(Why::Nowhere, self.now);
        }
        !left.is_empty()
    }

    fn describe(&self, action: &Action) -> String {
        let host = |id: &HostId| self.hosts[id.0].plan.name.as_str();
        let network = |id: &NetworkId| self.networks[id.0].plan.name.as_str();
        match action {
            Action::Move { host: who, to, dark, takes } => {
                let takes =
                    takes.map_or(String::new(), |from| format!(", where it takes {}'s address", host(&from)));
                format!("{} moves to {}, dark for {dark:?}{takes}", host(who), network(to))
            }
            Action::Attach { host: who, network: to } => format!("{} joins {} too", host(who), network(to)),
            Action::Detach { host: who, network: from } => format!("{} leaves {}", host(who), network(from)),
            Action::Unplug { host: who } => format!("{} leaves every network", host(who)),
            Action::Kill { host: who } => format!("{}'s program is killed", host(who)),
            Action::Start { host: who } => format!("{}'s program starts", host(who)),
            Action::Freeze { host: who, lasts } => {
                format!("{}'s program stands still for {lasts:?}", host(who))
            }
            Action::Sleep { host: who, lasts } => format!("{} sleeps for {lasts:?}", host(who)),
            Action::SetCalendarBack { host: who, by } => {
                format!("{}'s calendar goes back by {by:?}", host(who))
            }
            Action::RebootNat { network: at } => format!("{}'s NAT reboots", network(at)),
            Action::ReplaceNat { network: at, nat } => format!("{}'s NAT is now {nat:?}", network(at)),
            Action::ChangeLink { network: at, up, down } => {
                format!("{}'s line is now {up:?} up, {down:?} down", network(at))
            }
            Action::Attack { network: at, attack, lasts } => {
                format!("somebody on {}'s line does {attack:?} for {lasts:?}", network(at))
            }
        }
    }
}

/// Where attackers speak from when they do not pretend to be somebody (RFC 5737).
const ATTACKER: SocketAddr = SocketAddr::new(core::net::IpAddr::V4(Ipv4Addr::new(198, 51, 100, 66)), 666);
