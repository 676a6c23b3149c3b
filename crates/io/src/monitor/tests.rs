use super::*;

fn local(ip: &str) -> LocalAddress {
    LocalAddress { ip: ip.parse().unwrap(), prefix_len: 24, interface: 7 }
}

fn route(source: &str) -> Option<Route> {
    Some(Route { source: source.parse().unwrap(), gateway: None, interface: Some(7) })
}

#[test]
fn a_default_route_is_reported_only_with_a_source_that_can_be_used() {
    let addresses = vec![local("10.0.0.2"), local("2001:db8::2")];
    let (v4, v6) = (route("10.0.0.2"), route("2001:db8::dead"));
    let snapshot = Snapshot { addresses, v4, v6, ..Snapshot::default() };

    let report = snapshot.report(Cause::Changed);

    assert_eq!(report.default_source_v4, Some("10.0.0.2".parse().unwrap()));
    assert_eq!(report.default_source_v6, None, "that link is down, whatever the route says");
    assert_eq!(report.addresses.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_nap_is_nothing_and_a_sleep_is_noticed_once() {
    let mut sleep = SleepDetector::new();
    let start = sleep.asleep;

    sleep.update(start + Duration::from_millis(1900));
    assert!(!sleep.take());

    sleep.update(start + Duration::from_secs(60));
    assert!(sleep.take());
    sleep.update(start + Duration::from_secs(60));
    assert!(!sleep.take());
}

#[test]
fn a_place_is_told_by_itself_only_if_it_is_reached_otherwise_than_its_neighbours() {
    let local = |ip: &str| LocalAddress { ip: ip.parse().unwrap(), prefix_len: 24, interface: 2 };
    let over = |ip: &str| Route { source: ip.parse().unwrap(), gateway: None, interface: Some(2) };
    let place = |ip: &str, source| (ip.parse().unwrap(), over(source));
    let snapshot = Snapshot {
        addresses: vec![local("10.1.0.2"), local("10.2.0.2")],
        v4: Some(over("10.1.0.2")),
        places: vec![
            place("192.0.2.1", "10.1.0.2"),
            place("10.2.0.9", "10.2.0.2"),
            place("192.0.2.2", "10.2.0.2"),
            place("192.0.2.3", "10.3.0.2"),
        ],
        ..Snapshot::default()
    };
    let told = snapshot.report(Cause::Start);
    let odd = LocalRoute {
        destination: Prefix::host("192.0.2.2".parse().unwrap()),
        source: "10.2.0.2".parse().unwrap(),
    };
    assert_eq!(
        told.routes,
        [odd],
        "by the default route, on a link, otherwise, and by an address that is gone"
    );
}

#[cfg(target_os = "linux")]
mod in_a_namespace {
    //! In a network namespace of the test's own: nothing outside it is touched.

    use std::process::Command;

    use super::*;
    use crate::isolated::{ip, isolated};

    async fn start(own: Own) -> Monitor {
        let mut monitor = Monitor::start(own).await.unwrap();
        assert_eq!(monitor.next().await, LocalAttachment::detached(Cause::Start));
        monitor
    }

    /// The first snapshot that is as wanted; what comes before it are steps on the way there.
    async fn until(monitor: &mut Monitor, wanted: impl Fn(&LocalAttachment) -> bool) -> LocalAttachment {
        let search = async {
            loop {
                let attachment = monitor.next().await;
                if wanted(&attachment) {
                    return attachment;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(5), search).await.expect("the change is seen")
    }

    async fn nothing_more(monitor: &mut Monitor) {
        let more = tokio::time::timeout(Duration::from_millis(500), monitor.next()).await;
        assert!(more.is_err(), "{more:?}");
    }

    #[test]
    fn an_address_and_a_default_route_are_seen_as_they_come_and_go() {
        isolated(|| async {
            ip("link add left type veth peer name right");
            ip("link set right up");
            let mut monitor = start(Own::default()).await;

            ip("link set left up");
            ip("addr add 10.1.0.2/24 dev left");
            let here = until(&mut monitor, |now| now.addresses.len() == 1).await;
            assert_eq!(here.addresses[0].ip, "10.1.0.2".parse::<IpAddr>().unwrap());
            assert_eq!(here.addresses[0].prefix_len, 24);
            assert_eq!(here.default_source_v4, None);

            ip("route add default via 10.1.0.1");
            let here = until(&mut monitor, |now| now.default_source_v4.is_some()).await;
            assert_eq!(here.default_source_v4, Some("10.1.0.2".parse().unwrap()));
            assert_eq!(here.cause, Cause::Changed);

            ip("addr del 10.1.0.2/24 dev left");
            until(&mut monitor, |now| now.addresses.is_empty() && now.default_source_v4.is_none()).await;
        });
    }

    #[test]
    fn a_link_without_carrier_attaches_to_nothing() {
        isolated(|| async {
            ip("link add left type veth peer name right");
            ip("addr add 10.1.0.2/24 dev left");
            ip("link set left up");
            ip("route add default via 10.1.0.1");
            let mut monitor = start(Own::default()).await;

            ip("link set right up");
            until(&mut monitor, |now| now.default_source_v4.is_some()).await;
            ip("link set right down");
            until(&mut monitor, |now| *now == LocalAttachment::detached(Cause::Changed)).await;
        });
    }

    #[test]
    fn an_ipv6_address_is_reported_only_once_it_is_known_to_be_unique() {
        isolated(|| async {
            ip("link add left type veth peer name right");
            ip("link set right up");
            ip("link set left up");
            let mut monitor = start(Own::default()).await;

            let added = Instant::now();
            ip("addr add 2001:db8::2/64 dev left");
            let here = until(&mut monitor, |now| !now.addresses.is_empty()).await;
            assert_eq!(here.addresses[0].ip, "2001:db8::2".parse::<IpAddr>().unwrap());
            assert!(
                added.elapsed() >= Duration::from_millis(500),
                "duplicate address detection takes a second"
            );
        });
    }

    #[test]
    fn another_gateway_behind_the_same_address_is_a_change() {
        isolated(|| async {
            ip("link add left type veth peer name right");
            ip("link set right up");
            ip("link set left up");
            ip("addr add 10.1.0.2/24 dev left");
            ip("route add default via 10.1.0.1");
            let mut monitor = Monitor::start(Own::default()).await.unwrap();
            let before = monitor.next().await;
            assert_eq!(before.default_source_v4, Some("10.1.0.2".parse().unwrap()));

            ip("route replace default via 10.1.0.254");
            let after = until(&mut monitor, |_| true).await;
            assert_eq!(after, LocalAttachment { cause: Cause::Changed, ..before });
        });
    }

    #[test]
    fn a_place_behind_a_static_route_is_reached_without_any_default_route() {
        isolated(|| async {
            ip("link add left type veth peer name right");
            ip("link set right up");
            ip("link set left up");
            ip("addr add 10.1.0.2/24 dev left");
            let far: IpAddr = "172.16.5.5".parse().unwrap();
            let mut monitor = Monitor::start(Own { places: vec![far], ..Own::default() }).await.unwrap();
            assert_eq!(monitor.next().await.source_for(far), None, "nothing leads there yet");

            ip("route add 172.16.0.0/12 via 10.1.0.1");
            let after = until(&mut monitor, |_| true).await;
            assert_eq!(after.source_for(far), Some("10.1.0.2".parse().unwrap()));
            assert_eq!(after.default_source_v4, None);
        });
    }

    #[test]
    fn a_second_network_with_a_route_of_its_own_is_told_beside_the_default_one_and_metered_by_its_name() {
        isolated(|| async {
            for (near, far) in [("left", "right"), ("wwan0", "tower")] {
                ip(&format!("link add {near} type veth peer name {far}"));
                ip(&format!("link set {far} up"));
                ip(&format!("link set {near} up"));
            }
            ip("addr add 10.1.0.2/24 dev left");
            ip("addr add 10.2.0.2/24 dev wwan0");
            ip("route add default via 10.1.0.1 metric 100");
            let own = Own { metered: vec!["wwan*".into()], ..Own::default() };
            let mut monitor = Monitor::start(own).await.unwrap();
            let here = monitor.next().await;
            let phone: IpAddr = "10.2.0.2".parse().unwrap();
            assert_eq!(here.standby, [] as [IpAddr; 0], "no route leads outside there");
            assert_eq!(here.metered, [phone]);

            ip("route add default via 10.2.0.1 metric 600");
            let here = until(&mut monitor, |now| !now.standby.is_empty()).await;
            assert_eq!(here.standby, [phone]);
            assert_eq!(here.default_source_v4, Some("10.1.0.2".parse().unwrap()));

            ip("route del default via 10.1.0.1");
            let here = until(&mut monitor, |now| now.default_source_v4 == "10.2.0.2".parse().ok()).await;
            assert_eq!(here.standby, [] as [IpAddr; 0]);
        });
    }

    #[test]
    fn the_tunnels_own_device_is_not_the_underlay_and_unchanged_is_not_reported() {
        isolated(|| async {
            ip("link add own type veth peer name other");
            let own = nix::net::if_::if_nametoindex("own").unwrap();
            let mut monitor = start(Own { interface: own, ..Own::default() }).await;

            ip("link set other up");
            ip("link set own up");
            ip("addr add 10.77.0.1/24 dev own");
            ip("route add default dev own");

            nothing_more(&mut monitor).await;
        });
    }

    #[test]
    fn lost_events_are_made_up_for() {
        isolated(|| async {
            ip("link add left type veth peer name right");
            ip("link set right up");
            ip("link set left up");
            let mut monitor = start(Own::default()).await;

            // More events than the socket's queue holds, while nobody takes them.
            let batch: String = (0..4000)
                .flat_map(|n| {
                    let address = format!("10.{}.{}.1/32", n / 250, n % 250);
                    [format!("addr add {address} dev left\n"), format!("addr del {address} dev left\n")]
                })
                .chain(["addr add 192.168.5.5/24 dev left\n".into()])
                .collect();
            let mut ip =
                Command::new("ip").args(["-batch", "-"]).stdin(std::process::Stdio::piped()).spawn().unwrap();
            io::Write::write_all(&mut ip.stdin.take().unwrap(), batch.as_bytes()).unwrap();
            assert!(ip.wait().unwrap().success());

            let here = until(&mut monitor, |_| true).await;
            assert_eq!(here.addresses.len(), 1, "the first look sees what is, not what was");
            nothing_more(&mut monitor).await;
        });
    }

    #[test]
    fn a_cancelled_wait_forgets_nothing() {
        isolated(|| async {
            ip("link add left type veth peer name right");
            ip("link set right up");
            ip("link set left up");
            let mut monitor = start(Own::default()).await;

            ip("addr add 192.168.5.5/24 dev left");
            for _ in 0..50 {
                tokio::select! {
                    biased;
                    () = core::future::ready(()) => {}
                    _ = monitor.next() => unreachable!("the other is always first"),
                }
            }

            until(&mut monitor, |now| now.addresses.len() == 1).await;
        });
    }
}
