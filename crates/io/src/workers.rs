//! The packet path's workers, one or several: from the TUN device to the sockets, and back.
//!
//! ```text
//!              ┌ queues 0 2 4 6 ─> outbound 0 ─> ┐       ┌ ─> inbound 0 ─┐
//!  TUN device ─┤                                 ├ peers ┤               ├─ through the flow's queue ─> TUN device
//!              └ queues 1 3 5 7 ─> outbound 1 ─> ┘       └ ─> inbound 1 ─┘
//! ```
//! A flow's packets have one queue, a peer's datagrams one socket, and each of these one worker: their order stays.
//!
//! Each worker is an operating system's thread with a [watch](crate::watch) of its own, and runs a packet to completion:
//! read, translate, seal, send; or receive, open, translate, write. A plain data packet meets no lock, no other
//! thread and no allocation on its way. Whatever is not plain goes to the node, through its [`Mailbox`].
//!
//! The two ways take turns on the thread, a super-packet or as much of what has arrived each: what one brings often
//! makes work for the other, as data makes acknowledgements, and finds the thread awake. A lone worker has a thread for
//! either where there are processors to spare.
//!
//! # Invariants
//! - A lone packet never waits for others: what has been gathered goes out before a worker waits.
//! - The mailbox is bounded; what it cannot take is counted, and notices have room of their own in it.

use core::net::{IpAddr, SocketAddr};
use std::io;
use std::sync::Arc;
use std::thread::{JoinHandle, available_parallelism};

use stead_node::{Arrival, Notice, PacketPath};
use tokio::sync::{mpsc, oneshot};
use tracing::debug;

use crate::drops::{IoDrop, IoDrops};
use crate::tun::{Device, Share};
use crate::udp::UdpSockets;
use crate::watch::{Stop, Watch};

mod inbound;
mod outbound;
mod row;

pub(crate) use self::row::messages_of;

/// What workers leave to the node.
#[derive(Debug)]
pub(crate) enum Mail {
    /// A datagram that is no plain data message.
    Datagram(Arrival, Vec<u8>),
    /// An inner packet that cannot leave now.
    Packet(Vec<u8>),
    /// Something the packet path saw.
    Notice(Notice),
    /// A filter of this host refused to send there.
    Refused(SocketAddr, Option<IpAddr>),
    /// A worker cannot go on.
    Ended(io::Error),
}

/// What the workers share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) path: Arc<PacketPath>,
    pub(crate) device: Arc<Device>,
    pub(crate) drops: Arc<IoDrops>,
    pub(crate) mtu: usize,
}

/// What one of the workers has to do, and with what.
#[derive(Clone)]
struct Part {
    shared: Shared,
    sockets: Arc<UdpSockets>,
    /// Of the device's queues.
    share: Share,
    mailbox: Mailbox,
}

/// The way to the node.
#[derive(Clone)]
pub(crate) struct Mailbox {
    sender: mpsc::Sender<Mail>,
    drops: Arc<IoDrops>,
}

/// The running threads.
pub(crate) struct Workers {
    stop: Stop,
    threads: Vec<JoinHandle<()>>,
}

/// How much the mailbox holds. A held peer's packets arrive in bursts of a congestion window.
const MAILBOX: usize = 4096;

/// How much of it only notices may use: a flood of handshakes must not keep them from the node.
const FOR_NOTICES: usize = 1024;

/// Most reads of the device, or batches from the sockets, in one turn.
const BATCH: usize = 64;

/// A turn ends with the packet or super-packet that makes it this many bytes: one of full length.
const QUANTUM: usize = 1 << 15;

/// A lone worker with more processors than these has a thread for either way.
const FEW_PROCESSORS: usize = 2;

