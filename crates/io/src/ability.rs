//! What this host is able to: what it can keep as terms of a session, beyond a plain WireGuard session, and how many
//! workers it has processors for.

use std::thread::available_parallelism;

use stead_wire::options::Capabilities;

use crate::tun::Device;
use crate::udp::UdpSockets;

/// How many [workers](crate::driver::DaemonSettings::workers) there can be at most.
pub const MOST_WORKERS: usize = if Device::MOST_QUEUES < UdpSockets::MOST_SHARING {
    Device::MOST_QUEUES
} else {
    UdpSockets::MOST_SHARING
};

/// Workers that are enough unless told otherwise: applications and their network stack need processors, too.
const ENOUGH: usize = 4;

/// As many workers as are good for this host.
#[must_use]
pub fn workers() -> usize {
    let processors = available_parallelism().map_or(1, usize::from);
    (processors / 2).clamp(1, ENOUGH.min(MOST_WORKERS))
}

/// Everything that this processor and this system are good for.
#[must_use]
pub fn ability() -> Capabilities {
    let aes = if has_fast_aes() { Capabilities::FAST_AES } else { Capabilities::NONE };
    let partial =
        if Device::TAKES_PARTIAL_CHECKSUMS { Capabilities::PARTIAL_CHECKSUMS } else { Capabilities::NONE };
    aes | partial
}

/// Whether the processor has the instructions that make AES-256-GCM faster than ChaCha20-Poly1305: without them it is
/// several times slower.
fn has_fast_aes() -> bool {
    #[cfg(any(target_arch = "x86_64", target_arch = "x86"))]
    return std::arch::is_x86_feature_detected!("aes") && std::arch::is_x86_feature_detected!("pclmulqdq");
    #[cfg(target_arch = "aarch64")]
    return std::arch::is_aarch64_feature_detected!("aes")
        && std::arch::is_aarch64_feature_detected!("pmull");
    #[cfg(not(any(target_arch = "x86_64", target_arch = "x86", target_arch = "aarch64")))]
    return false;
}
