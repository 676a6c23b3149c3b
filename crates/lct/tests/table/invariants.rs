//! Random lives of a table, against a plain model of it.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use proptest::prelude::*;
use stead_lct::{Attachment, Limits, OriginalSpecification, PeerId, Refusal, State, Table};
use stead_wire::ip::Protocol;
use stead_wire::time::Instant;

use crate::ground::{ACK, FIN_ACK, RST, SYN, at, connection, place};

const ENTRIES: usize = 24;
const PEERS: u32 = 3;

#[derive(Clone, Debug)]
enum Step {
    Packet { original: OriginalSpecification, peer: PeerId, outbound: bool, flags: u8 },
    Migrate { peer: PeerId, path: u32 },
    MigrateOne { peer: PeerId, original: OriginalSpecification, path: u32 },
    Wait { seconds: u64 },
}

/// What a plain model knows of an entry.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Known {
    peer: PeerId,
    attachment: Attachment,
    moves: u64,
}

fn peers() -> impl Strategy<Value = PeerId> {
    (0..PEERS).prop_map(PeerId)
}

fn originals() -> impl Strategy<Value = OriginalSpecification> {
    let protocols = prop::sample::select(vec![Protocol::TCP, Protocol::UDP, Protocol::ICMP, Protocol(132)]);
    (protocols, peers(), 0..8_u16).prop_map(|(protocol, peer, port)| connection(protocol, peer, port))
}

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (originals(), peers(), any::<bool>(), any::<u8>()).prop_map(|(original, peer, outbound, flags)| {
            Step::Packet { original, peer, outbound, flags }
        }),
        2 => (peers(), 0..4_u32).prop_map(|(peer, path)| Step::Migrate { peer, path }),
        1 => (peers(), originals(), 0..4_u32)
            .prop_map(|(peer, original, path)| Step::MigrateOne { peer, original, path }),
        3 => (0..100_u64).prop_map(|seconds| Step::Wait { seconds }),
    ]
}

/// The table, and what the model expects of it.
struct Both {
    table: Table,
    model: BTreeMap<OriginalSpecification, Known>,
    now: Instant,
}

impl Both {
    fn new() -> Self {
        let table = Table::new(Limits { entries: ENTRIES, ..Limits::default() });
        Self { table, model: BTreeMap::new(), now: at(0) }
    }

    fn take(&mut self, step: Step) -> Result<(), TestCaseError> {
        match step {
            Step::Packet { original, peer, outbound, flags } => {
                self.packet(original, peer, outbound, flags)?
            }
            Step::Migrate { peer, path } => {
                let there = attachment(path);
                let moved = self.table.migrate(peer, &there);
                prop_assert_eq!(moved, self.expect_moves(*there, |_, known| known.peer == peer));
            }
            Step::MigrateOne { peer, original, path } => {
                let there = attachment(path);
                let tokens: Vec<_> = self.table.lookup(&original).iter().map(|entry| entry.token()).collect();
                let moved = self.table.migrate_tokens(peer, &tokens, &there);
                let named =
                    |other: &OriginalSpecification, known: &Known| *other == original && known.peer == peer;
                prop_assert_eq!(moved, self.expect_moves(*there, named));
            }
            Step::Wait { seconds } => {
                self.now += std::time::Duration::from_secs(seconds);
                self.table.expire(self.now);
                self.forget_removed();
            }
        }
        self.agree()
    }

