//! What this host is able to keep as terms of a session, beyond a plain WireGuard session.

use stead_wire::options::Capabilities;

use crate::tun::Device;

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
