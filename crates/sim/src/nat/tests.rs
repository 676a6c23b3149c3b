use super::*;
use crate::clock::ORIGIN;
use stead_noise::random::Random;

const INSIDE: &str = "192.168.1.2:51820";
const FRIEND: &str = "203.0.113.5:51820";
const FRIEND_OTHER_PORT: &str = "203.0.113.5:9";
const STRANGER: &str = "198.51.100.7:51820";

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn nat(plan: NatPlan) -> Nat {
    Nat::new(plan, "203.0.113.1".parse().unwrap(), Dice::new(Random::from_seed([7; 32]).stream("nat")))
}

fn out(nat: &mut Nat, to: &str, after: u64) -> SocketAddr {
    let now = ORIGIN + Duration::from_secs(after);
    nat.outbound(Protocol::Udp, (at(INSIDE), at(to)), now).unwrap().external
}

fn back(nat: &Nat, from: &str, to: SocketAddr, after: u64) -> Result<SocketAddr, Refusal> {
    nat.inbound(Protocol::Udp, at(from), to.port(), ORIGIN + Duration::from_secs(after))
}

/// Who may answer a host that spoke to [`FRIEND`] alone: the friend, its other port, a stranger.
fn answers(plan: NatPlan) -> [bool; 3] {
    let mut nat = nat(plan);
    let external = out(&mut nat, FRIEND, 0);
    [FRIEND, FRIEND_OTHER_PORT, STRANGER].map(|from| back(&nat, from, external, 1).is_ok())
}

#[test]
fn endpoint_independent_filtering_lets_anyone_in() {
    assert_eq!(answers(NatPlan::full_cone()), [true, true, true]);
}

#[test]
fn address_dependent_filtering_lets_any_port_of_a_known_address_in() {
    assert_eq!(answers(NatPlan::address_restricted()), [true, true, false]);
}

#[test]
fn address_and_port_dependent_filtering_lets_only_known_endpoints_in() {
    assert_eq!(answers(NatPlan::port_restricted()), [true, false, false]);
    assert_eq!(answers(NatPlan::symmetric()), [true, false, false]);
}

#[test]
fn endpoint_independent_mapping_uses_one_external_port_for_all() {
    let mut nat = nat(NatPlan::port_restricted());
    assert_eq!(out(&mut nat, FRIEND, 0), out(&mut nat, STRANGER, 1));
}

#[test]
fn address_dependent_mapping_uses_one_external_port_per_address() {
    let mut nat = nat(NatPlan::of(Behaviour::AddressDependent, Behaviour::AddressDependent));
    let external = out(&mut nat, FRIEND, 0);
    assert_eq!(external, out(&mut nat, FRIEND_OTHER_PORT, 0));
    assert_ne!(external, out(&mut nat, STRANGER, 0));
}

#[test]
fn address_and_port_dependent_mapping_uses_one_external_port_per_endpoint() {
    let mut nat = nat(NatPlan::symmetric());
    let ports: std::collections::BTreeSet<u16> =
        [FRIEND, FRIEND_OTHER_PORT, STRANGER].map(|to| out(&mut nat, to, 0).port()).into();
    assert_eq!(ports.len(), 3);
    assert!(!ports.contains(&51820), "and none that could be guessed");
}

#[test]
fn only_datagrams_from_inside_keep_a_mapping_and_a_filter_alive() {
    let mut nat = nat(NatPlan::port_restricted());
    let external = out(&mut nat, FRIEND, 0);
    assert_eq!(back(&nat, FRIEND, external, 119), Ok(at(INSIDE)));
    assert_eq!(back(&nat, FRIEND, external, 120), Err(Refusal::NoMapping), "inbound did not refresh it");

    let renewed = out(&mut nat, FRIEND, 130);
    out(&mut nat, STRANGER, 200);
    assert_eq!(out(&mut nat, STRANGER, 300), renewed, "kept by traffic to anyone");
    assert_eq!(back(&nat, STRANGER, renewed, 301), Ok(at(INSIDE)));
    assert_eq!(back(&nat, FRIEND, renewed, 301), Err(Refusal::Filtered), "but not for those left alone");
}

#[test]
fn a_reboot_forgets_every_mapping_and_gives_new_ports() {
    let mut nat = nat(NatPlan::full_cone());
    let before = out(&mut nat, FRIEND, 0);
    nat.reboot();
    assert_eq!(back(&nat, FRIEND, before, 1), Err(Refusal::NoMapping));
    assert_ne!(out(&mut nat, FRIEND, 2), before);
}

#[test]
fn a_preserved_port_is_the_internal_one_unless_another_host_has_it() {
    let mut nat = nat(NatPlan { ports: Ports::Preserved, ..NatPlan::full_cone() });
    assert_eq!(out(&mut nat, FRIEND, 0).port(), 51820);
    let other = (at("192.168.1.3:51820"), at(FRIEND));
    let second = nat.outbound(Protocol::Udp, other, ORIGIN).unwrap();
    assert!(second.new);
    assert_ne!(second.external.port(), 51820);
}

#[test]
fn mappings_are_bounded() {
    let mut nat = nat(NatPlan::symmetric());
    let flood = |nat: &mut Nat, number: u16| {
        let to = SocketAddr::new("198.51.100.9".parse().unwrap(), number);
        nat.outbound(Protocol::Udp, (at(INSIDE), to), ORIGIN)
    };
    for number in 1..=4096 {
        flood(&mut nat, number).unwrap();
    }
    assert_eq!(flood(&mut nat, 4097), Err(Refusal::Exhausted));
}
