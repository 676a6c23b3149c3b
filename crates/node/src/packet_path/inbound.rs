//! Inbound: a datagram finds its session, is opened in place, and its packet finds its original specification.
//!
//! Step by step; who goes the steps is [`Arrivals`](super::Arrivals).

use std::sync::Arc;

use stead_lct::{Attachment, Entry, OriginalSpecification, PathId};
use stead_noise::session::{Discard as Refusal, Session};
use stead_wire::ip::IpHeaders;
use stead_wire::message::{Counter, Message, SessionIndex};
use stead_wire::options::Capabilities;
use stead_wire::plaintext::Plaintext;
use stead_wire::tcp;
use stead_wire::time::Instant;

use super::cursor::Opener;
use super::{FlowCursor, PacketPath};
use crate::drops::Discard;
use crate::lane::{Lane, Way};
use crate::notice::{Arrival, Notice, Sighting};
use crate::relay::RelayAddress;

/// What became of a datagram.
#[derive(Debug)]
pub struct Inbound<'d> {
    /// The inner packet, for the TUN.
    pub packet: Option<&'d mut [u8]>,
    /// Whether that may have a partial checksum: the peers agreed on it.
    pub partial_checksum: bool,
    /// What the node must be told, which is seldom anything.
    pub notice: Option<Box<Notice>>,
    /// What it was.
    pub verdict: Verdict,
}

/// What a datagram was.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// A transport message, authenticated.
    Opened,
    /// An authenticated transport message without a packet and without options.
    Keepalive,
    /// Give the whole datagram to [`Node::handle_datagram`](crate::Node::handle_datagram).
    ForNode,
    /// Counted; forget it.
    Dropped(Discard),
}

/// An authenticated message, and how it came.
pub(super) struct Opened<'d> {
    pub(super) arrival: Arrival,
    /// Length of the datagram.
    pub(super) bytes: usize,
    pub(super) counter: Option<Counter>,
    pub(super) plaintext: &'d mut [u8],
}

impl Inbound<'_> {
    pub(super) const fn nothing(verdict: Verdict) -> Self {
        Inbound { packet: None, partial_checksum: false, notice: None, verdict }
    }
}

impl PacketPath {
    /// Where a transport message really came from, and the session that it names, for the caller to put back. For any
    /// other datagram what is to become of it.
    pub(super) fn opener(
        &self,
        cursor: &mut FlowCursor,
        arrival: Arrival,
        datagram: &mut [u8],
        now: Instant,
    ) -> Result<(Arrival, Opener), Verdict> {
        let arrival = self.relays().receive(arrival, datagram).map_err(|reason| self.refused(reason))?;
        let receiver = self.receiver(datagram).inspect_err(|_| {
            // As it came: whoever looks at it next must see that it was relayed.
            if let Some(relay) = RelayAddress::of(arrival.source) {
                relay.mark(datagram);
            }
        })?;
        let opener = cursor.take_session(self, receiver);
        let opener = opener.ok_or_else(|| self.refused(Discard::UnknownSession))?;
        if opener.0.expired(now) {
            return Err(self.refused(Discard::ExpiredSession));
        }
        Ok((arrival, opener))
    }

    /// The session that a transport message names; for any other datagram what is to become of it.
    fn receiver(&self, datagram: &[u8]) -> Result<SessionIndex, Verdict> {
        // From someone who does not even know our public key a handshake message goes no further.
        let made_for_us = match Message::decode(datagram) {
            Ok(Message::Transport(transport)) => return Ok(transport.receiver),
            Ok(Message::CookieReply(_)) => return Err(Verdict::ForNode),
            Ok(Message::Initiation(initiation)) => self.strangers.mac1_valid(&initiation.macs),
            Ok(Message::Response(response)) => self.strangers.mac1_valid(&response.macs),
            Err(_) => return Err(self.refused(Discard::MalformedDatagram)),
        };
        Err(if made_for_us { Verdict::ForNode } else { self.refused(Discard::WrongMac1) })
    }

