//! Looks at every packet between the kernels and the line, and notes what must not happen.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use stead_lct::OriginalSpecification;
use stead_wire::ip::IpHeaders;
use stead_wire::tcp::{self, Segment, Sequence};

/// See the module's documentation.
#[derive(Debug, Default)]
pub(crate) struct Judge {
    /// What both kernels said of each connection; named as the first end names it.
    said: BTreeMap<OriginalSpecification, [Said; 2]>,
    /// Every packet that a kernel made, without its timestamp.
    made: [BTreeSet<u64>; 2],
    /// Who resets a connection because its application asks for it.
    may_reset: [bool; 2],
    /// How many resets there were.
    pub(crate) resets: [u64; 2],
    /// Answers with a closed window, and windows opened again.
    pub(crate) told: [u64; 2],
    /// What must not happen, and did.
    pub(crate) wrong: Vec<String>,
}

/// The furthest that one kernel went.
#[derive(Debug, Default)]
struct Said {
    end: Option<Sequence>,
    acknowledged: Option<Sequence>,
    timestamp: Option<Sequence>,
    windows: BTreeSet<u16>,
    /// Whether it has ended its half.
    fin: bool,
    /// What its kernel was given last, in words; and whether that came from the other kernel.
    heard: (String, bool),
}

/// What is said in the other's name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Answer {
    /// Wait.
    Closed,
    /// Go on.
    Open,
}

impl Judge {
    /// From now on this end's application wants its connection reset.
    pub(crate) fn expect_reset(&mut self, number: usize) {
        self.may_reset[number] = true;
    }

    /// A packet that a kernel made.
    pub(crate) fn made(&mut self, number: usize, packet: &[u8], headers: &IpHeaders) {
        let Some(segment) = Segment::read(packet, headers) else { return };
        self.made[number].insert(digest(packet, headers));
        let both = self.said.entry(connection(number, headers)).or_default();
        let is_over = is_over(both);
        let said = &mut both[number];
        if segment.flags.rst {
            self.resets[number] += 1;
            // A kernel that has forgotten a connection refuses what the other repeats of it, as on any line.
            if !(self.may_reset[number] || is_over && said.heard.1) {
                self.wrong
                    .push(format!("end {number} resets its connection: {segment:?} after {}", said.heard.0));
            }
            return;
        }
        let later =
            |known: Option<Sequence>, new| Some(known.map_or(new, |known: Sequence| known.later(new)));
        said.end = later(said.end, segment.end());
        said.fin |= segment.flags.fin;
        if segment.flags.ack {
            said.acknowledged = later(said.acknowledged, segment.acknowledgement);
        }
        if let Some(timestamps) = segment.timestamps {
            said.timestamp = later(said.timestamp, timestamps.value);
        }
        // The scale that a SYN offers holds for what follows (RFC 7323 section 2.2).
        let scale = tcp::window_scale(packet, headers).filter(|_| segment.flags.syn).unwrap_or(0);
        said.windows.insert(segment.window >> scale);
    }

    /// A packet from the other kernel: at most its timestamp is another one than it was made with.
    pub(crate) fn arrives(&mut self, number: usize, packet: &[u8], headers: &IpHeaders) {
        let other = 1 - number;
        if !self.made[other].contains(&digest(packet, headers)) {
            self.wrong.push(format!("end {number} gets what end {other} never sent: {headers:?}"));
        }
        let said = self.said.entry(connection(other, headers)).or_default();
        let segment = Segment::read(packet, headers);
        said[number].heard = (format!("{segment:?} of the other's"), true);
        let (stamp, known) = (segment.and_then(|segment| segment.timestamps), said[other].timestamp);
        if stamp.is_some_and(|stamp| known.is_none_or(|known| stamp.value.is_after(known))) {
            self.wrong.push(format!("end {number} gets a timestamp of the future: {stamp:?}, not {known:?}"));
        }
    }

    /// A packet in the other's name: it says nothing that the other did not say.
    pub(crate) fn told(&mut self, number: usize, packet: &[u8], answer: Answer) {
        let headers = IpHeaders::parse(packet).expect("a packet");
        let segment = Segment::read(packet, &headers).expect("a segment");
        let other = 1 - number;
        self.told[usize::from(answer == Answer::Open)] += 1;
        let said = self.said.entry(connection(other, &headers)).or_default();
        said[number].heard = (format!("{answer:?} {segment:?} in the other's name"), false);
        let (ours, theirs) = (&said[number], &said[other]);

        let beyond =
            |number: Sequence, known: Option<Sequence>| known.is_none_or(|known| number.is_after(known));
        let bare = segment.payload_len == 0
            && segment.flags.ack
            && !(segment.flags.syn || segment.flags.fin || segment.flags.rst);
        let window = match answer {
            Answer::Closed => segment.window == 0,
            Answer::Open => theirs.windows.contains(&segment.window),
        };
        let stamps = segment.timestamps.is_none_or(|stamps| {
            !beyond(stamps.value, theirs.timestamp) && !beyond(stamps.echo, ours.timestamp)
        });
        for (right, what) in [
            (bare, "more than an acknowledgement"),
            (!beyond(segment.acknowledgement, theirs.acknowledged), "an acknowledgement never given"),
            (!beyond(segment.sequence, theirs.end), "a sequence number never reached"),
            (window, "a window never offered"),
            (stamps, "a timestamp never shown"),
            (segment.timestamps.is_some() == theirs.timestamp.is_some(), "timestamps against the agreement"),
        ] {
            if !right {
                self.wrong.push(format!("end {number} is told {what}: {segment:?}; {said:?}"));
            }
        }
    }
}

/// Whether both have ended their halves and know that of each other.
fn is_over(said: &[Said; 2]) -> bool {
    let arrived = |from: &Said, to: &Said| {
        from.fin
            && from.end.zip(to.acknowledged).is_some_and(|(end, acknowledged)| !end.is_after(acknowledged))
    };
    arrived(&said[0], &said[1]) && arrived(&said[1], &said[0])
}

/// The connection as the first end names it; `number` made the packet.
fn connection(number: usize, headers: &IpHeaders) -> OriginalSpecification {
    if number == 0 {
        OriginalSpecification::from_outbound(headers.tuple)
    } else {
        OriginalSpecification::from_inbound(headers.tuple)
    }
}

/// A packet's digest with the timestamp set to zero. The checksum is mended and not made anew, so that a wrong one
/// stays wrong.
fn digest(packet: &[u8], headers: &IpHeaders) -> u64 {
    let mut same = packet.to_vec();
    tcp::restamp(&mut same, headers, Sequence(0));
    let mut hasher = DefaultHasher::new();
    same.hash(&mut hasher);
    hasher.finish()
}
