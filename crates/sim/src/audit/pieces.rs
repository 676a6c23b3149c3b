//! TCP segments that a node cut because they were too long for the path: whether a piece is of one that was sent.

use std::collections::{BTreeMap, VecDeque};

use stead_wire::ip::IpHeaders;
use stead_wire::tcp::Segment;

/// Long segments that were sent lately, and which pieces of them came out.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    sent: VecDeque<Vec<u8>>,
    opened: BTreeMap<u64, usize>,
}

/// Segments that are remembered: more than any connection here has under way.
const REMEMBERED: usize = 2048;

/// Shorter ones fit every path.
const SHORTEST: usize = 512;

impl Pieces {
    /// A packet goes into a tunnel.
    pub(super) fn sent(&mut self, packet: &[u8]) {
        if packet.len() > SHORTEST && data(packet).is_some() {
            if self.sent.len() == REMEMBERED {
                self.sent.pop_front();
            }
            self.sent.push_back(packet.to_vec());
        }
    }

    /// A packet came out that nobody sent like this: whether it is a piece of one that somebody did send, and came no
    /// more often than that.
    pub(super) fn opened(&mut self, fingerprint: u64, packet: &[u8]) -> bool {
        let Some((headers, segment, payload)) = data(packet).filter(|(.., payload)| !payload.is_empty())
        else {
            return false;
        };
        let times = self.opened.entry(fingerprint).or_default();
        *times += 1;
        let holds = |whole: &&Vec<u8>| {
            data(whole).is_some_and(|(outer, long, bytes)| {
                let skipped = segment.sequence.0.wrapping_sub(long.sequence.0) as usize;
                outer.tuple == headers.tuple
                    && long.acknowledgement == segment.acknowledgement
                    && bytes.get(skipped..).is_some_and(|bytes| bytes.starts_with(payload))
            })
        };
        self.sent.iter().filter(holds).count() >= *times
    }
}

fn data(packet: &[u8]) -> Option<(IpHeaders, Segment, &[u8])> {
    let headers = IpHeaders::parse(packet).ok()?;
    let segment = Segment::read(packet, &headers)?;
    let payload = &packet[headers.total_len - segment.payload_len as usize..headers.total_len];
    Some((headers, segment, payload))
}
