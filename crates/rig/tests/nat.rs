//! The four kinds of NAT, by real datagrams, in RFC 4787's words.

#![cfg(target_os = "linux")]

use std::net::{SocketAddr, UdpSocket};
use std::thread;
use std::time::Duration;

use stead_rig::scenario::Nat;
use stead_rig::{Host, Network, NetworkPlan, Requirements, RigError, World};

/// What a NAT's mapping or filtering depends on (RFC 4787 §4.1 and §5).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Dependence {
    EndpointIndependent,
    AddressDependent,
    AddressAndPortDependent,
}

/// Two hosts behind a NAT, and two in the open.
struct Scene {
    inside: [Host; 2],
    outside: [Host; 2],
    network: Network,
    _world: World,
}

impl Scene {
    fn new(plan: NetworkPlan) -> Result<Self, RigError> {
        let world = World::new()?;
        let network = world.network("home", &plan)?;
        let open = world.network("open", &NetworkPlan::public("198.51.100.0/24"))?;
        let on = |name: &str, network: &Network| {
            let host = world.host(name)?;
            host.attach(network)?;
            Ok::<_, RigError>(host)
        };
        Ok(Self {
            inside: [on("one", &network)?, on("two", &network)?],
            outside: [on("near", &open)?, on("far", &open)?],
            network,
            _world: world,
        })
    }

    fn behind(nat: Nat) -> Result<Self, RigError> {
        Self::new(NetworkPlan::public("192.168.1.0/24").nat(nat))
    }
}

fn socket(host: &Host, port: u16) -> Result<UdpSocket, RigError> {
    let address = host.addresses()[0];
    let made = host.call(move || {
        let socket = UdpSocket::bind((address, port))?;
        socket.set_read_timeout(Some(PATIENCE))?;
        Ok(socket)
    })?;
    made.map_err(RigError::io("bind"))
}

/// Sends from one to the other; the source that the receiver saw, or none if nothing came.
fn source_seen(from: &UdpSocket, to: &UdpSocket) -> Option<SocketAddr> {
    arrives(from, to, to.local_addr().unwrap())
}

/// Sends to `target` and says from where `at` received it, if it did.
fn arrives(from: &UdpSocket, at: &UdpSocket, target: SocketAddr) -> Option<SocketAddr> {
    let mut buffer = [0; 16];
    from.send_to(b"hello", target).unwrap();
    at.recv_from(&mut buffer).ok().map(|(_, source)| source)
}

/// How mappings depend on the destination.
fn mapping(scene: &Scene) -> Result<Dependence, RigError> {
    let inside = socket(&scene.inside[0], 51820)?;
    let [near, far] = &scene.outside;
    let seen = |to: UdpSocket| source_seen(&inside, &to).expect("what leaves arrives");
    let first = seen(socket(near, 1000)?);
    let (other_port, other_address) = (seen(socket(near, 2000)?), seen(socket(far, 1000)?));
    Ok(match (first == other_port, first == other_address) {
        (true, true) => Dependence::EndpointIndependent,
        (true, false) => Dependence::AddressDependent,
        (false, _) => Dependence::AddressAndPortDependent,
    })
}

/// Whom the NAT lets in through a mapping made by a datagram to one address and port.
fn filtering(scene: &Scene) -> Result<Dependence, RigError> {
    let inside = socket(&scene.inside[0], 51821)?;
    let [near, far] = &scene.outside;
    let asked = socket(near, 1001)?;
    let mapped = source_seen(&inside, &asked).expect("what leaves arrives");
    assert!(arrives(&asked, &inside, mapped).is_some(), "an answer comes in");
    let enters = |from: UdpSocket| arrives(&from, &inside, mapped).is_some();
    Ok(match (enters(socket(near, 2001)?), enters(socket(far, 1001)?)) {
        (true, true) => Dependence::EndpointIndependent,
        (true, false) => Dependence::AddressDependent,
        (false, _) => Dependence::AddressAndPortDependent,
    })
}

#[test]
fn each_kind_maps_and_filters_as_rfc_4787_names_it() -> Result<(), RigError> {
    if !Requirements::met("each_kind_maps_and_filters_as_rfc_4787_names_it", &["nft"]) {
        return Ok(());
    }
    use Dependence::{AddressAndPortDependent, AddressDependent, EndpointIndependent};
    let expected = [
        (Nat::FullCone, EndpointIndependent, EndpointIndependent),
        (Nat::AddressRestricted, EndpointIndependent, AddressDependent),
        (Nat::PortRestricted, EndpointIndependent, AddressAndPortDependent),
        (Nat::Symmetric, AddressAndPortDependent, AddressAndPortDependent),
    ];
    for (nat, maps, filters) in expected {
        let scene = Scene::behind(nat)?;
        assert_eq!((mapping(&scene)?, filtering(&scene)?), (maps, filters), "{}", nat.name());
    }
    Ok(())
}

