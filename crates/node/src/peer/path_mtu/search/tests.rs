use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const MOST: usize = 1420;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A path that takes packets up to `width`, and a search that asks it.
struct Road {
    search: Search,
    now: Instant,
    width: usize,
    rtt: Duration,
    /// Says for the number of each probe whether it is lost by chance.
    loses: Box<dyn Fn(u64) -> bool>,
    echoes: BTreeMap<(Instant, u64), ChallengeToken>,
    /// Since when long packets have gone unasked.
    since: Option<Instant>,
    probes: Vec<(Instant, usize)>,
}

impl Road {
    fn new(width: usize) -> Self {
        let now = Instant::from_micros(1_000_000);
        Self {
            search: Search::new(MOST, now),
            now,
            width,
            rtt: ms(20),
            loses: Box::new(|_| false),
            echoes: BTreeMap::new(),
            since: None,
            probes: Vec::new(),
        }
    }

    /// Goes on for a while, with or without long packets, until `done`; how long it took.
    fn run(&mut self, lasts: Duration, flows: bool, done: impl Fn(&Search) -> bool) -> Duration {
        let began = self.now;
        while self.now < began + lasts && !done(&self.search) {
            if flows {
                self.since.get_or_insert(self.now);
            }
            while let Some(entry) = self.echoes.first_entry().filter(|entry| entry.key().0 <= self.now) {
                assert!(self.search.on_response(entry.remove(), self.now).is_some());
            }
            let sizes = self.search.handle_timeout(self.since, (self.round_trip(), self.bytes()), self.now);
            assert!(sizes.len() <= 3, "{sizes:?}");
            for size in sizes {
                self.since = None;
                let number = self.probes.len() as u64;
                let token = ChallengeToken(number.to_le_bytes());
                self.probes.push((self.now, size));
                self.search.on_sent(token, size, self.now);
                if size <= self.width && !(self.loses)(number) {
                    self.echoes.insert((self.now + self.rtt, number), token);
                }
            }
            self.now += ms(5);
        }
        self.now - began
    }

    /// As if every sample had been the same.
    fn round_trip(&self) -> RoundTrip {
        let mut path = RoundTrip::UNMEASURED;
        (0..40).for_each(|_| path.sample(self.rtt));
        path
    }

    /// Ten megabytes a second.
    fn bytes(&self) -> u64 {
        self.now.as_micros() * 10
    }

    fn flow(&mut self, lasts: Duration) {
        self.run(lasts, true, |_| false);
    }

    fn until(&mut self, limit: usize) -> Duration {
        let took = self.run(ms(60_000), true, |search| search.limit() == limit);
        assert_eq!(self.search.limit(), limit);
        took
    }
}

#[test]
fn a_path_that_takes_everything_is_asked_once_and_again_only_while_long_packets_go() {
    let mut road = Road::new(1500);
    road.run(ms(60_000), false, |_| false);
    assert_eq!(road.probes, [(Instant::from_micros(1_000_000), MOST)]);
    assert_eq!(road.search.poll_timeout(None), None);

    road.flow(ms(10_000));
    let asked = road.probes.len() - 1;
    assert!((30..=34).contains(&asked), "{asked} probes in ten seconds");
    assert!(!road.search.narrow());
}

#[test]
fn what_a_new_narrow_path_takes_is_found_out_without_any_traffic() {
    for (width, longest) in [(1376, 1376), (1391, 1376), (1216, 1216), (1200, 1200), (1100, 1088), (512, 512)]
    {
        let mut road = Road::new(width);
        let narrow = road.run(ms(2_000), false, |search| search.limit() <= width);
        assert!(narrow <= ms(800), "{width}: {narrow:?}");
        road.run(ms(9_000), false, |_| false);
        assert_eq!(road.search.limit(), longest, "{width}");
        assert_eq!(road.search.poll_timeout(None), None, "{width}: nothing left to ask");
    }
}

