//! Virtual connectivity options: what VC-enhanced peers tell each other, in TCP-option form (seed 001 par. 110).
//!
//! ```text
//!  0       1        2
//! +-------+--------+------------------------+
//! | kind  | length | data (length - 2)      |    numbers in network byte order
//! +-------+--------+------------------------+
//! | 0     |          ends the list; what follows is padding
//! +-------+
//! | 1     |          fills one byte
//! +-------+
//! ```
//!
//! Kinds we do not know are skipped by their length, and bytes after an option's last known field are ignored:
//! later versions may add either. An attachment point is a family byte (4, 6, or 0 for none), port, address.

mod address;
mod attachment_points;
mod connection_update;
mod list;
mod probe;
mod publication;
mod received;
mod subscription;
mod twin;

pub use attachment_points::AttachmentPoints;
pub use connection_update::{
    ConnectionUpdate, ConnectionUpdateAcknowledge, ConnectionUpdateRequest, Connections, Outcome, Tokens,
};
pub use probe::{Capabilities, Probe};
pub use publication::{Marks, Notification, Publication, Receipt, Sealed};
pub use received::{Hole, Holes, Received};
pub use subscription::{Declined, Lease, Reason, RelaySlot, Subscribed, Subscription, Topic, Wishes};
pub use twin::Twin;

use core::net::SocketAddr;

use self::list::List;
use crate::plaintext::begins_packet;
use crate::reader::{DecodeError, Reader};

/// One option.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum VcOption {
    /// Asks whether the peer is VC enhanced (seed 001 figure 21).
    Probe(Probe),
    /// Says yes.
    ProbeReply(Probe),
    /// The session that carries this may have a twin on better terms.
    Twin(Twin),
    /// CU: connections are elsewhere now.
    ConnectionUpdate(ConnectionUpdate),
    /// CUA: its acknowledgement.
    ConnectionUpdateAcknowledge(ConnectionUpdateAcknowledge),
    /// CUR: asks for one.
    ConnectionUpdateRequest(ConnectionUpdateRequest),
    /// Asks whether this path carries anything (RFC 9000 §8.2.1).
    PathChallenge(ChallengeToken),
    /// Echoes the token of a challenge (RFC 9000 §8.2.2).
    PathResponse(ChallengeToken),
    /// Where else the sender can be reached.
    AttachmentPoints(AttachmentPoints),
    /// What arrived of the receiver's messages, and what is missing.
    Received(Received),
    /// To the service: notify me of this pair's other side.
    Subscription(Subscription),
    /// From the service: so it is.
    Subscribed(Subscribed),
    /// To the service: where I am, for this pair's other side.
    Publication(Publication),
    /// From the service: the publication came.
    Published(Receipt),
    /// From the service: where the other side is.
    Notification(Notification),
    /// To the service: the notification came.
    Notified(Receipt),
    /// From the service: where your message came from (seed 001 figure 19).
    Apparent(SocketAddr),
    /// To the service: where I believe to be (seed 001 figure 19).
    Claimed(SocketAddr),
    /// From the service: no.
    Declined(Declined),
    /// Of a kind that a later version may know. Its data is not kept, and encoding it writes nothing.
    Unknown {
        /// Its kind.
        kind: u8,
    },
}

/// Unpredictable bytes that only come back over a path that works.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ChallengeToken(pub [u8; 8]);

