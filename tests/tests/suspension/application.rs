//! What uses a connection: each side sends bytes that the other can foretell, and reads at its own pace.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use stead_tests::patience::within;

use crate::world::PATIENCE;

/// What one side does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// Bytes; it sends no more than that, and ends its half then, or once it is stopped.
    pub(crate) sends: usize,
    /// It reads so much at once, and pauses after each read.
    pub(crate) reads: (usize, Duration),
}

impl Plan {
    /// Sends until it is stopped, reads whatever is there.
    pub(crate) const BUSY: Self = Self { sends: usize::MAX, reads: (BLOCK, Duration::ZERO) };
    /// Sends nothing, and reads whatever is there.
    pub(crate) const QUIET: Self = Self { sends: 0, ..Self::BUSY };

    /// The same, sending so many bytes.
    pub(crate) const fn sending(self, sends: usize) -> Self {
        Self { sends, ..self }
    }
}

/// Both sides of a connection under way.
pub(crate) struct Transfer {
    sides: [Side; 2],
    over: Arc<AtomicBool>,
}

struct Side {
    received: Arc<AtomicUsize>,
    writer: JoinHandle<io::Result<usize>>,
    reader: JoinHandle<io::Result<usize>>,
}

impl Transfer {
    pub(crate) fn start(streams: &[TcpStream; 2], plans: [Plan; 2]) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let side = |number: usize| {
            let received = Arc::new(AtomicUsize::new(0));
            let copy = || streams[number].try_clone().expect("a descriptor");
            let (to, from, sends) = (copy(), copy(), plans[number].sends);
            let (over, seen, reads) = (Arc::clone(&over), Arc::clone(&received), plans[number].reads);
            let salt = number as u8;
            Side {
                received,
                writer: thread::spawn(move || send(to, salt, sends, &over)),
                reader: thread::spawn(move || receive(from, 1 - salt, reads, &seen)),
            }
        };
        Self { sides: [side(0), side(1)], over }
    }

    /// Bytes that one side has read.
    pub(crate) fn received(&self, number: usize) -> usize {
        self.sides[number].received.load(Ordering::Relaxed)
    }

    /// Both have read something.
    pub(crate) fn await_flow(&self) {
        assert!(within(PATIENCE, || self.received(0) > 0 && self.received(1) > 0), "nothing flows");
    }

    /// How long it takes until one side reads more than it has now.
    pub(crate) fn stall(&self, number: usize) -> Duration {
        let (before, began) = (self.received(number), Instant::now());
        while self.received(number) == before && began.elapsed() < PATIENCE {
            thread::sleep(Duration::from_millis(1));
        }
        began.elapsed()
    }

    /// Ends both halves, and everything that was sent must have been read: each byte, in order.
    pub(crate) fn finish(self) -> [usize; 2] {
        self.over.store(true, Ordering::Relaxed);
        let done = self.sides.map(|side| {
            let written = side.writer.join().expect("no panic").expect("everything can be sent");
            (written, side.reader.join().expect("what was read is right").expect("everything can be read"))
        });
        let [(first, read_by_first), (second, read_by_second)] = done;
        assert_eq!((read_by_second, read_by_first), (first, second), "not all that was sent was read");
        [read_by_first, read_by_second]
    }
}

/// Sends the row of bytes that belongs to `salt`, and ends this half.
fn send(mut to: TcpStream, salt: u8, sends: usize, over: &AtomicBool) -> io::Result<usize> {
    let mut sent = 0;
    while sent < sends && !over.load(Ordering::Relaxed) {
        let block: Vec<u8> = (sent..sends.min(sent + BLOCK)).map(|at| byte(salt, at)).collect();
        to.write_all(&block)?;
        sent += block.len();
    }
    to.shutdown(Shutdown::Write)?;
    Ok(sent)
}

/// Reads the row of bytes that belongs to `salt` up to its end.
fn receive(
    mut from: TcpStream,
    salt: u8,
    (chunk, pause): (usize, Duration),
    seen: &AtomicUsize,
) -> io::Result<usize> {
    let (mut block, mut received) = (vec![0; chunk], 0);
    loop {
        let len = match from.read(&mut block) {
            Ok(0) => return Ok(received),
            Ok(len) => len,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let wrong = (0..len).find(|at| block[*at] != byte(salt, received + at));
        assert_eq!(wrong.map(|at| received + at), None, "a wrong byte");
        received += len;
        seen.store(received, Ordering::Relaxed);
        thread::sleep(pause);
    }
}

/// What stands at a place of a row; no two places near each other can be mistaken.
pub(crate) const fn byte(salt: u8, at: usize) -> u8 {
    ((at as u32).wrapping_mul(2_654_435_761) >> 19) as u8 ^ salt
}

const BLOCK: usize = 64 * 1024;
