use super::*;
use crate::schedule::REJECT_AFTER_MESSAGES;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::sync::atomic::AtomicUsize;
use std::thread;

const W: u64 = REPLAY_WINDOW;
const LAST: u64 = REJECT_AFTER_MESSAGES - 1;

const OK: Result<(), Discard> = Ok(());
const SEEN: Result<(), Discard> = Err(Discard::Replayed);
const OLD: Result<(), Discard> = Err(Discard::TooOld);

fn play(story: &str, steps: &[(u64, Result<(), Discard>)]) {
    let window = ReplayWindow::new();
    for (step, &(counter, expected)) in steps.iter().enumerate() {
        let greatest = window.greatest();
        if counter < window.next.load(Ordering::Relaxed) {
            assert_eq!(window.check(Counter(counter)), expected, "{story}: checking, step {step}, {counter}");
        }
        assert_eq!(window.greatest(), greatest, "{story}: checking must not move the window");
        assert_eq!(window.accept(Counter(counter)), expected, "{story}: step {step}, counter {counter}");
    }
}

#[test]
fn each_counter_counts_once_in_any_order_near_the_start() {
    play("start", &[(0, OK), (0, SEEN), (1, OK), (1, SEEN), (9, OK), (8, OK), (7, OK), (7, SEEN), (0, SEEN)]);
}

#[test]
fn the_window_reaches_exactly_as_far_back_as_it_says() {
    play(
        "edge",
        &[
            (3 * W, OK),
            (2 * W, OLD),
            (2 * W + 1, OK),
            (2 * W + 1, SEEN),
            (2 * W + 2, OK),
            (2 * W - 1, OLD),
            (0, OLD),
            (3 * W + 1, OK),
            (2 * W + 1, OLD),
            (2 * W + 2, SEEN),
            (2 * W + 3, OK),
        ],
    );
}

#[test]
fn a_step_beyond_the_window_leaves_late_counters_open_and_seen_ones_seen() {
    play(
        "steps",
        &[(0, OK), (1, OK), (9, OK), (W, OK), (W - 1, OK), (W - 1, SEEN), (2, OK), (2, SEEN), (0, OLD)],
    );
    play("steps", &[(5, OK), (W + 16, OK), (3, OLD), (5, OLD), (W + 16, SEEN), (17, OK), (16, OLD)]);
}

#[test]
fn words_are_reused_for_later_rounds_without_remembering_the_earlier_ones() {
    // The ring has room for 2 W: these counters share a word and a bit, round after round.
    let rounds: Vec<_> =
        (0..9).flat_map(|round| [(7 + round * 2 * W, OK), (7 + round * 2 * W, SEEN)]).collect();
    play("rounds", &rounds);
    play("a jump over rounds", &[(7, OK), (40, OK), (7 + 20 * W, OK), (7 + 20 * W - W + 1, OK), (40, OLD)]);
}

#[test]
fn the_last_counters_of_a_session_behave_as_all_others_after_any_jump() {
    for start in [0, 1, W, 4 * W, 1 << 45, (1 << 46) - 1, 1 << 60] {
        play(
            "end",
            &[
                (start, OK),
                (LAST, OK),
                (LAST, SEEN),
                (LAST - 1, OK),
                (LAST - 1, SEEN),
                (LAST - W + 1, OK),
                (LAST - W + 1, SEEN),
                (LAST - W, OLD),
                (start, OLD),
            ],
        );
    }
}

#[test]
fn ramps_up_and_down_are_accepted_completely() {
    let up = |range: Range<u64>| range.map(|counter| (counter, OK)).collect::<Vec<_>>();
    let down = |range: Range<u64>| range.rev().map(|counter| (counter, OK)).collect::<Vec<_>>();

    play("up, then the one before", &[up(1..W), vec![(0, OK), (0, SEEN)]].concat());
    play("up, then the one out of reach", &[up(2..W + 1), vec![(1, OK), (0, OLD)]].concat());
    play("down to nothing", &down(0..W));
    play("down to one", &[down(1..W + 1), vec![(0, OLD)]].concat());
    play("down, then on", &[down(1..W), vec![(W, OK), (0, OLD)]].concat());
    play("down, zero, then on", &[down(1..W), vec![(0, OK), (W, OK)]].concat());
}

#[test]
fn the_greatest_counter_is_known_and_nothing_before_the_first() {
    let window = ReplayWindow::new();
    assert_eq!(window.greatest(), None);
    assert_eq!(window.check(Counter(5)), OK);
    assert_eq!(window.greatest(), None);

    for (counter, greatest) in [(0, 0), (7, 7), (3, 7), (LAST, LAST)] {
        window.accept(Counter(counter)).unwrap();
        assert_eq!(window.greatest(), Some(Counter(greatest)));
    }
}

/// What the window is to do, without any cleverness.
#[derive(Default)]
struct Model {
    seen: BTreeSet<u64>,
}

impl Model {
    fn accept(&mut self, counter: u64) -> Result<(), Discard> {
        let greatest = self.seen.last().copied().unwrap_or(0);
        if counter + W <= greatest {
            return OLD;
        }
        if self.seen.insert(counter) { OK } else { SEEN }
    }
}

/// Counters as a network hands them over: mostly near the newest, some late, a few far off.
fn arrivals() -> impl Strategy<Value = Vec<u64>> {
    let step = prop_oneof![
        8 => -40_i64..40,
        4 => -(W as i64) - 40..-(W as i64) + 40,
        2 => -20_000_i64..20_000,
        1 => prop_oneof![Just(2 * W as i64), Just(-2 * W as i64), Just(1 << 20), Just(1 << 40), Just(-(1 << 40))],
    ];
    (0_u64..100_000, prop::collection::vec(step, 1..300)).prop_map(|(start, steps)| {
        let mut newest = start;
        let counters = steps.into_iter().map(|step| {
            let counter = newest.saturating_add_signed(step).min(LAST);
            newest = newest.max(counter);
            counter
        });
        counters.collect()
    })
}