    /// Opens a transport message in place.
    pub(super) fn opened<'d>(
        &self,
        session: &Session,
        datagram: &'d mut [u8],
    ) -> Result<(Option<Counter>, &'d mut [u8]), Verdict> {
        let counter = counter_of(datagram);
        let plaintext = session.open_in_place(datagram);
        Ok((counter, plaintext.map_err(|refusal| self.refused(why_refused(refusal)))?))
    }

    fn refused(&self, reason: Discard) -> Verdict {
        self.drops.count(reason);
        Verdict::Dropped(reason)
    }

    /// What an authenticated message brings. With it come the headers of its packet if that is all it brings, over the
    /// path in use, so that others like it bring no more.
    pub(super) fn take_in<'d>(
        &self,
        cursor: &mut FlowCursor,
        (session, peer): &Opener,
        opened: Opened<'d>,
        now: Instant,
    ) -> (Inbound<'d>, Option<IpHeaders>) {
        let Opened { arrival, bytes, counter, plaintext } = opened;
        let (lane, receiver) = (self.lane(*peer), session.local());
        let way = lane.way();
        let latest = session.received_highest() == counter;
        let split = Plaintext::split(plaintext).map_err(|_| Discard::MalformedPlaintext);
        let (headers, options) = match &split {
            Ok(plain) => (plain.packet.map(|(_, headers)| headers), plain.options.to_vec_if_any()),
            Err(_) => (None, None),
        };
        let elsewhere = way.active.as_ref().is_none_or(|active| !came_over(active, arrival));
        let stirred = lane.stamp_received(headers.is_some(), !elsewhere, now);
        let notice = match options {
            Some(options) => Some(Sighting::Options { session: receiver, arrival, bytes, options }),
            // What was overtaken tells where the peer was, not where it is (RFC 9000 §9.3).
            None => notable((lane, &way), session, (arrival, bytes, elsewhere && latest), stirred, now),
        }
        .map(|sighting| Box::new(Notice { peer: *peer, sighting }));
        let partial_checksum = leaves_checksums(session);
        let refused = match (split.map(|_| ()), headers) {
            (Err(reason), _) => Some(reason),
            (Ok(()), Some(headers)) => self.accept(cursor, lane, (plaintext, &headers), arrival, now).err(),
            (Ok(()), None) => None,
        };
        if let Some(reason) = refused {
            // The options of a packet that cryptokey routing refuses are still the peer's own words.
            self.drops.count(reason);
            return (Inbound { notice, ..Inbound::nothing(Verdict::Dropped(reason)) }, None);
        }
        let verdict =
            if headers.is_none() && notice.is_none() { Verdict::Keepalive } else { Verdict::Opened };
        let packet = headers.map(|headers| {
            let packet = &mut plaintext[..headers.total_len];
            if headers.tcp.is_some_and(|flags| flags.syn) {
                // This host's own segments have to fit the path too.
                tcp::clamp_mss(packet, &headers, way.longest, partial_checksum);
            }
            packet
        });
        let precedent = headers.filter(|_| notice.is_none() && !elsewhere);
        (Inbound { packet, partial_checksum, notice, verdict }, precedent)
    }

    /// Cryptokey routing's inbound half, and the table's: the packet is the peer's own, and is counted.
    fn accept(
        &self,
        cursor: &mut FlowCursor,
        lane: &Lane,
        (packet, headers): (&[u8], &IpHeaders),
        arrival: Arrival,
        now: Instant,
    ) -> Result<(), Discard> {
        let original = OriginalSpecification::from_inbound(headers.tuple);
        if let Some(entry) = cursor.entry(self, &original, headers.tcp) {
            if entry.peer() != lane.peer() {
                return Err(Discard::ForeignSource);
            }
            count_arrival(entry, packet, headers, now);
        } else {
            if self.routes.owner(headers.source()) != Some(lane.peer()) {
                return Err(Discard::ForeignSource);
            }
            let active = lane.way().active.clone().unwrap_or_else(|| provisional(arrival));
            if let Some(entry) = self.enter(original, lane, &active, now) {
                count_arrival(&entry, packet, headers, now);
                cursor.remember(entry);
            }
        }
        lane.count_received(1, headers.total_len as u64);
        Ok(())
    }
}

/// Whether packets in this session may have partial checksums: the peers agreed on it.
pub(super) fn leaves_checksums(session: &Session) -> bool {
    session.terms().contains(Capabilities::PARTIAL_CHECKSUMS)
}

/// What the node should know of an ordinary authenticated message.
fn notable(
    (lane, way): (&Lane, &Way),
    session: &Session,
    (arrival, bytes, elsewhere): (Arrival, usize, bool),
    stirred: bool,
    now: Instant,
) -> Option<Sighting> {
    let awaited = way.awaited.contains(&session.local());
    if awaited || (elsewhere && lane.notice_elsewhere(now)) {
        return Some(Sighting::Unexpected { session: session.local(), arrival, bytes });
    }
    if session.wants_rekey_on_receive(now) && lane.notice_aging(now) {
        return Some(Sighting::SessionAges);
    }
    stirred.then_some(Sighting::Stirred)
}

/// Counts in the entry, which remembers TCP's numbers.
fn count_arrival(entry: &Entry, packet: &[u8], headers: &IpHeaders, now: Instant) {
    entry.count_inbound(1, headers.total_len as u64, headers.tcp, now);
    entry.remember_inbound(packet, headers);
}

/// Until the node has confirmed a path, the entry points where the first packet came from; the node's first
/// path replaces it before anything is sent there.
fn provisional(arrival: Arrival) -> Arc<Attachment> {
    Arc::new(Attachment { local: None, remote: arrival.source, path: PathId(0) })
}

/// Whether a datagram came from the far end of a path to its near one, as far as both are known.
fn came_over(path: &Attachment, arrival: Arrival) -> bool {
    let near = path.local.is_none_or(|point| arrival.local.is_none_or(|local| local == point.ip()));
    path.remote == arrival.source && near
}

/// The counter in a transport message's header.
fn counter_of(datagram: &[u8]) -> Option<Counter> {
    let bytes = datagram.get(8..16)?.try_into().ok()?;
    Some(Counter(u64::from_le_bytes(bytes)))
}

const fn why_refused(refusal: Refusal) -> Discard {
    match refusal {
        Refusal::TooShort => Discard::MalformedDatagram,
        Refusal::Forged => Discard::ForgedTransport,
        Refusal::Replayed => Discard::ReplayedTransport,
        Refusal::TooOld => Discard::BehindReplayWindow,
        Refusal::CounterExhausted => Discard::ExpiredSession,
    }
}

/// Options are copied only when there are any, which is rare.
trait AnyOptions {
    fn to_vec_if_any(&self) -> Option<Vec<u8>>;
}

impl AnyOptions for &[u8] {
    /// WireGuard's zero padding is an empty list.
    fn to_vec_if_any(&self) -> Option<Vec<u8>> {
        self.first().is_some_and(|kind| *kind != 0).then(|| self.to_vec())
    }
}
