use std::time::Duration;

use stead_wire::datagram::Arrival;

use super::*;
use crate::drops::IoDrop;

fn loopback_v4(port: u16) -> SocketAddr {
    SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port)
}

/// Two pairs of sockets, with what sends from one and what receives from the other.
struct Ends {
    here: UdpSockets,
    there: UdpSockets,
    sender: Sender,
    receiver: Receiver<Readable>,
    /// Where the other is.
    remote: SocketAddr,
}

fn ends() -> Ends {
    let (here, there) = (UdpSockets::bind(0, None).unwrap(), UdpSockets::bind(0, None).unwrap());
    let (sender, receiver) = (Sender::new(&here).unwrap(), Receiver::new(&there, Readable::new).unwrap());
    let remote = loopback_v4(there.port());
    Ends { here, there, sender, receiver, remote }
}

/// Everything that arrives until `datagrams` have or a second has passed.
async fn receive(receiver: &mut Receiver<Readable>, datagrams: usize) -> Vec<(Arrival, Vec<u8>)> {
    receive_batches(receiver, datagrams).await.concat()
}

/// The same, batch by batch.
async fn receive_batches(
    receiver: &mut Receiver<Readable>,
    datagrams: usize,
) -> Vec<Vec<(Arrival, Vec<u8>)>> {
    let (mut batches, mut arrived) = (Vec::new(), 0);
    let all = async {
        while arrived < datagrams {
            receiver.readable().await.unwrap();
            while let Some(batch) = receiver.try_receive().unwrap() {
                let alike = batch.datagrams();
                let batch: Vec<_> =
                    alike.flat_map(|(how, each)| each.map(move |one| (how, one.to_vec()))).collect();
                arrived += batch.len();
                batches.push(batch);
            }
        }
    };
    let _ = tokio::time::timeout(Duration::from_secs(1), all).await;
    batches
}

#[tokio::test]
async fn both_sockets_share_a_port_and_tell_where_a_datagram_was_sent() {
    let Ends { here, there, mut sender, mut receiver, remote: v4 } = ends();
    let local: IpAddr = "127.9.9.9".parse().unwrap();

    sender.try_send(Outgoing::single(v4, Some(local), b"four")).unwrap();
    let arrived = receive(&mut receiver, 1).await;
    assert_eq!(arrived[0].0.source, SocketAddr::new(local, here.port()), "the source is ours to choose");
    assert_eq!(arrived[0].0.local, Some(v4.ip()));
    assert_eq!(arrived[0].1, b"four");

    if there.families().1 && here.families().1 {
        let v6 = SocketAddr::new(Ipv6Addr::LOCALHOST.into(), there.port());
        sender.try_send(Outgoing::single(v6, None, b"six")).unwrap();
        let arrived = receive(&mut receiver, 1).await;
        assert_eq!(arrived[0].0.local, Some(v6.ip()));
        assert_eq!(arrived[0].1, b"six");
    }
}

#[tokio::test]
async fn a_batch_arrives_as_the_datagrams_it_was_made_of() {
    let Ends { mut sender, mut receiver, remote, .. } = ends();
    let datagrams: Vec<u8> = (0..10 * 1000 + 300).map(|i: usize| (i / 1000) as u8).collect();

    sender.try_send(Outgoing { remote, local: None, datagrams: &datagrams, stride: 1000 }).unwrap();

    let arrived = receive(&mut receiver, 11).await;
    let lengths: Vec<_> = arrived.iter().map(|(_, datagram)| datagram.len()).collect();
    assert_eq!(lengths, [1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 300]);
    assert!(arrived.iter().zip(0_u8..).all(|((_, datagram), n)| datagram.iter().all(|byte| *byte == n)));
}

#[tokio::test]
async fn what_came_one_by_one_and_together_is_taken_at_once_in_its_order() {
    let Ends { mut sender, mut receiver, remote, .. } = ends();
    let train: Vec<u8> = (20..30).flat_map(|number| [number; 100]).collect();
    let send = |sender: &mut Sender, numbers: core::ops::Range<u8>| {
        for number in numbers {
            sender.try_send(Outgoing::single(remote, None, &[number; 100])).unwrap();
        }
    };
    // Twice, since what comes after a train is taken in another way.
    for _ in 0..2 {
        send(&mut sender, 0..20);
        sender.try_send(Outgoing { remote, local: None, datagrams: &train, stride: 100 }).unwrap();
        send(&mut sender, 30..200);

        let batches = receive_batches(&mut receiver, 200).await;
        assert!(batches.len() <= 200 / 40, "{} batches of what all waited", batches.len());
        let expected: Vec<Vec<u8>> = (0..200).map(|number| vec![number; 100]).collect();
        let arrived: Vec<Vec<u8>> = batches.into_iter().flatten().map(|(_, datagram)| datagram).collect();
        assert_eq!(arrived, expected);
    }
}

