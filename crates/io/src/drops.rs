//! Why the IO let something go: one variant and one counter per reason, beside the node's own.

use core::sync::atomic::{AtomicU64, Ordering};
use std::collections::BTreeMap;

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $name:ident = $label:literal,)+) => {
        /// Why a datagram or a packet went no further in the IO.
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        #[repr(usize)]
        pub enum IoDrop {
            $($(#[doc = $doc])+ $name,)+
        }

        impl IoDrop {
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
    /// No route leads to the remote now: the network is down or the host is between two networks.
    Unreachable = "network-unreachable",
    /// The remote's address family has no socket: this host has no IPv6, or no IPv4.
    NoSocketOfFamily = "no-socket-of-family",
    /// Larger than the link takes, and it may not be cut.
    DatagramTooBig = "datagram-too-big",
    /// A local firewall forbids it.
    SendForbidden = "send-forbidden",
    /// The socket's send buffer is full, and the datagram could not wait.
    SendBufferFull = "send-buffer-full",
    /// The system refused for a reason that has no name here; the log has it.
    SendFailed = "send-failed",
    /// The system could not hand over what had arrived.
    ReceiveFailed = "receive-failed",
    /// The node has more to do than its mailbox holds.
    MailboxFull = "mailbox-full",
    /// The TUN device handed out something that is no packet, or a super-packet that cannot be cut.
    MalformedSuperPacket = "malformed-super-packet",
    /// A packet longer than the TUN device's MTU allows.
    PacketTooBig = "packet-too-big",
    /// The TUN device took no packet: it is down, or its queue is full.
    TunWriteFailed = "tun-write-failed",
    /// Datagrams arrived faster than the workers take them: the kernel's queue for a socket was full.
    ReceiveBufferFull = "receive-buffer-full",
    /// Applications sent faster than the workers take it, or before there was a tunnel: the kernel dropped packets, or
    /// super-packets, at the TUN device.
    TunQueueFull = "tun-queue-full",
}

/// A counter per reason; shared by the workers and the driver.
#[derive(Debug)]
pub struct IoDrops {
    counters: [AtomicU64; IoDrop::ALL.len()],
}

impl Default for IoDrops {
    fn default() -> Self {
        Self { counters: [const { AtomicU64::new(0) }; IoDrop::ALL.len()] }
    }
}

impl IoDrops {
    /// Counts `many` more.
    pub fn count(&self, reason: IoDrop, many: u64) {
        self.counters[reason as usize].fetch_add(many, Ordering::Relaxed);
    }

    /// How many there were so far.
    #[must_use]
    pub fn of(&self, reason: IoDrop) -> u64 {
        self.counters[reason as usize].load(Ordering::Relaxed)
    }

    /// Replaces the count of what the kernel counts itself.
    pub(crate) fn set(&self, reason: IoDrop, many: u64) {
        self.counters[reason as usize].store(many, Ordering::Relaxed);
    }

    /// The reasons that occurred, with their counts.
    #[must_use]
    pub fn occurred(&self) -> BTreeMap<&'static str, u64> {
        IoDrop::ALL.iter().map(|reason| (reason.label(), self.of(*reason))).filter(|(_, n)| *n > 0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_counter_and_a_label_of_its_own() {
        let drops = IoDrops::default();
        assert!(drops.occurred().is_empty());
        for (times, reason) in (1..).zip(IoDrop::ALL) {
            drops.count(*reason, times);
        }
        for (times, reason) in (1..).zip(IoDrop::ALL) {
            assert_eq!(drops.of(*reason), times, "{reason:?}");
        }
        assert_eq!(drops.occurred().len(), IoDrop::ALL.len(), "labels are distinct");
    }
}
