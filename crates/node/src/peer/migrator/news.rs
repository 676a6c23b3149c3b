//! News of a peer while a move of ours is under way, and what each state of the migrator makes of it.
//!
//! Every state answers every kind of news by name: no news is lost to the state in which the migrator happens to be.
//! What to send, and where, the [migrator](super) and the [peer](crate::peer) decide.

use core::net::SocketAddr;

use stead_wire::time::Duration;

/// A packet for a peer that is looked for has it asked again, but no sooner than this after the last time.
const PACKETS_HURRY_AFTER: Duration = Duration::from_secs(1);

/// A peer that is looked for and says something is asked again, but no sooner than this after the last time.
const NEWS_HURRIES_AFTER: Duration = Duration::from_millis(200);

/// Places that a peer mentions are told no sooner than this after the last time, however many it mentions.
const MENTIONED_JOIN_AFTER: Duration = Duration::from_millis(50);

/// What the node learned of the peer, or needs of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum News {
    /// A service, a proof or a new route names places where the peer may be.
    Places,
    /// The peer mentioned places of its own that it was not told at.
    Mentioned,
    /// Every update so far went unanswered, so metered networks count too.
    LastResorts,
    /// The peer sent something over the path in use.
    Heard,
    /// The peer announced itself over the path in use, or an operator wants it asked now.
    AskNow,
    /// A packet waits for the peer.
    PacketWaits,
    /// The system refused to send to this place; it is to be tried again after this pause.
    Refused(SocketAddr, Duration),
    /// Handshakes went unanswered for as long as WireGuard tries, and no packet waits.
    GaveUp,
}

/// The state of the migrator without what belongs to it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Phase {
    Settled,
    Detached,
    Unannounced,
    Announcing,
    Echoed,
}

/// What the news asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Step {
    /// Nothing: the peer knows where we are, or the news is of an announcement that is not under way.
    Rest,
    /// The peer has to be told where we are, wherever it may be, if a network leads there.
    Announce,
    /// The announcement under way goes to further places too, at the pace of a beginning.
    Widen,
    /// The announcement under way goes to further places too, and soon.
    Join(Duration),
    /// The announcement under way goes to metered places too, at the pace that it has.
    Add,
    /// The announcement under way is repeated, but no sooner than this after the last time.
    Hurry(Duration),
    /// The announcement under way did not leave the host towards this place.
    Retry(SocketAddr, Duration),
    /// The announcement under way is repeated seldom from now on.
    Slow,
}

impl Phase {
    /// What `news` asks for in this state.
    pub(super) const fn step(self, news: News) -> Step {
        match self {
            // The peer knows where we are. Which path leads to it is decided elsewhere.
            Self::Settled | Self::Echoed => match news {
                News::Places
                | News::Mentioned
                | News::LastResorts
                | News::Heard
                | News::AskNow
                | News::PacketWaits
                | News::Refused(..)
                | News::GaveUp => Step::Rest,
            },
            // The peer does not know where we are, and no update is under way.
            Self::Detached | Self::Unannounced => match news {
                News::Places
                | News::Mentioned
                | News::LastResorts
                | News::Heard
                | News::AskNow
                | News::PacketWaits => Step::Announce,
                // Nothing of ours was refused, and nothing is repeated.
                News::Refused(..) | News::GaveUp => Step::Rest,
            },
            Self::Announcing => match news {
                News::Places => Step::Widen,
                News::Mentioned => Step::Join(MENTIONED_JOIN_AFTER),
                News::LastResorts => Step::Add,
                News::Heard => Step::Hurry(NEWS_HURRIES_AFTER),
                News::AskNow => Step::Hurry(Duration::ZERO),
                News::PacketWaits => Step::Hurry(PACKETS_HURRY_AFTER),
                News::Refused(remote, pause) => Step::Retry(remote, pause),
                News::GaveUp => Step::Slow,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_answers_every_kind_of_news() {
        let place: SocketAddr = "192.0.2.1:7".parse().unwrap();
        let pause = Duration::from_millis(25);
        let (rest, tell) = (Step::Rest, Step::Announce);
        let (now, soon, later) =
            (Step::Hurry(Duration::ZERO), Step::Hurry(NEWS_HURRIES_AFTER), Step::Hurry(PACKETS_HURRY_AFTER));
        let columns = [Phase::Settled, Phase::Echoed, Phase::Detached, Phase::Unannounced, Phase::Announcing];
        let table = [
            (News::Places, [rest, rest, tell, tell, Step::Widen]),
            (News::Mentioned, [rest, rest, tell, tell, Step::Join(MENTIONED_JOIN_AFTER)]),
            (News::LastResorts, [rest, rest, tell, tell, Step::Add]),
            (News::Heard, [rest, rest, tell, tell, soon]),
            (News::AskNow, [rest, rest, tell, tell, now]),
            (News::PacketWaits, [rest, rest, tell, tell, later]),
            (News::Refused(place, pause), [rest, rest, rest, rest, Step::Retry(place, pause)]),
            (News::GaveUp, [rest, rest, rest, rest, Step::Slow]),
        ];
        for (news, steps) in table {
            for (phase, step) in columns.into_iter().zip(steps) {
                assert_eq!(phase.step(news), step, "{phase:?} hears {news:?}");
            }
        }
    }
}