#[tokio::test]
async fn a_batch_ends_with_a_super_packets_worth() {
    let Ends { mut sender, mut receiver, remote, .. } = ends();
    for _ in 0..90 {
        sender.try_send(Outgoing::single(remote, None, &[7; 1400])).unwrap();
    }

    tokio::time::timeout(Duration::from_secs(1), receiver.readable()).await.unwrap().unwrap();
    let bytes = receiver.try_receive().unwrap().unwrap().bytes();

    assert!((60_000..60_000 + 8 * 1400).contains(&bytes), "{bytes}");
}

#[tokio::test]
async fn a_vanished_source_address_costs_neither_the_datagrams_nor_segmentation() {
    let Ends { mut sender, mut receiver, remote, .. } = ends();
    let segments = sender.most_segments(remote);
    let elsewhere: IpAddr = "198.51.100.77".parse().unwrap();

    let batch = Outgoing { remote, local: Some(elsewhere), datagrams: &[7; 250], stride: 100 };
    sender.try_send(batch).unwrap();

    assert_eq!(receive(&mut receiver, 3).await.len(), 3);
    assert_eq!(sender.most_segments(remote), segments, "the next batch is segmented as before");
}

#[tokio::test]
async fn an_empty_datagram_is_passed_on_like_any_other() {
    let Ends { mut sender, mut receiver, remote, .. } = ends();

    sender.try_send(Outgoing::single(remote, None, b"")).unwrap();

    assert_eq!(receive(&mut receiver, 1).await[0].1, b"");
}

#[test]
fn a_taken_port_is_named() {
    let first = UdpSockets::bind(0, None).unwrap();

    let error = UdpSockets::bind(first.port(), None).unwrap_err();

    assert!(matches!(error, UdpError::PortTaken { port } if port == first.port()), "{error:?}");
    assert!(error.to_string().contains("listen_port"), "{error}");
}

#[test]
fn a_datagram_beyond_any_mtu_is_a_named_drop() {
    let here = UdpSockets::bind(0, None).unwrap();
    let mut sender = Sender::new(&here).unwrap();
    let endless = vec![0; 70_000];

    let dropped = sender.try_send(Outgoing::single(loopback_v4(9), None, &endless));

    assert_eq!(dropped, Err(SendError::Lost(IoDrop::DatagramTooBig)));
}

#[tokio::test]
async fn a_datagram_that_nobody_may_cut_goes_whole_and_others_may_be_cut_after_it() {
    let Ends { mut sender, mut receiver, remote: v4, .. } = ends();
    for length in [1452, 9000] {
        sender.try_send_whole(Outgoing::single(v4, None, &vec![7; length])).unwrap();
        sender.try_send(Outgoing::single(v4, None, &vec![8; length])).unwrap();
    }
    let lengths: Vec<usize> =
        receive(&mut receiver, 4).await.iter().map(|(_, datagram)| datagram.len()).collect();
    assert_eq!(lengths, [1452, 1452, 9000, 9000]);
}

#[cfg(target_os = "linux")]
#[test]
fn the_system_tells_what_it_believes_of_a_path() {
    let local = Some("127.9.9.9".parse().unwrap());
    for local in [None, local] {
        let believed = Sender::believed_mtu(loopback_v4(9), local);
        assert!(believed.is_some_and(|mtu| mtu >= 1500), "{believed:?}");
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn several_sockets_share_a_port_that_nobody_else_has_and_each_sender_keeps_its_own() {
    let several = UdpSockets::bind_several(0, None, 4).unwrap();
    let port = several[0].port();
    let taken = UdpSockets::bind_several(port, None, 4).unwrap_err();
    assert!(matches!(taken, UdpError::PortTaken { .. }), "{taken:?}");

    let mut receivers: Vec<_> =
        several.iter().map(|one| Receiver::new(one, Readable::new).unwrap()).collect();
    for _ in 0..32 {
        let mut sender = Sender::new(&UdpSockets::bind(0, None).unwrap()).unwrap();
        for _ in 0..3 {
            sender.try_send(Outgoing::single(loopback_v4(port), None, b"hello")).unwrap();
        }
    }
    let mut had = Vec::new();
    for receiver in &mut receivers {
        let arrived = receive(receiver, usize::MAX).await;
        let mut sources: Vec<SocketAddr> = arrived.iter().map(|(how, _)| how.source).collect();
        sources.sort();
        assert!(
            sources.chunk_by(|one, other| one == other).all(|sent| sent.len() == 3),
            "divided: {sources:?}"
        );
        had.push(sources.len() / 3);
    }
    assert_eq!(had.iter().sum::<usize>(), 32);
    assert!(had.iter().filter(|senders| **senders > 0).count() >= 2, "{had:?}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn what_a_full_socket_does_not_take_is_counted() {
    let there = UdpSockets::bind(0, None).unwrap();
    let mut sender = Sender::new(&UdpSockets::bind(0, None).unwrap()).unwrap();
    assert_eq!(there.overflowed(), 0);
    for _ in 0..20_000 {
        let _ = sender.try_send(Outgoing::single(loopback_v4(there.port()), None, &[7; 1400]));
    }
    assert!(there.overflowed() > 1_000, "28 MB do not fit: {}", there.overflowed());
}
