//! The twin of a session: VC-enhanced peers agree to go on with what both are able to (seed 001 par. 71, "processing
//! power"): AES-256-GCM, packets whose checksums are not computed twice.
//!
//! The side that began the handshake offers a twin inside the session. The other side answers inside the same session
//! with its own, and from then on both seal in the twin. When both sides begin a handshake at once there are two
//! sessions; each side offers in its own and answers in the other, so each agreement stands for itself. An
//! attacker that suppresses messages keeps both in a plain WireGuard session, and can bring them no lower.
//!
//! Does not install sessions and does not know when a peer is able: the peer asks and is told what to do.
//!
//! # Life-cycle, for each session
//! ([`begin`](Twins::begin)) → apart → (we offer, repeatedly) → (the other's offer) → made → (the session is gone) →
//! [forgotten](Twins::forget).
//!
//! # Invariants
//! - Keys and names live as long as the session that they belong to: a session in use never loses its keys to
//!   handshakes that the peer did not use, and no key outlives its session.

use std::sync::Arc;

use stead_noise::handshake::Role;
use stead_noise::session::Session;
use stead_noise::twin::TwinKeys;
use stead_wire::message::SessionIndex;
use stead_wire::options::{self, Capabilities, VcOption};
use stead_wire::time::{Duration, Instant};

use crate::drops::Discard;
use crate::turn::Turn;

/// Time from one offer to the next: longer than any round trip that matters.
const OFFER_INTERVAL: Duration = Duration::from_secs(1);

/// So many offers go at that interval. On a line that loses every fourth datagram, one session in sixty needs more.
const PROMPT_OFFERS: u32 = 5;

/// The interval then doubles so many times, to 64 s: a session is renewed after 120 s, so few more offers go.
const MAX_DOUBLINGS: u32 = 6;

/// The twins of a peer's sessions.
#[derive(Debug, Default)]
pub(crate) struct Twins(Vec<Twin>);

/// The twin of the session that we call `parent`.
#[derive(Debug)]
struct Twin {
    parent: SessionIndex,
    state: State,
}

#[derive(Debug)]
enum State {
    /// The peers have not agreed to use the keys.
    Apart { keys: TwinKeys, offer: Option<Offer> },
    /// They have, and this is what they call the twin.
    Made { ours: options::Twin, theirs: options::Twin },
}

#[derive(Debug)]
struct Offer {
    ours: options::Twin,
    sent: u32,
    next: Instant,
}

/// What the peer's offer leads to.
#[derive(Debug)]
pub(crate) enum Answer {
    /// We offered, and this is the twin: it seals from now on.
    Ours(Arc<Session>),
    /// The peer offered, and this is the twin: it seals once the peer has used it. The option tells it.
    Theirs(Arc<Session>, VcOption),
    /// Told again.
    Again(VcOption),
    /// Heard again.
    Known,
}

impl Twins {
    /// A handshake gave the session that we call `parent`, and these keys beside it.
    pub(crate) fn begin(&mut self, parent: SessionIndex, keys: TwinKeys) {
        self.0.push(Twin { parent, state: State::Apart { keys, offer: None } });
    }

    /// The session that we called `parent` is gone, and so are its keys.
    pub(crate) fn forget(&mut self, parent: SessionIndex) {
        self.0.retain(|twin| twin.parent != parent);
    }

    /// What to offer now in the session in use, being `able`: only where we began the handshake, and only when it is
    /// time for it.
    pub(crate) fn offer(
        &mut self,
        session: &Session,
        able: Capabilities,
        turn: &mut Turn<'_>,
    ) -> Option<VcOption> {
        if session.role() != Role::Initiator {
            return None;
        }
        let now = turn.now;
        let twin = self.0.iter_mut().find(|twin| twin.parent == session.local())?;
        let State::Apart { offer, .. } = &mut twin.state else { return None };
        let offer = offer.get_or_insert_with(|| {
            let ours = options::Twin { index: turn.fresh_index(), able };
            Offer { ours, sent: 0, next: now }
        });
        if now < offer.next {
            return None;
        }
        offer.sent += 1;
        let doublings = offer.sent.saturating_sub(PROMPT_OFFERS).min(MAX_DOUBLINGS);
        offer.next = now + OFFER_INTERVAL * (1 << doublings);
        Some(VcOption::Twin(offer.ours))
    }

    /// When [`offer`](Self::offer) is due again in the session that we call `parent`; `None` if there was none yet.
    pub(crate) fn poll_timeout(&self, parent: SessionIndex) -> Option<Instant> {
        match &self.0.iter().find(|twin| twin.parent == parent)?.state {
            State::Apart { offer, .. } => Some(offer.as_ref()?.next),
            State::Made { .. } => None,
        }
    }

    /// The peer offers its twin of `session`, or takes up our offer; we are `able`.
    ///
    /// # Errors
    /// [`Discard::UnsolicitedTwin`] if it is none of ours to make: nothing was offered to a peer that answers, or a peer
    /// offers twice under different names.
    pub(crate) fn on_offer(
        &mut self,
        session: &Session,
        theirs: options::Twin,
        able: Capabilities,
        turn: &mut Turn<'_>,
    ) -> Result<Answer, Discard> {
        let at = self.0.iter().position(|twin| twin.parent == session.local());
        let at = at.ok_or(Discard::UnsolicitedTwin)?;
        let offered = match &self.0[at].state {
            State::Made { ours, theirs: known } if *known == theirs => {
                return Ok(match session.role() {
                    Role::Responder => Answer::Again(VcOption::Twin(*ours)),
                    Role::Initiator => Answer::Known,
                });
            }
            State::Made { .. } => return Err(Discard::UnsolicitedTwin),
            State::Apart { offer, .. } => offer.as_ref().map(|offer| offer.ours),
        };
        let ours = match session.role() {
            Role::Responder => options::Twin { index: turn.fresh_index(), able },
            // A handshake may have taken the name meanwhile.
            Role::Initiator => {
                offered.filter(|ours| !turn.path.knows(ours.index)).ok_or(Discard::UnsolicitedTwin)?
            }
        };
        let made = State::Made { ours, theirs };
        let State::Apart { keys, .. } = core::mem::replace(&mut self.0[at].state, made) else {
            return Err(Discard::UnsolicitedTwin);
        };
        let terms = ours.able.intersection(theirs.able);
        let twin = Arc::new(keys.into_twin(session, terms, (ours.index, theirs.index)));
        Ok(match session.role() {
            Role::Initiator => Answer::Ours(twin),
            Role::Responder => Answer::Theirs(twin, VcOption::Twin(ours)),
        })
    }
}
