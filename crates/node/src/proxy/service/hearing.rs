//! What a service says: each option goes to the registration that it is about, or means something for others.
//!
//! Everything here was authenticated by the session with the service, which is not trusted for that (D7): only what the
//! peer itself sealed is its word, and every address is a hint.

use core::net::SocketAddr;

use stead_lct::PeerId;
use stead_wire::message::{CookieReply, Response, SessionIndex};
use stead_wire::options::{self, Declined, Notification, Reason, Receipt, Topic, VcOption};
use stead_wire::time::Instant;

use super::Service;
use crate::drops::Discard;
use crate::notice::Arrival;
use crate::peer::Whereabouts;
use crate::proxy::announcement::Announcement;
use crate::proxy::registration::Registration;
use crate::turn::Turn;

/// Options of one message that are looked at: several times what fits a datagram.
const MOST_OPTIONS: usize = 128;

/// What a message of the service means for others.
#[derive(Debug)]
pub(in crate::proxy) enum Word {
    /// A peer published where it is.
    Found(PeerId, u64, Whereabouts),
    /// What the service relays for a peer may have changed.
    Relays(PeerId),
    /// Our datagrams come from elsewhere, though we did not move: a NAT forgot us.
    Rebound,
    /// It knows a newer publication of ours than the newest.
    Overtaken,
    /// It answers, and sees us there.
    Answers {
        /// Where our datagrams seem to come from.
        apparent: SocketAddr,
        /// Whether that is where we believe to be.
        public: bool,
    },
}

impl Service {
    /// The service answered our handshake.
    pub(in crate::proxy) fn on_response(
        &mut self,
        response: &Response<'_>,
        arrival: Arrival,
        turn: &mut Turn<'_>,
    ) -> Result<(), Discard> {
        let rtt = self.contact.on_response(response, arrival, turn)?;
        self.hear(turn.now);
        self.patience.greeted(rtt, turn.now);
        // The service may have started anew since the last session, and remembers nothing then.
        self.registrations.values_mut().for_each(Registration::renew);
        Ok(())
    }

    pub(in crate::proxy) fn on_cookie(
        &mut self,
        reply: &CookieReply<'_>,
        now: Instant,
    ) -> Result<(), Discard> {
        self.contact.on_cookie(reply, now)
    }

    /// A message of the service. Says what it means for others.
    pub(in crate::proxy) fn on_message(
        &mut self,
        index: SessionIndex,
        arrival: Arrival,
        encoded: &[u8],
        announcement: &Announcement,
        newest: impl Fn(PeerId) -> Option<u64>,
        turn: &mut Turn<'_>,
    ) -> Vec<Word> {
        self.contact.on_message(index, arrival, turn);
        self.hear(turn.now);
        self.patience.answered(turn.now);
        let mut words = Vec::new();
        for option in options::decode(encoded).take(MOST_OPTIONS) {
            let Ok(option) = option else {
                turn.path.drops().count(Discard::MalformedOptions);
                continue;
            };
            match self.on_option(option, arrival, announcement, &newest, turn) {
                Ok(word) => words.extend(word),
                Err(reason) => turn.path.drops().count(reason),
            }
        }
        words
    }

    fn on_option(
        &mut self,
        option: VcOption,
        arrival: Arrival,
        announcement: &Announcement,
        newest: impl Fn(PeerId) -> Option<u64>,
        turn: &Turn<'_>,
    ) -> Result<Option<Word>, Discard> {
        let relays = self.relays;
        match option {
            VcOption::PathChallenge(token) => self.answers.push(VcOption::PathResponse(token)),
            VcOption::Apparent(apparent) => return Ok(self.on_apparent(apparent, arrival, turn)),
            VcOption::Subscribed(subscribed) => {
                let (peer, registration) = self.about(subscribed.topic)?;
                let before = registration.slot();
                registration.on_subscribed(&subscribed, relays, turn.now);
                return Ok((before != registration.slot()).then_some(Word::Relays(peer)));
            }
            VcOption::Published(receipt) => {
                self.about(receipt.topic)?.1.on_published(receipt.number, announcement);
            }
            VcOption::Declined(declined) => return self.on_declined(declined, turn.now),
            VcOption::Notification(notification) => {
                return self.on_notification(&notification, newest).map(Some);
            }
            // What a service has no business to say, and what a later version may.
            _ => {}
        }
        Ok(None)
    }

    fn about(&mut self, topic: Topic) -> Result<(PeerId, &mut Registration), Discard> {
        let peer = *self.by_topic.get(&topic).ok_or(Discard::UnknownTopic)?;
        let registration = self.registrations.get_mut(&peer).ok_or(Discard::UnknownTopic)?;
        Ok((peer, registration))
    }

    /// Public or private? (seed 001 figure 19)
    fn on_apparent(&mut self, apparent: SocketAddr, arrival: Arrival, turn: &Turn<'_>) -> Option<Word> {
        let claimed = turn.claimed(arrival.source)?;
        let public = claimed == apparent;
        self.public = Some(public);
        match self.apparent.replace(apparent) {
            None => Some(Word::Answers { apparent, public }),
            Some(before) if before != apparent => Some(Word::Rebound),
            Some(_) => None,
        }
    }

    fn on_declined(&mut self, declined: Declined, now: Instant) -> Result<Option<Word>, Discard> {
        let (peer, registration) = self.about(declined.topic)?;
        let publishing = registration.is_publishing();
        let before = registration.slot();
        registration.on_declined(declined.reason, now);
        if declined.reason == Reason::Stale && publishing {
            return Ok(Some(Word::Overtaken));
        }
        Ok((before != registration.slot()).then_some(Word::Relays(peer)))
    }

    fn on_notification(
        &mut self,
        notification: &Notification,
        newest: impl Fn(PeerId) -> Option<u64>,
    ) -> Result<Word, Discard> {
        let Notification { topic, number, .. } = *notification;
        let (peer, registration) = self.about(topic)?;
        let heard = registration.on_notification(notification, newest(peer));
        if heard != Err(Discard::ForgedNotification) {
            // What is old news is acknowledged all the same: our last acknowledgement may have been lost.
            self.answers.push(VcOption::Notified(Receipt { topic, number }));
        }
        heard.map(|whereabouts| Word::Found(peer, number, whereabouts))
    }

    /// Something authentic came from the service.
    const fn hear(&mut self, now: Instant) {
        self.answered = Some(now);
        self.silence_told = false;
    }
}
