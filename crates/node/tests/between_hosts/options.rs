//! What an authenticated peer can say with options, and what it cannot do with them.

use crate::wireguard::Plain;
use crate::world::{HostId, World, at, ms, peer, secret};
use stead_node::{Condition, Suspension};
use stead_wire::options::{
    self, AttachmentPoints, Capabilities, ChallengeToken, ConnectionUpdate, ConnectionUpdateRequest,
    Connections, Outcome, Probe, Tokens, VcOption,
};
use stead_wire::plaintext::Plaintext;

/// A node at 10.0.0.1, and at 10.0.0.9 a peer whose every option this file writes; it has said a packet.
fn pair() -> (World, HostId) {
    let mut world = World::new();
    let alice = world.host(1, &["10.0.0.1"], vec![peer("odd", secret(9).public_key(), &[])]);
    world.plain = Some(Plain::new(9, 1, at("10.0.0.9")));
    let initiation = world.plain_initiation();
    world.inject(at("10.0.0.9"), at("10.0.0.1"), initiation);
    world.run_for(ms(100));
    let hello = world.plain.as_ref().unwrap().seal(b"hello");
    world.inject(at("10.0.0.9"), at("10.0.0.1"), hello);
    world.run_for(ms(100));
    assert_eq!(world.texts(alice, 0), ["hello"]);
    (world, alice)
}

/// The peer says `said` from `source`; what it gets for an answer.
fn say(world: &mut World, source: &str, said: &[VcOption]) -> Vec<VcOption> {
    let mut encoded = Vec::new();
    said.iter().for_each(|option| option.encode(&mut encoded));
    let plain = world.plain.as_mut().unwrap();
    plain.address = at(source);
    let (before, sealed) = (plain.opened.len(), plain.seal_plaintext(&encoded));
    world.inject(at(source), at("10.0.0.1"), sealed);
    world.run_for(ms(100));
    let opened = world.plain.as_ref().unwrap().opened[before..].to_vec();
    let lists = opened.iter().map(|plaintext| {
        options::decode(Plaintext::split(plaintext).unwrap().options).map(Result::unwrap).collect::<Vec<_>>()
    });
    lists.flatten().collect()
}

fn update(sequence: u64, connections: Connections) -> VcOption {
    let challenge = ChallengeToken([3; 8]);
    VcOption::ConnectionUpdate(ConnectionUpdate { sequence, challenge, claimed: None, connections })
}

#[test]
fn an_update_of_single_connections_is_refused_and_moves_nothing() {
    let (mut world, alice) = pair();
    let tokens = Tokens::new(&[world.connections(alice)[0].row.token.0]).unwrap();
    let answers = say(&mut world, "10.7.0.9", &[update(u64::MAX, Connections::Tokens(tokens))]);
    let refused = answers.iter().any(|answer| {
        matches!(answer, VcOption::ConnectionUpdateAcknowledge(said) if said.outcome == Outcome::Refused)
    });
    assert!(refused, "{answers:?}");
    assert_eq!(world.remote(alice), at("10.0.0.9"));

    let answers = say(&mut world, "10.0.0.9", &[update(5, Connections::All)]);
    assert!(!answers.is_empty(), "what was refused has not used up the numbers");
}

#[test]
fn a_message_full_of_questions_gets_an_answer_that_fits_a_datagram() {
    let (mut world, _) = pair();
    let probe = VcOption::Probe(Probe { version: 1, capabilities: Capabilities::MOBILE, claimed: None });
    let ask =
        VcOption::ConnectionUpdateRequest(ConnectionUpdateRequest { challenge: ChallengeToken([5; 8]) });
    for question in [probe, ask, VcOption::PathChallenge(ChallengeToken([4; 8]))] {
        let many = vec![question.clone(); 1400 / question.encoded_len()];
        let before = world.trace.len();
        assert!(!say(&mut world, "10.0.0.9", &many).is_empty());
        let longest = world.trace[before..].iter().map(|flight| flight.datagram.len()).max();
        assert!(longest <= Some(1420 + 32), "{longest:?} bytes for {question:?}");
    }
}

#[test]
fn what_the_peer_announced_is_not_crowded_out_by_what_others_forward() {
    let (mut world, alice) = pair();
    say(&mut world, "10.7.0.9", &[update(5, Connections::All)]);
    for n in 1..=6 {
        let data = world.plain.as_ref().unwrap().seal(b"forwarded");
        world.inject(at(&format!("203.0.113.{n}")), at("10.0.0.1"), data);
        world.run_for(ms(30));
    }

    assert_eq!(
        world.status(alice).condition,
        Condition::Held(Suspension::PeerMoving),
        "10.7.0.9 is still asked"
    );
    assert_eq!(world.remote(alice), at("10.0.0.9"));
}

#[test]
fn nobody_is_bothered_for_a_peer_that_lies_about_where_it_is() {
    let (mut world, alice) = pair();
    let lies = ["127.0.0.1:22", "0.0.0.0:7", "255.255.255.255:7", "224.0.0.1:7", "10.9.9.9:0", "192.0.2.7:7"];
    let points: Vec<_> = lies.iter().map(|text| text.parse().unwrap()).collect();
    say(&mut world, "10.0.0.9", &[VcOption::AttachmentPoints(AttachmentPoints::new(&points))]);

    let kept: Vec<String> = world.status(alice).candidates.iter().map(ToString::to_string).collect();
    assert_eq!(kept, ["10.0.0.9:51820", "192.0.2.7:7"]);
}

#[test]
fn an_option_from_the_future_makes_no_peer_enhanced_and_is_not_answered() {
    let (mut world, alice) = pair();
    let mut sealed = Vec::new();
    sealed.extend([0x9f, 4, 1, 2]);
    let datagram = world.plain.as_ref().unwrap().seal_plaintext(&sealed);
    let before = world.trace.len();
    world.inject(at("10.0.0.9"), at("10.0.0.1"), datagram);
    world.run_for(ms(100));
    assert_eq!(world.trace.len(), before);
    assert_eq!(world.status(alice).kind, stead_node::PeerKind::Unknown);
}
