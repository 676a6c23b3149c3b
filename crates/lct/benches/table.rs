//! What the local connection translation table costs: a packet's look-up, a connection's first packet, its end.

use core::net::{Ipv6Addr, SocketAddr};
use std::sync::Arc;

use stead_gauge::{Case, Gauge};
use stead_lct::{Attachment, Limits, OriginalSpecification, PathId, PeerId, Table};
use stead_wire::ip::Protocol;
use stead_wire::time::Instant;

const SIZES: [(&str, u32); 3] = [("1", 1), ("10k", 10_000), ("1M", 1_000_000)];

/// More than this takes minutes to make ready where instructions are counted.
const LARGE: u32 = 100_000;

/// Packets come from this many connections in turn, far apart from each other in the table.
const UNDER_WAY: u32 = 1024;

const NOW: Instant = Instant::from_micros(1_000_000);

fn main() {
    let mut gauge = Gauge::from_arguments();
    for (name, entries) in SIZES {
        let case = |what: &str| Case::new(format!("{what}/{name}")).only_timed(entries > LARGE);
        gauge.case(case("table-lookup"), || {
            let table = filled(entries);
            let step = (entries / UNDER_WAY).max(1);
            let asked: Vec<_> = (0..UNDER_WAY.min(entries)).map(|number| connection(number * step)).collect();
            let mut at = 0;
            move || {
                at = (at + 1) % asked.len();
                table.lookup(&asked[at]).expect("it is there")
            }
        });
        // The table is full: each new connection takes the place of the one that was silent for longest.
        gauge.case(case("table-new-entry"), || {
            let (table, attachment) = (filled(entries), attachment());
            let mut next = entries;
            move || {
                next += 1;
                table.track(connection(next), PeerId(0), &attachment, NOW).expect("it is new")
            }
        });
    }
}

/// A table that is full with this many entries.
fn filled(entries: u32) -> Table {
    let table = Table::new(Limits { entries: entries as usize, ..Limits::default() });
    let attachment = attachment();
    for number in 0..entries {
        table.track(connection(number), PeerId(0), &attachment, NOW).expect("it is new");
    }
    table
}

fn connection(number: u32) -> OriginalSpecification {
    let end = |host: u32, port: u16| {
        SocketAddr::new(Ipv6Addr::from_bits((0xfd73 << 112) | u128::from(host)).into(), port)
    };
    OriginalSpecification {
        local: end(1, 443),
        remote: end(number >> 8, 1000 + number as u16 % 256),
        protocol: Protocol::UDP,
    }
}

fn attachment() -> Arc<Attachment> {
    let remote = SocketAddr::from(([192, 0, 2, 1], 51820));
    Arc::new(Attachment { local: None, remote, path: PathId(1) })
}
