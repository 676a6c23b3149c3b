//! The addresses of a network's line to the internet.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::address::{Family, Prefix};

/// The line between a router and the internet, with addresses by its number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    pub(super) number: u8,
}

impl Line {
    pub(super) fn interface(self) -> String {
        format!("line{}", self.number)
    }

    /// End 1 is the internet's, end 2 the router's: the address that a NAT shows.
    pub(super) fn place(self, family: Family, end: u8) -> Prefix {
        let number = self.number;
        match family {
            // TEST-NET-3 in pieces of four: 64 lines.
            Family::V4 => Prefix { address: Ipv4Addr::new(203, 0, 113, number * 4 + end).into(), length: 30 },
            Family::V6 => Prefix {
                address: Ipv6Addr::new(0x2001, 0xdb8, 0xffff, number.into(), 0, 0, 0, end.into()).into(),
                length: 64,
            },
        }
    }
}

/// How many lines the internet has; see [`Line::place`].
pub(crate) const MOST_NETWORKS: u8 = 64;
