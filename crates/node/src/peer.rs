//! One peer: small machines side by side, and what ties them together.
//!
//! [`Handshaking`] makes sessions, [`Negotiation`] learns what the peer speaks, [`Paths`] knows where it is,
//! [`Migrator`] and [`NonMigrator`] move it, [`Liveness`] remembers what was proven and doubts what no longer answers, [`Stage`] holds packets. This
//! file routes between them: after every input, [`settle`](Peer::settle) derives from their states whether
//! packets flow, lets the held ones go and publishes the way to the packet path.

mod handing_over;
mod handshaking;
mod liveness;
mod lookup;
mod migrator;
mod moving;
mod negotiation;
mod non_migrator;
mod options;
mod orders;
mod path_mtu;
mod paths;
mod refusal;
mod requests;
mod resumption;
mod round_trip;
mod sealing;
mod sessions;
mod stage;
mod standby;
mod status;
mod survivors;
mod switching;
mod timers;
mod whereabouts;

use core::net::SocketAddr;
use std::sync::Arc;

use stead_lct::PeerId;
use stead_noise::keys::PublicKey;
use stead_noise::session::Session;
use stead_wire::time::{Duration, Instant};

use self::handshaking::{Handshaking, Target};
use self::liveness::Liveness;
use self::lookup::Lookup;
pub(crate) use self::lookup::{Help, Sought};
use self::migrator::{Migrator, News};
use self::negotiation::Negotiation;
use self::non_migrator::NonMigrator;
use self::path_mtu::PathMtu;
use self::paths::Paths;
use self::refusal::Barred;
use self::requests::Requests;
use self::resumption::Resumption;
pub(crate) use self::stage::Stage;
use self::standby::Standby;
use self::survivors::Survivors;
use crate::drops::Discard;
use crate::event::{Event, Happening, Suspension};
use crate::lane::{Flow, Lane, Way};
use crate::settings::{PeerSettings, Prefix};
use crate::turn::Turn;

pub use self::negotiation::PeerKind;
pub(crate) use self::path_mtu::{FLOOR, PathMtu as PeerPathMtu};
pub use self::refusal::Refusal;
pub use self::resumption::ResumptionStatus;
pub(crate) use self::sealing::{plain as layout, send};
pub use self::standby::StandbyStatus;
pub use self::status::{Condition, PathStatus, PeerStatus, Suspensions};
pub(crate) use self::whereabouts::Whereabouts;

/// See the module's documentation.
pub(crate) struct Peer {
    about: About,
    lane: Arc<Lane>,
    handshaking: Handshaking,
    negotiation: Negotiation,
    paths: Paths,
    path_mtu: PathMtu,
    migrator: Migrator,
    non_migrator: NonMigrator,
    requests: Requests,
    liveness: Liveness,
    standby: Standby,
    stage: Stage,
    resumption: Resumption,
    survivors: Survivors,
    /// When what this host's TCP acknowledged last was repeated for a peer that may be another program.
    repeated: Option<Instant>,
    suspended: Option<(Suspension, Instant)>,
    suspensions: Suspensions,
    /// What the host's filter refuses, until it does no longer.
    refusal: Option<Refusal>,
    barred: Option<Barred>,
    /// Since when somebody wants the peer suspended.
    ordered: Option<Instant>,
    moves: Moves,
    /// When we last chose a path, by the first answer to our updates.
    chosen_at: Option<Instant>,
    /// When the peer was last called without a session, though nothing waits for it.
    called: Option<Instant>,
    /// How often it was called in vain since the last sign of life.
    calls: u32,
    lookup: Lookup,
    /// Since when packets wait for a peer of which nobody knows where it is.
    search: Option<Instant>,
}

/// What the configuration says of a peer.
struct About {
    id: PeerId,
    name: String,
    key: PublicKey,
    allowed_ips: Vec<Prefix>,
    persistent_keepalive: Option<Duration>,
}

/// How often each side moved.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Moves {
    ours: u64,
    theirs: u64,
    /// We moved, and the peer has not confirmed it yet.
    unconfirmed: bool,
}

