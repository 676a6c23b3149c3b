//! What applications send each other, and what became of it as they saw it.
//!
//! The client opens and sends, the server accepts, receives and checks. Each end is driven when its host's stack has
//! moved on, and names the moment at which it wants to be driven next.

mod tcp;
mod tick;
mod udp;

use core::net::SocketAddr;
use std::collections::BTreeMap;

use stead_wire::time::{Duration, Instant};

use crate::network::HostId;
use crate::stack::Stack;

pub(crate) use tcp::TcpFlow;
pub(crate) use udp::UdpFlow;

/// One application's traffic.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TrafficPlan {
    /// Its name.
    pub name: String,
    /// What is sent.
    pub kind: TrafficKind,
    /// Who opens and sends.
    pub from: HostId,
    /// Who accepts and receives.
    pub to: HostId,
    /// When it begins, since the beginning of the world.
    pub start: Duration,
    /// The family of the addresses it uses; without it the virtual addresses that follow from keys, IPv6, or one that
    /// bare hosts have in common.
    pub over: Option<Family>,
}

/// A family of addresses.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// What is sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TrafficKind {
    /// Numbered ticks over one TCP connection, such as keystrokes.
    TcpTicker {
        /// The time between two.
        every: Duration,
        /// How long it ticks.
        lasts: Duration,
    },
    /// Numbered datagrams, such as a call.
    UdpTicker {
        /// The time between two.
        every: Duration,
        /// How long it sends.
        lasts: Duration,
        /// Bytes of each, eight at least.
        size: usize,
        /// Whether the sender lets nobody cut them, nor its own system: it is told when they are too long.
        dont_fragment: bool,
    },
    /// So many bytes over one TCP connection.
    TcpBulk {
        /// How many.
        bytes: u64,
        /// At most so many bits per second.
        rate: Option<u64>,
    },
}

/// What became of one traffic, as the applications saw it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Outcome {
    /// How it ended.
    pub end: End,
    /// Ticks, datagrams or bytes given to the sender's stack.
    pub sent: u64,
    /// Ticks or bytes that arrived in order, or different datagrams.
    pub received: u64,
    /// Datagrams that arrived again.
    pub duplicated: u64,
    /// Datagrams that arrived after one with a higher number.
    pub reordered: u64,
    /// Whether something arrived that was not sent.
    pub corrupt: bool,
    /// Datagrams that have not arrived: their numbers, and when each was sent, since the beginning of the world.
    pub missing: BTreeMap<u64, Duration>,
    /// Datagrams that the sender's own system refused, because it has been told that they are too long.
    pub refused: u64,
    /// When it refused the first, since the beginning of the world.
    pub told: Option<Duration>,
    /// When something arrived, since the beginning of the world, in order; one entry per moment.
    pub arrivals: Vec<Duration>,
    /// When the receiver saw the sender's end.
    pub over: Option<Duration>,
}

/// How a connection, or a stream of datagrams, ended.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum End {
    /// The receiver saw the sender's own end; always so for datagrams.
    Closed,
    /// It is still under way.
    #[default]
    Unfinished,
    /// The connection never opened.
    NeverOpened,
    /// A connection that was open was reset.
    Broken,
}

impl TrafficKind {
    /// Short datagrams, which every path takes.
    #[must_use]
    pub const fn udp_ticker(every: Duration, lasts: Duration) -> Self {
        Self::UdpTicker { every, lasts, size: tick::LEN, dont_fragment: false }
    }
}

impl Outcome {
    /// Whether everything that was sent arrived, and nothing else.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.end == End::Closed && self.sent == self.received && !self.corrupt
    }

    /// The longest time without an arrival after the first, and when it began.
    #[must_use]
    pub fn longest_gap(&self) -> Option<(Duration, Duration)> {
        let gaps = self.arrivals.windows(2).map(|pair| (pair[1] - pair[0], pair[0]));
        gaps.max_by_key(|(gap, from)| (*gap, core::cmp::Reverse(*from))).map(|(gap, from)| (from, gap))
    }

    pub(crate) fn arrived(&mut self, at: Duration) {
        if self.arrivals.last() != Some(&at) {
            self.arrivals.push(at);
        }
    }
}

/// Which end of a traffic.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Side {
    Client,
    Server,
}

/// A traffic under way.
pub(crate) trait Flow {
    /// Opens an end: the server's first, then the client's towards `remote`.
    fn open(&mut self, side: Side, stack: &mut Stack, remote: SocketAddr, now: Instant);

    /// Lets an end do what it can; returns when it wants to be called though nothing came.
    fn drive(&mut self, side: Side, stack: &mut Stack, now: Instant) -> Option<Instant>;

    /// What became of it so far.
    fn outcome(&self) -> &Outcome;
}
