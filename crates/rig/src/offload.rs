//! An interface's segmentation offload: whether the kernel may hand it super-packets to be cut.
//!
//! Between two ends of a veth pair nothing is ever cut while it is on: a super-packet of TCP or UDP crosses whole. With
//! it off the kernel cuts before the cable, as it does for a network card that cannot.

use std::io;
use std::os::fd::AsRawFd as _;

use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

use crate::error::RigError;
use crate::namespace::Inside;

impl Inside {
    /// Turns every kind of segmentation that `interface` does for TCP and UDP on or off.
    pub(crate) fn set_segmentation_offload(&self, interface: &str, on: bool) -> Result<(), RigError> {
        let doing = format!("{}: turn segmentation offload of {interface} on or off", self.name());
        set(interface, on).map_err(RigError::io(doing))
    }
}

fn set(interface: &str, on: bool) -> io::Result<()> {
    let interface = Interface::open(interface)?;
    let wanted: Vec<usize> =
        interface.features()?.into_iter().filter_map(|(bit, name)| cuts(&name).then_some(bit)).collect();
    let blocks = interface.blocks()?;
    let mut request = vec![SET_FEATURES, blocks as u32];
    request.resize(2 + blocks * 2, 0);
    for bit in &wanted {
        let (block, mask) = (2 + bit / 32 * 2, 1 << (bit % 32));
        // Which are meant, then what they are to be.
        request[block] |= mask;
        request[block + 1] |= if on { mask } else { 0 };
    }
    interface.ask(&mut request)?;
    let mut answer = vec![GET_FEATURES, blocks as u32];
    answer.resize(2 + blocks * 4, 0);
    interface.ask(&mut answer)?;
    for bit in wanted {
        let (block, mask) = (2 + bit / 32 * 4, 1 << (bit % 32));
        let (available, active) = (answer[block] & mask != 0, answer[block + 2] & mask != 0);
        if available && active != on {
            return Err(io::Error::other("the kernel left it as it was"));
        }
    }
    Ok(())
}

/// Whether a feature of this name cuts what TCP or UDP sends.
fn cuts(feature: &str) -> bool {
    feature.starts_with("tx-tcp") && feature.ends_with("segmentation")
        || ["tx-udp-segmentation", "tx-generic-segmentation"].contains(&feature)
}

/// An interface of the namespace of the thread that opens it.
struct Interface {
    socket: std::os::fd::OwnedFd,
    name: [libc::c_char; libc::IFNAMSIZ],
}

impl Interface {
    fn open(interface: &str) -> io::Result<Self> {
        let socket = socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
        let mut name = [0; libc::IFNAMSIZ];
        if interface.len() >= name.len() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        for (place, byte) in name.iter_mut().zip(interface.bytes()) {
            *place = byte.cast_signed();
        }
        Ok(Self { socket, name })
    }

    /// The names of all features, each with its bit.
    fn features(&self) -> io::Result<Vec<(usize, String)>> {
        let count = self.count()?;
        let mut request = vec![GET_STRINGS, FEATURE_NAMES, count as u32];
        request.resize(3 + count * NAME_WORDS, 0);
        self.ask(&mut request)?;
        let names = request[3..].chunks_exact(NAME_WORDS).map(|words| {
            let bytes: Vec<u8> =
                words.iter().flat_map(|word| word.to_ne_bytes()).take_while(|byte| *byte != 0).collect();
            String::from_utf8_lossy(&bytes).into_owned()
        });
        Ok(names.enumerate().collect())
    }

    fn blocks(&self) -> io::Result<usize> {
        Ok(self.count()?.div_ceil(32))
    }

    fn count(&self) -> io::Result<usize> {
        // A mask of 64 bits stands in words two and three, the answer in the fourth.
        let mask = (1_u64 << FEATURE_NAMES).to_ne_bytes();
        let half =
            |from: usize| u32::from_ne_bytes([mask[from], mask[from + 1], mask[from + 2], mask[from + 3]]);
        let mut request = [COUNT_STRINGS, 0, half(0), half(4), 0];
        self.ask(&mut request)?;
        Ok(request[4] as usize)
    }

    /// Hands a request to the kernel, which writes its answer over it.
    fn ask(&self, request: &mut [u32]) -> io::Result<()> {
        let mut envelope = libc::ifreq {
            ifr_name: self.name,
            ifr_ifru: libc::__c_anonymous_ifr_ifru { ifru_data: request.as_mut_ptr().cast() },
        };
        // SAFETY: the request's own length fields, set by the callers above, keep the kernel within `request`, which
        // outlives the call; words are aligned as the kernel's structures are.
        #[expect(unsafe_code, reason = "there is no other way to reach an interface's features")]
        let done = unsafe { libc::ioctl(self.socket.as_raw_fd(), SIOCETHTOOL, &raw mut envelope) };
        // More than zero says that some feature was not changed; what matters is looked at by the caller.
        if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }
}

/// From linux/sockios.h and linux/ethtool.h.
const SIOCETHTOOL: libc::Ioctl = 0x8946;
const GET_STRINGS: u32 = 0x1b;
const COUNT_STRINGS: u32 = 0x37;
const GET_FEATURES: u32 = 0x3a;
const SET_FEATURES: u32 = 0x3b;
const FEATURE_NAMES: u32 = 4;
/// A name has 32 bytes.
const NAME_WORDS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Requirements, World};

    #[test]
    fn what_cuts_tcp_and_udp_is_meant_and_nothing_else() {
        for name in
            ["tx-tcp-segmentation", "tx-tcp6-segmentation", "tx-udp-segmentation", "tx-generic-segmentation"]
        {
            assert!(cuts(name), "{name}");
        }
        for name in ["tx-checksum-ip-generic", "tx-sctp-segmentation", "rx-gro", "tx-scatter-gather"] {
            assert!(!cuts(name), "{name}");
        }
    }

    #[test]
    fn the_offload_of_a_cable_goes_off_and_on_again() {
        if !Requirements::met("the_offload_of_a_cable", &[]) {
            return;
        }
        let world = World::new().unwrap();
        let (near, far) = (world.host("near").unwrap(), world.host("far").unwrap());
        world.cable((&near, "198.18.0.1/30"), (&far, "198.18.0.2/30")).unwrap();
        for on in [false, true, true, false] {
            near.set_segmentation_offload(on).unwrap();
        }
        assert!(set("none-such", true).is_err());
    }
}
