//! This host's own filter refuses the peer's datagrams: the system says so at once (EPERM), so nobody has to wait
//! for a silence.
//!
//! Rules that pin the tunnel's 5-tuple are changed at a move by somebody else, sooner or later than the move itself
//! (seed 002 claims 6, 7: the race with firewall filtering rules). Until they let datagrams pass, the peer is suspended and
//! asked anew many times a second, which costs no datagram.
//!
//! A VC enhanced peer is [told](super::migrator) where we are until it confirms. A plain one is sent keepalives; the first
//! that is not refused ends the suspension.

use core::net::{IpAddr, SocketAddr};

use stead_wire::time::{Duration, Instant};

use super::Peer;
use super::migrator::News;
use crate::event::{Ends, Happening, Suspension};
use crate::turn::Turn;

/// How soon what was refused is tried again in the [first seconds](EAGER_FOR).
const EAGER: Duration = Duration::from_millis(25);

/// For how long. Rules that a move has to wait for come within seconds; those that a person changes do not.
const EAGER_FOR: Duration = Duration::from_secs(5);

/// After them the pause is this part of the time that has passed, up to a [bound](LONGEST_PAUSE).
const PART: u32 = 32;

/// The longest pause: a system call a second costs nothing.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// What the host's filter refuses.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Refusal {
    /// From where to where.
    pub ends: Ends,
    /// Since when.
    pub since: Instant,
    /// When the system last said so.
    pub last: Instant,
}

/// A plain peer's datagrams are refused: it is tried until they are not.
#[derive(Clone, Copy, Debug)]
pub(super) struct Barred {
    since: Instant,
    tried: Instant,
}

/// How soon to try again what has been refused since `since`.
pub(super) fn pause(since: Instant, now: Instant) -> Duration {
    let passed = now - since;
    if passed < EAGER_FOR { EAGER } else { (passed / PART).clamp(EAGER, LONGEST_PAUSE) }
}

impl Peer {
    /// Whether a datagram to `remote` may have been for this peer.
    pub(crate) fn may_be_at(&self, remote: SocketAddr) -> bool {
        self.paths.active_remote() == Some(remote) || self.paths.candidates().contains(&remote)
    }

    /// The system refused to send a datagram to the peer.
    pub(crate) fn on_refused(&mut self, remote: SocketAddr, local: Option<IpAddr>, turn: &mut Turn<'_>) {
        if self.plays_dead() {
            return;
        }
        self.note_refusal(remote, local, turn);
        let since = self.refusal.map_or(turn.now, |refusal| refusal.since);
        if self.migrator.announcing() {
            self.on_news(News::Refused(remote, pause(since, turn.now)), turn);
        } else if self.suspended.is_none() && self.paths.active_remote() == Some(remote) {
            match self.handshaking.sealing(turn.now).cloned() {
                Some(session) if self.negotiation.enhanced() => {
                    self.announce(Some(Suspension::Refused), &session, turn);
                }
                Some(_) => self.barred = Some(Barred { since: turn.now, tried: turn.now }),
                None => {}
            }
        }
        self.handshaking.on_refused(pause(since, turn.now), turn.now);
    }

    fn note_refusal(&mut self, remote: SocketAddr, local: Option<IpAddr>, turn: &mut Turn<'_>) {
        let source = local.or_else(|| turn.attachment.source_for(remote.ip()));
        let local = source.map(|ip| SocketAddr::new(ip, turn.identity.listen_port));
        let ends = Ends { local, remote };
        let known = self.refusal.filter(|known| known.ends == ends);
        let since = self.refusal.map_or(turn.now, |known| known.since);
        self.refusal = Some(Refusal { ends, since, last: turn.now });
        if known.is_none() {
            self.tell(Happening::Refused { ends }, turn);
        }
    }

    /// Why and since when a plain peer is held.
    pub(super) fn barred(&self) -> Option<(Suspension, Instant)> {
        self.barred.map(|barred| (Suspension::Refused, barred.since))
    }

    pub(super) fn barred_due(&self) -> Option<Instant> {
        self.barred.map(|barred| barred.tried + pause(barred.since, barred.tried))
    }

    /// Tries a plain peer again, unless the last try was not refused.
    pub(super) fn try_barred(&mut self, turn: &mut Turn<'_>) {
        if self.barred_due().is_none_or(|at| turn.now < at) {
            return;
        }
        let refused = |barred: &Barred| self.refusal.is_some_and(|refusal| refusal.last >= barred.tried);
        let Some(barred) = self.barred.filter(refused) else {
            self.barred = None;
            return;
        };
        match self.handshaking.sealing(turn.now).cloned() {
            Some(session) => {
                self.barred = Some(Barred { tried: turn.now, ..barred });
                self.send_keepalive(&session, turn);
            }
            None => self.barred = None,
        }
    }
}
