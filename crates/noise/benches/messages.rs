//! What a session costs per message: sealing, opening, and the replay window by itself.

use std::sync::Arc;

use stead_gauge::{Case, Gauge};
use stead_noise::handshake::{Role, SessionKeys};
use stead_noise::replay::ReplayWindow;
use stead_noise::session::Session;
use stead_noise::twin::TwinKeys;
use stead_wire::message::{Counter, SessionIndex, TAG_LEN, TRANSPORT_HEADER_LEN, padded_len};
use stead_wire::options::Capabilities;
use stead_wire::time::Instant;

/// Inner packets: an acknowledgement or a game's, a voice call's, a full one.
const SIZES: [usize; 3] = [64, 200, 1400];

fn main() {
    let mut gauge = Gauge::from_arguments();
    for (cipher, terms) in
        [("chacha20-poly1305", Capabilities::NONE), ("aes-256-gcm", Capabilities::FAST_AES)]
    {
        for size in SIZES {
            let case = |what: &str| Case::new(format!("{what}-{cipher}/{size}")).of_bytes(size);
            gauge.case(case("seal"), || {
                let (mut here, _) = pair(terms);
                let mut message = blank(size);
                move || seal(&mut here, terms, &mut message)
            });
            gauge.case_with(case("open"), || {
                let (mut here, mut there) = pair(terms);
                let make = move || {
                    let mut message = blank(size);
                    if let Some(other_end) = seal(&mut here, terms, &mut message) {
                        there = other_end;
                    }
                    (Arc::clone(&there), message)
                };
                let open = |(session, message): &mut (Arc<Session>, Vec<u8>)| {
                    session.open_in_place(message).expect("it is genuine and new").len()
                };
                (make, open)
            });
        }
    }
    gauge.case(Case::new("replay-window/in-order"), || {
        let (window, mut next) = (ReplayWindow::new(), 0);
        move || {
            accept(&window, next);
            next += 1;
        }
    });
    gauge.case(Case::new("replay-window/disordered"), || {
        let (window, mut next) = (ReplayWindow::new(), 0_u64);
        move || {
            // Every block of 64 arrives backwards.
            accept(&window, next ^ 63);
            next += 1;
        }
    });
}

/// Seals the message; under new keys if those before may seal no more, which then makes another other end.
fn seal(here: &mut Session, terms: Capabilities, message: &mut [u8]) -> Option<Arc<Session>> {
    if let Some(counter) = here.reserve(1) {
        here.seal_in_place(counter, message);
        return None;
    }
    let (renewed, there) = pair(terms);
    *here = renewed;
    here.seal_in_place(here.reserve(1).expect("it has sealed nothing"), message);
    Some(there)
}

fn accept(window: &ReplayWindow, counter: u64) {
    window.check(Counter(counter)).expect("it is new");
    window.accept(Counter(counter)).expect("it is still new");
}

/// Room for a message around an inner packet of this size.
fn blank(size: usize) -> Vec<u8> {
    vec![0; TRANSPORT_HEADER_LEN + padded_len(size) + TAG_LEN]
}

/// Both ends of one session on these terms.
fn pair(terms: Capabilities) -> (Session, Arc<Session>) {
    let end = |role, send, receive, local, remote| {
        let names = (SessionIndex(local), SessionIndex(remote));
        let keys = SessionKeys {
            send: [send; 32].into(),
            receive: [receive; 32].into(),
            local: names.0,
            remote: names.1,
            role,
        };
        let twin = TwinKeys::of(&keys);
        twin.into_twin(&Session::new(keys, Instant::ZERO), terms, names)
    };
    (end(Role::Initiator, 1, 2, 1, 2), Arc::new(end(Role::Responder, 2, 1, 2, 1)))
}
