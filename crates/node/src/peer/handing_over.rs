//! Handing over: sends again what a move has lost, then what was held, in the order in which it came, and then lets
//! traffic flow. What goes when is the [resumption](super::resumption)'s to say.

use core::net::SocketAddr;
use std::sync::Arc;

use stead_lct::Attachment;
use stead_noise::session::Session;
use stead_wire::message::sealed_len;
use stead_wire::options::VcOption;
use stead_wire::time::{Duration, Instant};

use super::resumption::{Round, Since, Step};
use super::{Peer, sealing};
use crate::drops::Discard;
use crate::event::Happening;
use crate::lane::Flow;
use crate::ring::{self, Key};
use crate::turn::Turn;

/// Bounds of the time after which what was under way at a change of the path has arrived: a round trip.
const UNDER_WAY: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(500));

/// The same where no round-trip time is known.
const UNMEASURED: Duration = Duration::from_millis(100);

/// Session and path that datagrams go over.
type Over = (Arc<Session>, Arc<Attachment>);

impl Peer {
    /// Lets go what can go. `held_since` tells that a suspension has just ended, and when it began.
    pub(super) fn resume(&mut self, held_since: Option<Instant>, turn: &mut Turn<'_>) {
        let over = self.handshaking.sealing(turn.now).cloned().zip(self.paths.active().cloned());
        let Some(over) = over.filter(|_| self.suspended.is_none()) else {
            self.resumption.interrupt();
            return;
        };
        self.resumption.follow(over.1.path);
        let news = self.resumption.take_news();
        if let Some(since) = held_since {
            self.begin_resumption(since, over.1.remote, turn);
        } else if let Some(since) = news.filter(|_| self.keeps_any(turn)) {
            let under_way = self.paths.rtt().unwrap_or(UNMEASURED).clamp(UNDER_WAY.0, UNDER_WAY.1);
            self.resumption.look_back(since, turn.now + under_way, turn.now);
        }
        let before = self.resumption.last();
        self.take_steps(&over, turn);
        if self.resumption.holds() {
            self.make_room(&over, turn);
        } else {
            self.release_held(usize::MAX, &mut Round::default(), &over, turn);
        }
        if let Some(last) =
            self.resumption.last().filter(|last| Some(last) != before.as_ref() && last.resent > 0)
        {
            self.tell(Happening::Resent { datagrams: last.resent, took: last.took }, turn);
        }
    }

    /// Whether anything could be sent again if it was lost.
    fn keeps_any(&self, turn: &Turn<'_>) -> bool {
        self.negotiation.enhanced() && turn.path.keeps_any(self.about.id, turn.now)
    }

    fn begin_resumption(&mut self, since: Instant, remote: SocketAddr, turn: &Turn<'_>) {
        let (held, told) = (self.stage.bytes(), self.resumption.heard_since(since));
        let resends = self.resumption.speaks() && self.keeps_any(turn);
        let paces = self.negotiation.enhanced() && held > self.resumption.window(remote);
        if resends || paces {
            self.resumption.begin(told || !resends, turn.now);
        } else {
            self.resumption.interrupt();
        }
    }

    fn take_steps(&mut self, over: &Over, turn: &mut Turn<'_>) {
        loop {
            match self.resumption.step(over.1.remote, turn.now) {
                Step::Wait => return,
                Step::Ask => self.ask_what_arrived(over, turn),
                Step::Send(most, told) => self.send_round(most, told, over, turn),
            }
        }
    }

    /// One round: what is missing, and, as far as there is room, what was held.
    fn send_round(&mut self, most: usize, told: Option<Since>, over: &Over, turn: &mut Turn<'_>) {
        let longest = sealed_len(self.longest(turn), turn.path.mtu());
        let mut too_long = 0;
        let wanted = |key: Key, len: usize| {
            let missing = told.is_none_or(|since| since.covers(key)) && self.resumption.misses(key);
            // What is sealed cannot be cut. Whoever sent it does so again, shorter.
            too_long += u64::from(missing && len > longest);
            missing && len <= longest
        };
        let since = self.resumption.lost_since();
        let missing = turn.path.kept(self.about.id, most, since, wanted, turn.now);
        if too_long > 0 {
            turn.path.drops().count_many(Discard::TooLongToResend, too_long);
        }
        let (mut round, again) = (Round::default(), missing.len());
        let (remote, local) = over.1.target();
        for sent in missing {
            round.add(sent.key, sent.datagram.len());
            turn.transmit(remote, local, sent.datagram);
        }
        if again > 0 {
            self.lane.stamp_sent(true, turn.now);
        }
        let room = most.saturating_sub(round.bytes());
        let Some(run) = self.resumption.run() else { return };
        let has_room = run.holds && room > 0;
        let flows = has_room && (self.stage.bytes() <= room || run.holds_long());
        if has_room {
            self.release_held(room, &mut round, over, turn);
        }
        let sent = round.len();
        self.resumption.on_round(round, again);
        if flows {
            self.resumption.flow(turn.now);
            // Before the question, so that its answer tells of it.
            self.release_held(usize::MAX, &mut Round::default(), over, turn);
        }
        if sent == 0 {
            self.resumption.end(turn.now);
        } else {
            self.ask_what_arrived(over, turn);
        }
    }

