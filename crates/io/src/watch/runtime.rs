//! Waiting in a runtime of tokio's, where descriptors are what it knows how to wait for.

use core::time::Duration;
use std::io;
use std::net::UdpSocket;
use std::sync::Arc;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;

use crate::udp::Readable;

/// A worker's place to wait. What it registers, it registers while it [runs](Self::run).
#[derive(Clone)]
pub struct Watch {
    runtime: Arc<Runtime>,
    stop: Stop,
}

/// The word for workers to stop.
#[derive(Clone, Debug)]
pub struct Stop(watch::Sender<bool>);

impl Stop {
    /// Not said yet.
    ///
    /// # Errors
    /// None here; other platforms have some.
    pub fn new() -> io::Result<Self> {
        Ok(Self(watch::Sender::new(false)))
    }

    /// Says it, for good.
    pub fn say(&self) {
        self.0.send_replace(true);
    }
}

impl Watch {
    /// A place to wait, until the word to stop comes.
    ///
    /// # Errors
    /// What the system reports when it lets no runtime be made.
    pub fn new(stop: &Stop) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        Ok(Self { runtime: Arc::new(runtime), stop: stop.clone() })
    }

    /// Does `work` to its end; `None` if the word to stop comes before.
    ///
    /// # Errors
    /// None here; other platforms have some.
    pub fn run<T>(&self, work: impl Future<Output = T>) -> io::Result<Option<T>> {
        let mut stop = self.stop.0.subscribe();
        Ok(self.runtime.block_on(async {
            tokio::select! {
                _ = stop.wait_for(|said| *said) => None,
                done = work => Some(done),
            }
        }))
    }

    /// A socket whose arrivals are waited for.
    ///
    /// # Errors
    /// What the system reports when it cannot watch it.
    pub fn socket(&self, socket: UdpSocket) -> io::Result<Readable> {
        Readable::new(socket)
    }

    /// Waits until `socket` takes datagrams again.
    ///
    /// # Errors
    /// When the system cannot watch the socket.
    pub async fn writable(&self, socket: &UdpSocket) -> io::Result<()> {
        // Registered only while it is waited for: every datagram sent would wake the runtime otherwise.
        tokio::net::UdpSocket::from_std(socket.try_clone()?)?.writable().await
    }

    /// Waits as long as this.
    pub async fn pause(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }

    /// A turn is over, a `full` one if it carried as much as one may: lets the others have theirs.
    pub async fn on_turn(&self, _full: bool) {
        tokio::task::yield_now().await;
    }
}
