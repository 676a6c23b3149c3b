//! Outbound: an inner packet from the TUN finds its current connection specification.

use std::sync::Arc;

use stead_lct::{Attachment, Entry, OriginalSpecification};
use stead_noise::session::Session;
use stead_wire::ip::IpHeaders;
use stead_wire::time::Instant;
use stead_wire::{cut, tcp};

use super::{FlowCursor, Grant, PacketPath};
use crate::drops::Discard;
use crate::lane::{Flow, Lane};
use crate::notice::{Notice, Sighting};
use crate::peer::FLOOR;

/// What to do with an inner packet.
#[derive(Debug)]
pub enum Outbound {
    /// Seal and send it.
    Send(Grant),
    /// Cut it into plain packets and give each to [`Node::handle_packet`](crate::Node::handle_packet): its
    /// peer has no session, is suspended, or is to be probed; or the packets are too long for the path.
    Hold,
    /// A super-packet of TCP whose segments are longer than this, which the path does not take. Cut it into such and ask
    /// again; or do as with [`Hold`](Self::Hold).
    Shorten(usize),
    /// Counted; forget it.
    Drop(Discard),
}

/// What one (super-)packet is, as far as counting and routing care.
struct Departure<'p> {
    headers: IpHeaders,
    packet: &'p [u8],
    packets: u32,
    /// Of those.
    longest: usize,
}

impl PacketPath {
    /// Decides how an inner packet leaves.
    ///
    /// `packet` is a whole IP packet or a super-packet that will be cut into `packets` packets of at most `longest` bytes;
    /// the decision is made once for all of them.
    pub fn outbound(
        &self,
        cursor: &mut FlowCursor,
        packet: &[u8],
        counts: (u32, usize),
        now: Instant,
    ) -> Outbound {
        self.judge(cursor, packet, counts, Asker::Worker, now)
    }

    /// As [`outbound`](Self::outbound), for a packet that has reached the node already: its sender is told by the node
    /// where it does not fit, and that was rationed when a worker asked.
    pub(crate) fn outbound_at_node(&self, packet: &[u8], now: Instant) -> Outbound {
        self.judge(&mut FlowCursor::default(), packet, (1, packet.len()), Asker::Node, now)
    }

    fn judge(
        &self,
        cursor: &mut FlowCursor,
        packet: &[u8],
        (packets, longest): (u32, usize),
        asker: Asker,
        now: Instant,
    ) -> Outbound {
        let Ok(headers) = IpHeaders::parse(packet) else {
            self.drops().count(Discard::MalformedPacket);
            return Outbound::Drop(Discard::MalformedPacket);
        };
        let departure = Departure { headers, packet, packets, longest };
        let original = OriginalSpecification::from_outbound(headers.tuple);
        let known = cursor.entry(self, &original, headers.tcp).map(Arc::clone);
        let Some(peer) =
            known.as_ref().map_or_else(|| self.routes.owner(headers.destination()), |e| Some(e.peer()))
        else {
            self.drops().count(Discard::NoRoute);
            return Outbound::Drop(Discard::NoRoute);
        };
        let lane = self.lane(peer);
        let way = lane.way();
        if !self.may_flow(way.flow, &departure) {
            return Outbound::Hold;
        }
        let (Some(session), Some(active)) = (&way.session, &way.active) else { return Outbound::Hold };
        if longest > way.longest || headers.tcp.is_some_and(|flags| flags.syn) {
            match self.fits(&departure, (lane, asker), way.longest, now) {
                Fit::Fits => {}
                Fit::Cut => return Outbound::Hold,
                Fit::Shorter => return Outbound::Shorten(way.longest),
                Fit::Never => {
                    self.drops().count_many(Discard::TooLongForPath, u64::from(packets));
                    return Outbound::Drop(Discard::TooLongForPath);
                }
            }
        }
        self.depart(cursor, &departure, known, lane, (session, active), now)
            .map_or(Outbound::Hold, Outbound::Send)
    }

    /// Whether anything can go over this session and path now: a relay may have vanished.
    pub(crate) fn leads(&self, (session, active): (&Arc<Session>, &Arc<Attachment>), now: Instant) -> bool {
        !session.expired(now) && self.relays().resolve(active.remote).is_some()
    }

    /// Lets go a packet that the node held for `lane`'s peer, over the session and path given.
    ///
    /// `None` if the session may seal no more, or the packet is none.
    pub(crate) fn release(
        &self,
        packet: &[u8],
        lane: &Lane,
        over: (&Arc<Session>, &Arc<Attachment>),
        now: Instant,
    ) -> Option<Grant> {
        let headers = IpHeaders::parse(packet).ok()?;
        let original = OriginalSpecification::from_outbound(headers.tuple);
        let known = self.table.lookup(&original).filter(|entry| entry.admits(headers.tcp));
        let departure = Departure { headers, packet, packets: 1, longest: packet.len() };
        self.depart(&mut FlowCursor::default(), &departure, known, lane, over, now)
    }

    /// The translation itself: from the original to the current connection specification (seed 001 par. 54).
    ///
    /// `None` if the session is at its end, or the relay that the path leads over is gone.
    fn depart(
        &self,
        cursor: &mut FlowCursor,
        departure: &Departure<'_>,
        known: Option<Arc<Entry>>,
        lane: &Lane,
        (session, active): (&Arc<Session>, &Arc<Attachment>),
        now: Instant,
    ) -> Option<Grant> {
        if session.expired(now) {
            return None;
        }
        let entry = known.or_else(|| {
            let original = OriginalSpecification::from_outbound(departure.headers.tuple);
            let made = self.enter(original, lane, active, now)?;
            Some(Arc::clone(cursor.remember(made)))
        });
        let attachment = entry.as_ref().map_or_else(|| Arc::clone(active), |entry| entry.attachment());
        let way = self.relays().resolve(attachment.remote)?;
        let packets = u64::from(departure.packets);
        let first = session.reserve(packets)?;
        let stirred = count_departure(departure, entry.as_deref(), lane, now);
        let notice = departure_notice(lane, stirred, session, now);
        Some(Grant::new(lane.peer(), Arc::clone(session), (first, packets), attachment, way, notice))
    }

