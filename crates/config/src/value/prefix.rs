//! Virtual addresses and the prefixes that peers answer for.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::str::FromStr;

/// A block of addresses, `10.77.0.0/24`: its host bits are zero.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Prefix {
    address: IpAddr,
    length: u8,
}

impl Prefix {
    /// The block that holds `address` alone.
    #[must_use]
    pub const fn host(address: IpAddr) -> Self {
        Self { address, length: width(address) }
    }

    /// The lowest address of the block.
    #[must_use]
    pub const fn address(self) -> IpAddr {
        self.address
    }

    /// How many leading bits are fixed.
    #[must_use]
    pub const fn length(self) -> u8 {
        self.length
    }

    /// Is this one address rather than a block?
    #[must_use]
    pub const fn is_host(self) -> bool {
        self.length == width(self.address)
    }

    /// Does the block hold `address`?
    #[must_use]
    pub fn contains(self, address: IpAddr) -> bool {
        address.is_ipv4() == self.address.is_ipv4() && masked(address, self.length) == self.address
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

impl FromStr for Prefix {
    type Err = PrefixFault;

    fn from_str(text: &str) -> Result<Self, PrefixFault> {
        let (address, length) = parts(text)?;
        let block = Self { address: masked(address, length), length };
        if block.address != address {
            return Err(PrefixFault::HostBits { block, host: Self::host(address) });
        }
        Ok(block)
    }
}

/// An address of this node and the size of the network around it, `10.77.0.1/24`.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct InterfaceAddress {
    address: IpAddr,
    length: u8,
}

impl InterfaceAddress {
    /// `address` with no network around it.
    #[must_use]
    pub const fn host(address: IpAddr) -> Self {
        Self { address, length: width(address) }
    }

    /// The node's own address.
    #[must_use]
    pub const fn address(self) -> IpAddr {
        self.address
    }

    /// Length of the network's prefix.
    #[must_use]
    pub const fn length(self) -> u8 {
        self.length
    }

    /// The network around the address.
    #[must_use]
    pub fn network(self) -> Prefix {
        Prefix { address: masked(self.address, self.length), length: self.length }
    }
}

impl fmt::Display for InterfaceAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

impl FromStr for InterfaceAddress {
    type Err = PrefixFault;

    fn from_str(text: &str) -> Result<Self, PrefixFault> {
        let (address, length) = parts(text)?;
        let broadcast = address == IpAddr::V4(Ipv4Addr::BROADCAST);
        if address.is_unspecified() || address.is_multicast() || address.is_loopback() || broadcast {
            return Err(PrefixFault::NotForHosts);
        }
        let block = Prefix { address: masked(address, length), length };
        if address.is_ipv4() && length < 31 && block.address == address {
            return Err(PrefixFault::NetworkAddress { block });
        }
        Ok(Self { address, length })
    }
}

/// Why a text is not a prefix or an address.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PrefixFault {
    /// What stands before the `/` is no IP address.
    #[error("is not an IP address")]
    NotAnAddress,
    /// What stands behind the `/` is no number, or too large for the family.
    #[error("has a prefix length that is not a number from 0 to {width}")]
    Length {
        /// 32 or 128.
        width: u8,
    },
    /// A block must be named by its lowest address, or a slip of the pen looks like a network.
    #[error("has bits set behind the prefix")]
    HostBits {
        /// The block around the address.
        block: Prefix,
        /// The address alone.
        host: Prefix,
    },
    /// The lowest address of an IPv4 network names the network.
    #[error("is the network's own address, not a host's")]
    NetworkAddress {
        /// The network.
        block: Prefix,
    },
    /// Unspecified, multicast, loopback, broadcast.
    #[error("is an address that no host can have")]
    NotForHosts,
}

impl PrefixFault {
    /// What to write instead.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::NotAnAddress => "host names and ports have no place here".into(),
            Self::Length { width } => format!("one address alone is `/{width}`"),
            Self::HostBits { block, host } => {
                format!("write `{block}` for the whole block, or `{host}` for the one address")
            }
            Self::NetworkAddress { block } => format!("choose an address inside {block}"),
            Self::NotForHosts => {
                "private ranges are 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 and fd00::/8".into()
            }
        }
    }
}

