//! Why a datagram, or a part of one, went no further: one variant and one counter per reason.
//!
//! A drop is never answered. The labels are the metric names that a status shows.

use std::collections::BTreeMap;

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $name:ident = $label:literal,)+) => {
        /// Why a datagram, or a part of one, went no further.
        #[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
        #[repr(usize)]
        pub enum Discard {
            $($(#[doc = $doc])+ $name,)+
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
    /// A handshake message whose mac1 was not made for our key: a stranger or a scan.
    WrongMac1 = "wrong-mac1",
    /// Under load, and the message carries no valid cookie; a cookie was sent.
    CookieRequired = "cookie-required",
    /// Under load, and this source asked too often.
    RateLimited = "rate-limited",
    /// An initiation that does not decrypt.
    ForgedHandshake = "forged-handshake",
    /// An initiation of a key that is not served.
    NotServed = "not-served",
    /// An initiation with a timestamp not newer than the newest of that client.
    ReplayedHandshake = "replayed-handshake",
    /// A response or a cookie; the service begins no handshakes.
    UnsolicitedHandshake = "unsolicited-handshake",
    /// A new client while as many as there may be hold leases.
    ClientsFull = "clients-full",
    /// A new client while its address has as many as it may have.
    AddressFull = "address-full",
    /// A handshake that its initiator never used, gone to make room or for its age.
    Unconfirmed = "unconfirmed",
    /// A transport message for a session index that is not ours.
    UnknownSession = "unknown-session",
    /// A transport message of a session past its life.
    ExpiredSession = "expired-session",
    /// A transport message that does not authenticate.
    ForgedTransport = "forged-transport",
    /// A transport message whose counter was seen before, or is older than the window.
    ReplayedTransport = "replayed-transport",
    /// An authenticated plaintext that is a packet; the service is nobody's router.
    Packet = "packet",
    /// Authenticated options that do not parse.
    MalformedOptions = "malformed-options",
    /// Options that a service has no use for, or more of them than one message may hold.
    NeedlessOptions = "needless-options",
    /// A path response that echoes no outstanding challenge.
    UnsolicitedResponse = "unsolicited-response",
    /// An acknowledgement of a notification that is not outstanding.
    UnsolicitedReceipt = "unsolicited-receipt",
    /// More than three bytes out per byte in, before the address was proven (RFC 9000 section 8).
    AmplificationLimit = "amplification-limit",
    /// An answer or a notification for a client without a session to seal in.
    NoSession = "no-session",
    /// A relayed message in a slot that is nobody's, or from an address that is not proven to be one of the pair's.
    RelayStranger = "relay-stranger",
    /// A relayed message for a client whose address is not proven, or that has gone silent.
    RelayUnreachable = "relay-unreachable",
    /// A relayed message of a pair that sends more than it may.
    RelayLimit = "relay-limit",
}

/// A counter per reason.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Drops([u64; Discard::ALL.len()]);

impl Default for Drops {
    fn default() -> Self {
        Self([0; Discard::ALL.len()])
    }
}

impl Drops {
    /// Counts one more.
    pub(crate) const fn count(&mut self, reason: Discard) {
        self.0[reason as usize] += 1;
    }

    /// How many there were so far.
    #[must_use]
    pub const fn of(&self, reason: Discard) -> u64 {
        self.0[reason as usize]
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
        let mut drops = Drops::default();
        for (times, reason) in Discard::ALL.iter().enumerate() {
            (0..=times).for_each(|_| drops.count(*reason));
        }
        for (times, reason) in Discard::ALL.iter().enumerate() {
            assert_eq!(drops.of(*reason), times as u64 + 1, "{reason:?}");
        }
        assert_eq!(drops.occurred().len(), Discard::ALL.len(), "labels are distinct");
    }
}
