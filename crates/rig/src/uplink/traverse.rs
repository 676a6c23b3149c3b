//! What becomes of a packet on a line: whether it arrives, when, and how often. No IO and no clock.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::interference;
use crate::scenario::network::QUEUE;
use crate::scenario::{Attack, Way};

/// One way of a line, and the packets on it.
#[derive(Debug)]
pub(super) struct Traverse {
    /// By the time of arrival, then in the order of admission.
    under_way: BTreeMap<(Instant, u64), Vec<u8>>,
    admitted: u64,
    /// When the line has sent all that was given to it.
    free: Option<Instant>,
    /// The arrival that a packet which keeps its place must not be ahead of.
    latest: Option<Instant>,
    random: u64,
}

impl Traverse {
    pub(super) fn seeded(seed: u64) -> Self {
        Self { under_way: BTreeMap::new(), admitted: 0, free: None, latest: None, random: seed }
    }

    /// Takes a packet in, or loses it.
    pub(super) fn admit(
        &mut self,
        packet: &[u8],
        way: &Way,
        attack: Option<(Attack, Instant)>,
        now: Instant,
    ) {
        // Drawn for each packet in the same order, so that a change of one thing does not shift the others.
        let (loss, reorder, duplicate, jitter) = (self.draw(), self.draw(), self.draw(), self.draw());
        let too_long = way.mtu.is_some_and(|mtu| packet.len() as u64 > u64::from(mtu));
        if too_long || way.loss.takes(loss) {
            return;
        }
        let Some(sent) = self.transmit(packet.len(), way, now) else { return };
        let late = Duration::from_nanos(part_of(way.jitter, jitter));
        let mut arrival = sent + way.delay + late;
        if way.reorder.takes(reorder) {
            // Those behind it overtake it: it keeps its place in nothing.
            arrival += way.delay.max(LEAST_DETOUR);
        } else {
            arrival = self.latest.map_or(arrival, |latest| arrival.max(latest));
            self.latest = Some(arrival);
        }
        if way.duplicate.takes(duplicate) {
            self.put(arrival, packet.to_vec());
        }
        self.interfere(packet, attack, arrival);
    }

    /// A packet whose time has come.
    pub(super) fn due(&mut self, now: Instant) -> Option<Vec<u8>> {
        let first = self.under_way.first_entry()?;
        (first.key().0 <= now).then(|| first.remove())
    }

    /// When the next packet's time comes.
    pub(super) fn next(&self) -> Option<Instant> {
        self.under_way.first_key_value().map(|((due, _), _)| *due)
    }

    /// When the line has sent the packet; none if it would have to wait too long.
    fn transmit(&mut self, bytes: usize, way: &Way, now: Instant) -> Option<Instant> {
        let Some(rate) = way.rate else { return Some(now) };
        let begins = self.free.map_or(now, |free| free.max(now));
        if begins - now > QUEUE {
            return None;
        }
        let sent = begins + rate.time_for(bytes as u64);
        self.free = Some(sent);
        Some(sent)
    }

    fn interfere(&mut self, packet: &[u8], attack: Option<(Attack, Instant)>, arrival: Instant) {
        match attack {
            None => self.put(arrival, packet.to_vec()),
            Some((Attack::Delay, until)) => self.put(arrival.max(until), packet.to_vec()),
            Some((Attack::Replay, _)) => {
                self.put(arrival, packet.to_vec());
                self.put(arrival + REPLAYED_AFTER, packet.to_vec());
            }
            Some((Attack::Forge, _)) => {
                self.put(arrival, packet.to_vec());
                interference::forged(packet).into_iter().for_each(|forged| self.put(arrival, forged));
            }
            Some((Attack::Resource, _)) => {
                interference::resourced(packet).into_iter().for_each(|copy| self.put(arrival, copy));
                self.put(arrival, packet.to_vec());
            }
        }
    }

    fn put(&mut self, arrival: Instant, packet: Vec<u8>) {
        self.under_way.insert((arrival, self.admitted), packet);
        self.admitted += 1;
    }

