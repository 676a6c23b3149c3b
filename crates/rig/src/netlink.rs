//! Interfaces, addresses and routes of one namespace, by netlink.

use std::net::IpAddr;
use std::os::fd::RawFd;
use std::thread;
use std::time::{Duration, Instant};

use futures_util::TryStreamExt as _;
use rtnetlink::packet_route::address::{AddressAttribute, AddressMessage};
use rtnetlink::packet_route::link::{
    BridgePortState, InfoBridgePort, InfoPortData, LinkAttribute, LinkInfo, LinkMessage, State,
};
use rtnetlink::{LinkBridge, LinkUnspec, LinkVeth, RouteMessageBuilder};

use crate::address::Prefix;
use crate::error::RigError;
use crate::namespace::Inside;

type Outcome = Result<(), RigError>;

/// A route, with what `ip route add` would call `default`, `via`, `dev` and `metric`.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    pub(crate) to: Prefix,
    pub(crate) via: Option<IpAddr>,
    pub(crate) interface: String,
    pub(crate) metric: Option<u32>,
}

impl Inside {
    /// Makes a pair of interfaces, both down.
    pub(crate) fn add_pair(&self, name: &str, peer: &str) -> Outcome {
        let request = self.netlink.link().add(LinkVeth::new(name, peer).build());
        self.ask(format!("make the pair {name} and {peer}"), request.execute())
    }

    /// Makes a bridge that is up and forwards from the first moment. Its hardware address is one of its own: the kernel
    /// gives it the lowest of its ports', and with a new port another, to which nobody sends before asking again.
    pub(crate) fn add_bridge(&self, name: &str) -> Outcome {
        let bridge = LinkBridge::new(name).address(BRIDGE_ADDRESS.to_vec());
        let request = self.netlink.link().add(bridge.build());
        self.ask(format!("make the bridge {name}"), request.execute())
    }

    /// Puts `name` into the bridge `bridge`.
    pub(crate) fn enslave(&self, name: &str, bridge: &str) -> Outcome {
        let controller = self.index(bridge)?;
        let change = LinkUnspec::new_with_index(self.index(name)?).controller(controller).build();
        self.change(format!("put {name} into {bridge}"), change)
    }

    pub(crate) fn set_up(&self, name: &str) -> Outcome {
        let change = LinkUnspec::new_with_index(self.index(name)?).up().build();
        self.change(format!("bring {name} up"), change)
    }

    pub(crate) fn set_down(&self, name: &str) -> Outcome {
        let change = LinkUnspec::new_with_index(self.index(name)?).down().build();
        self.change(format!("bring {name} down"), change)
    }

    pub(crate) fn set_mtu(&self, name: &str, mtu: u32) -> Outcome {
        let change = LinkUnspec::new_with_index(self.index(name)?).mtu(mtu).build();
        self.change(format!("set the MTU of {name}"), change)
    }

    /// Has the kernel cut whatever is longer than so many bytes before it hands it to the interface.
    pub(crate) fn set_longest_super_packet(&self, name: &str, bytes: u32) -> Outcome {
        let change = LinkUnspec::new_with_index(self.index(name)?)
            .append_extra_attribute(LinkAttribute::GsoMaxSize(bytes))
            .build();
        self.change(format!("bound the super-packets of {name}"), change)
    }

    pub(crate) fn rename(&self, name: &str, to: &str) -> Outcome {
        let change = LinkUnspec::new_with_index(self.index(name)?).name(to).build();
        self.change(format!("rename {name} to {to}"), change)
    }

    /// Moves the interface to the namespace behind `descriptor`; it arrives there down and bare.
    pub(crate) fn give(&self, name: &str, descriptor: RawFd) -> Outcome {
        let change = LinkUnspec::new_with_index(self.index(name)?).setns_by_fd(descriptor).build();
        self.change(format!("give {name} away"), change)
    }

    /// Removes the interface, and its peer with it.
    pub(crate) fn delete_link(&self, name: &str) -> Outcome {
        let request = self.netlink.link().del(self.index(name)?);
        self.ask(format!("remove {name}"), request.execute())
    }

    pub(crate) fn add_address(&self, name: &str, place: Prefix) -> Outcome {
        let request = self.netlink.address().add(self.index(name)?, place.address, place.length);
        self.ask(format!("add {place} to {name}"), request.execute())
    }

    /// Removes every address but the link-local ones.
    pub(crate) fn remove_addresses(&self, name: &str) -> Outcome {
        for message in self.address_messages(name)? {
            if !is_link_local(&message) {
                let request = self.netlink.address().del(message);
                self.ask(format!("remove an address of {name}"), request.execute())?;
            }
        }
        Ok(())
    }

