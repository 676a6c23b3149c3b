//! Networks of a scenario: prefixes, the NAT in front of them, the line to the internet.

use std::time::Duration;

use super::section::Section;
use super::unit::{self, Rate, Share};
use crate::address::Prefix;

/// A network that a router of its own joins to the internet.
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    /// Its IPv4 prefix.
    pub v4: Option<Prefix>,
    /// Its IPv6 prefix; never behind the NAT.
    pub v6: Option<Prefix>,
    /// What stands between its IPv4 addresses and the internet.
    pub nat: Nat,
    /// How long an idle mapping of the NAT lasts; five minutes unless told (RFC 4787 REQ-5).
    pub expiry: Duration,
    /// The largest packet, in bytes. Its hosts know it, and its router tells whoever sends larger ones.
    pub mtu: u32,
    /// The line to the internet in the beginning; none if no row ever says anything about it.
    pub link: Link,
}

/// A NAT's behaviour, in the words people use; RFC 4787's are with each.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Nat {
    /// No translation.
    None,
    /// Endpoint-independent mapping, endpoint-independent filtering.
    FullCone,
    /// Endpoint-independent mapping, address-dependent filtering.
    AddressRestricted,
    /// Endpoint-independent mapping, address and port-dependent filtering.
    PortRestricted,
    /// Address and port-dependent mapping, address and port-dependent filtering.
    Symmetric,
}

impl Nat {
    /// The four that translate.
    pub const KINDS: [Self; 4] =
        [Self::FullCone, Self::AddressRestricted, Self::PortRestricted, Self::Symmetric];

    /// Its name in a scenario.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::FullCone => "full-cone",
            Self::AddressRestricted => "address-restricted",
            Self::PortRestricted => "port-restricted",
            Self::Symmetric => "symmetric",
        }
    }

    /// Whether addresses are translated.
    #[must_use]
    pub fn translates(self) -> bool {
        self != Self::None
    }
}

/// A network's line to the internet.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Link {
    /// From the network to the internet.
    pub up: Way,
    /// From the internet to the network.
    pub down: Way,
}

/// One direction of a line.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Way {
    /// How long a packet takes.
    pub delay: Duration,
    /// Up to how much longer it may take, evenly spread; order is kept.
    pub jitter: Duration,
    /// How many packets are lost.
    pub loss: Share,
    /// How many packets wait for the delay once more and are overtaken.
    pub reorder: Share,
    /// How many packets come twice.
    pub duplicate: Share,
    /// How much it carries; packets wait for [`QUEUE`] at most.
    pub rate: Option<Rate>,
    /// The longest packet, in bytes. Longer ones are lost without a word, as behind a router that may not speak.
    pub mtu: Option<u32>,
}

impl Way {
    /// Whether it is as good as a bare cable.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }
}

/// How long a packet waits for its turn on a line with a rate before it is dropped: the buffer of an ordinary
/// access line.
pub const QUEUE: Duration = Duration::from_millis(100);

/// What a row changes about a line; the rest stays.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct LinkChange {
    pub(crate) up: WayChange,
    pub(crate) down: WayChange,
}

impl LinkChange {
    /// The same change of both directions.
    pub(crate) const fn both(change: WayChange) -> Self {
        Self { up: change, down: change }
    }

    /// Makes the change.
    pub fn apply(&self, link: &mut Link) {
        self.up.apply(&mut link.up);
        self.down.apply(&mut link.down);
    }

    /// Keys at the top are for both ways, those under `up` and `down` for one.
    pub(super) fn read(section: &Section<'_>) -> Self {
        let both = WayChange::read(section);
        let one = |key| section.section(key).map(|section| (WayChange::read(&section), section.finish()).0);
        let (up, down) = (one("up"), one("down"));
        section.finish();
        Self { up: both.or(up), down: both.or(down) }
    }
}

