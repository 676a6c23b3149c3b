//! A TCP stream that is read and written in short waits, so that whoever waits can be told to stop.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};

use super::{LOOK_UP, is_timeout};

/// How an attempt to move bytes ended.
#[derive(Debug)]
pub(crate) enum Turn {
    /// All that was asked for, or for a single read this many bytes.
    Done(usize),
    /// The other side closed.
    Ended,
    /// Whoever waits was told to stop.
    Stopped,
}

#[derive(Debug)]
pub(crate) struct Patient(TcpStream);

impl Patient {
    pub(crate) fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_read_timeout(Some(LOOK_UP))?;
        stream.set_write_timeout(Some(LOOK_UP))?;
        Ok(Self(stream))
    }

    /// Reads whatever comes next.
    pub(crate) fn read(&self, into: &mut [u8], stopped: impl Fn() -> bool) -> io::Result<Turn> {
        loop {
            match (&self.0).read(into) {
                Ok(0) => return Ok(Turn::Ended),
                Ok(length) => return Ok(Turn::Done(length)),
                Err(error) if !is_timeout(&error) => return Err(error),
                Err(_) if stopped() => return Ok(Turn::Stopped),
                Err(_) => {}
            }
        }
    }

    /// Fills `into`; an end in the middle of it is an error.
    pub(crate) fn read_whole(&self, into: &mut [u8], stopped: impl Fn() -> bool) -> io::Result<Turn> {
        let mut filled = 0;
        while filled < into.len() {
            match self.read(&mut into[filled..], &stopped)? {
                Turn::Done(length) => filled += length,
                Turn::Ended if filled > 0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                other => return Ok(other),
            }
        }
        Ok(Turn::Done(filled))
    }

    /// Writes all of `bytes`.
    pub(crate) fn write(&self, bytes: &[u8], stopped: impl Fn() -> bool) -> io::Result<Turn> {
        let mut written = 0;
        while written < bytes.len() {
            match (&self.0).write(&bytes[written..]) {
                Ok(length) => written += length,
                Err(error) if !is_timeout(&error) => return Err(error),
                Err(_) if stopped() => return Ok(Turn::Stopped),
                Err(_) => {}
            }
        }
        Ok(Turn::Done(written))
    }

    /// Says that nothing more will be written.
    pub(crate) fn finish(&self) -> io::Result<()> {
        self.0.shutdown(Shutdown::Write)
    }
}
