//! Which network datagrams from an address leave by.
//!
//! Routes look at where a datagram goes, not at where it comes from: of two networks the default route's takes all,
//! whatever the source address says, and routers there drop what claims to come from elsewhere. So what is sent
//! from a further network's address is told its interface. The default route's own addresses are left to the routes.

use core::net::IpAddr;

use arc_swap::ArcSwap;
use stead_node::LocalAttachment;

/// See the module's documentation. One for all senders.
#[derive(Debug, Default)]
pub struct Egress(ArcSwap<Vec<(IpAddr, u32)>>);

impl Egress {
    /// Takes the further networks from where the host is attached now.
    pub fn pin(&self, attachment: &LocalAttachment) {
        let interface = |ip: &IpAddr| {
            let local = attachment.addresses.iter().find(|local| local.ip == *ip)?;
            Some((*ip, local.interface)).filter(|(_, interface)| *interface != 0)
        };
        let pins: Vec<_> = attachment.standby.iter().filter_map(interface).collect();
        if **self.0.load() != pins {
            self.0.store(pins.into());
        }
    }

    /// The interface that datagrams from this address must be told, if they must.
    pub(super) fn interface(&self, local: IpAddr) -> Option<u32> {
        self.0.load().iter().find(|(ip, _)| *ip == local).map(|(_, interface)| *interface)
    }
}