    /// Makes a table entry on the path that `offered` was when the caller looked; it ends on the one that is
    /// active by then.
    pub(super) fn enter(
        &self,
        original: OriginalSpecification,
        lane: &Lane,
        offered: &Arc<Attachment>,
        now: Instant,
    ) -> Option<Arc<Entry>> {
        let entry = self.table.track(original, lane.peer(), offered, now).ok()?;
        // The node shows a new path before it moves the entries to it. So either it moves this one too, or the
        // new path is seen here.
        if let Some(active) = lane.way().active.as_ref().filter(|active| *active != offered) {
            self.table.migrate_tokens(lane.peer(), &[entry.token()], active);
        }
        Some(entry)
    }

    /// A lone packet with room for the probe waits for the node to add it; nothing else ever waits.
    const fn may_flow(&self, flow: Flow, departure: &Departure<'_>) -> bool {
        match flow {
            Flow::Held => false,
            Flow::Flowing => true,
            Flow::Probing { room } => departure.packets > 1 || departure.packet.len() + room > self.mtu,
        }
    }

    /// What becomes of a packet that may be too long, or may ask for such.
    #[cold]
    fn fits(
        &self,
        departure: &Departure<'_>,
        (lane, asker): (&Lane, Asker),
        longest: usize,
        now: Instant,
    ) -> Fit {
        let Departure { packet, headers, .. } = departure;
        let fits = departure.longest <= longest && !tcp::invites_longer(packet, headers, longest);
        match fits {
            true => Fit::Fits,
            false if departure.packets > 1 && headers.tcp.is_some() => Fit::Shorter,
            false if cut::is_cuttable(packet, headers) || headers.tcp.is_some() => Fit::Cut,
            // The node tells the sender, if it was not told just now.
            false if asker == Asker::Node || lane.notice_too_long(now) => Fit::Cut,
            false => Fit::Never,
        }
    }
}

/// Who asks how a packet leaves.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Asker {
    /// A worker, which gives to the node what it cannot send.
    Worker,
    /// The node, which nothing is given to any more.
    Node,
}

/// Whether packets fit their path.
enum Fit {
    /// As they are.
    Fits,
    /// When the node has cut or changed them, or has told their sender.
    Cut,
    /// When the super-packet is cut smaller.
    Shorter,
    /// No, and their sender has been told.
    Never,
}

/// Counts in the entry and in the lane; true if the node has to be woken.
fn count_departure(departure: &Departure<'_>, entry: Option<&Entry>, lane: &Lane, now: Instant) -> bool {
    let (packets, bytes) = (u64::from(departure.packets), departure.packet.len() as u64);
    if let Some(entry) = entry {
        entry.count_outbound(packets, bytes, departure.headers.tcp, now);
        entry.remember_outbound(departure.packet, &departure.headers);
    }
    lane.count_sent(packets, bytes);
    // A SYN announces long packets, if it is not one itself.
    let long = departure.longest > FLOOR || departure.headers.tcp.is_some_and(|flags| flags.syn);
    // Both, always.
    lane.stamp_sent(true, now) | (long && lane.stamp_long(now))
}

fn departure_notice(lane: &Lane, stirred: bool, session: &Session, now: Instant) -> Option<Notice> {
    let sighting = if session.wants_rekey_on_send(now) && lane.notice_aging(now) {
        Sighting::SessionAges
    } else if stirred {
        Sighting::Stirred
    } else {
        return None;
    };
    Some(Notice { peer: lane.peer(), sighting })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lane::Way;
    use crate::routes::Routes;
    use crate::settings::Resending;
    use stead_lct::{Limits, PathId, PeerId, Table};
    use stead_noise::cookie::CookieChecker;
    use stead_noise::keys::StaticSecret;
    use stead_wire::ip::Protocol;

    const NOW: Instant = Instant::from_micros(1_000_000);

    fn path() -> PacketPath {
        let strangers = CookieChecker::new(&StaticSecret::from_random([1; 32]).public_key());
        PacketPath::new(
            Routes::default(),
            1,
            Table::new(Limits::default()),
            strangers,
            Resending::default(),
            1420,
        )
    }

    fn attachment(number: u32) -> Arc<Attachment> {
        let remote = core::net::SocketAddr::from(([10, 0, 0, 1], u16::try_from(number).unwrap()));
        Arc::new(Attachment { local: None, remote, path: PathId(number) })
    }

    fn original() -> OriginalSpecification {
        let end = "10.77.0.1:7".parse().unwrap();
        OriginalSpecification { local: end, remote: "10.77.0.2:7".parse().unwrap(), protocol: Protocol::UDP }
    }

    #[test]
    fn an_entry_made_while_the_path_changes_ends_on_the_new_path() {
        let (path, old, new) = (path(), attachment(1), attachment(2));
        let lane = Arc::clone(path.lane(PeerId(0)));
        lane.set_way(Way { active: Some(Arc::clone(&old)), ..Way::default() });
        // A worker looked at the lane; then the node moved the peer; then the worker makes its entry.
        lane.repoint(&new);
        path.table.migrate(PeerId(0), &new);
        let entry = path.enter(original(), &lane, &old, NOW).unwrap();

        assert_eq!(entry.attachment(), new);
    }
}
