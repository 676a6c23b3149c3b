//! The twin of a session: VC-enhanced peers agree to go on with what both are able to (seed 001 par. 71, "processing
//! power"): AES-256-GCM, packets whose checksums are not computed twice.
//!
//! The side that began the handshake offers a twin inside the session, the other answers with its own, and from then on
//! both seal in the twin, as if it had come of a handshake after this one. Whoever suppresses messages keeps both in a
//! plain WireGuard session; nobody can bring them lower.
//!
//! Does not install sessions and does not know when a peer is able: the peer asks and is told what to do.
//!
//! # Life-cycle, for each session
//! ([`begin`](Twin::begin)) → apart → (we offer, repeatedly) → (the other's offer) → made.

use std::sync::Arc;

use stead_noise::handshake::Role;
use stead_noise::session::Session;
use stead_noise::twin::TwinKeys;
use stead_wire::message::SessionIndex;
use stead_wire::options::{self, Capabilities, VcOption};
use stead_wire::time::{Duration, Instant};

use crate::drops::Discard;
use crate::turn::Turn;

/// Offers to a peer that does not answer them. It may be one that could but does not want to.
const OFFERS: u8 = 5;

/// Time from one offer to the next: longer than any round trip that matters.
const OFFER_INTERVAL: Duration = Duration::from_secs(1);

/// Sessions whose twin may still be made. Of handshakes begun by both sides at once one is used, and not always the
/// newest.
const MOST_APART: usize = 3;

/// The twins of the newest sessions.
#[derive(Debug, Default)]
pub(crate) struct Twin {
    /// Not made, the newest last.
    apart: Vec<Apart>,
    /// The newest that was made.
    made: Option<Made>,
}

/// Keys that the peers have not agreed to use.
#[derive(Debug)]
struct Apart {
    parent: SessionIndex,
    keys: TwinKeys,
    offer: Option<Offer>,
}

#[derive(Debug)]
struct Offer {
    ours: options::Twin,
    sent: u8,
    next: Instant,
}

/// What a twin's names are, for the session `parent`.
#[derive(Debug)]
struct Made {
    parent: SessionIndex,
    ours: options::Twin,
    theirs: options::Twin,
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
}

impl Twin {
    /// A handshake gave the session that we call `parent`, and these keys beside it.
    pub(crate) fn begin(&mut self, parent: SessionIndex, keys: TwinKeys) {
        let crowded_out = (self.apart.len() + 1).saturating_sub(MOST_APART);
        self.apart.drain(..crowded_out);
        self.apart.push(Apart { parent, keys, offer: None });
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
        let apart = self.apart.iter_mut().find(|apart| apart.parent == session.local())?;
        let offer = apart.offer.get_or_insert_with(|| {
            let ours = options::Twin { index: turn.fresh_index(), able };
            Offer { ours, sent: 0, next: now }
        });
        if now < offer.next || offer.sent == OFFERS {
            return None;
        }
        offer.sent += 1;
        offer.next = now + OFFER_INTERVAL;
        Some(VcOption::Twin(offer.ours))
    }

    /// Whether `index` is what we call the twin.
    pub(crate) fn is(&self, index: SessionIndex) -> bool {
        self.made.as_ref().is_some_and(|made| made.ours.index == index)
    }

    /// When [`offer`](Self::offer) is due again in the session that we call `parent`; `None` if there was none yet.
    pub(crate) fn poll_timeout(&self, parent: SessionIndex) -> Option<Instant> {
        let offer = self.apart.iter().find(|apart| apart.parent == parent)?.offer.as_ref()?;
        (offer.sent < OFFERS).then_some(offer.next)
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
        let parent = session.local();
        let again = self.made.as_ref().filter(|made| made.parent == parent && made.theirs == theirs);
        if let (Some(made), Role::Responder) = (again, session.role()) {
            return Ok(Answer::Again(VcOption::Twin(made.ours)));
        }
        let at = self.apart.iter().position(|apart| apart.parent == parent);
        let at = at.ok_or(Discard::UnsolicitedTwin)?;
        let offered = self.apart[at].offer.as_ref().map(|offer| offer.ours);
        let ours = match session.role() {
            Role::Responder => options::Twin { index: turn.fresh_index(), able },
            // A handshake may have taken the name meanwhile.
            Role::Initiator => {
                offered.filter(|ours| !turn.path.knows(ours.index)).ok_or(Discard::UnsolicitedTwin)?
            }
        };
        let Apart { keys, .. } = self.apart.remove(at);
        self.made = Some(Made { parent, ours, theirs });
        let terms = ours.able.intersection(theirs.able);
        let twin = Arc::new(keys.into_twin(session, terms, (ours.index, theirs.index)));
        Ok(match session.role() {
            Role::Initiator => Answer::Ours(twin),
            Role::Responder => Answer::Theirs(twin, VcOption::Twin(ours)),
        })
    }
}
