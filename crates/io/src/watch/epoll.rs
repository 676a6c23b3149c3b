//! Waiting with an epoll, without a runtime.
//!
//! What waits is polled whenever something is there, and says what it waits for; there are no wakers. Descriptors are
//! level-triggered: what a turn left is reported again, so that nothing has to be tried until the system says that there
//! is no more. What nobody waits for at the moment is taken out as soon as it is reported.

use core::cell::{Cell, RefCell};
use core::future::poll_fn;
use core::pin::pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::io;
use std::net::UdpSocket;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::{EfdFlags, EventFd};
use quinn_udp::UdpSockRef;

use super::lookout::Lookout;
use crate::udp::Source;

/// A worker's place to wait.
#[derive(Clone, Debug)]
pub struct Watch(Rc<Ground>);

/// The word for workers to stop.
#[derive(Clone, Debug)]
pub struct Stop(Arc<EventFd>);

/// A descriptor that is watched, until this is dropped.
#[derive(Debug)]
pub struct Watched {
    ground: Rc<Ground>,
    bit: Bits,
    /// There may still be something of what was reported.
    more: Cell<bool>,
}

/// A socket whose arrivals are watched.
#[derive(Debug)]
pub struct WatchedSocket {
    socket: UdpSocket,
    watched: Watched,
}

/// One bit for each descriptor.
type Bits = u64;

#[derive(Debug)]
struct Ground {
    epoll: Epoll,
    /// By the number of its bit.
    watched: RefCell<[Option<(OwnedFd, EpollFlags)>; MOST_WATCHED]>,
    /// In the epoll now.
    armed: Cell<Bits>,
    /// Waited for, since the last look.
    wanted: Cell<Bits>,
    /// Found by the last look, and not taken yet.
    found: Cell<Bits>,
    /// When somebody goes on even if nothing is found.
    until: Cell<Option<Instant>>,
    lookout: Lookout,
}

/// A worker has a share of the device's eight queues, and two sockets.
const MOST_WATCHED: usize = 32;

/// The bit of the word to stop.
const STOP: Bits = 1 << MOST_WATCHED;

impl Stop {
    /// Not said yet.
    ///
    /// # Errors
    /// What the system reports when there are too many descriptors.
    pub fn new() -> io::Result<Self> {
        Ok(Self(Arc::new(EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?)))
    }

    /// Says it, for good: nobody ever takes it out again.
    pub fn say(&self) {
        let _full = self.0.write(1);
    }
}

impl Watch {
    /// A place to wait, until the word to stop comes.
    ///
    /// # Errors
    /// What the system reports when there are too many descriptors.
    pub fn new(stop: &Stop) -> io::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        epoll.add(&*stop.0, EpollEvent::new(EpollFlags::EPOLLIN, u64::from(STOP.trailing_zeros())))?;
        Ok(Self(Rc::new(Ground {
            epoll,
            watched: RefCell::default(),
            armed: Cell::new(0),
            wanted: Cell::new(0),
            found: Cell::new(0),
            until: Cell::new(None),
            lookout: Lookout::default(),
        })))
    }

    /// Does `work` to its end; `None` if the word to stop comes before.
    ///
    /// # Errors
    /// What the system reports when it cannot watch what `work` waits for.
    pub fn run<T>(&self, work: impl Future<Output = T>) -> io::Result<Option<T>> {
        let mut work = pin!(work);
        let mut context = Context::from_waker(Waker::noop());
        loop {
            self.0.wanted.set(0);
            self.0.until.set(None);
            if let Poll::Ready(done) = work.as_mut().poll(&mut context) {
                return Ok(Some(done));
            }
            if self.0.wait()? & STOP != 0 {
                return Ok(None);
            }
        }
    }

    /// Watches a descriptor for something to read.
    ///
    /// # Errors
    /// What the system reports when there are too many descriptors.
    pub fn readable(&self, descriptor: impl AsFd) -> io::Result<Watched> {
        self.watch(descriptor, EpollFlags::EPOLLIN)
    }

    /// A socket whose arrivals are waited for.
    ///
    /// # Errors
    /// What the system reports when there are too many descriptors.
    pub fn socket(&self, socket: UdpSocket) -> io::Result<WatchedSocket> {
        Ok(WatchedSocket { watched: self.readable(&socket)?, socket })
    }

    /// Waits until `socket` takes datagrams again.
    ///
    /// # Errors
    /// What the system reports when there are too many descriptors.
    pub async fn writable(&self, socket: &UdpSocket) -> io::Result<()> {
        // Watched only while it is waited for: a socket takes datagrams nearly always.
        let watched = self.watch(socket, EpollFlags::EPOLLOUT)?;
        poll_fn(|_| watched.poll_ready()).await;
        Ok(())
    }

    /// Waits as long as this.
    pub async fn pause(&self, duration: Duration) {
        let end = Instant::now() + duration;
        poll_fn(|_| {
            if Instant::now() >= end {
                return Poll::Ready(());
            }
            let until = self.0.until.get().map_or(end, |until| until.min(end));
            self.0.until.set(Some(until));
            Poll::Pending
        })
        .await;
    }

    /// A turn is over, a `full` one if it carried as much as one may. The others have theirs when this worker waits.
    pub async fn on_turn(&self, full: bool) {
        self.0.lookout.on_turn(full);
    }

    fn watch(&self, descriptor: impl AsFd, flags: EpollFlags) -> io::Result<Watched> {
        let descriptor = descriptor.as_fd().try_clone_to_owned()?;
        let mut watched = self.0.watched.borrow_mut();
        let free = watched.iter().position(Option::is_none).ok_or(Errno::EMFILE)?;
        watched[free] = Some((descriptor, flags));
        Ok(Watched { ground: Rc::clone(&self.0), bit: 1 << free, more: Cell::new(false) })
    }
}

