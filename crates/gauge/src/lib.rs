//! Small pieces of work, timed by criterion or made ready for a count of their instructions.
//!
//! What `benches/` of the other crates are written with, and nothing else: no program is linked with this. A bench target
//! is a `main` that names its [cases](Gauge::case); how it is started says what becomes of them:
//!
//! | started as | does |
//! |---|---|
//! | `cargo bench -p CRATE --bench NAME [-- WORD…]` | times every case whose name has one of the words in it |
//! | the program, `--list` | names the cases that are cheap to make ready, one a line |
//! | the program, `--count CASE` | runs one case for a profiler, see [`counted`] |
//! | the program by itself, as `cargo test` does | does every such case once, to see that it works |
//!
//! `scripts/bench micro` makes one table of the lines that begin with `row`, `scripts/bench instructions` runs `--count`
//! under valgrind.

use core::hint::black_box;
use core::time::Duration;
use std::io::{self, Write as _};
use std::time::Instant;

use criterion::{Criterion, Throughput};

/// What a bench target does with its cases.
pub struct Gauge(Task);

enum Task {
    Time { words: Vec<String>, criterion: Box<Criterion> },
    List,
    Count { name: String },
    Once,
}

/// One case: its name and how much it works on.
#[derive(Clone, Debug)]
pub struct Case {
    name: String,
    bytes: Option<u64>,
    only_timed: bool,
}

/// How many inputs are made ready before the clock starts: few enough to stay in a processor's second-level cache,
/// enough to make the clock's own cost disappear.
const BATCH: u64 = 64;

/// The same for turns that need no input.
const BATCH_WITHOUT_INPUT: u64 = 4096;

/// Turns before those that are counted, so that memory and lazy parts are as they will stay.
const WARM_UP: u64 = 16;

/// Turns that are counted; a count is their mean. The table of instructions divides by this.
const COUNTED: u64 = 64;

/// How long a case is measured, after a third of that to warm up.
const TIME: Duration = Duration::from_secs(3);

impl Case {
    /// A case called `name`, as `what/size`.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), bytes: None, only_timed: false }
    }

    /// Each turn works on so many bytes of inner packets.
    #[must_use]
    pub fn of_bytes(self, bytes: usize) -> Self {
        Self { bytes: Some(bytes as u64), ..self }
    }

    /// With `only`: takes too long to be made ready on a machine that counts instructions.
    #[must_use]
    pub fn only_timed(self, only: bool) -> Self {
        Self { only_timed: only, ..self }
    }
}

impl Gauge {
    /// Does as the command line says.
    #[must_use]
    pub fn from_arguments() -> Self {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        let has = |name: &str| arguments.iter().any(|argument| argument == name);
        let counted = arguments.iter().position(|argument| argument == "--count");
        Self(match counted.and_then(|at| arguments.get(at + 1)) {
            Some(name) => Task::Count { name: name.clone() },
            None if has("--list") => Task::List,
            None if has("--bench") => {
                let words = arguments.into_iter().filter(|word| !word.starts_with('-')).collect();
                let criterion = Criterion::default().warm_up_time(TIME / 3).measurement_time(TIME);
                Task::Time { words, criterion: Box::new(criterion.without_plots()) }
            }
            None => Task::Once,
        })
    }

    /// A case that can take its next turn at once. `prepare` is called only if the case is wanted.
    pub fn case<T, W: FnMut() -> T>(&mut self, case: Case, prepare: impl FnOnce() -> W) {
        self.case_with(case, || {
            let mut work = prepare();
            (|| (), move |(): &mut ()| work())
        });
    }

    /// A case whose every turn uses an input up. The first of what `prepare` returns makes inputs, outside of what is
    /// measured; the second is the work.
    pub fn case_with<I, T, M, W>(&mut self, case: Case, prepare: impl FnOnce() -> (M, W))
    where
        M: FnMut() -> I,
        W: FnMut(&mut I) -> T,
    {
        match &mut self.0 {
            Task::Time { words, criterion } => {
                if words.is_empty() || words.iter().any(|word| case.name.contains(word.as_str())) {
                    time(criterion, &case, prepare());
                }
            }
            Task::List if !case.only_timed => put(&case.name),
            Task::Count { name } if *name == case.name => count(prepare()),
            Task::Once if !case.only_timed => {
                let (mut make, mut work) = prepare();
                drop(work(&mut make()));
                put(&format!("{}: works", case.name));
            }
            Task::List | Task::Count { .. } | Task::Once => {}
        }
    }
}

/// Runs `work`. A profiler that knows this function by its name counts what is done in it and nothing else.
#[inline(never)]
pub fn counted(work: &mut dyn FnMut()) {
    work();
}

fn count<I, T>((mut make, mut work): (impl FnMut() -> I, impl FnMut(&mut I) -> T)) {
    for _ in 0..WARM_UP {
        drop(black_box(work(&mut make())));
    }
    let mut inputs: Vec<I> = (0..COUNTED).map(|_| make()).collect();
    counted(&mut || inputs.iter_mut().for_each(|input| drop(black_box(work(black_box(input))))));
}

fn time<I, T>(
    criterion: &mut Criterion,
    case: &Case,
    (mut make, mut work): (impl FnMut() -> I, impl FnMut(&mut I) -> T),
) {
    let (group, size) = case.name.split_once('/').unwrap_or((&case.name, "1"));
    let mut group = criterion.benchmark_group(group);
    if let Some(bytes) = case.bytes {
        group.throughput(Throughput::Bytes(bytes));
    }
    let batch = if size_of::<I>() == 0 { BATCH_WITHOUT_INPUT } else { BATCH };
    let mut samples = Vec::new();
    group.bench_function(size, |bencher| {
        bencher.iter_custom(|turns| {
            let mut spent = Duration::ZERO;
            let mut left = turns;
            while left > 0 {
                let mut inputs: Vec<I> = (0..left.min(batch)).map(|_| make()).collect();
                left -= inputs.len() as u64;
                let began = Instant::now();
                inputs.iter_mut().for_each(|input| drop(black_box(work(black_box(input)))));
                spent += began.elapsed();
            }
            samples.push(spent.as_nanos() as f64 / turns as f64);
            spent
        });
    });
    group.finish();
    let nanos = median(&mut samples);
    let bytes = case.bytes.map_or(String::new(), |bytes| format!("{:.0}", bytes as f64 / nanos * 1e9));
    put(&format!("row\t{}\t{nanos:.1}\t{bytes}", case.name));
}

fn median(samples: &mut [f64]) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples.get(samples.len() / 2).copied().unwrap_or(f64::NAN)
}

fn put(line: &str) {
    // Whoever reads may have gone.
    let _ = writeln!(io::stdout(), "{line}");
}