#[test]
fn two_hosts_with_the_same_port_get_mappings_of_their_own() -> Result<(), RigError> {
    if !Requirements::met("two_hosts_with_the_same_port_get_mappings_of_their_own", &["nft"]) {
        return Ok(());
    }
    for nat in [Nat::FullCone, Nat::AddressRestricted, Nat::PortRestricted] {
        let scene = Scene::behind(nat)?;
        let (one, two) = (socket(&scene.inside[0], 51820)?, socket(&scene.inside[1], 51820)?);
        let (near, far) = (socket(&scene.outside[0], 1000)?, socket(&scene.outside[1], 1000)?);
        let seen = |from, to| source_seen(from, to).expect("what leaves arrives");
        let mapped = [seen(&one, &near), seen(&two, &far)];
        assert_ne!(mapped[0], mapped[1], "{}", nat.name());
        assert_eq!([seen(&one, &far), seen(&two, &near)], mapped, "{}", nat.name());
        for (host, mapped) in [(&one, mapped[0]), (&two, mapped[1])] {
            assert!(arrives(&near, host, mapped).is_some(), "{}: to the one whose it is", nat.name());
        }
    }
    Ok(())
}

#[test]
fn nobody_gets_in_before_something_left() -> Result<(), RigError> {
    if !Requirements::met("nobody_gets_in_before_something_left", &["nft"]) {
        return Ok(());
    }
    for nat in Nat::KINDS {
        let scene = Scene::behind(nat)?;
        let (inside, near) = (socket(&scene.inside[0], 51820)?, socket(&scene.outside[0], 1000)?);
        let outside: SocketAddr = "203.0.113.2:51820".parse().unwrap();
        assert_eq!(arrives(&near, &inside, outside), None, "{}", nat.name());
        // And what knocked in vain does not stand in the way of a mapping.
        let mapped = source_seen(&inside, &near).expect("what leaves arrives");
        assert!(arrives(&near, &inside, mapped).is_some(), "{}", nat.name());
    }
    Ok(())
}

#[test]
fn a_reboot_forgets_every_mapping_and_a_rebind_changes_the_port() -> Result<(), RigError> {
    if !Requirements::met("a_reboot_forgets_every_mapping_and_a_rebind_changes_the_port", &["nft"]) {
        return Ok(());
    }
    for nat in Nat::KINDS {
        let scene = Scene::behind(nat)?;
        let (inside, near) = (socket(&scene.inside[0], 51820)?, socket(&scene.outside[0], 1000)?);
        let before = source_seen(&inside, &near).expect("what leaves arrives");
        scene.network.reboot_nat()?;
        assert_eq!(arrives(&near, &inside, before), None, "{}: forgotten", nat.name());
        source_seen(&inside, &near).expect("what leaves arrives");
        scene.network.rebind_nat()?;
        let after = source_seen(&inside, &near).expect("what leaves arrives");
        assert_ne!(after, before, "{}: another port", nat.name());
        assert!(arrives(&near, &inside, after).is_some(), "{}", nat.name());
    }
    Ok(())
}

#[test]
fn an_idle_mapping_expires() -> Result<(), RigError> {
    if !Requirements::met("an_idle_mapping_expires", &["nft"]) {
        return Ok(());
    }
    for nat in [Nat::FullCone, Nat::PortRestricted] {
        let plan = NetworkPlan::public("192.168.1.0/24").nat(nat).expiry(Duration::from_secs(2));
        let scene = Scene::new(plan)?;
        let (inside, near) = (socket(&scene.inside[0], 51820)?, socket(&scene.outside[0], 1000)?);
        let mapped = source_seen(&inside, &near).expect("what leaves arrives");
        assert!(arrives(&near, &inside, mapped).is_some(), "{}", nat.name());
        thread::sleep(Duration::from_millis(4500));
        assert_eq!(arrives(&near, &inside, mapped), None, "{}", nat.name());
    }
    Ok(())
}

/// Datagrams take microseconds here; what has not come by then does not come.
const PATIENCE: Duration = Duration::from_millis(300);
