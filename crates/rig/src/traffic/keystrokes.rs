//! A connection that is idle but for single bytes: a shell that somebody left open.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::{Direction, Line, Outcome};
use crate::error::RigError;

/// An open connection; nobody sends anything over it but by [`press`](Self::press).
#[derive(Debug)]
pub struct Keystrokes {
    client: TcpStream,
    server: TcpStream,
    pressed: u64,
}

impl Keystrokes {
    /// Opens the connection.
    ///
    /// # Errors
    /// If no connection comes about.
    pub fn open(line: &Line) -> Result<Self, RigError> {
        let (client, server) = line.connect()?;
        for end in [&client, &server] {
            end.set_nodelay(true).map_err(RigError::io("set up a connection"))?;
        }
        Ok(Self { client, server, pressed: 0 })
    }

    /// Sends a byte and returns how long it took to the other application.
    ///
    /// # Errors
    /// What became of the connection in stead, once it is given up or `patience` is over.
    pub fn press(&mut self, direction: Direction, patience: Duration) -> Result<Duration, Outcome> {
        let (mut from, mut to) = match direction {
            Direction::ToServer => (&self.client, &self.server),
            Direction::ToClient => (&self.server, &self.client),
        };
        let received = self.pressed;
        let failed = |error| Outcome::of(&error, received);
        let pressed = Instant::now();
        let key = [self.pressed as u8];
        from.write_all(&key).map_err(failed)?;
        let mut seen = [0];
        to.set_read_timeout(Some(LOOK_UP)).map_err(failed)?;
        loop {
            match to.read(&mut seen) {
                Ok(1) if seen == key => break,
                Ok(1) => return Err(Outcome::Corrupt),
                Ok(_) => return Err(Outcome::EndedEarly { received }),
                Err(error) if !super::is_timeout(&error) => return Err(failed(error)),
                Err(_) => {}
            }
            // The sender's kernel tells when it gave up; the receiver would wait for ever.
            if let Some(error) = from.take_error().map_err(failed)? {
                return Err(failed(error));
            }
            if pressed.elapsed() > patience {
                let for_millis = super::timeline::micros(patience) / 1000;
                return Err(Outcome::Silent { received, for_millis });
            }
        }
        self.pressed += 1;
        Ok(pressed.elapsed())
    }
}

/// How often whoever waits for a byte looks whether the connection is still there.
const LOOK_UP: Duration = Duration::from_millis(50);
