//! What was measured, as a line between processes, as a table for people, as JSON for programs.

use core::fmt::Write as _;
use std::io::Write as _;
use std::time::Duration;

/// One size's figures. Memory in bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Figures {
    pub(crate) subscriptions: usize,
    pub(crate) clients: usize,
    /// The service's and the simulated client's own session together.
    pub(crate) bytes_per_client: usize,
    /// With its publication of 100 sealed bytes.
    pub(crate) bytes_per_subscription: usize,
    /// The whole process, simulated clients included.
    pub(crate) resident: usize,
    pub(crate) subscriptions_per_second: usize,
    pub(crate) publications_per_second: usize,
    pub(crate) latency_median: Duration,
    pub(crate) latency_p99: Duration,
    pub(crate) flood_per_second: usize,
    pub(crate) flood_growth: usize,
    pub(crate) publications_after_flood: usize,
}

const NAMES: [&str; 12] = [
    "subscriptions",
    "clients",
    "bytes_per_client",
    "bytes_per_subscription",
    "resident_bytes",
    "subscriptions_per_second",
    "publications_per_second",
    "notify_median_nanoseconds",
    "notify_p99_nanoseconds",
    "flood_datagrams_per_second",
    "flood_growth_bytes",
    "publications_per_second_after_flood",
];

impl Figures {
    pub(crate) fn to_line(self) -> String {
        self.numbers().map(|number| number.to_string()).join(" ") + "\n"
    }

    pub(crate) fn from_line(line: &str) -> Option<Self> {
        let numbers: Option<Vec<usize>> = line.split_whitespace().map(|word| word.parse().ok()).collect();
        let [a, b, c, d, e, f, g, h, i, j, k, l] = numbers?.try_into().ok()?;
        let nanos = |number: usize| Duration::from_nanos(number as u64);
        Some(Self {
            subscriptions: a,
            clients: b,
            bytes_per_client: c,
            bytes_per_subscription: d,
            resident: e,
            subscriptions_per_second: f,
            publications_per_second: g,
            latency_median: nanos(h),
            latency_p99: nanos(i),
            flood_per_second: j,
            flood_growth: k,
            publications_after_flood: l,
        })
    }

    fn numbers(self) -> [usize; 12] {
        let nanos = |time: Duration| usize::try_from(time.as_nanos()).unwrap_or(usize::MAX);
        [
            self.subscriptions,
            self.clients,
            self.bytes_per_client,
            self.bytes_per_subscription,
            self.resident,
            self.subscriptions_per_second,
            self.publications_per_second,
            nanos(self.latency_median),
            nanos(self.latency_p99),
            self.flood_per_second,
            self.flood_growth,
            self.publications_after_flood,
        ]
    }
}

/// `1k`, `10k`, `1M`, or a plain number.
pub(crate) fn count(text: &str) -> Option<usize> {
    let (number, unit) = match (text.strip_suffix('k'), text.strip_suffix('M')) {
        (Some(number), _) => (number, 1000),
        (_, Some(number)) => (number, 1_000_000),
        _ => (text, 1),
    };
    Some(number.parse::<usize>().ok()? * unit).filter(|count| *count >= 100)
}

/// The process's resident set, in bytes; 0 where the system does not tell.
pub(crate) fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|rest| rest.split_whitespace().next()?.parse::<usize>().ok());
    kilobytes.unwrap_or(0) * 1024
}

pub(crate) fn table(all: &[Figures]) -> String {
    let mut text = String::from(
        "One service in one thread; clients simulated in memory, behind NATs, up to 64 peers each.\n\n\
         SUBSCRIPTIONS  CLIENTS  B/CLIENT*  B/SUBSCRIPTION  PROCESS*  SUBSCRIBE/s  PUBLISH/s  NOTIFY p50  p99      \
         FLOOD/s  GROWS   PUBLISH/s AFTER\n",
    );
    for it in all {
        let micros = |time: Duration| format!("{:.1} us", time.as_secs_f64() * 1e6);
        // Writing into a String cannot fail.
        let _ = writeln!(
            text,
            "{:<13}  {:<7}  {:<9}  {:<14}  {:<8}  {:<11}  {:<9}  {:<10}  {:<7}  {:<7}  {:<6}  {}",
            it.subscriptions,
            it.clients,
            it.bytes_per_client,
            it.bytes_per_subscription,
            format!("{} MB", it.resident / 1_000_000),
            it.subscriptions_per_second,
            it.publications_per_second,
            micros(it.latency_median),
            micros(it.latency_p99),
            it.flood_per_second,
            format!("{} kB", it.flood_growth / 1000),
            it.publications_after_flood,
        );
    }
    if let (Some(first), Some(last)) = (all.first(), all.last()) {
        let times = |of: fn(&Figures) -> usize| of(last) as f64 / of(first).max(1) as f64;
        let cost = |it: &Figures| 1e9 / it.publications_per_second.max(1) as f64;
        let _ = writeln!(
            text,
            "\n* with the simulated clients' own sessions\n\
             From the first to the last: {:.0} times the subscriptions, {:.2} times the cost of a publication, \
             {:.2} times the bytes of a subscription",
            times(|it| it.subscriptions),
            cost(last) / cost(first),
            times(|it| it.bytes_per_subscription),
        );
    }
    text
}

/// One line.
pub(crate) fn json(all: &[Figures]) -> String {
    let entry = |it: &Figures| {
        let fields = NAMES.iter().zip(it.numbers()).map(|(name, number)| format!("\"{name}\":{number}"));
        format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
    };
    let entries: Vec<_> = all.iter().map(entry).collect();
    format!("{{\"clients\":\"simulated in memory\",\"load\":[{}]}}\n", entries.join(","))
}

/// Onto standard output; a reader that has gone ends nothing.
pub(crate) fn put(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}