    pub(crate) fn add_route(&self, route: &Route) -> Outcome {
        let doing = format!("add a route to {} over {}", route.to, route.interface);
        let wrong = |reason: rtnetlink::packet_core::DecodeError| RigError::Netlink {
            namespace: self.name().to_owned(),
            doing: doing.clone(),
            source: rtnetlink::Error::InvalidNla(reason.to_string()),
        };
        let unfit = |error: &dyn std::fmt::Display| wrong(error.to_string().into());
        let mut builder = RouteMessageBuilder::<IpAddr>::new()
            .destination_prefix(route.to.address, route.to.length)
            .map_err(|error| unfit(&error))?
            .output_interface(self.index(&route.interface)?);
        if let Some(gateway) = route.via {
            builder = builder.gateway(gateway).map_err(|error| unfit(&error))?;
        }
        if let Some(metric) = route.metric {
            builder = builder.priority(metric);
        }
        let request = self.netlink.route().add(builder.build());
        self.ask(doing, request.execute())
    }

    /// Has the kernel take note of the interface's carrier now: it does so when asked for one link, else up
    /// to a second later, and until then a bridge may take the carrier of before for the one of now.
    pub(crate) fn note_carrier(&self, name: &str) -> Outcome {
        self.link(name).map(drop)
    }

    /// Waits until the interface has a carrier: only then will the kernel use what is configured on it.
    pub(crate) fn await_carrier(&self, name: &str) -> Outcome {
        self.await_link(name, has_carrier)
    }

    /// Waits until the bridge passes on what comes from its port: what comes before is lost.
    pub(crate) fn await_forwarding(&self, port: &str) -> Outcome {
        self.await_link(port, |link| has_carrier(link) && forwards(link))
    }

    /// How many interfaces there are, loopback included.
    pub(crate) fn count_links(&self) -> Result<usize, RigError> {
        let links = self.netlink.link().get().execute();
        Ok(self.ask("list the interfaces".to_owned(), links.try_collect::<Vec<_>>())?.len())
    }

    fn await_link(&self, name: &str, ready: impl Fn(&LinkMessage) -> bool) -> Outcome {
        let started = Instant::now();
        while !ready(&self.link(name)?) {
            if started.elapsed() > CARRIER_PATIENCE {
                return Err(RigError::NoCarrier {
                    namespace: self.name().to_owned(),
                    interface: name.to_owned(),
                    waited: CARRIER_PATIENCE,
                });
            }
            thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    fn index(&self, name: &str) -> Result<u32, RigError> {
        Ok(self.link(name)?.header.index)
    }

    fn link(&self, name: &str) -> Result<LinkMessage, RigError> {
        let mut links = Box::pin(self.netlink.link().get().match_name(name.to_owned()).execute());
        let found = self.ask(format!("find {name}"), links.try_next())?;
        found.ok_or_else(|| RigError::Missing {
            host: self.name().to_owned(),
            what: format!("interface {name}"),
        })
    }

    fn address_messages(&self, name: &str) -> Result<Vec<AddressMessage>, RigError> {
        let request = self.netlink.address().get().set_link_index_filter(self.index(name)?);
        self.ask(format!("list the addresses of {name}"), request.execute().try_collect())
    }

    fn change(&self, doing: String, message: LinkMessage) -> Outcome {
        self.ask(doing, self.netlink.link().set(message).execute())
    }

    fn ask<T>(
        &self,
        doing: String,
        request: impl Future<Output = Result<T, rtnetlink::Error>>,
    ) -> Result<T, RigError> {
        self.runtime.block_on(request).map_err(|source| RigError::Netlink {
            namespace: self.name().to_owned(),
            doing,
            source,
        })
    }
}

fn has_carrier(link: &LinkMessage) -> bool {
    link.attributes.iter().any(|attribute| matches!(attribute, LinkAttribute::OperState(State::Up)))
}

fn forwards(link: &LinkMessage) -> bool {
    let details = link.attributes.iter().filter_map(|attribute| match attribute {
        LinkAttribute::LinkInfo(details) => Some(details),
        _ => None,
    });
    let ports = details.flatten().filter_map(|detail| match detail {
        LinkInfo::PortData(InfoPortData::BridgePort(port)) => Some(port),
        _ => None,
    });
    ports.flatten().any(|known| *known == InfoBridgePort::State(BridgePortState::Forwarding))
}

fn is_link_local(message: &AddressMessage) -> bool {
    message.attributes.iter().any(|attribute| {
        matches!(attribute, AddressAttribute::Address(IpAddr::V6(address)) if address.is_unicast_link_local())
    })
}

/// Locally administered. Every network has one bridge.
const BRIDGE_ADDRESS: [u8; 6] = [2, 0, 0, 0, 0, 1];

/// How long a veth pair may take to find its carrier; it takes milliseconds.
const CARRIER_PATIENCE: Duration = Duration::from_secs(5);