impl Workers {
    /// Starts a worker for each of the `sockets`; they are at work when this returns.
    ///
    /// # Errors
    /// What the system reports when it lets a thread, a runtime or a descriptor not be made.
    pub(crate) async fn start(
        shared: &Shared,
        sockets: &[Arc<UdpSockets>],
    ) -> io::Result<(Self, mpsc::Receiver<Mail>)> {
        let of = sockets.len();
        let (sender, mails) = mpsc::channel(MAILBOX);
        let mailbox = Mailbox { sender, drops: Arc::clone(&shared.drops) };
        let mut workers = Self { stop: Stop::new()?, threads: Vec::new() };
        let apart =
            of == 1 && available_parallelism().is_ok_and(|processors| processors.get() > FEW_PROCESSORS);

        for (index, sockets) in sockets.iter().enumerate() {
            let part = Part {
                shared: shared.clone(),
                sockets: Arc::clone(sockets),
                share: Share { index, of },
                mailbox: mailbox.clone(),
            };
            let back = part.clone();
            if apart {
                workers.spawn("stead-outbound", &mailbox, |watch| outbound::begin(part, watch)).await?;
                workers.spawn("stead-inbound", &mailbox, |watch| inbound::begin(back, watch)).await?;
            } else {
                let both = |watch: Watch| {
                    let outbound = outbound::begin(part, watch.clone())?;
                    let inbound = inbound::begin(back, watch)?;
                    Ok(async { tokio::try_join!(outbound, inbound).map(drop) })
                };
                workers.spawn("stead-worker", &mailbox, both).await?;
            }
        }
        Ok((workers, mails))
    }

    /// Starts a thread that does what `begin` gives it to do.
    async fn spawn<W>(
        &mut self,
        name: &'static str,
        mailbox: &Mailbox,
        begin: impl FnOnce(Watch) -> io::Result<W> + Send + 'static,
    ) -> io::Result<()>
    where
        W: Future<Output = io::Result<()>>,
    {
        let (ready, at_work) = oneshot::channel();
        let (mailbox, stop) = (mailbox.clone(), self.stop.clone());
        let thread = std::thread::Builder::new().name(name.into()).spawn(move || {
            let work = async |watch: Watch| {
                let work = begin(watch)?;
                let _ = ready.send(());
                work.await
            };
            let ended = Watch::new(&stop).and_then(|watch| watch.run(work(watch.clone())));
            match ended.and_then(Option::transpose) {
                Ok(_) => debug!(worker = name, "Worker stopped"),
                Err(error) => mailbox.post(Mail::Ended(error)),
            }
        })?;
        self.threads.push(thread);
        // Without the word that it is ready it has failed, and its error is in the mailbox.
        at_work.await.map_err(|_| io::Error::other(format!("{name} could not begin its work")))
    }

    /// Ends the threads and waits for them.
    pub(crate) fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.stop.say();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.end();
    }
}

impl Mailbox {
    /// Leaves a mail for the node, or counts that it could not.
    fn post(&self, mail: Mail) {
        let reserved = match mail {
            Mail::Notice(_) | Mail::Refused(..) | Mail::Ended(_) => 0,
            Mail::Datagram(..) | Mail::Packet(_) => FOR_NOTICES,
        };
        if self.sender.capacity() <= reserved || self.sender.try_send(mail).is_err() {
            self.drops.count(IoDrop::MailboxFull, 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use stead_lct::PeerId;
    use stead_node::Sighting;

    use super::*;

    #[test]
    fn a_flood_of_datagrams_leaves_room_for_notices() {
        let (sender, mut mails) = mpsc::channel(MAILBOX);
        let mailbox = Mailbox { sender, drops: Arc::default() };
        let arrival = Arrival { source: "192.0.2.1:1".parse().unwrap(), local: None };

        for _ in 0..2 * MAILBOX {
            mailbox.post(Mail::Datagram(arrival, vec![1]));
        }
        mailbox.post(Mail::Notice(Notice { peer: PeerId(0), sighting: Sighting::Stirred }));

        assert_eq!(mailbox.drops.of(IoDrop::MailboxFull), (MAILBOX + FOR_NOTICES) as u64);
        let mut last = None;
        while let Ok(mail) = mails.try_recv() {
            last = Some(mail);
        }
        assert!(matches!(last, Some(Mail::Notice(_))), "{last:?}");
    }
}
