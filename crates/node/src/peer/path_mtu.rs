//! How long packets to a peer may be: found and followed per path (RFC 8899), and what a longer one meets.
//!
//! Every validated path of a VC enhanced peer is asked by a [`Search`] which sizes arrive. A probe is a message that
//! holds a challenge and is padded to the size in question; the echo is as short as any. It is asked with the first long
//! packet, then at once on every new path, and again and again while long packets go. Until the answer is known the
//! configured MTU is used, as WireGuard does. Nothing is asked of plain peers; the network cuts what it has to.
//!
//! A packet that is longer than its path takes is made to fit: a SYN is made to ask for shorter segments, TCP is cut
//! into segments, what may be is cut into fragments, and the sender of anything else is told, so that its system cuts.
//!
//! # Invariants
//! - Probes go over the validated path only, so the anti-amplification limit does not concern them.
//! - Answers to this host's own stack are rationed; so are questions that the system's knowledge causes.

mod chance;
mod search;

use core::net::SocketAddr;
use std::collections::VecDeque;
use std::sync::Arc;

use stead_lct::{Attachment, PathId};
use stead_noise::session::Session;
use stead_wire::ip::IpHeaders;
use stead_wire::message::{PADDING, TAG_LEN, TRANSPORT_HEADER_LEN};
use stead_wire::options::{ChallengeToken, VcOption};
use stead_wire::time::{Duration, Instant};
use stead_wire::{cut, icmp, tcp};

pub(crate) use self::search::FLOOR;
use self::search::Search;
use super::{Peer, sealing};
use crate::drops::Discard;
use crate::event::Happening;
use crate::turn::Turn;

/// Narrow paths that are remembered for when they are used again.
const MOST_KNOWN: usize = 4;

/// How many answers may go to this host's stack at once, and how often there is one more.
const ANSWERS: (u32, Duration) = (10, Duration::from_millis(50));

/// One peer's path MTU.
#[derive(Debug)]
pub(crate) struct PathMtu {
    current: Option<(Arc<Attachment>, Search)>,
    /// The limit that was told last.
    told: usize,
    /// Long packets have gone to the peer: it is worth knowing how long they may be before the next one goes.
    wanted: bool,
    /// Those that took less than the configured MTU, the latest last.
    known: VecDeque<((Option<SocketAddr>, SocketAddr), usize)>,
    answers: Ration,
    /// Of the next IPv6 packet that is cut into fragments.
    identification: u32,
}

/// How many answers may still go.
#[derive(Debug)]
struct Ration {
    left: u32,
    counted: Instant,
}

impl PathMtu {
    /// Packets of `most` bytes are used until they are known to be too long. `identification` begins the numbering of
    /// fragments.
    pub(crate) const fn new(most: usize, identification: u32) -> Self {
        let answers = Ration { left: ANSWERS.0, counted: Instant::ZERO };
        Self { current: None, told: most, wanted: false, known: VecDeque::new(), answers, identification }
    }

    /// The longest packet that the path takes, as far as anybody asked.
    pub(crate) fn limit(&self) -> Option<usize> {
        self.current.as_ref().map(|(_, search)| search.limit())
    }

    /// When there is something to ask; long packets have gone unasked for `since`.
    pub(crate) fn poll_timeout(&self, since: Option<Instant>) -> Option<Instant> {
        self.current.as_ref()?.1.poll_timeout(since)
    }

    /// An echo came back: when the probe went that it answers, if it is one's.
    pub(crate) fn on_response(&mut self, token: ChallengeToken, now: Instant) -> Option<Instant> {
        self.current.as_mut()?.1.on_response(token, now)
    }

    /// Begins anew on a new path, and where there is none ends.
    fn follow(&mut self, active: Option<&Arc<Attachment>>, most: usize, now: Instant) {
        let path = |attachment: &Arc<Attachment>| -> PathId { attachment.path };
        if self.current.as_ref().map(|(attachment, _)| path(attachment)) == active.map(path) {
            return;
        }
        if let Some((left, search)) = self.current.take() {
            let ends = (left.local, left.remote);
            self.known.retain(|(known, _)| *known != ends);
            if search.narrow() {
                self.known.push_back((ends, search.limit()));
            }
            if self.known.len() > MOST_KNOWN {
                self.known.pop_front();
            }
        }
        self.current = active.map(|active| {
            let known = self.known.iter().find(|(ends, _)| *ends == (active.local, active.remote));
            let search = match known {
                Some((_, limit)) => Search::known(most, (*limit).min(most), now),
                None if self.wanted => Search::new(most, now),
                None => Search::unasked(most, now),
            };
            (Arc::clone(active), search)
        });
    }
}

