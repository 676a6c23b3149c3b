//! Why something was dropped: one variant and one counter per reason.
//!
//! A drop is never answered and never changes a peer. The labels are the metric names that `stead status` shows.

use core::sync::atomic::{AtomicU64, Ordering};
use std::collections::BTreeMap;

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $name:ident = $label:literal,)+) => {
        /// Why a datagram or a packet went no further.
        #[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, thiserror::Error)]
        #[repr(usize)]
        pub enum Discard {
            $($(#[doc = $doc])+ #[error($label)] $name,)+
        }

        impl Discard {
            /// Every reason there is.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The reason as a stable, greppable word.
            #[must_use]
            pub const fn label(self) -> &'static str {
                match self { $(Self::$name => $label,)+ }
            }
        }
    };
}

reasons! {
    /// A datagram that is no WireGuard message: type, length or reserved bytes are wrong.
    MalformedDatagram = "malformed-datagram",
    /// A relayed datagram that no service of ours relays for us.
    UnknownRelay = "unknown-relay",
    /// A datagram from an address by which only this node names relayed paths.
    MadeUpSource = "made-up-source",
    /// A handshake message whose mac1 was not made for our key: a stranger or a scan.
    WrongMac1 = "wrong-mac1",
    /// Under load, and the message carries no valid cookie; a cookie was sent.
    CookieRequired = "cookie-required",
    /// Under load, and this source asked too often.
    RateLimited = "rate-limited",
    /// An offer of a session's twin that nobody waits for.
    UnsolicitedTwin = "unsolicited-twin",
    /// A handshake message that does not decrypt, or names a key that is no peer's.
    ForgedHandshake = "forged-handshake",
    /// An initiation with a timestamp not newer than the newest of that peer.
    ReplayedHandshake = "replayed-handshake",
    /// A handshake of a peer that is suspended on order: it is answered when that ends.
    Suspended = "suspended",
    /// A response or cookie for a handshake that is not in flight.
    UnsolicitedHandshake = "unsolicited-handshake",
    /// A cookie reply that does not open.
    ForgedCookie = "forged-cookie",
    /// A transport message for a session index that is not ours.
    UnknownSession = "unknown-session",
    /// A transport message of a session past its life, or a held packet that it could not take any more.
    ExpiredSession = "expired-session",
    /// A transport message that does not authenticate.
    ForgedTransport = "forged-transport",
    /// A transport message whose counter was seen before.
    ReplayedTransport = "replayed-transport",
    /// A transport message older than the replay window.
    BehindReplayWindow = "behind-replay-window",
    /// An authenticated plaintext that is neither an IP packet nor options.
    MalformedPlaintext = "malformed-plaintext",
    /// Authenticated options that do not parse.
    MalformedOptions = "malformed-options",
    /// An inner packet from an address that is not that peer's (cryptokey routing).
    ForeignSource = "foreign-source",
    /// A connection update older than one already acted on.
    StaleUpdate = "stale-update",
    /// A path response that echoes no outstanding challenge.
    UnsolicitedResponse = "unsolicited-response",
    /// More than three bytes out per byte in, before the path was validated (RFC 9000 section 8).
    AmplificationLimit = "amplification-limit",
    /// A service's word on a topic that we did not subscribe to.
    UnknownTopic = "unknown-topic",
    /// A notification that our peer did not seal: the service, or who speaks in its name, made it up.
    ForgedNotification = "forged-notification",
    /// A notification that is not newer than the newest of that peer.
    StaleNotification = "stale-notification",
    /// An outbound packet that is no IP packet.
    MalformedPacket = "malformed-packet",
    /// An outbound packet to an address that is no peer's.
    NoRoute = "no-route",
    /// An outbound packet for a peer whose attachment point nobody knows yet.
    NoEndpoint = "no-endpoint",
    /// A packet that is longer than its path takes and may not be cut; its sender was told, or was told lately.
    TooLongForPath = "too-long-for-path",
    /// A sealed message that was lost, and is longer than the path takes by now.
    TooLongToResend = "too-long-to-resend",
    /// Held packets beyond the bound: the oldest of datagrams, the highest sequence numbers of TCP.
    HeldOverflow = "held-overflow",
    /// Held packets, no TCP, of a peer that did not come back in time.
    HeldTooLong = "held-too-long",
    /// Held packets of a connection that the peer aborted meanwhile.
    HeldForReset = "held-for-reset",
}

/// A counter per reason; shared by every worker.
#[derive(Debug)]
pub struct Drops {
    counters: [AtomicU64; Discard::ALL.len()],
}

impl Default for Drops {
    fn default() -> Self {
        Self { counters: [const { AtomicU64::new(0) }; Discard::ALL.len()] }
    }
}

impl Drops {
    /// Counts one more.
    pub fn count(&self, reason: Discard) {
        self.count_many(reason, 1);
    }

    /// Counts `many` more.
    pub fn count_many(&self, reason: Discard, many: u64) {
        self.counters[reason as usize].fetch_add(many, Ordering::Relaxed);
    }

    /// How many there were so far.
    #[must_use]
    pub fn of(&self, reason: Discard) -> u64 {
        self.counters[reason as usize].load(Ordering::Relaxed)
    }

    /// The reasons that occurred, with their counts.
    #[must_use]
    pub fn occurred(&self) -> BTreeMap<&'static str, u64> {
        Discard::ALL.iter().map(|reason| (reason.label(), self.of(*reason))).filter(|(_, n)| *n > 0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_counter_of_its_own_and_a_label_of_its_own() {
        let drops = Drops::default();
        for (times, reason) in Discard::ALL.iter().enumerate() {
            drops.count_many(*reason, times as u64 + 1);
        }
        for (times, reason) in Discard::ALL.iter().enumerate() {
            assert_eq!(drops.of(*reason), times as u64 + 1, "{reason}");
        }
        assert_eq!(drops.occurred().len(), Discard::ALL.len(), "labels are distinct");
    }
}