    /// SplitMix64.
    fn draw(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.random;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }
}

/// An even share of a time, in nanoseconds.
fn part_of(whole: Duration, drawn: u64) -> u64 {
    u64::try_from((whole.as_nanos() * u128::from(drawn)) >> 64).unwrap_or(u64::MAX)
}

/// How long an overtaken packet is late at least.
const LEAST_DETOUR: Duration = Duration::from_millis(5);
/// How much later a replayed packet comes again: long after the receiver has answered it.
const REPLAYED_AFTER: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::unit::{Rate, Share};

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// Admits `count` packets of 1000 bytes, one each millisecond, and returns when which arrive.
    fn arrivals(way: Way, count: u32) -> Vec<(u32, Duration)> {
        let (mut traverse, began) = (Traverse::seeded(7), Instant::now());
        for number in 0..count {
            let mut packet = number.to_be_bytes().to_vec();
            packet.resize(1000, 0);
            traverse.admit(&packet, &way, None, began + ms(number.into()));
        }
        let mut seen = Vec::new();
        while let Some(due) = traverse.next() {
            let packet = traverse.due(due).unwrap();
            seen.push((u32::from_be_bytes(packet[..4].try_into().unwrap()), due - began));
        }
        seen
    }

    #[test]
    fn a_bare_line_delivers_all_at_once_and_in_order() {
        let expected: Vec<_> = (0..50).map(|number| (number, ms(number.into()))).collect();
        assert_eq!(arrivals(Way::default(), 50), expected);
    }

    #[test]
    fn delay_and_jitter_bound_the_time_and_keep_the_order() {
        let seen = arrivals(Way { delay: ms(40), jitter: ms(10), ..Way::default() }, 500);
        assert!(seen.iter().map(|(number, _)| number).eq(&(0..500).collect::<Vec<_>>()));
        let late: Vec<_> = seen.iter().map(|(number, at)| *at - ms((*number).into())).collect();
        assert!(late.iter().all(|late| (ms(40)..ms(50)).contains(late)));
        assert!(late.iter().max().unwrap().saturating_sub(*late.iter().min().unwrap()) > ms(3));
    }

    #[test]
    fn loss_and_duplication_take_their_shares() {
        let lossy = Way { loss: Share(300_000), ..Way::default() };
        assert!((650..750).contains(&arrivals(lossy, 1000).len()));
        let doubling = Way { duplicate: Share(300_000), ..Way::default() };
        assert!((1250..1350).contains(&arrivals(doubling, 1000).len()));
        assert_eq!(arrivals(Way { loss: Share(1_000_000), ..Way::default() }, 100), []);
    }

    #[test]
    fn what_is_too_long_is_lost_without_a_word() {
        assert_eq!(arrivals(Way { mtu: Some(999), ..Way::default() }, 10), []);
        assert_eq!(arrivals(Way { mtu: Some(1000), ..Way::default() }, 10).len(), 10);
    }

    #[test]
    fn reordered_packets_are_overtaken() {
        let seen = arrivals(Way { delay: ms(10), reorder: Share(100_000), ..Way::default() }, 1000);
        let overtaken = seen.windows(2).filter(|pair| pair[1].0 < pair[0].0).count();
        assert!((60..140).contains(&overtaken), "{overtaken}");
    }

    #[test]
    fn a_rate_spaces_packets_and_drops_what_would_wait_too_long() {
        // A packet takes 2 ms and one comes each millisecond: the queue grows by 1 ms for each.
        let seen = arrivals(Way { rate: Some(Rate(4_000_000)), ..Way::default() }, 1000);
        assert!(seen.windows(2).all(|pair| pair[1].1 - pair[0].1 == ms(2)));
        assert!(seen.iter().all(|(number, at)| *at - ms((*number).into()) <= QUEUE + ms(2)));
        assert!((500..560).contains(&seen.len()), "{}", seen.len());
    }
}
