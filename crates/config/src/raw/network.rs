//! What is said of networks that this host may be in, under `networks:`.

use super::on_or_off;
use crate::mistake::Mistake;
use crate::report::{Finding, Position};
use crate::section::{Item, Located, Section};
use crate::value::interface_pattern::InterfacePattern;

/// A network as it is written.
#[derive(Debug)]
pub(crate) struct RawNetwork {
    pub(crate) interfaces: InterfacePattern,
    pub(crate) metered: Option<Located<bool>>,
}

pub(super) fn networks(top: &mut Section<'_, '_>) -> Vec<RawNetwork> {
    let Some(item) = top.item("networks") else {
        return Vec::new();
    };
    let Some(section) = Section::open_names(item, top.findings()) else {
        return Vec::new();
    };
    let entries = section.entries();
    entries.into_iter().filter_map(|(name, place, item)| network(name, place, item, top.findings())).collect()
}

fn network(
    found: String,
    place: Position,
    item: Item<'_>,
    findings: &mut Vec<Finding>,
) -> Option<RawNetwork> {
    let interfaces = found.parse().map_err(|fault| {
        findings.push(Finding::mistake(Some(place), Mistake::InterfacePattern { found, fault }));
    });
    let mut section = Section::open(item.at(place), &NETWORK_KEYS, findings)?;
    let metered = section.optional("metered", on_or_off);
    Some(RawNetwork { interfaces: interfaces.ok()?, metered })
}

const NETWORK_KEYS: [&str; 1] = ["metered"];
