//! Traffic of a scenario: what applications send to each other.

use std::time::Duration;

use super::section::Section;
use super::unit::{self, Rate};
use crate::address::Family;

/// One application's traffic: `from` opens the connection and sends, `to` accepts, receives and checks.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Traffic {
    /// Its name.
    pub name: String,
    /// What is sent.
    pub kind: Kind,
    /// Who sends.
    pub from: String,
    /// Who receives.
    pub to: String,
    /// When the connection is opened, since the scenario's beginning.
    pub start: Duration,
    /// The family of the virtual addresses it uses; without it the derived ones, IPv6. A host without a
    /// tunnel has only its own address, and traffic with one goes from address to address.
    pub over: Option<Family>,
    /// Where it stands.
    pub line: usize,
}

/// What is sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// Numbered ticks over one TCP connection, such as keystrokes.
    TcpTicker {
        /// The time between two ticks.
        every: Duration,
        /// How long it ticks.
        lasts: Duration,
    },
    /// Numbered datagrams, such as a call.
    UdpTicker {
        /// The time between two datagrams.
        every: Duration,
        /// How long it sends.
        lasts: Duration,
    },
    /// So many bytes over one TCP connection, with a checksum at both ends.
    TcpBulk {
        /// How many.
        bytes: u64,
        /// At most so fast; as fast as TCP goes without.
        rate: Option<Rate>,
    },
}

impl Kind {
    /// Whether one TCP connection carries it.
    #[must_use]
    pub const fn is_tcp(self) -> bool {
        !matches!(self, Self::UdpTicker { .. })
    }

    /// Makes it send for no longer than `lasts`, if it has a time of its own.
    pub(crate) fn end_by(&mut self, longest: Duration) {
        if let Self::TcpTicker { lasts, .. } | Self::UdpTicker { lasts, .. } = self {
            *lasts = longest.min(*lasts);
        }
    }

    /// How long it sends by its own plan; a transfer has none.
    #[must_use]
    pub const fn lasts(self) -> Option<Duration> {
        match self {
            Self::TcpTicker { lasts, .. } | Self::UdpTicker { lasts, .. } => Some(lasts),
            Self::TcpBulk { .. } => None,
        }
    }
}

impl Traffic {
    pub(super) fn read(section: &Section<'_>) -> Option<Self> {
        let host = |key| section.required(key, "the name of a host", |text| Some(text.to_owned()));
        let name = section.required("name", "a name for this traffic", |text| Some(text.to_owned()));
        let (from, to) = (host("from"), host("to"));
        let start = section.duration("start").unwrap_or_default();
        let kinds = [
            ("tcp-ticker", Wanted::TcpTicker),
            ("udp-ticker", Wanted::UdpTicker),
            ("tcp-bulk", Wanted::Bulk),
        ];
        if !section.has("kind") {
            section.found.plain(
                section.place,
                "`kind` is missing".to_owned(),
                "tcp-ticker, udp-ticker or tcp-bulk",
            );
        }
        let kind = section.choice("kind", &kinds).and_then(|wanted| Kind::read(section, wanted));
        let over = section.choice("over", &[("v4", Family::V4), ("v6", Family::V6)]);
        section.finish();
        let line = section.place.line;
        Some(Self { name: name?, kind: kind?, from: from?, to: to?, start, over, line })
    }
}

#[derive(Clone, Copy)]
enum Wanted {
    TcpTicker,
    UdpTicker,
    Bulk,
}

impl Kind {
    fn read(section: &Section<'_>, wanted: Wanted) -> Option<Self> {
        let ticks = || {
            let positive = |text: &str| unit::duration(text).filter(|time| !time.is_zero());
            let every = section.value("every", unit::DURATION, positive).unwrap_or(EVERY);
            Some((every, section.required("for", unit::DURATION, positive)?))
        };
        match wanted {
            Wanted::TcpTicker => ticks().map(|(every, lasts)| Self::TcpTicker { every, lasts }),
            Wanted::UdpTicker => ticks().map(|(every, lasts)| Self::UdpTicker { every, lasts }),
            Wanted::Bulk => {
                let rate = section.value("rate", unit::RATE, unit::rate);
                let bytes = section.required("bytes", unit::BYTES, unit::bytes)?;
                Some(Self::TcpBulk { bytes, rate })
            }
        }
    }
}

/// A keystroke, or a packet of a call.
const EVERY: Duration = Duration::from_millis(20);