#[test]
fn a_path_that_narrows_without_a_word_is_found_out_within_a_second() {
    for rtt in [1, 20, 60, 120] {
        let mut road = Road::new(1500);
        road.rtt = ms(rtt);
        road.flow(ms(3_000));
        road.width = 1200;
        let took = road.until(BASE);
        assert!(took <= ms(1_000), "{took:?} with a round trip of {rtt} ms");
        road.flow(ms(5_000));
        assert_eq!(road.search.limit(), 1200);
    }
}

#[test]
fn a_path_that_is_silent_altogether_says_nothing_about_its_width() {
    let mut road = Road::new(1500);
    road.flow(ms(1_000));
    road.width = 0;
    road.loses = Box::new(|_| true);
    road.flow(ms(30_000));
    assert_eq!(road.search.limit(), MOST);
}

#[test]
fn a_narrow_path_that_widens_is_used_again_and_one_that_does_not_is_asked_more_and_more_seldom() {
    let mut road = Road::new(1200);
    road.flow(ms(9_000));
    road.width = 1500;
    assert!(road.until(MOST) <= ms(3_000));

    let mut road = Road::new(1200);
    road.flow(ms(3_600_000));
    let begins: Vec<Instant> =
        road.probes.iter().filter(|probe| probe.1 == MOST).map(|probe| probe.0).collect();
    let rounds: Vec<Duration> =
        begins.windows(2).map(|pair| pair[1] - pair[0]).filter(|apart| *apart > ms(1_000)).collect();
    assert!(rounds.is_sorted(), "{rounds:?}");
    assert!((9..=12).contains(&rounds.len()), "{} rounds in an hour", rounds.len());
    assert!(rounds.last().is_some_and(|last| *last >= RAISE_AT_MOST));
}

#[test]
fn what_a_router_says_is_believed_only_if_it_is_true() {
    let mut road = Road::new(1500);
    road.flow(ms(3_000));
    let before = road.probes.len();
    for _ in 0..1_000 {
        road.search.on_hint(600, road.now);
        road.flow(ms(5));
    }
    assert_eq!(road.search.limit(), MOST);
    let probes = road.probes.len() - before;
    assert!(probes <= 30, "{probes} probes for a thousand lies in five seconds");

    road.width = 1376;
    road.search.on_hint(1380 / 16 * 16, road.now);
    assert!(road.until(1376) <= ms(300), "at once, and just right");
}

#[test]
fn a_path_used_before_is_as_narrow_as_it_was_until_it_proves_to_be_wider() {
    let mut road = Road::new(1216);
    road.search = Search::known(MOST, 1216, road.now);
    road.flow(ms(5_000));
    assert_eq!(road.search.limit(), 1216);

    road.search = Search::known(MOST, 1216, road.now);
    road.width = 1500;
    assert!(road.until(MOST) <= ms(1_000));

    road.search = Search::known(MOST, 1376, road.now);
    road.width = 1200;
    assert!(road.until(1200) <= ms(1_000));
}

#[test]
fn an_answer_that_is_late_still_counts() {
    let mut road = Road::new(1500);
    road.rtt = ms(2_500);
    road.flow(ms(20_000));
    assert_eq!(road.search.limit(), MOST);
}

proptest! {
    #[test]
    fn chance_never_breaks_it_and_without_chance_it_is_right_in_the_end(
        seed: u64,
        loss in 0_u64..60,
        width in FLOOR..1500,
        then in FLOOR..1500,
    ) {
        let mut road = Road::new(width);
        road.loses = Box::new(move |number| {
            (number.wrapping_add(seed).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33) % 100 < loss
        });
        road.flow(ms(20_000));
        road.width = then;
        road.flow(ms(20_000));
        prop_assert!((FLOOR..=MOST).contains(&road.search.limit()));
        road.loses = Box::new(|_| false);
        road.flow(ms(1_300_000));
        let right = if then >= MOST { MOST } else { then / 16 * 16 };
        prop_assert_eq!(road.search.limit(), right);
    }
}
