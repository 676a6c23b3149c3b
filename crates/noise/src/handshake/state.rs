//! Snow's handshake state, wiped when dropped.
//!
//! Snow does not wipe its chaining key, from which the session's keys follow, and gives no access to it. But
//! a state can be overwritten by another one where it lies: by one that has seen no key yet.

use core::hint::black_box;
use core::ops::{Deref, DerefMut};

use snow::{Builder, HandshakeState};

use super::resolver::{EphemeralSlot, Resolver};

/// A handshake state in a place of its own, so that moving its owner leaves no copy behind.
pub(super) struct WipedState(Box<HandshakeState>);

impl WipedState {
    pub(super) fn new(state: HandshakeState) -> Self {
        Self(Box::new(state))
    }

    fn wipe(&mut self) {
        if let Ok(blank) = blank() {
            *self.0 = blank;
        }
        // Or the compiler might see that nobody reads what was written.
        black_box(&mut *self.0);
    }
}

impl Drop for WipedState {
    fn drop(&mut self) {
        self.wipe();
    }
}

impl Deref for WipedState {
    type Target = HandshakeState;

    fn deref(&self) -> &HandshakeState {
        &self.0
    }
}

impl DerefMut for WipedState {
    fn deref_mut(&mut self) -> &mut HandshakeState {
        &mut self.0
    }
}

/// A state of the one pattern that begins without any key.
fn blank() -> Result<HandshakeState, snow::Error> {
    let resolver = Resolver::new(EphemeralSlot::default());
    Builder::with_resolver("Noise_NN_25519_ChaChaPoly_BLAKE2s".parse()?, Box::new(resolver)).build_initiator()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handshake::builder;
    use crate::keys::StaticSecret;

    #[test]
    fn a_wiped_state_is_that_of_a_handshake_without_keys() {
        let local = StaticSecret::from_random([1; 32]);
        let builder = builder(&local, &EphemeralSlot::default()).unwrap();
        let mut state = WipedState::new(builder.build_responder().unwrap());
        let untouched = blank().unwrap();
        assert_ne!(state.get_handshake_hash(), untouched.get_handshake_hash());
        let place: *const HandshakeState = &*state;

        state.wipe();

        assert_eq!(state.get_handshake_hash(), untouched.get_handshake_hash());
        assert_eq!(place, &raw const *state, "overwritten where it lay, not replaced elsewhere");
    }
}
