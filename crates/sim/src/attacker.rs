//! Somebody on a network's line to the internet, who records, replays, delays, re-sources and forges.
//!
//! An attacker sees every datagram that passes, in both directions, and holds no key. What it does to a datagram is
//! drawn from the seed; what it puts back on the line is marked in the trace.
//!
//! # Invariants
//! - What it records is bounded.

use core::net::SocketAddr;

use stead_wire::time::{Duration, Instant};

use crate::datagram::{Datagram, Protocol};
use crate::dice::Dice;

/// What somebody on a line does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Attack {
    /// Sends every datagram again, later.
    Replay,
    /// Holds every datagram back, and lets all go at the end.
    Delay,
    /// Sends a copy of every datagram ahead of it, from another source address.
    Resource,
    /// Sends a damaged copy behind every datagram: bits flipped, cut short, or of a made-up type.
    Forge,
    /// For each datagram one of these, or nothing.
    Any,
}

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Attacker {
    attack: Attack,
    until: Instant,
    /// Where copies pretend to come from.
    address: SocketAddr,
    recorded: Vec<Datagram>,
    dice: Dice,
}

/// What becomes of a datagram that passes an attacker.
#[derive(Debug, Default)]
pub(crate) struct Interference {
    /// Whether the datagram itself goes on.
    pub(crate) withheld: bool,
    /// What is sent in addition, and how much later.
    pub(crate) sent: Vec<(Duration, Datagram)>,
}

/// Most datagrams an attacker keeps.
const RECORDED: usize = 512;

/// The longest it waits with a replay.
const LATER: Duration = Duration::from_secs(3);

/// How long a datagram is held back where each is treated on its own.
const HELD: Duration = Duration::from_millis(500);

impl Attacker {
    pub(crate) const fn new(attack: Attack, until: Instant, address: SocketAddr, dice: Dice) -> Self {
        Self { attack, until, address, recorded: Vec::new(), dice }
    }

    /// A datagram passes.
    pub(crate) fn interfere(&mut self, datagram: &Datagram, now: Instant) -> Interference {
        if now >= self.until || datagram.protocol != Protocol::Udp {
            return Interference::default();
        }
        self.record(datagram);
        let copy = |after, copy: Datagram| Interference { withheld: false, sent: vec![(after, copy)] };
        match self.chosen() {
            None | Some(Attack::Any) => Interference::default(),
            Some(Attack::Replay) => {
                let again = match self.attack {
                    Attack::Any => self.dice.pick(&self.recorded).unwrap_or(datagram).clone(),
                    _ => datagram.clone(),
                };
                copy(self.dice.up_to(LATER), again)
            }
            Some(Attack::Delay) => {
                let left = self.until - now;
                let after = if self.attack == Attack::Any { left.min(self.dice.up_to(HELD)) } else { left };
                Interference { withheld: true, ..copy(after, datagram.clone()) }
            }
            Some(Attack::Resource) => {
                // The copy comes first, the datagram itself a little later.
                let resourced = Datagram { source: self.source(), ..datagram.clone() };
                let sent = vec![(Duration::ZERO, resourced), (Duration::from_micros(50), datagram.clone())];
                Interference { withheld: true, sent }
            }
            Some(Attack::Forge) => {
                let forged = self.forged(datagram);
                copy(Duration::from_micros(50), forged)
            }
        }
    }

    fn chosen(&mut self) -> Option<Attack> {
        match self.attack {
            Attack::Any => match self.dice.below(8) {
                0 => Some(Attack::Replay),
                1 => Some(Attack::Delay),
                2 => Some(Attack::Resource),
                3 => Some(Attack::Forge),
                _ => None,
            },
            one => Some(one),
        }
    }

    fn record(&mut self, datagram: &Datagram) {
        if self.recorded.len() < RECORDED {
            return self.recorded.push(datagram.clone());
        }
        let place = usize::try_from(self.dice.below(RECORDED as u64)).unwrap_or(0);
        self.recorded[place] = datagram.clone();
    }

    /// The attacker's own address, or that of somebody it has heard.
    fn source(&mut self) -> SocketAddr {
        if self.dice.chance(0.5) {
            return self.address;
        }
        self.dice.pick(&self.recorded).map_or(self.address, |heard| heard.source)
    }

    fn forged(&mut self, datagram: &Datagram) -> Datagram {
        let mut forged = datagram.clone();
        let payload = &mut forged.payload;
        let place = usize::try_from(self.dice.below(payload.len() as u64)).unwrap_or(0);
        match self.dice.below(4) {
            _ if payload.is_empty() => payload.push(0),
            0 => payload.truncate(place),
            1 => payload[0] = u8::try_from(self.dice.below(256)).unwrap_or(0),
            2 => {
                let from = place.min(payload.len() - 1);
                self.dice.fill(&mut payload[from..]);
            }
            _ => payload[place] ^= 1 << self.dice.below(8),
        }
        if *payload == datagram.payload {
            payload[0] ^= 0x80;
        }
        forged
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ORIGIN;
    use stead_noise::random::Random;

    fn attacker(attack: Attack) -> Attacker {
        let until = ORIGIN + Duration::from_secs(5);
        let dice = Dice::new(Random::from_seed([3; 32]).stream("attacker"));
        Attacker::new(attack, until, "198.51.100.66:666".parse().unwrap(), dice)
    }

    fn datagram() -> Datagram {
        let at = |text: &str| text.parse().unwrap();
        Datagram::udp(at("10.0.0.1:1"), at("10.0.0.2:2"), (0..64).collect())
    }

    #[test]
    fn a_forgery_never_equals_what_it_was_made_of() {
        let mut attacker = attacker(Attack::Forge);
        for _ in 0..1000 {
            let done = attacker.interfere(&datagram(), ORIGIN);
            assert!(!done.withheld);
            assert_ne!(done.sent[0].1.payload, datagram().payload);
        }
        assert!(attacker.recorded.len() <= RECORDED);
    }

    #[test]
    fn what_is_delayed_goes_on_when_the_attack_ends() {
        let done = attacker(Attack::Delay).interfere(&datagram(), ORIGIN + Duration::from_secs(2));
        assert!(done.withheld);
        assert_eq!(done.sent, [(Duration::from_secs(3), datagram())]);
    }

    #[test]
    fn an_attack_ends() {
        let done = attacker(Attack::Replay).interfere(&datagram(), ORIGIN + Duration::from_secs(5));
        assert!(!done.withheld && done.sent.is_empty());
    }

    #[test]
    fn a_resourced_copy_comes_first_and_from_elsewhere() {
        let mut attacker = attacker(Attack::Resource);
        let done = attacker.interfere(&datagram(), ORIGIN);
        assert!(done.withheld);
        assert_eq!(done.sent[0].1.payload, datagram().payload);
        assert!(done.sent[0].0 < done.sent[1].0);
        let sources: Vec<SocketAddr> =
            (0..20).map(|_| attacker.interfere(&datagram(), ORIGIN).sent[0].1.source).collect();
        assert!(sources.contains(&attacker.address));
    }
}
