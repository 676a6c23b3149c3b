//! Acknowledgements without data that a node says for its host's TCP after a restart: with a number that the host itself
//! has told before, and only a few per connection.

use std::collections::BTreeMap;

use stead_wire::ip::IpHeaders;
use stead_wire::tcp::{Segment, Sequence};

/// Who acknowledges, and to whom.
type Ends = (core::net::SocketAddr, core::net::SocketAddr);

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Acknowledgements(BTreeMap<Ends, Told>);

#[derive(Debug)]
struct Told {
    newest: Sequence,
    /// How often a node repeated it.
    repeated: u32,
}

/// More of one connection are no restart's.
const MOST_REPEATED: u32 = 32;

impl Acknowledgements {
    /// A host's stack sends a packet.
    pub(super) fn sent(&mut self, packet: &[u8]) {
        let Some((ends, segment)) = read(packet).filter(|(_, segment)| segment.flags.ack) else { return };
        let told = self.0.entry(ends).or_insert(Told { newest: segment.acknowledgement, repeated: 0 });
        told.newest = match segment.flags.syn {
            true => segment.acknowledgement,
            false => told.newest.later(segment.acknowledgement),
        };
    }

    /// Whether a packet that no stack sent is such an acknowledgement.
    pub(super) fn is_repeated(&mut self, packet: &[u8]) -> bool {
        let Some((ends, segment)) = read(packet) else { return false };
        let flags = segment.flags;
        let bare = flags.ack && !(flags.syn || flags.fin || flags.rst) && segment.payload_len == 0;
        let Some(told) = self.0.get_mut(&ends).filter(|_| bare) else { return false };
        told.repeated += 1;
        !segment.acknowledgement.is_after(told.newest) && told.repeated <= MOST_REPEATED
    }
}

fn read(packet: &[u8]) -> Option<(Ends, Segment)> {
    let headers = IpHeaders::parse(packet).ok()?;
    let segment = Segment::read(packet, &headers)?;
    Some(((headers.tuple.source, headers.tuple.destination), segment))
}
