//! Cryptokey routing: what the first packet of a connection pays to find its peer.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use stead_gauge::{Case, Gauge};
use stead_lct::PeerId;
use stead_node::{Prefix, Routes};

const SIZES: [(&str, u32); 3] = [("1", 1), ("10k", 10_000), ("1M", 1_000_000)];

/// More than this takes long to make ready where instructions are counted.
const LARGE: u32 = 100_000;

/// So many addresses are asked for in turn.
const ASKED: u32 = 1024;

fn main() {
    let mut gauge = Gauge::from_arguments();
    for (name, prefixes) in SIZES {
        for (family, block) in [("v4", block_v4 as fn(u32) -> Prefix), ("v6", block_v6)] {
            let case = Case::new(format!("route-{family}/{name}")).only_timed(prefixes > LARGE);
            gauge.case(case, || {
                let routes = Routes::new((0..prefixes).map(|number| (block(number), PeerId(number))));
                let step = (prefixes / ASKED).max(1);
                let asked: Vec<IpAddr> =
                    (0..ASKED.min(prefixes)).map(|number| block(number * step).address()).collect();
                let mut at = 0;
                move || {
                    at = (at + 1) % asked.len();
                    routes.owner(asked[at]).expect("each has an owner")
                }
            });
        }
    }
}

/// Of ten blocks nine are single addresses and one a /24.
fn block_v4(number: u32) -> Prefix {
    let len = if number % 10 == 9 { 24 } else { 32 };
    let address = Ipv4Addr::from_bits((10 << 24) + (number << 8));
    Prefix::new(address.into(), len).expect("the family has so many bits")
}

/// Of ten blocks nine are single addresses and one a /64.
fn block_v6(number: u32) -> Prefix {
    let len = if number % 10 == 9 { 64 } else { 128 };
    let address = Ipv6Addr::from_bits((0xfd73 << 112) + (u128::from(number) << 64));
    Prefix::new(address.into(), len).expect("the family has so many bits")
}