impl Moves {
    /// The peer knows of our move, if there was one; says whether there was.
    const fn confirm(&mut self) -> bool {
        let moved = core::mem::replace(&mut self.unconfirmed, false);
        self.ours += moved as u64;
        moved
    }
}

impl Peer {
    pub(crate) fn new(settings: PeerSettings, lane: Arc<Lane>, stage: Stage, path_mtu: PathMtu) -> Self {
        let id = lane.peer();
        Self {
            handshaking: Handshaking::new(id, settings.public_key, settings.preshared_key),
            negotiation: Negotiation::default(),
            paths: Paths::new(settings.endpoints, settings.remembered),
            about: About {
                id,
                name: settings.name,
                key: settings.public_key,
                allowed_ips: settings.allowed_ips,
                persistent_keepalive: settings.persistent_keepalive,
            },
            lane,
            path_mtu,
            migrator: Migrator::default(),
            non_migrator: NonMigrator::default(),
            requests: Requests::default(),
            liveness: Liveness::default(),
            standby: Standby::default(),
            stage,
            resumption: Resumption::default(),
            survivors: Survivors::default(),
            repeated: None,
            suspended: None,
            suspensions: Suspensions::default(),
            refusal: None,
            barred: None,
            ordered: None,
            moves: Moves::default(),
            chosen_at: None,
            called: None,
            calls: 0,
            lookup: Lookup::default(),
            search: None,
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.about.name
    }

    pub(crate) const fn key(&self) -> PublicKey {
        self.about.key
    }

    /// Where it was proven to be, the newest first.
    pub(crate) fn proven_points(&self) -> &[SocketAddr] {
        self.paths.proven_points()
    }

    /// How often [`proven_points`](Self::proven_points) changed.
    pub(crate) const fn proofs(&self) -> u64 {
        self.paths.proofs()
    }

    /// Why and since when its traffic is suspended.
    pub(crate) const fn suspended(&self) -> Option<(Suspension, Instant)> {
        self.suspended
    }

    /// Our index of the session in use.
    pub(crate) fn session_index(&self, now: Instant) -> Option<u32> {
        self.handshaking.sealing(now).map(|session| session.local().0)
    }

    /// An inner packet that the packet path could not send: held until it can go.
    pub(crate) fn handle_packet(&mut self, packet: &[u8], turn: &mut Turn<'_>) {
        let unknown = self.handshaking.sealing(turn.now).is_none() && self.paths.candidates().is_empty();
        if unknown && !self.plays_dead() {
            if !turn.can_look_up {
                turn.path.drops().count(Discard::NoEndpoint);
                return;
            }
            self.search.get_or_insert(turn.now);
        }
        if self.lane.way().flow == Flow::Flowing && self.send_fitting(packet, turn) {
            return;
        }
        self.stage.push(packet.to_vec(), turn.path, turn.now);
        self.calls = 0;
        self.want(turn);
    }

    /// Something waits for the peer: a session is needed, and the peer must know where we are.
    fn want(&mut self, turn: &mut Turn<'_>) {
        if self.plays_dead() {
            return;
        }
        match self.handshaking.sealing(turn.now) {
            None => self.handshaking.begin_unless_answered(&self.every_target(turn), turn),
            Some(_) => self.on_news(News::PacketWaits, turn),
        }
    }

    /// Everywhere the peer might be.
    fn every_target(&self, turn: &Turn<'_>) -> Vec<Target> {
        let mut targets = self.paths.targets(turn.attachment);
        if self.handshaking.unanswered_since(turn.now).is_some() {
            targets.extend(self.paths.last_resorts(turn.attachment));
        }
        targets.into_iter().map(|(remote, local)| (remote, Some(local))).collect()
    }

    /// Where the peer is, as long as nothing is in doubt; else everywhere it might be.
    fn likely_targets(&self, turn: &Turn<'_>) -> Vec<Target> {
        let doubtful = self.suspension().is_some()
            || self.lane.unanswered_since().is_some_and(|since| turn.now >= since + timers::SILENCE);
        match self.paths.active().filter(|_| !doubtful) {
            Some(active) => vec![active.target()],
            None => self.every_target(turn),
        }
    }

    /// Whether, why and since when packets are held.
    fn suspension(&self) -> Option<(Suspension, Instant)> {
        let moving =
            self.migrator.suspension().or_else(|| self.non_migrator.suspension()).or_else(|| self.barred());
        match self.ordered {
            Some(since) => Some((Suspension::Ordered, moving.map_or(since, |(_, held)| held.min(since)))),
            None => moving,
        }
    }

    /// After any input: lets packets flow or holds them, as the machines' states now say.
    pub(crate) fn settle(&mut self, turn: &mut Turn<'_>) {
        self.stand_by(turn);
        self.tell_everywhere(turn);
        let before = self.suspended;
        self.suspended = self.suspension();
        match (before, self.suspended) {
            (None, Some((why, _))) => {
                turn.path.table().hold_peer(self.about.id);
                self.stage.stop(&turn.path.table().entries_of(self.about.id));
                self.suspensions.begin();
                self.tell(Happening::Suspended { why }, turn);
            }
            (Some((_, since)), None) => {
                turn.path.table().release_peer(self.about.id, turn.now);
                self.handshaking.forget_doubt(turn);
                self.refusal = None;
                let after = turn.now - since;
                self.suspensions.lasted(after);
                self.tell(Happening::Resumed { after, held: self.stage.len() }, turn);
            }
            _ => {}
        }
        turn.path.set_keeping(self.about.id, self.negotiation.kind() != PeerKind::Plain);
        self.measure_path(turn);
        // What was lost and what was held goes before the workers may send anything newer.
        let ended = before.filter(|_| self.suspended.is_none()).map(|(_, since)| since);
        self.resume(ended, turn);
        self.offer_twin(turn);
        let flow = self.publish(turn);
        self.answer_in_its_name(flow, turn);
        self.wake_survivors(flow != Flow::Held, turn);
        self.look(turn);
    }

    /// Tells this host's TCP to wait for as long as nothing may flow, and to go on as soon as it may (seed 002
    /// claims 5 to 8): while what was held goes round by round, as soon as none of it is TCP's. What TCP sends then goes
    /// in the next round.
    fn answer_in_its_name(&mut self, flow: Flow, turn: &mut Turn<'_>) {
        let stopped = flow == Flow::Held && !self.resumption.holds();
        loop {
            let answer = match stopped {
                true => self.stage.poll_answer(turn.now),
                false if self.stage.holds_tcp() => return,
                false => self.stage.poll_update(),
            };
            let Some(answer) = answer else { return };
            turn.out.packets.push_back(answer);
        }
    }

    /// Shows the packet path how to send from now on; does nothing if that has not changed. What flows may only be
    /// shown later: workers send nothing before that which has been released before it.
    fn publish(&self, turn: &mut Turn<'_>) -> Flow {
        let session = self.handshaking.sealing(turn.now).cloned();
        let active = self.paths.active().cloned();
        let waits = self.suspended.is_some() || self.resumption.holds();
        let flow =
            if waits || session.is_none() || active.is_none() { Flow::Held } else { self.negotiation.flow() };
        let longest = self.longest(turn);
        let way = self.lane.way();
        let awaited = self.handshaking.awaited();
        turn.out.opening.remove(&self.about.id);
        let early = way.flow == Flow::Held && flow != Flow::Held && !turn.out.transmits.is_empty();
        let shown = if early { Flow::Held } else { flow };
        let same = (way.flow, way.longest) == (shown, longest)
            && way.awaited == awaited
            && same_session(way.session.as_ref(), session.as_ref())
            && way.active == active;
        drop(way);
        if early {
            turn.out.opening.insert(self.about.id, (flow, turn.now));
        }
        if !same {
            self.lane.set_way(Way { session, active, awaited, flow: shown, longest });
            turn.path.set_flowing(self.about.id, shown != Flow::Held, turn.now);
        }
        flow
    }

    fn tell(&self, what: Happening, turn: &mut Turn<'_>) {
        turn.out.events.push_back(Event { peer: self.about.name.clone(), what });
    }
}

fn same_session(one: Option<&Arc<Session>>, other: Option<&Arc<Session>>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => Arc::ptr_eq(one, other),
        (None, None) => true,
        _ => false,
    }
}