impl Watched {
    /// Whether the last look found it; asked again after the next one otherwise. What is there can be
    /// [tried](Self::attempt) then.
    pub fn poll_ready(&self) -> Poll<()> {
        let found = self.ground.found.get();
        if found & self.bit == 0 {
            self.ground.wanted.set(self.ground.wanted.get() | self.bit);
            return Poll::Pending;
        }
        self.ground.found.set(found & !self.bit);
        self.more.set(true);
        Poll::Ready(())
    }

    /// Does `act`, unless it is known that there is nothing to do it to.
    ///
    /// # Errors
    /// Those of `act`; `WouldBlock` if there is nothing.
    pub fn attempt<T>(&self, act: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        if !self.more.get() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        act().inspect_err(|error| self.more.set(error.kind() != io::ErrorKind::WouldBlock))
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.ground.disarm(self.bit);
        self.ground.found.set(self.ground.found.get() & !self.bit);
        self.ground.watched.borrow_mut()[number(self.bit)] = None;
    }
}

impl Source for WatchedSocket {
    fn poll_readable(&self, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.watched.poll_ready().map(Ok)
    }

    fn try_read<T>(&self, read: impl FnOnce(UdpSockRef<'_>) -> io::Result<T>) -> io::Result<T> {
        self.watched.attempt(|| read(UdpSockRef::from(&self.socket)))
    }

    fn nothing_left(&self) {
        self.watched.more.set(false);
    }
}

impl Ground {
    /// Waits until something is found that somebody waits for, or the time has come.
    fn wait(&self) -> io::Result<Bits> {
        self.arm()?;
        let began = Instant::now();
        let found = match self.lookout.look(began, || self.look(Some(Duration::ZERO)))? {
            Some(found) => found,
            None => loop {
                let left = self.until.get().map(|until| until.saturating_duration_since(Instant::now()));
                if let Some(found) = self.look(left)? {
                    break found;
                }
                if left.is_some_and(|left| left.is_zero()) {
                    break 0;
                }
            },
        };
        self.lookout.on_wait(began.elapsed());
        self.found.set(found);
        Ok(found)
    }

    /// What there is of all that is waited for, after at most so long; none if there is nothing.
    fn look(&self, within: Option<Duration>) -> io::Result<Option<Bits>> {
        let timeout = within.map_or(EpollTimeout::NONE, |within| {
            let millis = within.as_micros().div_ceil(1000);
            u16::try_from(millis).map_or(EpollTimeout::MAX, EpollTimeout::from)
        });
        let mut events = [EpollEvent::empty(); MOST_WATCHED + 1];
        let count = match self.epoll.wait(&mut events, timeout) {
            Err(Errno::EINTR) => 0,
            count => count?,
        };
        let reported = events[..count].iter().fold(0, |bits, event| bits | 1 << event.data());
        let wanted = reported & (self.wanted.get() | STOP);
        if wanted != reported {
            self.disarm(reported & !wanted);
        }
        Ok((wanted != 0).then_some(wanted))
    }