    fn packet(
        &mut self,
        original: OriginalSpecification,
        peer: PeerId,
        outbound: bool,
        flags: u8,
    ) -> Result<(), TestCaseError> {
        let flags = (original.protocol == Protocol::TCP)
            .then(|| [SYN, ACK, ACK, FIN_ACK, RST][usize::from(flags) % 5])
            .flatten();
        let before = self.table.lookup(&original);
        match self.table.find_or_track(original, peer, &attachment(9), flags, self.now) {
            Ok(entry) => {
                prop_assert_eq!(entry.peer(), peer);
                prop_assert_eq!(*entry.original(), original);
                if before.is_none_or(|before| !Arc::ptr_eq(&before, &entry)) {
                    let known = Known { peer, attachment: *attachment(9), moves: 0 };
                    self.model.insert(original, known);
                }
                if outbound {
                    entry.count_outbound(1, 100, flags, self.now);
                } else {
                    entry.count_inbound(1, 100, flags, self.now);
                }
            }
            Err(Refusal::TakenByAnotherPeer(owner)) => {
                let before = before.expect("refused because of an entry");
                prop_assert_eq!(owner, before.peer());
                prop_assert_ne!(owner, peer);
                prop_assert_ne!(before.state(), State::Closed);
            }
            Err(refusal @ Refusal::NoFreeToken) => return Err(TestCaseError::fail(refusal.to_string())),
        }
        self.forget_removed();
        Ok(())
    }

    fn expect_moves(
        &mut self,
        there: Attachment,
        named: impl Fn(&OriginalSpecification, &Known) -> bool,
    ) -> usize {
        let mut moved = 0;
        for (original, known) in &mut self.model {
            if named(original, known) && known.attachment != there {
                known.attachment = there;
                known.moves += 1;
                moved += 1;
            }
        }
        moved
    }

    /// Expiry and eviction have tests of their own: here the model lets go of what is gone.
    fn forget_removed(&mut self) {
        let present: HashSet<_> = self.table.snapshot().into_iter().map(|row| row.original).collect();
        self.model.retain(|original, _| present.contains(original));
    }

    fn agree(&self) -> Result<(), TestCaseError> {
        let rows = self.table.snapshot();
        prop_assert!(rows.len() <= ENTRIES);
        prop_assert_eq!(rows.len(), self.table.len());
        prop_assert_eq!(rows.len(), self.model.len());
        let currents: HashSet<_> =
            rows.iter().map(|row| (row.local, row.remote, row.path, row.token)).collect();
        prop_assert_eq!(currents.len(), rows.len(), "current specifications are one to one");
        for row in &rows {
            let attachment = Attachment { local: row.local, remote: row.remote, path: row.path };
            let seen = Known { peer: row.peer, attachment, moves: row.moves };
            prop_assert_eq!(Some(&seen), self.model.get(&row.original));
            let entry = self.table.lookup(&row.original).expect("what is listed is found");
            prop_assert_eq!(entry.row(), *row);
            prop_assert!(entry.is_tracked());
        }
        let of_peers: usize =
            self.table.peers_with_entries().into_iter().map(|peer| self.table.entries_of(peer).len()).sum();
        prop_assert_eq!(of_peers, rows.len());
        Ok(())
    }
}

/// A fresh one each time: the table must compare attachments, not pointers. Peers share them on purpose.
fn attachment(path: u32) -> Arc<Attachment> {
    place("192.0.2.7:51820", path)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn original_and_current_specifications_stay_one_to_one(steps in prop::collection::vec(steps(), 1..120)) {
        let mut both = Both::new();
        for step in steps {
            both.take(step)?;
        }
    }

    /// Every entry goes exactly when its class says, however packets were spread.
    #[test]
    fn udp_expires_after_its_silence_whatever_happened_before(
        gaps in prop::collection::vec(0..170_u64, 0..20),
    ) {
        let table = Table::new(Limits::default());
        let original = connection(Protocol::UDP, PeerId(0), 1);
        let entry = table.track(original, PeerId(0), &attachment(0), at(0)).expect("nothing is in the way");
        let mut last = 0;
        for gap in gaps {
            last += gap;
            prop_assert_eq!(table.expire(at(last)), 0);
            entry.count_outbound(1, 1, None, at(last));
        }

        prop_assert_eq!(table.expire(at(last + 179)), 0);
        prop_assert_eq!(table.expire(at(last + 180)), 1);
    }
}
