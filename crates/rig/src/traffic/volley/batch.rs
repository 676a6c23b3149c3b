//! Many datagrams of one size per system call, over a connected socket.

use std::io;
use std::net::UdpSocket;
use std::os::fd::AsRawFd as _;

use libc::{c_int, c_uint, iovec, mmsghdr};

/// Room for [`LENGTH`](Self::LENGTH) datagrams.
#[derive(Debug)]
pub(super) struct Batch {
    size: usize,
    bytes: Vec<u8>,
    lengths: [usize; Self::LENGTH],
}

impl Batch {
    /// Datagrams per system call: what a call costs itself is then little beside what each datagram costs.
    pub(super) const LENGTH: usize = 64;

    /// For datagrams of up to `size` bytes, all of them zero.
    pub(super) fn new(size: usize) -> Self {
        Self { size, bytes: vec![0; size * Self::LENGTH], lengths: [0; Self::LENGTH] }
    }

    /// The bytes of one datagram that is to be sent.
    pub(super) fn datagram(&mut self, index: usize) -> &mut [u8] {
        &mut self.bytes[index * self.size..][..self.size]
    }

    /// What was received at `index`.
    pub(super) fn received(&self, index: usize) -> &[u8] {
        &self.bytes[index * self.size..][..self.lengths[index]]
    }

    /// Sends the first `count` datagrams; those that the kernel has no room for, or no way to send, are lost.
    pub(super) fn send(&mut self, socket: &UdpSocket, count: usize) -> io::Result<()> {
        let mut done = 0;
        while done < count {
            let sent = self.call(done, count - done, |headers, length| {
                // SAFETY: `headers` are `length` valid headers, each with one slice of `self.bytes` (see `call`).
                #[expect(unsafe_code, reason = "the standard library has no sendmmsg")]
                unsafe {
                    libc::sendmmsg(socket.as_raw_fd(), headers, length, 0)
                }
            });
            match sent {
                Ok(sent) => done += sent,
                Err(error) if is_loss(&error) => done += 1,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Waits for a datagram as long as the socket's timeout allows, takes those that are there, and tells how many.
    pub(super) fn receive(&mut self, socket: &UdpSocket) -> io::Result<usize> {
        self.call(0, Self::LENGTH, |headers, length| {
            // SAFETY: `headers` are `length` valid headers, each with one slice of `self.bytes` (see `call`); none
            // asks for a time limit.
            #[expect(unsafe_code, reason = "the standard library has no recvmmsg")]
            unsafe {
                libc::recvmmsg(
                    socket.as_raw_fd(),
                    headers,
                    length,
                    libc::MSG_WAITFORONE,
                    core::ptr::null_mut(),
                )
            }
        })
    }

    /// Calls `system` with a header for each of `count` datagrams from the one at `first`, and notes their lengths.
    fn call(
        &mut self,
        first: usize,
        count: usize,
        system: impl FnOnce(*mut mmsghdr, c_uint) -> c_int,
    ) -> io::Result<usize> {
        let none = iovec { iov_base: core::ptr::null_mut(), iov_len: 0 };
        let mut slices = [none; Self::LENGTH];
        let datagrams = self.bytes.chunks_exact_mut(self.size).skip(first).take(count);
        for (slice, datagram) in slices.iter_mut().zip(datagrams) {
            *slice = iovec { iov_base: datagram.as_mut_ptr().cast(), iov_len: datagram.len() };
        }
        // SAFETY: a header is integers and pointers, for all of which zero is a value: no name, no control message.
        #[expect(unsafe_code, reason = "its padding is private on some systems, so it cannot be written out")]
        let empty: mmsghdr = unsafe { core::mem::zeroed() };
        let mut headers = [empty; Self::LENGTH];
        for (header, slice) in headers.iter_mut().zip(&mut slices) {
            (header.msg_hdr.msg_iov, header.msg_hdr.msg_iovlen) = (slice, 1);
        }
        let count = count.min(Self::LENGTH - first);
        let done = system(headers.as_mut_ptr(), count as c_uint);
        let done = usize::try_from(done).map_err(|_| io::Error::last_os_error())?;
        for (length, header) in self.lengths[first..].iter_mut().zip(&headers[..done]) {
            *length = (header.msg_len as usize).min(self.size);
        }
        Ok(done)
    }
}

/// Whether the datagram at which it stopped is lost, as a full queue or a path that is gone for a moment make it.
fn is_loss(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::ENOBUFS | libc::EAGAIN | libc::ECONNREFUSED | libc::EHOSTUNREACH | libc::ENETUNREACH)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_call_sends_others_receive_whole() {
        let (near, far) = (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
        near.connect(far.local_addr().unwrap()).unwrap();
        far.set_read_timeout(Some(std::time::Duration::from_secs(2))).unwrap();
        let mut sent = Batch::new(20);
        for index in 0..Batch::LENGTH {
            sent.datagram(index).fill(index as u8);
        }
        sent.send(&near, 50).unwrap();
        let mut got = Batch::new(64);
        let mut seen = Vec::new();
        while seen.len() < 50 {
            let count = got.receive(&far).unwrap();
            seen.extend((0..count).map(|index| got.received(index).to_vec()));
        }
        assert_eq!(seen, (0..50).map(|index| vec![index; 20]).collect::<Vec<_>>());
    }
}