impl VcOption {
    /// Appends the option to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let Some(kind) = self.known_kind() else { return };
        let start = out.len();
        out.extend([kind, 0]);
        match self {
            Self::Probe(probe) | Self::ProbeReply(probe) => probe.encode(out),
            Self::Twin(twin) => twin.encode(out),
            Self::ConnectionUpdate(update) => update.encode(out),
            Self::ConnectionUpdateAcknowledge(acknowledge) => acknowledge.encode(out),
            Self::ConnectionUpdateRequest(request) => request.challenge.encode(out),
            Self::PathChallenge(token) | Self::PathResponse(token) => token.encode(out),
            Self::AttachmentPoints(points) => points.encode(out),
            Self::Received(received) => received.encode(out),
            Self::Subscription(subscription) => subscription.encode(out),
            Self::Subscribed(subscribed) => subscribed.encode(out),
            Self::Publication(publication) => publication.encode(out),
            Self::Published(receipt) | Self::Notified(receipt) => receipt.encode(out),
            Self::Notification(notification) => notification.encode(out),
            Self::Apparent(point) | Self::Claimed(point) => address::encode(Some(*point), out),
            Self::Declined(declined) => declined.encode(out),
            Self::Unknown { .. } => {}
        }
        let len = out.len() - start;
        debug_assert_eq!(len, self.encoded_len(), "encoded_len of {self:?}");
        out[start + 1] = u8::try_from(len).unwrap_or(u8::MAX);
    }

    /// How many bytes [`encode`](Self::encode) appends.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        HEADER_LEN
            + match self {
                Self::Probe(probe) | Self::ProbeReply(probe) => probe.encoded_len(),
                Self::Twin(_) => Twin::LEN,
                Self::ConnectionUpdate(update) => update.encoded_len(),
                Self::ConnectionUpdateAcknowledge(acknowledge) => acknowledge.encoded_len(),
                Self::ConnectionUpdateRequest(_) | Self::PathChallenge(_) | Self::PathResponse(_) => {
                    ChallengeToken::LEN
                }
                Self::AttachmentPoints(points) => points.encoded_len(),
                Self::Received(received) => received.encoded_len(),
                Self::Subscription(_) => Subscription::LEN,
                Self::Subscribed(_) => Subscribed::LEN,
                Self::Publication(publication) => publication.encoded_len(),
                Self::Published(_) | Self::Notified(_) => Receipt::LEN,
                Self::Notification(notification) => notification.encoded_len(),
                Self::Apparent(point) | Self::Claimed(point) => address::encoded_len(Some(*point)),
                Self::Declined(_) => Declined::LEN,
                Self::Unknown { .. } => return 0,
            }
    }

    const fn known_kind(&self) -> Option<u8> {
        Some(match self {
            Self::Probe(_) => PROBE,
            Self::ProbeReply(_) => PROBE_REPLY,
            Self::Twin(_) => TWIN,
            Self::ConnectionUpdate(_) => CONNECTION_UPDATE,
            Self::ConnectionUpdateAcknowledge(_) => CONNECTION_UPDATE_ACKNOWLEDGE,
            Self::ConnectionUpdateRequest(_) => CONNECTION_UPDATE_REQUEST,
            Self::PathChallenge(_) => PATH_CHALLENGE,
            Self::PathResponse(_) => PATH_RESPONSE,
            Self::AttachmentPoints(_) => ATTACHMENT_POINTS,
            Self::Received(_) => RECEIVED,
            Self::Subscription(_) => SUBSCRIPTION,
            Self::Subscribed(_) => SUBSCRIBED,
            Self::Publication(_) => PUBLICATION,
            Self::Published(_) => PUBLISHED,
            Self::Notification(_) => NOTIFICATION,
            Self::Notified(_) => NOTIFIED,
            Self::Apparent(_) => APPARENT,
            Self::Claimed(_) => CLAIMED,
            Self::Declined(_) => DECLINED,
            Self::Unknown { .. } => return None,
        })
    }

    fn decode(kind: u8, data: &[u8]) -> Result<Self, DecodeError> {
        let named = |message| Reader::new(message, data);
        match kind {
            PROBE => Probe::decode(named("probe option")).map(Self::Probe),
            PROBE_REPLY => Probe::decode(named("probe reply option")).map(Self::ProbeReply),
            TWIN => Twin::decode(named("twin option")).map(Self::Twin),
            CONNECTION_UPDATE => {
                ConnectionUpdate::decode(named("connection update option")).map(Self::ConnectionUpdate)
            }
            CONNECTION_UPDATE_ACKNOWLEDGE => {
                ConnectionUpdateAcknowledge::decode(named("connection update acknowledge option"))
                    .map(Self::ConnectionUpdateAcknowledge)
            }
            CONNECTION_UPDATE_REQUEST => {
                let challenge =
                    ChallengeToken::decode(&mut named("connection update request option"), "challenge")?;
                Ok(Self::ConnectionUpdateRequest(ConnectionUpdateRequest { challenge }))
            }
            PATH_CHALLENGE => {
                ChallengeToken::decode(&mut named("path challenge option"), "token").map(Self::PathChallenge)
            }
            PATH_RESPONSE => {
                ChallengeToken::decode(&mut named("path response option"), "token").map(Self::PathResponse)
            }
            ATTACHMENT_POINTS => {
                AttachmentPoints::decode(named("attachment points option")).map(Self::AttachmentPoints)
            }
            RECEIVED => Received::decode(named("received option")).map(Self::Received),
            SUBSCRIPTION => Subscription::decode(named("subscription option")).map(Self::Subscription),
            SUBSCRIBED => Subscribed::decode(named("subscribed option")).map(Self::Subscribed),
            PUBLICATION => Publication::decode(named("publication option")).map(Self::Publication),
            PUBLISHED => Receipt::decode(named("published option")).map(Self::Published),
            NOTIFICATION => Notification::decode(named("notification option")).map(Self::Notification),
            NOTIFIED => Receipt::decode(named("notified option")).map(Self::Notified),
            APPARENT => {
                address::decode_some(&mut named("apparent option"), "attachment point").map(Self::Apparent)
            }
            CLAIMED => {
                address::decode_some(&mut named("claimed option"), "attachment point").map(Self::Claimed)
            }
            DECLINED => Declined::decode(named("declined option")).map(Self::Declined),
            kind => Ok(Self::Unknown { kind }),
        }
    }
}

