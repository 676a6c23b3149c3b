//! A sequence diagram in text: a column per host, a row per datagram, runs of alike datagrams in one row.
//!
//! ```text
//!      seconds  a            b
//!     0.000000  |-initiation>|
//!     0.005400  |<--response-|
//!     0.010800  |=transport=>|  12 until 0.200000
//!     0.210800  |=transport=x   lost by the link
//! ```

use super::{Record, What, moment};
use crate::datagram::Kind;
use crate::network::HostId;
use stead_wire::time::Instant;

/// Between two columns.
const WIDTH: usize = 18;

struct Row {
    at: Instant,
    until: Instant,
    count: usize,
    drawn: Drawn,
}

#[derive(Eq, PartialEq)]
enum Drawn {
    Arrow { from: HostId, to: HostId, kind: Kind },
    Lost { from: HostId, kind: Kind, why: String },
    Words(String),
}

pub(super) fn draw<'r>(
    records: impl Iterator<Item = &'r Record>,
    names: &[&str],
    rows: usize,
) -> Vec<String> {
    let mut drawn: Vec<Row> = Vec::new();
    for record in records {
        let Some((at, what)) = row_of(record, names) else { continue };
        // Data in both directions at once makes one row for each direction, not one for each datagram.
        let alike = drawn
            .iter_mut()
            .rev()
            .enumerate()
            .take_while(|(back, row)| *back == 0 || row.is_data() && what.is_data())
            .find(|(_, row)| row.drawn == what);
        match alike {
            Some((_, row)) => {
                row.count += 1;
                row.until = at;
            }
            None => drawn.push(Row { at, until: at, count: 1, drawn: what }),
        }
    }
    let from = drawn.len().saturating_sub(rows);
    let head = format!(
        "{:>12}  {}",
        "seconds",
        names.iter().map(|name| format!("{name:<WIDTH$}")).collect::<String>()
    );
    core::iter::once(head.trim_end().to_owned())
        .chain(drawn[from..].iter().map(|row| row.line(names.len())))
        .collect()
}

fn row_of(record: &Record, names: &[&str]) -> Option<(Instant, Drawn)> {
    let name = |host: &HostId| names.get(host.0).copied().unwrap_or("?");
    Some(match &record.what {
        What::Delivered { to, by: Some(from), sent, seen } => {
            (*sent, Drawn::Arrow { from: *from, to: *to, kind: seen.kind })
        }
        What::Delivered { to, by: None, sent, seen } => {
            (*sent, Drawn::Words(format!("attacker -{}-> {}", seen.kind, name(to))))
        }
        What::Dropped { by: Some(from), seen, why } => {
            (record.at, Drawn::Lost { from: *from, kind: seen.kind, why: why.to_string() })
        }
        What::Told { host, word } => (record.at, Drawn::Words(format!("{}: {word}", name(host)))),
        What::Done { deed } => (record.at, Drawn::Words(format!("*** {deed}"))),
        What::Wrong { finding } => (record.at, Drawn::Words(format!("!!! {finding}"))),
        What::Sent { .. } | What::Mapped { .. } | What::Injected { .. } | What::Dropped { by: None, .. } => {
            return None;
        }
    })
}

impl Drawn {
    const fn is_data(&self) -> bool {
        matches!(self, Self::Arrow { kind, .. } if kind.is_data())
    }
}

impl Row {
    const fn is_data(&self) -> bool {
        self.drawn.is_data()
    }

    fn line(&self, hosts: usize) -> String {
        let many = if self.count > 1 {
            format!("  {} until {}", self.count, moment(self.until).trim_start())
        } else {
            String::new()
        };
        let body = match &self.drawn {
            Drawn::Words(words) => words.clone(),
            Drawn::Arrow { from, to, kind } if from == to => format!("{kind} to itself"),
            Drawn::Arrow { from, to, kind } => arrow(from.0, to.0, *kind, hosts),
            Drawn::Lost { from, kind, why } => {
                let bars = lanes(hosts);
                let place = from.0 * WIDTH + 1;
                let mark = format!("-{kind}-x ");
                let mut line: Vec<char> = bars;
                for (at, letter) in (place..).zip(mark.chars()) {
                    if at < line.len() {
                        line[at] = letter;
                    } else {
                        line.push(letter);
                    }
                }
                format!("{} {why}", line.into_iter().collect::<String>().trim_end())
            }
        };
        format!("{}  {body}{many}", moment(self.at))
    }
}

/// A bar for every host.
fn lanes(hosts: usize) -> Vec<char> {
    let len = hosts.saturating_sub(1) * WIDTH + 1;
    (0..len).map(|at| if at % WIDTH == 0 { '|' } else { ' ' }).collect()
}

fn arrow(from: usize, to: usize, kind: Kind, hosts: usize) -> String {
    let mut line = lanes(hosts);
    let (left, right) = (from.min(to) * WIDTH + 1, from.max(to) * WIDTH);
    let shaft = if matches!(kind, Kind::Transport | Kind::Tcp) { '=' } else { '-' };
    line[left..right].fill(shaft);
    if from < to {
        line[right - 1] = '>';
    } else {
        line[left] = '<';
    }
    let label = kind.to_string();
    let start = left + (right - left).saturating_sub(label.len()) / 2;
    for (at, letter) in (start..right).zip(label.chars()) {
        line[at] = letter;
    }
    line.into_iter().collect()
}
