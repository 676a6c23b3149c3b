//! A running subscribe-notify service: one task that owns the [`Service`], the sockets and the control socket.
//!
//! ```text
//!  sockets ────────┐                           ┌─ datagrams ─> sockets
//!  timer ──────────┼─> Service (this task) ────┤
//!  control socket ─┘                           └─ events ────> log
//! ```
//! # Life-cycle
//! [`ServiceDaemon::start`] → ready → [`ServiceDaemon::run_until`] told to end, or a client of the control socket
//! asks for it. It needs no device, no route and no root, so nothing is left behind but what it holds in memory.

use core::time::Duration;
use std::io;
use std::path::PathBuf;

use stead_noise::keys::PublicKey;
use stead_sns::{Event, Outlet, Service, Settings};
use stead_wire::datagram::Transmit;
use stead_wire::time::Instant;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tracing::{debug, trace};

use crate::clock;
use crate::control::{BindError, Outcome, Question, Request, Server};
use crate::drops::{IoDrop, IoDrops};
use crate::udp::{Outgoing, Readable, Receiver, SendError, Sender, UdpError, UdpSockets};

mod report;

/// What a service's daemon is told at its start.
pub struct ServiceDaemonSettings {
    /// UDP port of both sockets; 0 for any free one.
    pub listen_port: u16,
    /// Where the control socket goes.
    pub control_socket: PathBuf,
    /// The service's settings.
    pub service: Settings,
}

/// A service that is at work.
pub struct ServiceDaemon {
    service: Service,
    receiver: Receiver<Readable>,
    exits: Exits,
    questions: mpsc::Receiver<Question>,
    control: JoinHandle<()>,
    port: u16,
    /// When the service wants to be woken.
    wake: Option<Instant>,
}

