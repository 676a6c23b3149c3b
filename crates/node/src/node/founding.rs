//! How a node comes to be: from its settings to its machines.

use std::collections::BTreeMap;
use std::sync::Arc;

use stead_lct::{Budget, Limits, PeerId, Table};
use stead_noise::cookie::CookieChecker;
use stead_noise::doorkeeper::Doorkeeper;
use stead_noise::random::Random;
use stead_wire::time::{Instant, UnixTime};

use super::Node;
use super::ground::{Clock, Ground};
use super::wakes::Wakes;
use crate::attachment::{Cause, LocalAttachment};
use crate::packet_path::{FlowCursor, PacketPath};
use crate::peer::{Peer, PeerPathMtu, Stage};
use crate::proxy::Proxy;
use crate::routes::Routes;
use crate::settings::{Prefix, Settings, SettingsError};
use crate::turn::{Identity, Outbox, Streams};

impl Node {
    /// A node that has not spoken to anyone, attached to nothing yet.
    ///
    /// `seed` is all its randomness, so it must be unpredictable in the field; `wall` is the calendar's time at `now`.
    ///
    /// # Errors
    /// [`SettingsError`] if the settings contradict themselves.
    pub fn new(
        settings: Settings,
        seed: [u8; 32],
        wall: UnixTime,
        now: Instant,
    ) -> Result<Self, SettingsError> {
        settings.check()?;
        let public = settings.secret.public_key();
        let mut configured = settings.peers;
        for peer in &mut configured {
            let own = Prefix::host(peer.public_key.virtual_address().into());
            if !peer.allowed_ips.contains(&own) {
                peer.allowed_ips.insert(0, own);
            }
        }
        let ids = || (0..).map(PeerId);
        let owned = ids()
            .zip(&configured)
            .flat_map(|(id, peer)| peer.allowed_ips.iter().map(move |prefix| (*prefix, id)));
        let tcp_numbers = settings.suspension.tcp;
        let limits = Limits { entries: settings.connections, tcp_numbers, ..Limits::default() };
        let table = Table::new(limits);
        let random = Random::from_seed(seed);
        let first_service = PeerId(u32::try_from(configured.len()).unwrap_or(u32::MAX));
        let path = Arc::new(PacketPath::new(
            Routes::new(owned),
            configured.len() + settings.services.len(),
            table,
            CookieChecker::new(&public),
            settings.resending,
            usize::from(settings.mtu),
        ));
        let publications = random.stream("publications");
        let proxy = Proxy::new(&settings.secret, &configured, settings.services, first_service, publications);
        let by_key = ids().zip(&configured).map(|(id, peer)| (peer.public_key, id)).collect();
        let (budget, rules) =
            (Arc::new(Budget::new(settings.suspension.memory)), settings.suspension.rules());
        let mut fragments = random.stream("fragments");
        let peers = ids().zip(configured).map(|(id, peer)| {
            let stage = Stage::new(id, rules, Arc::clone(&budget));
            let path_mtu = PeerPathMtu::new(path.mtu(), fragments.next_u32());
            Peer::new(peer, Arc::clone(path.lane(id)), stage, path_mtu)
        });
        let peers = peers.collect();
        let ground = Ground {
            identity: Identity {
                secret: settings.secret,
                public,
                listen_port: settings.listen_port,
                able: settings.able,
                mobile: settings.mobile,
            },
            attachment: LocalAttachment::detached(Cause::Start),
            path,
            flights: BTreeMap::new(),
            streams: Streams {
                handshakes: random.stream("handshakes"),
                indices: random.stream("session indices"),
                challenges: random.stream("path challenges"),
                jitter: random.stream("retry jitter"),
            },
            outbox: Outbox::default(),
            clock: Clock { wall, at: now },
            can_look_up: proxy.can_look_up(),
        };
        Ok(Self {
            ground,
            peers,
            by_key,
            proxy,
            cursor: FlowCursor::default(),
            doorkeeper: Doorkeeper::new(&public),
            wakes: Wakes::default(),
            proofs: 0,
        })
    }
}
