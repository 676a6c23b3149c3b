//! The reference model: random worlds against a few sentences that must be true in all of them.
//!
//! A seed draws networks, NATs, links, hosts, traffic, and a time of trouble: moves, outages, reboots, programs that
//! die, attackers. Then everything is well again. Whatever happened:
//! - a connection has delivered exactly what was sent, all of it once there was a usable path for long enough;
//! - no application ever saw a datagram twice, or one that nobody sent;
//! - no table entry ever belonged to a wrong peer, no path led where the peer never was, no packet came out of a tunnel
//!   that nobody put in: what was forged or replayed changed nothing;
//! - tables and queues kept their bounds.
//!
//! `STEAD_MODEL_SEEDS=1000` plays so many, `STEAD_MODEL_FIRST=77` begins with that one:
//! `STEAD_MODEL_FIRST=77 STEAD_MODEL_SEEDS=1 cargo test -p stead-sim --test reference_model`

mod judge;
mod story;

use story::Story;

/// Enough to find what is badly wrong, in seconds.
const SEEDS: u64 = 40;

#[test]
fn whatever_happened_what_must_be_true_is_true() {
    let first = asked("STEAD_MODEL_FIRST").unwrap_or(1);
    let seeds = asked("STEAD_MODEL_SEEDS").unwrap_or(SEEDS);
    let broken: Vec<String> = (first..first + seeds).filter_map(broken).collect();
    assert!(broken.is_empty(), "{} of {seeds} worlds:\n{}", broken.len(), broken.join("\n"));
}

/// What was not as it must be with this seed, and how to see it again; the first time with a log.
fn broken(seed: u64) -> Option<String> {
    let story = Story::draw(seed);
    let unmet = judge::unmet(&story, &story.play(0));
    if unmet.is_empty() {
        return None;
    }
    let told = if asked("STEAD_MODEL_SEEDS") == Some(1) {
        let world = story.play(200_000).world;
        let names = world.names();
        let log = world.trace().story(&names, 300).join("\n");
        format!("\n{log}\n{}", world.trace().diagram(&names, 300).join("\n"))
    } else {
        String::new()
    };
    Some(format!(
        "seed {seed}: {}\n  STEAD_MODEL_FIRST={seed} STEAD_MODEL_SEEDS=1 cargo test -p stead-sim --test reference_model{told}",
        unmet.join("; ")
    ))
}

fn asked(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}