    /// Lets go out of turn what would be given up soon. What arrives again lets this host's TCP send at once as much as was
    /// under way before; to take that from it and then drop it costs a timeout, which is as long by now as the outage was.
    /// What gets lost of it is found missing with the next round.
    fn make_room(&mut self, over: &Over, turn: &mut Turn<'_>) {
        while self.stage.is_crowded() {
            let before = self.stage.len();
            self.release_held(1, &mut Round::default(), over, turn);
            let gone = before - self.stage.len();
            if gone == 0 {
                return;
            }
            if let Some(run) = self.resumption.run() {
                run.released += gone as u64;
            }
        }
    }

    /// Asks for proof that the path works, together with what arrived: the answer comes with the same from the peer.
    fn ask_what_arrived(&mut self, (session, active): &Over, turn: &mut Turn<'_>) {
        let (rtt, now) = (self.paths.rtt(), turn.now);
        let key = (session.remote(), session.sent());
        let Some(token) = self.resumption.ask(|| turn.fresh_challenge(), key, rtt, now) else { return };
        let mut options = vec![VcOption::PathChallenge(token)];
        options.extend(self.lane.received_reports());
        let to = active.target();
        sealing::send(session, &options, to, turn);
        self.lane.stamp_sent(false, turn.now);
    }

    /// Sends what was held, as part of `round`: `room` bytes, the message that exceeds them included.
    fn release_held(
        &mut self,
        room: usize,
        round: &mut Round,
        (session, active): &Over,
        turn: &mut Turn<'_>,
    ) {
        if !turn.path.leads((session, active), turn.now) {
            return;
        }
        let full = round.bytes().saturating_add(room);
        while round.bytes() < full {
            let Some(packet) = self.stage.pop(turn.path, turn.now) else { break };
            for piece in self.fit(packet, turn) {
                self.release_one(&piece, round, (session, active), turn);
            }
        }
    }

    /// Sends a packet that could go but for its length, as what fits the path. False if it could not go anyway.
    pub(super) fn send_fitting(&mut self, packet: &[u8], turn: &mut Turn<'_>) -> bool {
        let over = self.handshaking.sealing(turn.now).cloned().zip(self.paths.active().cloned());
        let Some((session, active)) = over else { return false };
        if !turn.path.leads((&session, &active), turn.now) {
            return false;
        }
        for piece in self.fit(packet.to_vec(), turn) {
            self.release_one(&piece, &mut Round::default(), (&session, &active), turn);
        }
        true
    }

    fn release_one(
        &mut self,
        packet: &[u8],
        round: &mut Round,
        (session, active): (&Arc<Session>, &Arc<Attachment>),
        turn: &mut Turn<'_>,
    ) {
        let released = turn.path.release(packet, &self.lane, (session, active), turn.now);
        let Some(mut grant) = released else {
            return turn.path.drops().count(Discard::ExpiredSession);
        };
        let probe = self.probe_beside(packet.len(), grant.remote(), turn);
        let mut message = sealing::layout(packet, probe.as_slice(), turn.path.mtu());
        grant.seal(&mut message);
        turn.path.keep(self.about.id, &message, turn.now);
        if let Some(key) = ring::key_of(&message) {
            round.add(key, message.len());
        }
        turn.transmit(grant.remote(), grant.local(), message);
    }

    /// The probe option, if one is due and fits beside a packet of `len` bytes.
    fn probe_beside(&mut self, len: usize, remote: SocketAddr, turn: &mut Turn<'_>) -> Option<VcOption> {
        match self.negotiation.flow() {
            Flow::Probing { room } if len + room <= turn.path.mtu() => {
                self.negotiation.probe(turn.claimed(remote), turn.identity.capabilities(), turn.now)
            }
            _ => None,
        }
    }
}
