//! What is measured at one size, as a line between processes, as a row and as JSON.

use std::io::{self, Write as _};

use crate::load::Size;

/// A figure's name, its unit and what it says.
const COLUMNS: [&str; COUNT] = [
    "out, ns",
    "p99",
    "in, ns",
    "p99",
    "1400 out, Gbit/s",
    "in",
    "start, ms",
    MEMORY,
    "turn, us",
    "status, ms",
    "move, ms",
];

const MEMORY: &str = "memory each, B";

/// The same as JSON's keys.
const KEYS: [&str; COUNT] = [
    "outbound_ns",
    "outbound_p99_ns",
    "inbound_ns",
    "inbound_p99_ns",
    "outbound_1400_gbits",
    "inbound_1400_gbits",
    "start_ms",
    "memory_each_bytes",
    "turn_us",
    "status_ms",
    "move_ms",
];

const COUNT: usize = 11;

/// In the order of [`COLUMNS`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figures(pub(crate) [f64; COUNT]);

impl Figures {
    pub(crate) fn to_line(self) -> String {
        self.0.map(|figure| figure.to_string()).join(" ") + "\n"
    }

    pub(crate) fn from_line(line: &str) -> Option<Self> {
        let figures: Option<Vec<f64>> = line.split_whitespace().map(|figure| figure.parse().ok()).collect();
        Some(Self(figures?.try_into().ok()?))
    }

    pub(crate) fn row(&self, size: Size) -> String {
        let cells = self.0.iter().zip(COLUMNS).map(|(figure, column)| {
            let digits = if *figure < 10.0 { 2 } else { 0 };
            // Of a few the process itself is the larger part.
            let text = match column == MEMORY && size.count < 1000 {
                true => String::new(),
                false => format!("{figure:.digits$}"),
            };
            format!(" {text:>width$} |", width = column.len())
        });
        format!("| {:<22} |{}\n", format!("{} {}", size.count, size.what.name()), cells.collect::<String>())
    }
}

/// The table's first two lines.
pub(crate) fn heading() -> String {
    let names: String = COLUMNS.iter().map(|column| format!(" {column} |")).collect();
    let rule: String = COLUMNS.iter().map(|column| format!("{}|", "-".repeat(column.len() + 2))).collect();
    format!("| {:<22} |{names}\n|{}|{rule}\n", "", "-".repeat(24))
}

pub(crate) fn json(all: &[(Size, Figures)]) -> String {
    let rows = all.iter().map(|(size, figures)| {
        let fields = KEYS.iter().zip(figures.0).map(|(key, figure)| format!("\"{key}\":{figure:.3}"));
        let fields = fields.collect::<Vec<_>>().join(",");
        format!("{{\"what\":\"{}\",\"count\":{},{fields}}}", size.what.name(), size.count)
    });
    format!("[{}]\n", rows.collect::<Vec<_>>().join(","))
}

/// Bytes of this process that are in memory.
pub(crate) fn resident() -> f64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: Option<f64> = pages.split_whitespace().nth(1).and_then(|pages| pages.parse().ok());
    pages.unwrap_or_default() * 4096.0
}

pub(crate) fn put(text: &str) {
    // Whoever reads may have gone.
    let _ = io::stdout().write_all(text.as_bytes());
}