proptest! {
    #[test]
    fn the_window_does_as_the_model(arrivals in arrivals()) {
        let window = ReplayWindow::new();
        let mut model = Model::default();
        for counter in arrivals {
            prop_assert_eq!(window.accept(Counter(counter)), model.accept(counter), "counter {}", counter);
        }
    }
}

#[test]
fn many_threads_with_the_same_counters_accept_each_of_them_once() {
    const THREADS: usize = 4;
    const COUNTERS: u64 = 10 * W;
    let window = ReplayWindow::new();
    let accepted: Vec<AtomicUsize> = (0..COUNTERS).map(|_| AtomicUsize::new(0)).collect();
    let progress: Vec<AtomicU64> = (0..THREADS).map(|_| AtomicU64::new(0)).collect();

    thread::scope(|scope| {
        for me in 0..THREADS {
            let (window, accepted, progress) = (&window, &accepted, &progress);
            scope.spawn(move || {
                for block in 0..COUNTERS / BLOCK {
                    // Nobody runs so far ahead that another's counters fall out of the window unseen.
                    while progress.iter().any(|other| block > other.load(Ordering::Acquire) + W / BLOCK / 2) {
                        thread::yield_now();
                    }
                    for i in 0..BLOCK {
                        // Each thread goes through a block in another order.
                        let counter = block * BLOCK + (i * (2 * me as u64 + 1) + me as u64) % BLOCK;
                        if window.accept(Counter(counter)).is_ok() {
                            accepted[counter as usize].fetch_add(1, Ordering::Relaxed);
                        }
                    }
                    progress[me].store(block + 1, Ordering::Release);
                }
            });
        }
    });

    let wrong = accepted.iter().position(|times| times.load(Ordering::Relaxed) != 1);
    assert_eq!(wrong, None, "every counter is accepted by exactly one thread");
    assert_eq!(window.greatest(), Some(Counter(COUNTERS - 1)));
}

#[test]
fn threads_that_tear_the_window_apart_never_accept_a_counter_twice() {
    const THREADS: u64 = 4;
    let window = ReplayWindow::new();
    let taken: Vec<BTreeSet<u64>> = thread::scope(|scope| {
        let window = &window;
        let threads: Vec<_> = (0..THREADS)
            .map(|me| {
                scope.spawn(move || {
                    let mut taken = BTreeSet::new();
                    let mut state = me + 1;
                    for round in 0..40_000_u64 {
                        // Four neighbouring bits of one word, in rounds that overtake each other.
                        state = state
                            .wrapping_mul(6_364_136_223_846_793_005)
                            .wrapping_add(1_442_695_040_888_963_407);
                        let counter = (round / 8 + (state >> 62)) * 2 * W + (state >> 60) % 4;
                        if window.accept(Counter(counter)).is_ok() {
                            assert!(taken.insert(counter), "one thread, twice: {counter}");
                        }
                    }
                    taken
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });

    let sum: usize = taken.iter().map(BTreeSet::len).sum();
    let distinct: BTreeSet<u64> = taken.into_iter().flatten().collect();
    assert_eq!(sum, distinct.len(), "two threads accepted the same counter");
}

fn missing(window: &ReplayWindow) -> Vec<u64> {
    let (_, runs) = window.missing();
    runs.flat_map(|run| (run.start.0..run.end.0).rev()).collect()
}

#[test]
fn nothing_is_missing_of_what_nobody_sent() {
    let window = ReplayWindow::new();
    assert_eq!(window.missing().0, Counter(0));
    assert_eq!(missing(&window), []);
    window.accept(Counter(0)).unwrap();
    assert_eq!(window.missing().0, Counter(1));
    assert_eq!(missing(&window), []);
}

#[test]
fn what_is_too_old_to_be_accepted_is_not_missing() {
    let window = ReplayWindow::new();
    window.accept(Counter(3 * W)).unwrap();
    let missing = missing(&window);
    assert_eq!((missing.first(), missing.last()), (Some(&(3 * W - 1)), Some(&(2 * W + 1))));
    assert_eq!(missing.len() as u64, W - 1);
    assert_eq!(window.accept(Counter(2 * W)), OLD);
    assert_eq!(window.accept(Counter(2 * W + 1)), OK);
}

proptest! {
    #[test]
    fn missing_is_exactly_what_would_be_accepted_below_the_greatest(
        start in prop::sample::select(vec![0, 31, 32, W - 3, 5 * W + 17, LAST - 2 * W]),
        steps in proptest::collection::vec((0..200_u64, any::<bool>()), 1..150),
    ) {
        let window = ReplayWindow::new();
        let mut counter = start;
        for (step, far) in steps {
            counter = (counter + if far { step * 7 } else { step % 3 + 1 }).min(LAST);
            let _ = window.accept(Counter(counter));
        }
        let (next, runs) = window.missing();
        let runs: Vec<_> = runs.collect();
        prop_assert!(runs.windows(2).all(|pair| pair[1].end < pair[0].start), "newest first, and apart");
        let told: BTreeSet<u64> = runs.iter().flat_map(|run| run.start.0..run.end.0).collect();
        let range = next.0.saturating_sub(2 * W)..next.0;
        let open: BTreeSet<u64> = range.filter(|counter| window.check(Counter(*counter)).is_ok()).collect();
        prop_assert_eq!(told, open);
    }
}

const BLOCK: u64 = 64;
