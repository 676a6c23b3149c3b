//! What is said of packets that wait for a peer, under `suspension:`.

use core::time::Duration;

use super::{duration_within, on_or_off, out_of_range};
use crate::mistake::Mistake;
use crate::section::{Item, Located, Section};
use crate::value::size;

/// The section as it is written.
#[derive(Debug, Default)]
pub(crate) struct RawSuspension {
    pub(crate) memory: Option<Located<usize>>,
    pub(crate) datagrams_for: Option<Located<Duration>>,
    pub(crate) tcp: Option<Located<bool>>,
}

pub(super) fn suspension(top: &mut Section<'_, '_>) -> RawSuspension {
    let Some(item) = top.item("suspension") else {
        return RawSuspension::default();
    };
    let Some(mut section) = Section::open(item, &SUSPENSION_KEYS, top.findings()) else {
        return RawSuspension::default();
    };
    RawSuspension {
        memory: section.optional("memory", memory),
        datagrams_for: section.optional("datagrams_for", datagrams_for),
        tcp: section.optional("tcp", on_or_off),
    }
}

fn memory(item: &Item<'_>) -> Result<usize, Mistake> {
    let expected = "from `1MB` to `64GB`";
    let text = item.text("a number of bytes such as `64MB`")?;
    let bytes = size::parse(&text).map_err(|fault| {
        let (key, found) = (item.path.clone(), text.clone());
        Mistake::Size { key, found, fault }
    })?;
    let bytes = Some(bytes).filter(|bytes| (MEMORY_LEAST..=MEMORY_MOST).contains(bytes));
    bytes.and_then(|bytes| usize::try_from(bytes).ok()).ok_or_else(|| out_of_range(item, text, expected))
}

fn datagrams_for(item: &Item<'_>) -> Result<Duration, Mistake> {
    let text = item.text("a duration such as `10s`")?;
    duration_within(item, text, DATAGRAMS_SHORTEST..=DATAGRAMS_LONGEST, "a duration from 1s to 1h")
}

/// Less would not hold a window of one connection.
const MEMORY_LEAST: u64 = 1_000_000;

/// More is a slip of the pen.
const MEMORY_MOST: u64 = 64_000_000_000;

const DATAGRAMS_SHORTEST: Duration = Duration::from_secs(1);

/// Nobody waits longer for an answer to a datagram.
const DATAGRAMS_LONGEST: Duration = Duration::from_secs(3600);

const SUSPENSION_KEYS: [&str; 3] = ["memory", "datagrams_for", "tcp"];