/// Why a service did not start. Nothing of it is left then.
#[derive(Debug, thiserror::Error)]
pub enum ServiceStartError {
    /// The control socket cannot be opened; often because a service runs already.
    #[error(transparent)]
    Control(#[from] BindError),
    /// The UDP sockets cannot be opened.
    #[error(transparent)]
    Udp(#[from] UdpError),
    /// The system has no randomness.
    #[error("the system offers no randomness: {0}")]
    Randomness(getrandom::Error),
    /// The sockets cannot be watched.
    #[error("cannot watch the UDP sockets: {0}")]
    Sockets(io::Error),
}

/// Every way out of the service.
struct Exits {
    sender: Sender,
    drops: IoDrops,
}

impl Outlet for Exits {
    fn transmit(&mut self, transmit: Transmit) {
        let outgoing = Outgoing::single(transmit.remote, transmit.local, &transmit.datagram);
        let reason = match self.sender.try_send(outgoing) {
            Ok(()) => return,
            // What matters is repeated, by the service or by its clients; nothing else may keep it waiting.
            Err(SendError::Full) => IoDrop::SendBufferFull,
            Err(SendError::Lost(reason)) => reason,
        };
        debug!(remote = %transmit.remote, reason = reason.label(), "Not sent");
        self.drops.count(reason, 1);
    }

    fn event(&mut self, event: Event) {
        debug!(client = event.client.short(), "{}", event.what);
    }
}

/// Questions that wait for the driver.
const QUESTIONS: usize = 16;

/// Most system calls for datagrams before anything else is looked at.
const BATCHES: usize = 16;

/// What follows an error of a socket, so that a lasting one does not keep the processor busy.
const PAUSE: Duration = Duration::from_millis(5);

impl ServiceDaemon {
    /// Brings everything up; clients are answered once [`run_until`](Self::run_until) is awaited.
    ///
    /// # Errors
    /// See [`ServiceStartError`].
    pub async fn start(settings: ServiceDaemonSettings) -> Result<Self, ServiceStartError> {
        let server = Server::bind(&settings.control_socket).await?;
        let sockets = UdpSockets::bind(settings.listen_port, None)?;
        let receiver = Receiver::new(&sockets, Readable::new).map_err(ServiceStartError::Sockets)?;
        let sender = Sender::new(&sockets).map_err(ServiceStartError::Sockets)?;
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(ServiceStartError::Randomness)?;
        let (asking, questions) = mpsc::channel(QUESTIONS);
        Ok(Self {
            service: Service::new(settings.service, seed, clock::now()),
            receiver,
            exits: Exits { sender, drops: IoDrops::default() },
            questions,
            control: tokio::spawn(server.run(asking)),
            port: sockets.port(),
            wake: None,
        })
    }

    /// UDP port of both sockets.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// What clients know the service by.
    #[must_use]
    pub const fn public_key(&self) -> PublicKey {
        self.service.public_key()
    }

    /// Works until `shutdown` comes, or a client of the control socket asks to stop.
    ///
    /// # Errors
    /// When the system lets the sockets not be watched any more.
    pub async fn run_until(mut self, shutdown: impl Future<Output = ()>) -> io::Result<()> {
        let mut shutdown = core::pin::pin!(shutdown);
        let outcome = loop {
            let end = tokio::select! {
                () = &mut shutdown => Some(Ok(())),
                end = self.turn() => end,
            };
            if let Some(outcome) = end {
                break outcome;
            }
        };
        drop(self.questions);
        // The server ends when nobody takes questions; its last answers and the socket file go with it.
        let _ = tokio::time::timeout(Duration::from_secs(1), self.control).await;
        outcome
    }

    /// Waits for one input and takes care of it; with an outcome if it was the last.
    async fn turn(&mut self) -> Option<io::Result<()>> {
        tokio::select! {
            readable = self.receiver.readable() => match readable {
                Ok(()) => self.receive().await,
                Err(error) => return Some(Err(error)),
            },
            Some(question) = self.questions.recv() => {
                if self.answer(question) {
                    return Some(Ok(()));
                }
            }
            () = clock::until(self.wake) => {}
        }
        let now = clock::now();
        if self.wake.is_some_and(|at| at <= now) {
            self.service.handle_timeout(now);
        }
        self.drain(now);
        None
    }

    /// What has arrived, some batches at most.
    async fn receive(&mut self) {
        for _ in 0..BATCHES {
            let now = clock::now();
            match self.receiver.try_receive() {
                Ok(Some(batch)) => {
                    for (arrival, datagrams) in batch.datagrams() {
                        for datagram in datagrams {
                            self.service.handle_datagram(arrival, datagram, now);
                            // At once, so that a batch of requests never gathers all its answers in memory.
                            while let Some(transmit) = self.service.poll_transmit() {
                                self.exits.transmit(transmit);
                            }
                        }
                    }
                    self.drain(now);
                }
                Ok(None) => return,
                Err(error) => {
                    debug!(%error, "Nothing received");
                    self.exits.drops.count(IoDrop::ReceiveFailed, 1);
                    sleep(PAUSE).await;
                }
            }
        }
    }

    /// Lets everything out that the service has to say.
    fn drain(&mut self, now: Instant) {
        let next = self.service.drain(&mut self.exits);
        if let Some((at, wake)) = next {
            trace!(%wake, after = ?(at - now), "Timer");
        }
        self.wake = next.map(|(at, _)| at);
    }

    /// Answers a client of the control socket; true if it asked the service to end.
    fn answer(&self, question: Question) -> bool {
        let outcome = match &question.request {
            Request::Status => {
                let status = self.service.status(clock::now());
                Outcome::Service(Box::new(report::report(self.port, status, &self.exits.drops)))
            }
            Request::Connections => {
                Outcome::Error("a subscribe-notify service has no connections; ask for its status".into())
            }
            Request::Suspend { .. } | Request::Resume { .. } => Outcome::Error(
                "a subscribe-notify service has no traffic of its own; ask the node that has".into(),
            ),
            Request::Stop => Outcome::Stopped(true),
        };
        // A client that has gone needs no answer.
        let _ = question.answer.send(outcome);
        question.request == Request::Stop
    }
}
