//! TUN devices of the rig's own, as lines between routers and as the ends of a tunnel.

use std::fs::File;
use std::io;

/// Makes a device in the namespace of the calling thread and opens it, without waiting on reads.
#[expect(unsafe_code, reason = "a TUN device is named by an ioctl, which has no safe face")]
pub(crate) fn make(name: &str) -> io::Result<File> {
    use std::os::fd::AsRawFd as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = std::fs::OpenOptions::new();
    let device = options.read(true).write(true).custom_flags(libc::O_NONBLOCK).open("/dev/net/tun")?;
    // SAFETY: an all-zero ifreq is a valid one.
    let mut request: libc::ifreq = unsafe { core::mem::zeroed() };
    // One place is left for the zero at the end.
    for (place, byte) in request.ifr_name[..libc::IFNAMSIZ - 1].iter_mut().zip(name.bytes()) {
        *place = byte.cast_signed();
    }
    request.ifr_ifru.ifru_flags = libc::IFF_TUN as i16 | libc::IFF_NO_PI as i16;
    // SAFETY: the request is an ifreq that lives for the call, as TUNSETIFF expects.
    let status = unsafe { libc::ioctl(device.as_raw_fd(), libc::TUNSETIFF, &raw const request) };
    if status < 0 { Err(io::Error::last_os_error()) } else { Ok(device) }
}
