//! What a person or a script may tell a running node to do with its peers.

use stead_lct::PeerId;
use stead_wire::time::Instant;

use super::Node;
use crate::event::Suspension;

/// What is to be done with some peers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Order {
    /// Hold their traffic until they are resumed, and play dead to them meanwhile.
    Suspend,
    /// Let their traffic flow again as soon as they confirm that they hear us, and ask them at once.
    Resume,
}

/// What became of an [`Order`], for one peer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Obeyed {
    /// The peer's name.
    pub peer: String,
    /// Whether the order changed something: a second one of the same kind does not.
    pub changed: bool,
    /// Why and since when its traffic is suspended now; `None` if it flows.
    pub suspended: Option<(Suspension, Instant)>,
}

/// An order names a peer that there is not; nothing was done for the others either.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("no peer is called `{name}`")]
pub struct UnknownPeer {
    /// What the order called it.
    pub name: String,
    /// Every peer's name, as configured.
    pub peers: Vec<String>,
}

impl Node {
    /// Does as ordered with the peers called `names`, or known by these public keys; with all if there are none. Answers
    /// for each, in the order of the configuration.
    ///
    /// # Errors
    /// [`UnknownPeer`] if one of them is none; then nothing was done.
    pub fn handle_order(
        &mut self,
        order: Order,
        names: &[String],
        now: Instant,
    ) -> Result<Vec<Obeyed>, UnknownPeer> {
        let meant = self.meant(names)?;
        let mut obeyed = Vec::new();
        for id in meant {
            let changed = self.with_peer(id, now, |peer, turn| match order {
                Order::Suspend => peer.on_suspend(turn),
                Order::Resume => peer.on_resume(turn),
            });
            let peer = &self.peers[id.0 as usize];
            let (changed, suspended) = (changed.unwrap_or(false), peer.suspended());
            obeyed.push(Obeyed { peer: peer.name().to_owned(), changed, suspended });
        }
        Ok(obeyed)
    }

    fn meant(&self, names: &[String]) -> Result<Vec<PeerId>, UnknownPeer> {
        let is = |name: &String, id: &PeerId| {
            let peer = &self.peers[id.0 as usize];
            peer.name() == name || peer.key().to_string() == *name
        };
        let all = || (0..).map(PeerId).take(self.peers.len());
        if let Some(name) = names.iter().find(|name| !all().any(|id| is(name, &id))) {
            let peers = self.peers.iter().map(|peer| peer.name().to_owned()).collect();
            return Err(UnknownPeer { name: name.clone(), peers });
        }
        Ok(all().filter(|id| names.is_empty() || names.iter().any(|name| is(name, id))).collect())
    }
}
