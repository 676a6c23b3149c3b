//! The packet path whole, from an inner packet to a sealed datagram and back; one peer, one connection.

#[path = "ground/hub.rs"]
mod hub;

use hub::{Hub, Plan, Way, WayIn, settings_of_hub, udp, virtual_address};
use stead_gauge::{Case, Gauge};
use stead_wire::options::Capabilities;

const SIZES: [usize; 3] = [64, 200, 1400];

/// Datagrams of a super-packet.
const AT_ONCE: usize = 45;

fn main() {
    let mut gauge = Gauge::from_arguments();
    for (cipher, able) in [("chacha20-poly1305", Capabilities::NONE), ("aes-256-gcm", Capabilities::FAST_AES)]
    {
        for size in SIZES {
            let case = |what: &str| Case::new(format!("{what}-{cipher}/{size}")).of_bytes(size);
            gauge.case(case("outbound"), || {
                let hub = connected(able);
                let mut way = Way::new(&hub.path, hub.now);
                let packet = udp((virtual_address(0), 9), (virtual_address(1), 9), size);
                move || way.send(&packet)
            });
            gauge.case_with(case("inbound"), || {
                let mut hub = connected(able);
                let mut there = Way::new(&hub.path_of(0), hub.now);
                let mut here = WayIn::new(&hub.path, hub.now);
                let packet = udp((virtual_address(1), 9), (virtual_address(0), 9), size);
                let receive = move |datagram: &mut Vec<u8>| here.receive(0, datagram);
                (move || there.datagram(&packet), receive)
            });
            let together = Case::new(format!("inbound-{AT_ONCE}-{cipher}/{size}")).of_bytes(AT_ONCE * size);
            gauge.case_with(together, || {
                let mut hub = connected(able);
                let mut there = Way::new(&hub.path_of(0), hub.now);
                let mut here = WayIn::new(&hub.path, hub.now);
                let packet = udp((virtual_address(1), 9), (virtual_address(0), 9), size);
                let make = move || (0..AT_ONCE).map(|_| there.datagram(&packet)).collect();
                let receive = move |datagrams: &mut Vec<Vec<u8>>| {
                    here.receive_all(0, datagrams.iter_mut().map(Vec::as_mut_slice))
                };
                (make, receive)
            });
        }
    }
}

fn connected(able: Capabilities) -> Hub {
    let mut hub = Hub::of(settings_of_hub(Plan { peers: 1, routes: 0, connections: 64, able }));
    hub.connect(0);
    hub
}