/// What a row changes about one direction; `None` changes nothing.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct WayChange {
    pub(crate) delay: Option<Duration>,
    pub(crate) jitter: Option<Duration>,
    pub(crate) loss: Option<Share>,
    pub(crate) reorder: Option<Share>,
    pub(crate) duplicate: Option<Share>,
    pub(crate) rate: Option<Rate>,
    pub(crate) mtu: Option<u32>,
}

impl WayChange {
    fn read(section: &Section<'_>) -> Self {
        let share = |key| section.value(key, unit::SHARE, unit::share);
        Self {
            delay: section.duration("delay"),
            jitter: section.duration("jitter"),
            loss: share("loss"),
            reorder: share("reorder"),
            duplicate: share("duplicate"),
            rate: section.value("rate", unit::RATE, unit::rate),
            mtu: section.value("mtu", MTU, mtu),
        }
    }

    /// `narrower` where it says something.
    fn or(self, narrower: Option<Self>) -> Self {
        let Some(narrower) = narrower else { return self };
        Self {
            delay: narrower.delay.or(self.delay),
            jitter: narrower.jitter.or(self.jitter),
            loss: narrower.loss.or(self.loss),
            reorder: narrower.reorder.or(self.reorder),
            duplicate: narrower.duplicate.or(self.duplicate),
            rate: narrower.rate.or(self.rate),
            mtu: narrower.mtu.or(self.mtu),
        }
    }

    fn apply(&self, way: &mut Way) {
        way.delay = self.delay.unwrap_or(way.delay);
        way.jitter = self.jitter.unwrap_or(way.jitter);
        way.loss = self.loss.unwrap_or(way.loss);
        way.reorder = self.reorder.unwrap_or(way.reorder);
        way.duplicate = self.duplicate.unwrap_or(way.duplicate);
        way.rate = self.rate.or(way.rate);
        way.mtu = self.mtu.or(way.mtu);
    }
}

impl Network {
    pub(super) fn read(section: &Section<'_>) -> Option<Self> {
        let v4 = section.value("v4", "an IPv4 prefix, such as 10.1.0.0/24", |text| prefix(text, true));
        let v6 = section
            .value("v6", "an IPv6 prefix in quotes, such as \"fd01::/64\"", |text| prefix(text, false));
        let kinds = core::iter::once(Nat::None).chain(Nat::KINDS).map(|kind| (kind.name(), kind));
        let nat = section.choice("nat", &kinds.collect::<Vec<_>>()).unwrap_or(Nat::None);
        let mut link = Link::default();
        if let Some(section) = section.section("link") {
            LinkChange::read(&section).apply(&mut link);
        }
        let network = Self {
            v4,
            v6,
            nat,
            expiry: section.duration("expiry").unwrap_or(EXPIRY),
            mtu: section.value("mtu", MTU, mtu).unwrap_or(1500),
            link,
        };
        if !section.has("v4") && !section.has("v6") {
            let problem = "the network has no prefix".to_owned();
            section.found.plain(section.place, problem, "`v4`, `v6` or both");
        }
        if nat.translates() && !section.has("v4") {
            let problem = "a NAT without IPv4 translates nothing".to_owned();
            section.found.plain(section.place_of("nat"), problem, "`v4`, or no `nat`");
        }
        section.finish();
        Some(network)
    }

    /// The addresses that the host with this number has here, IPv4 first.
    pub fn places(&self, number: u32) -> impl Iterator<Item = Prefix> + '_ {
        self.v4.into_iter().chain(self.v6).map(move |prefix| prefix.place(number))
    }
}

fn mtu(text: &str) -> Option<u32> {
    text.parse().ok().filter(|mtu| (576..=9000).contains(mtu))
}

const MTU: &str = "bytes between 576 and 9000";

fn prefix(text: &str, v4: bool) -> Option<Prefix> {
    text.parse().ok().filter(|prefix: &Prefix| prefix.address.is_ipv4() == v4)
}

/// RFC 4787 REQ-5: no shorter than two minutes, five recommended.
const EXPIRY: Duration = Duration::from_secs(300);