    /// Puts what is waited for into the epoll.
    fn arm(&self) -> io::Result<()> {
        let missing = self.wanted.get() & !self.armed.get();
        if missing != 0 {
            let watched = self.watched.borrow();
            for (number, descriptor) in numbered(&watched[..], missing) {
                if let Some((descriptor, flags)) = descriptor {
                    self.epoll.add(descriptor, EpollEvent::new(*flags, number as u64))?;
                }
            }
            self.armed.set(self.armed.get() | missing);
        }
        Ok(())
    }

    /// Takes these out of the epoll, if they are there.
    fn disarm(&self, bits: Bits) {
        let there = bits & self.armed.get();
        for (_, descriptor) in numbered(&self.watched.borrow()[..], there) {
            if let Some((descriptor, _)) = descriptor {
                let _gone = self.epoll.delete(descriptor);
            }
        }
        self.armed.set(self.armed.get() & !there);
    }
}

const fn number(bit: Bits) -> usize {
    bit.trailing_zeros() as usize
}

/// Those of `items` whose bits are set, with their numbers.
fn numbered<T>(items: &[T], bits: Bits) -> impl Iterator<Item = (usize, &T)> {
    items.iter().enumerate().filter(move |(number, _)| bits & 1 << number != 0)
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::os::unix::net::UnixStream;

    use super::*;

    fn watch() -> Watch {
        Watch::new(&Stop::new().unwrap()).unwrap()
    }

    /// A stream that takes no more, and its other end.
    fn full() -> (UnixStream, UnixStream) {
        let (mut here, there) = UnixStream::pair().unwrap();
        here.set_nonblocking(true).unwrap();
        while here.write(&[0; 4096]).is_ok() {}
        (here, there)
    }

    #[test]
    fn who_waits_for_room_waits_until_there_is_some() {
        let (watch, (here, mut there)) = (watch(), full());
        let writable = watch.watch(&here, EpollFlags::EPOLLOUT).unwrap();
        let emptied = Cell::new(false);
        let done = watch.run(async {
            let empty = async {
                watch.pause(Duration::from_millis(20)).await;
                emptied.set(true);
                there.set_nonblocking(true).unwrap();
                while there.read(&mut [0; 4096]).is_ok() {}
            };
            let written = async {
                poll_fn(|_| writable.poll_ready()).await;
                emptied.get()
            };
            tokio::join!(empty, written).1
        });
        assert_eq!(done.unwrap(), Some(true));
    }

    #[test]
    fn what_nobody_waits_for_wakes_nobody() {
        let (watch, (_here, there)) = (watch(), full());
        let readable = watch.readable(&there).unwrap();
        watch.run(poll_fn(|_| readable.poll_ready())).unwrap();
        assert_eq!(watch.0.armed.get(), readable.bit);

        watch.run(watch.pause(Duration::from_millis(20))).unwrap();
        assert_eq!(watch.0.armed.get(), 0, "reported again and again, it would keep the processor busy");

        let found = watch.run(poll_fn(|_| readable.poll_ready()));
        assert_eq!(found.unwrap(), Some(()), "it is still there for who waits again");
    }

    #[test]
    fn what_is_known_to_be_empty_is_not_tried() {
        let (watch, (_here, there)) = (watch(), full());
        let readable = watch.readable(&there).unwrap();
        let attempt = |outcome: io::Result<u8>| readable.attempt(|| outcome).map_err(|error| error.kind());
        assert_eq!(attempt(Ok(1)), Err(io::ErrorKind::WouldBlock), "nothing has been found yet");
        watch.run(poll_fn(|_| readable.poll_ready())).unwrap();
        assert_eq!(attempt(Ok(2)), Ok(2));
        assert_eq!(attempt(Err(io::ErrorKind::WouldBlock.into())), Err(io::ErrorKind::WouldBlock));
        assert_eq!(attempt(Ok(3)), Err(io::ErrorKind::WouldBlock));
    }

    #[test]
    fn a_place_is_free_again_when_its_descriptor_is_not_watched_any_more() {
        let (watch, (_here, there)) = (watch(), full());
        for _ in 0..3 * MOST_WATCHED {
            let readable = watch.readable(&there).unwrap();
            assert_eq!(watch.run(poll_fn(|_| readable.poll_ready())).unwrap(), Some(()));
        }
        let many: Vec<_> = (0..MOST_WATCHED).map(|_| watch.readable(&there).unwrap()).collect();
        assert!(watch.readable(&there).is_err(), "no more than there are bits");
        drop(many);
    }
}
