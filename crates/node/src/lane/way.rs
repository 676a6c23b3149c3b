//! How packets reach a peer right now, whole: a session of one moment never goes with a path of another.

use std::sync::Arc;

use stead_lct::Attachment;
use stead_noise::session::Session;
use stead_wire::message::SessionIndex;

/// How packets reach a peer at this moment.
#[derive(Clone, Debug)]
pub(crate) struct Way {
    /// The session that seals; `None` before the first handshake and after the last session's end.
    pub(crate) session: Option<Arc<Session>>,
    /// The active path; `None` while nobody knows where the peer is.
    pub(crate) active: Option<Arc<Attachment>>,
    /// The sessions that we responded to and that their first message will confirm; mostly none.
    pub(crate) awaited: Vec<SessionIndex>,
    /// Whether packets may go straight out.
    pub(crate) flow: Flow,
    /// The longest packet that the active path takes. What is longer goes to the node, which makes it fit.
    pub(crate) longest: usize,
}

impl Default for Way {
    /// Nothing goes yet, so nothing is too long.
    fn default() -> Self {
        Self { session: None, active: None, awaited: Vec::new(), flow: Flow::default(), longest: usize::MAX }
    }
}

/// Whether a worker may send, or must give the packet to the node.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Flow {
    /// Everything goes to the node: no session, no path, or suspended because of a move.
    #[default]
    Held,
    /// Packets that leave this much room below the MTU go to the node, which adds the probe option
    /// (seed 001 figure 21); the others go straight out.
    Probing {
        /// Bytes that the probe needs.
        room: usize,
    },
    /// Straight out.
    Flowing,
}
