//! Two ends and the line between them.

use std::collections::VecDeque;
use std::sync::Arc;

use stead_lct::{Attachment, Budget, Held, Limits, OriginalSpecification, PathId, PeerId, Rules, Table};
use stead_wire::ip::IpHeaders;
use stead_wire::tcp::{Segment, Sequence};
use stead_wire::time::{Duration, Instant};

use crate::stack::{Plan, Stack};

pub(crate) const PEER: PeerId = PeerId(0);

/// From end to end.
pub(crate) const DELAY: Duration = Duration::from_millis(10);

/// What was lost longer ago is not sent again.
const RING_AGE: Duration = Duration::from_secs(10);

pub(crate) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// The line is dark for a while; each end finds that out, and finds out that it is over, in its own time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outage {
    pub(crate) begins: Instant,
    pub(crate) lasts: Duration,
    pub(crate) noticed: [Duration; 2],
    pub(crate) resumed: [Duration; 2],
}

pub(crate) struct End {
    pub(crate) stack: Stack,
    pub(crate) table: Table,
    pub(crate) held: Held,
    pub(crate) suspended: bool,
    /// Added to the stack's own numbers on their way out.
    shift: Option<u32>,
    /// The highest that the stack acknowledged, shifted.
    acknowledged: Option<Sequence>,
}

pub(crate) struct World {
    pub(crate) now: Instant,
    pub(crate) ends: [End; 2],
    line: [VecDeque<(Instant, Vec<u8>)>; 2],
    /// What the dark has swallowed lately, by who sent it: the tunnel sends it again once it is over.
    lost: [VecDeque<(Instant, Vec<u8>)>; 2],
    outages: Vec<Outage>,
    /// Whether ends suspend at all.
    suspends: bool,
    /// Where the numbers begin, counted back from the wrap.
    before_wrap: u32,
    /// What must not happen, and did.
    pub(crate) wrong: Vec<String>,
}

impl End {
    pub(crate) fn new(stack: Stack, memory: usize) -> Self {
        let held = Held::new(PEER, Rules::default(), Arc::new(Budget::new(memory)));
        let table = Table::new(Limits::default());
        Self { stack, table, held, suspended: false, shift: None, acknowledged: None }
    }
}

impl World {
    pub(crate) fn new(plans: [Plan; 2], outages: Vec<Outage>, suspends: bool, before_wrap: u32) -> Self {
        let [first, second] = plans;
        let ends = [Stack::new(1, first, 7), Stack::new(2, second, 8)].map(|stack| End::new(stack, 4 << 20));
        let (line, lost, wrong) = (Default::default(), Default::default(), Vec::new());
        Self { now: Instant::ZERO, ends, line, lost, outages, suspends, before_wrap, wrong }
    }

    /// Runs until both applications have everything, or `limit`; whether they have.
    pub(crate) fn run(&mut self, limit: Instant) -> bool {
        self.run_until(limit, |world| world.ends.iter().all(|end| end.stack.finished))
    }

    pub(crate) fn run_until(&mut self, limit: Instant, done: impl Fn(&Self) -> bool) -> bool {
        loop {
            self.turn();
            if done(self) || !self.wrong.is_empty() {
                return true;
            }
            match self.next() {
                Some(next) if next <= limit => self.now = next.max(self.now + Duration::from_micros(1)),
                _ => return false,
            }
        }
    }

    fn is_dark(&self) -> bool {
        let within = |outage: &Outage| self.now >= outage.begins && self.now < outage.begins + outage.lasts;
        self.outages.iter().any(within)
    }

    fn must_suspend(&self, end: usize) -> bool {
        let within = |outage: &Outage| {
            let from = outage.begins + outage.noticed[end].min(outage.lasts);
            self.now >= from && self.now < outage.begins + outage.lasts + outage.resumed[end]
        };
        self.suspends && self.outages.iter().any(within)
    }

    fn turn(&mut self) {
        for number in [0, 1] {
            while self.line[number].front().is_some_and(|(due, _)| *due <= self.now) {
                let Some((_, packet)) = self.line[number].pop_front() else { break };
                if self.is_dark() {
                    self.lost[1 - number].push_back((self.now, packet));
                } else {
                    self.arrive(number, packet);
                }
            }
            self.suspend(number);
            self.ends[number].stack.handle_timeout(self.now);
            while let Some(packet) = self.ends[number].stack.poll_packet() {
                self.depart(number, packet);
            }
            self.answer(number);
        }
    }

    fn next(&mut self) -> Option<Instant> {
        let now = self.now;
        let stacks = self.ends.each_mut().map(|end| end.stack.poll_timeout(now));
        let line = self.line.each_ref().map(|line| line.front().map(|(due, _)| *due));
        let changes = self.outages.iter().flat_map(|outage| {
            let end = outage.begins + outage.lasts;
            let noticed = outage.noticed.map(|after| outage.begins + after.min(outage.lasts));
            let resumed = outage.resumed.map(|after| end + after);
            [outage.begins, end, noticed[0], noticed[1], resumed[0], resumed[1]]
        });
        let changes = changes.filter(|at| *at > now).min();
        stacks.into_iter().chain(line).chain([changes]).flatten().min()
    }

