//! The service under load. Run with `cargo bench -p stead-sns`, or `-- --sizes 1k,10k --json`.
//!
//! For each number of subscriptions a process of its own: one service, one thread, clients simulated in memory
//! (sealing and opening as real ones do, without sockets). Clients are behind NATs, so that every publication
//! notifies; each has up to 64 peers. Time is measured inside the service only; memory is the process's resident
//! set, so allocators' slack counts.
//!
//! ```text
//! connect all ─> subscribe and publish all ─> publish again, measured ─> flood of strangers ─> publish once more
//! ```

mod clients;
mod figures;

use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use clients::Crowd;
use figures::{Figures, resident};

/// Publications measured at each size.
const SAMPLES: usize = 20_000;

/// Datagrams of the flood at each size.
const FLOOD: usize = 200_000;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let after = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1).map(String::as_str)
    };
    if let Some(size) = after("--one").and_then(figures::count) {
        figures::put(&measure(size).to_line());
        return ExitCode::SUCCESS;
    }
    let sizes: Option<Vec<usize>> =
        after("--sizes").unwrap_or("1k,10k,100k,1M").split(',').map(figures::count).collect();
    let Some(sizes) = sizes else {
        figures::put("usage: cargo bench -p stead-sns -- [--sizes 1k,10k,100k,1M] [--json]\n");
        return ExitCode::FAILURE;
    };
    let all: Option<Vec<Figures>> = sizes.into_iter().map(in_a_process_of_its_own).collect();
    let Some(all) = all else { return ExitCode::FAILURE };
    figures::put(&figures::table(&all));
    if arguments.iter().any(|argument| argument == "--json") {
        figures::put(&figures::json(&all));
    }
    ExitCode::SUCCESS
}

/// So that one size's memory is not the next one's.
fn in_a_process_of_its_own(size: usize) -> Option<Figures> {
    let program = std::env::current_exe().ok()?;
    let output = Command::new(program).args(["--one", &size.to_string()]).output().ok()?;
    Figures::from_line(&String::from_utf8(output.stdout).ok()?)
}

fn measure(size: usize) -> Figures {
    let mut crowd = Crowd::new(size);
    let empty = resident();
    crowd.connect_all();
    let connected = resident();
    let subscribing = crowd.subscribe_all();
    let subscribed = resident();
    let (calm, mut latencies) = publish(&mut crowd);
    latencies.sort_unstable();

    let before = resident();
    let flooding = crowd.flood(FLOOD);
    let after = resident();
    let (shaken, _) = publish(&mut crowd);

    let status = crowd.status();
    assert_eq!(status.subscriptions, size, "nothing was lost, in the flood neither");
    let percentile = |percent: usize| latencies[(latencies.len() - 1) * percent / 100];
    Figures {
        subscriptions: size,
        clients: status.clients.confirmed,
        bytes_per_client: connected.saturating_sub(empty) / status.clients.confirmed.max(1),
        bytes_per_subscription: subscribed.saturating_sub(connected) / size,
        resident: subscribed,
        subscriptions_per_second: per_second(size, subscribing),
        publications_per_second: per_second(SAMPLES, calm),
        latency_median: percentile(50),
        latency_p99: percentile(99),
        flood_per_second: per_second(FLOOD, flooding),
        flood_growth: after.saturating_sub(before),
        publications_after_flood: per_second(SAMPLES, shaken),
    }
}

/// Publishes at random places; how long the service took in all, with its answers, the notifications and their
/// acknowledgements, and each time from a publication's datagram to the notification's.
fn publish(crowd: &mut Crowd) -> (Duration, Vec<Duration>) {
    let mut all = Duration::ZERO;
    let mut latencies = Vec::with_capacity(SAMPLES);
    for _ in 0..SAMPLES {
        let (source, mut datagram) = crowd.publication();
        let began = Instant::now();
        crowd.handle(source, &mut datagram);
        let latency = began.elapsed();
        let receipts = crowd.collect();
        let began = Instant::now();
        for (source, mut datagram) in receipts {
            crowd.handle(source, &mut datagram);
        }
        all += latency + began.elapsed();
        latencies.push(latency);
    }
    (all, latencies)
}

fn per_second(count: usize, time: Duration) -> usize {
    (count as f64 / time.as_secs_f64().max(1e-9)) as usize
}