impl Ration {
    /// Takes one, if there is one.
    fn take(&mut self, now: Instant) -> bool {
        let grown = (now - self.counted).as_micros() / ANSWERS.1.as_micros();
        if grown > 0 {
            self.left = self.left.saturating_add(u32::try_from(grown).unwrap_or(u32::MAX)).min(ANSWERS.0);
            self.counted = now;
        }
        let taken = self.left > 0;
        self.left = self.left.saturating_sub(1);
        taken
    }
}

impl Peer {
    /// The longest packet that may go to the peer now.
    pub(super) fn longest(&self, turn: &Turn<'_>) -> usize {
        self.path_mtu.limit().unwrap_or(turn.path.mtu())
    }

    /// Follows the active path, and asks what is due.
    pub(super) fn measure_path(&mut self, turn: &mut Turn<'_>) {
        self.path_mtu.wanted |= self.lane.long_since().is_some();
        let asked = self.paths.active().filter(|_| self.negotiation.enhanced() && self.paths.validated());
        self.path_mtu.follow(asked, turn.path.mtu(), turn.now);
        if let (true, Some(session)) = (self.flowing(), self.handshaking.sealing(turn.now).cloned()) {
            self.probe_path(&session, turn);
        }
        if let Some(longest) = self.path_mtu.limit().filter(|limit| *limit != self.path_mtu.told) {
            self.path_mtu.told = longest;
            self.tell(Happening::PathTakes { longest }, turn);
        }
    }

    fn probe_path(&mut self, session: &Arc<Session>, turn: &mut Turn<'_>) {
        let (path, bytes) = (self.paths.round_trip(), self.lane.traffic().bytes_sent);
        let Some((active, search)) = &mut self.path_mtu.current else { return };
        let (remote, local) = active.target();
        let sizes = search.handle_timeout(self.lane.long_since(), (path, bytes), turn.now);
        if !sizes.is_empty() {
            self.lane.forget_long();
        }
        for size in sizes {
            let token = turn.fresh_challenge();
            let Some(probe) = sealing::padded(session, &[VcOption::PathChallenge(token)], size) else {
                return;
            };
            search.on_sent(token, size, turn.now);
            turn.transmit_whole(remote, local, probe);
            self.lane.stamp_sent(false, turn.now);
        }
    }

    /// The system believes that no IP packet of more than `mtu` bytes gets to `remote` whole. What it says of the way to
    /// a relay says nothing of the way behind it, and is not looked at.
    pub(crate) fn on_mtu_hint(&mut self, remote: SocketAddr, mtu: usize, turn: &Turn<'_>) {
        let ip_and_udp = if remote.is_ipv4() { 28 } else { 48 };
        let size = mtu.saturating_sub(ip_and_udp + TRANSPORT_HEADER_LEN + TAG_LEN) / PADDING * PADDING;
        if let Some((_, search)) = self.path_mtu.current.as_mut().filter(|(path, _)| path.remote == remote) {
            search.on_hint(size, turn.now);
        }
    }

    /// Packets that carry what `packet` carries and fit the path: mostly the packet itself. None if it may not be cut;
    /// then its sender is told.
    pub(super) fn fit(&mut self, mut packet: Vec<u8>, turn: &mut Turn<'_>) -> Vec<Vec<u8>> {
        let longest = self.longest(turn);
        let Ok(headers) = IpHeaders::parse(&packet) else { return vec![packet] };
        tcp::clamp_mss(&mut packet, &headers, longest, false);
        if packet.len() <= longest {
            return vec![packet];
        }
        self.path_mtu.identification = self.path_mtu.identification.wrapping_add(1);
        if let Some(pieces) = cut::cut(&packet, &headers, longest, self.path_mtu.identification) {
            return pieces;
        }
        turn.path.drops().count(Discard::TooLongForPath);
        // If the path were wider, it would be of use.
        self.lane.stamp_long(turn.now);
        if self.path_mtu.answers.take(turn.now)
            && let Some(answer) = icmp::too_big(&packet, &headers, longest)
        {
            turn.out.packets.push_back(answer);
        }
        Vec::new()
    }
}

#[cfg(test)]
mod tests;