/// Reads a list of options: to kind 0, to the end, or to the first error.
pub fn decode(options: &[u8]) -> impl Iterator<Item = Result<VcOption, DecodeError>> {
    List::new(options)
}

impl ChallengeToken {
    const LEN: usize = 8;

    fn encode(self, out: &mut Vec<u8>) {
        out.extend(self.0);
    }

    fn decode(reader: &mut Reader<'_>, field: &'static str) -> Result<Self, DecodeError> {
        reader.array(field).copied().map(Self)
    }
}

/// Kind and length.
const HEADER_LEN: usize = 2;

/// Ends a list; being zero it makes WireGuard's padding an empty one.
pub(crate) const END: u8 = 0x00;
const NO_OPERATION: u8 = 0x01;
const PROBE: u8 = 0x10;
const PROBE_REPLY: u8 = 0x11;
const TWIN: u8 = 0x12;
const CONNECTION_UPDATE: u8 = 0x20;
const CONNECTION_UPDATE_ACKNOWLEDGE: u8 = 0x21;
const CONNECTION_UPDATE_REQUEST: u8 = 0x22;
const PATH_CHALLENGE: u8 = 0x30;
const PATH_RESPONSE: u8 = 0x31;
const ATTACHMENT_POINTS: u8 = 0x50;
const RECEIVED: u8 = 0x51;
const SUBSCRIPTION: u8 = 0x70;
const SUBSCRIBED: u8 = 0x71;
const PUBLICATION: u8 = 0x72;
const PUBLISHED: u8 = 0x73;
const NOTIFICATION: u8 = 0x74;
const NOTIFIED: u8 = 0x75;
const APPARENT: u8 = 0x76;
const CLAIMED: u8 = 0x77;
const DECLINED: u8 = 0x78;

/// Every kind there is.
const KINDS: [u8; 21] = [
    END,
    NO_OPERATION,
    PROBE,
    PROBE_REPLY,
    TWIN,
    CONNECTION_UPDATE,
    CONNECTION_UPDATE_ACKNOWLEDGE,
    CONNECTION_UPDATE_REQUEST,
    PATH_CHALLENGE,
    PATH_RESPONSE,
    ATTACHMENT_POINTS,
    RECEIVED,
    SUBSCRIPTION,
    SUBSCRIBED,
    PUBLICATION,
    PUBLISHED,
    NOTIFICATION,
    NOTIFIED,
    APPARENT,
    CLAIMED,
    DECLINED,
];

// A message of options alone begins with a kind, and must not look like an IP datagram.
const _: () = {
    let mut at = 0;
    while at < KINDS.len() {
        assert!(!begins_packet(KINDS[at]), "an option's kind has the high nibble of an IP datagram");
        at += 1;
    }
};

// The length field is one byte.
const _: () = assert!(HEADER_LEN + ConnectionUpdate::MOST_LEN <= 255);
const _: () = assert!(HEADER_LEN + AttachmentPoints::MOST_LEN <= 255);
const _: () = assert!(Received::LONGEST <= 255);
const _: () = assert!(HEADER_LEN + Publication::MOST_LEN <= 255);
const _: () = assert!(HEADER_LEN + Notification::MOST_LEN <= 255);

// A publication has room for all attachment points, with the nonce and the tag that seal them.
const _: () = assert!(24 + 16 + HEADER_LEN + AttachmentPoints::MOST_LEN <= Sealed::MOST);

#[cfg(test)]
mod tests;