fn parts(text: &str) -> Result<(IpAddr, u8), PrefixFault> {
    let (address, length) = match text.split_once('/') {
        Some((address, length)) => (address, Some(length)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().map_err(|_| PrefixFault::NotAnAddress)?;
    let width = width(address);
    let Some(length) = length else {
        return Ok((address, width));
    };
    let digits = (1..=3).contains(&length.len()) && length.bytes().all(|byte| byte.is_ascii_digit());
    match length.parse::<u8>() {
        Ok(length) if digits && length <= width => Ok((address, length)),
        _ => Err(PrefixFault::Length { width }),
    }
}

const fn width(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

fn masked(address: IpAddr, length: u8) -> IpAddr {
    let length = u32::from(length);
    match address {
        IpAddr::V4(v4) => {
            Ipv4Addr::from_bits(v4.to_bits() & !u32::MAX.checked_shr(length).unwrap_or(0)).into()
        }
        IpAddr::V6(v6) => {
            Ipv6Addr::from_bits(v6.to_bits() & !u128::MAX.checked_shr(length).unwrap_or(0)).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_read_and_an_address_alone_is_a_block_of_one() {
        for text in ["10.77.0.0/24", "0.0.0.0/0", "::/0", "fd00::/8", "10.77.0.2/32", "fd00::1/128"] {
            assert_eq!(text.parse::<Prefix>().unwrap().to_string(), text);
        }
        assert_eq!("10.77.0.2".parse::<Prefix>().unwrap().to_string(), "10.77.0.2/32");
        assert!("fd00::1".parse::<Prefix>().unwrap().is_host());
    }

    #[test]
    fn host_bits_are_refused_and_the_hint_offers_both_readings() {
        let fault = "10.77.0.2/24".parse::<Prefix>().unwrap_err();
        assert_eq!(
            fault.hint(),
            "write `10.77.0.0/24` for the whole block, or `10.77.0.2/32` for the one address"
        );
        let fault = "fd00::1/64".parse::<Prefix>().unwrap_err();
        assert_eq!(
            fault.hint(),
            "write `fd00::/64` for the whole block, or `fd00::1/128` for the one address"
        );
    }

    #[test]
    fn lengths_and_addresses_are_checked() {
        let fault = |text: &str| text.parse::<Prefix>().unwrap_err();
        for text in ["10.0.0.0/33", "10.0.0.0/", "10.0.0.0/x", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/0008"]
        {
            assert_eq!(fault(text), PrefixFault::Length { width: 32 }, "{text}");
        }
        assert_eq!(fault("fd00::/129"), PrefixFault::Length { width: 128 });
        assert_eq!(fault("10.0.0/8"), PrefixFault::NotAnAddress);
        assert_eq!(fault("everything"), PrefixFault::NotAnAddress);
    }

    #[test]
    fn a_nodes_own_address_keeps_its_host_bits_but_must_be_a_hosts() {
        let address: InterfaceAddress = "10.77.0.1/24".parse().unwrap();
        assert_eq!(address.network().to_string(), "10.77.0.0/24");
        assert!(address.network().contains("10.77.0.255".parse().unwrap()));
        assert!(!address.network().contains("10.78.0.1".parse().unwrap()));
        assert!(!address.network().contains("::1".parse().unwrap()));
        let fault = |text: &str| text.parse::<InterfaceAddress>().unwrap_err();
        assert!(matches!(fault("10.77.0.0/24"), PrefixFault::NetworkAddress { .. }));
        assert!("10.77.0.0/31".parse::<InterfaceAddress>().is_ok(), "RFC 3021");
        for text in ["127.0.0.1/8", "::1/128", "224.0.0.1", "0.0.0.0/0", "255.255.255.255"] {
            assert_eq!(fault(text), PrefixFault::NotForHosts, "{text}");
        }
    }
}