    fn suspend(&mut self, number: usize) {
        let must = self.must_suspend(number);
        let was = core::mem::replace(&mut self.ends[number].suspended, must);
        let end = &mut self.ends[number];
        if must && !was {
            end.held.stop(&end.table.entries_of(PEER));
        }
        if was && !must {
            for (at, packet) in core::mem::take(&mut self.lost[number]) {
                if self.now - at < RING_AGE {
                    self.line[1 - number].push_back((self.now + DELAY, packet));
                }
            }
            while let Some(packet) = self.ends[number].held.pop(self.now) {
                self.send(number, packet);
            }
        }
    }

    fn answer(&mut self, number: usize) {
        let now = self.now;
        loop {
            let end = &mut self.ends[number];
            let answer = if end.suspended { end.held.poll_answer(now) } else { end.held.poll_update() };
            let Some(answer) = answer else { return };
            self.judge_answer(number, &answer);
            self.deliver(number, answer);
        }
    }

    /// A packet of the stack's.
    fn depart(&mut self, number: usize, mut packet: Vec<u8>) {
        let headers = IpHeaders::parse(&packet).expect("a packet");
        let segment = Segment::read(&packet, &headers).expect("a segment");
        if segment.flags.rst {
            self.wrong.push(format!("end {number} reset the connection at {}", self.now));
        }
        let start = u32::MAX - self.before_wrap;
        let shift = *self.ends[number].shift.get_or_insert(start.wrapping_sub(segment.sequence.0));
        let theirs = self.ends[1 - number].shift.unwrap_or(0);
        renumber(&mut packet, shift, if segment.flags.ack { theirs } else { 0 });
        if segment.flags.ack {
            let acknowledged = segment.acknowledgement.plus(theirs);
            let known = &mut self.ends[number].acknowledged;
            *known = Some(known.map_or(acknowledged, |known| known.later(acknowledged)));
        }
        if self.ends[number].suspended {
            let end = &mut self.ends[number];
            end.held.push(packet, &end.table, self.now);
        } else {
            self.send(number, packet);
        }
    }

    fn send(&mut self, number: usize, packet: Vec<u8>) {
        let headers = IpHeaders::parse(&packet).expect("a packet");
        let original = OriginalSpecification::from_outbound(headers.tuple);
        let entry = self.ends[number]
            .table
            .find_or_track(original, PEER, &attachment(), headers.tcp, self.now)
            .expect("room for one connection");
        entry.count_outbound(1, packet.len() as u64, headers.tcp, self.now);
        entry.remember_outbound(&packet, &headers);
        if self.is_dark() {
            self.lost[number].push_back((self.now, packet));
        } else {
            self.line[1 - number].push_back((self.now + DELAY, packet));
        }
    }

    fn arrive(&mut self, number: usize, packet: Vec<u8>) {
        let headers = IpHeaders::parse(&packet).expect("a packet");
        let original = OriginalSpecification::from_inbound(headers.tuple);
        let entry = self.ends[number]
            .table
            .find_or_track(original, PEER, &attachment(), headers.tcp, self.now)
            .expect("room for one connection");
        entry.count_inbound(1, packet.len() as u64, headers.tcp, self.now);
        entry.remember_inbound(&packet, &headers);
        self.deliver(number, packet);
    }

    fn deliver(&mut self, number: usize, mut packet: Vec<u8>) {
        let headers = IpHeaders::parse(&packet).expect("a packet");
        let acknowledges = headers.tcp.is_some_and(|flags| flags.ack);
        let theirs = self.ends[1 - number].shift.unwrap_or(0);
        let ours = self.ends[number].shift.unwrap_or(0);
        renumber(
            &mut packet,
            0_u32.wrapping_sub(theirs),
            if acknowledges { 0_u32.wrapping_sub(ours) } else { 0 },
        );
        self.ends[number].stack.handle_packet(packet);
    }

    /// What is said in the other's name must have been said by the other.
    fn judge_answer(&mut self, number: usize, answer: &[u8]) {
        let headers = IpHeaders::parse(answer).expect("a packet");
        let segment = Segment::read(answer, &headers).expect("a segment");
        let known = self.ends[1 - number].acknowledged;
        if known.is_none_or(|known| segment.acknowledgement.is_after(known)) {
            self.wrong.push(format!("end {number} was told {segment:?}, the other acknowledged {known:?}"));
        }
        if segment.payload_len > 0 || segment.flags.syn || segment.flags.fin || segment.flags.rst {
            self.wrong.push(format!("end {number} was told more than an acknowledgement: {segment:?}"));
        }
    }
}

pub(crate) fn attachment() -> Arc<Attachment> {
    Arc::new(Attachment { local: None, remote: "192.0.2.1:7".parse().unwrap(), path: PathId(0) })
}

/// Adds to both numbers of a segment. Checksums are not looked at in this world.
fn renumber(packet: &mut [u8], sequence: u32, acknowledgement: u32) {
    for (at, add) in [(24, sequence), (28, acknowledgement)] {
        let number: [u8; 4] = packet[at..at + 4].try_into().unwrap();
        packet[at..at + 4].copy_from_slice(&u32::from_be_bytes(number).wrapping_add(add).to_be_bytes());
    }
}
