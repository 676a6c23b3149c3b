//! What is kept of what was sent, as it is written under `resend:`.

use core::time::Duration;

use super::out_of_range;
use crate::configuration::Resend;
use crate::mistake::Mistake;
use crate::section::{Item, Section};
use crate::value::{duration, size};

/// `off`, or what deviates from the defaults.
pub(super) fn resend(top: &mut Section<'_, '_>) -> Option<Resend> {
    let mut resend = Resend::default();
    let Some(item) = top.item("resend") else { return Some(resend) };
    if item.value.as_str() == Some("off") || item.value.as_bool() == Some(false) {
        return None;
    }
    let Some(mut section) = Section::open(item, &RESEND_KEYS, top.findings()) else { return Some(resend) };
    if let Some(bytes) = section.optional("memory", bytes) {
        resend.memory = bytes.value;
    }
    if let Some(bytes) = section.optional("memory_of_all", bytes) {
        resend.memory_of_all = bytes.value;
    }
    if let Some(age) = section.optional("age", age) {
        resend.age = age.value;
    }
    Some(resend)
}

fn bytes(item: &Item<'_>) -> Result<usize, Mistake> {
    let text = item.text("a number of bytes such as `4MB`")?;
    let bytes = size::parse(&text).map_err(|fault| {
        let (key, found) = (item.path.clone(), text.clone());
        Mistake::Size { key, found, fault }
    })?;
    let bounded = usize::try_from(bytes).ok().filter(|bytes| (LEAST..=MOST).contains(bytes));
    bounded.ok_or_else(|| out_of_range(item, text, "from `1MB` to `64GB`; `resend: off` keeps nothing"))
}

fn age(item: &Item<'_>) -> Result<Duration, Mistake> {
    let text = item.text("a duration such as `10s`")?;
    let age = duration::parse(&text).map_err(|fault| {
        let (key, found) = (item.path.clone(), text.clone());
        Mistake::Duration { key, found, fault }
    })?;
    if !(YOUNGEST..=OLDEST).contains(&age) {
        return Err(out_of_range(item, text, "a duration from 1s to 180s, as long as a session lives"));
    }
    Ok(age)
}

/// Some hundred packets.
const LEAST: usize = 1_000_000;

/// More than any window of any connection.
const MOST: usize = 64_000_000_000;

/// A move takes some round trips to be noticed and told.
const YOUNGEST: Duration = Duration::from_secs(1);

/// Older messages belong to a session that has ended.
const OLDEST: Duration = Duration::from_secs(180);

const RESEND_KEYS: [&str; 3] = ["memory", "memory_of_all", "age"];
