//! TUN devices of the rig's own, as lines between routers and as the ends of a tunnel.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::OpenOptionsExt as _;

/// Makes a device in the namespace of the calling thread and opens it, without waiting on reads.
pub(crate) fn make(name: &str) -> io::Result<File> {
    open(name, 0)
}

/// As [`make`], of super-packets of TCP: the kernel hands them over uncut, their checksums unfinished, and takes them so.
/// Each packet has a virtio header of [`VIRTIO_HEADER`] bytes before it, both ways.
#[expect(unsafe_code, reason = "what a TUN device offloads is set by an ioctl, which has no safe face")]
pub(crate) fn make_offloading(name: &str) -> io::Result<File> {
    let device = open(name, libc::IFF_VNET_HDR)?;
    let offload = libc::c_ulong::from(libc::TUN_F_CSUM | libc::TUN_F_TSO4 | libc::TUN_F_TSO6);
    // SAFETY: TUNSETOFFLOAD takes its flags by value; the device is open.
    let status = unsafe { libc::ioctl(device.as_raw_fd(), libc::TUNSETOFFLOAD, offload) };
    if status < 0 { Err(io::Error::last_os_error()) } else { Ok(device) }
}

/// Bytes before each packet of a device that offloads.
pub(crate) const VIRTIO_HEADER: usize = 10;

#[expect(unsafe_code, reason = "a TUN device is named by an ioctl, which has no safe face")]
fn open(name: &str, further: libc::c_int) -> io::Result<File> {
    let mut options = std::fs::OpenOptions::new();
    let device = options.read(true).write(true).custom_flags(libc::O_NONBLOCK).open("/dev/net/tun")?;
    // SAFETY: an all-zero ifreq is a valid one.
    let mut request: libc::ifreq = unsafe { core::mem::zeroed() };
    // One place is left for the zero at the end.
    for (place, byte) in request.ifr_name[..libc::IFNAMSIZ - 1].iter_mut().zip(name.bytes()) {
        *place = byte.cast_signed();
    }
    request.ifr_ifru.ifru_flags = (libc::IFF_TUN | libc::IFF_NO_PI | further) as i16;
    // SAFETY: the request is an ifreq that lives for the call, as TUNSETIFF expects.
    let status = unsafe { libc::ioctl(device.as_raw_fd(), libc::TUNSETIFF, &raw const request) };
    if status < 0 { Err(io::Error::last_os_error()) } else { Ok(device) }
}
