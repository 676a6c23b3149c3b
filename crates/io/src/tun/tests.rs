use super::*;

fn prefix(text: &str) -> Prefix {
    let (ip, len) = text.split_once('/').unwrap();
    Prefix::new(ip.parse().unwrap(), len.parse().unwrap()).unwrap()
}

fn settings(addresses: &[&str], peers: &[&str]) -> DeviceSettings {
    let own = |text: &&str| {
        let (ip, len) = text.split_once('/').unwrap();
        VirtualAddress { ip: ip.parse().unwrap(), prefix_len: len.parse().unwrap() }
    };
    DeviceSettings {
        name: "stead-test".into(),
        mtu: 1420,
        most_segments: 45,
        addresses: addresses.iter().map(own).collect(),
        peers: peers.iter().map(|text| prefix(text)).collect(),
    }
}

#[test]
fn a_block_reached_through_an_own_address_or_a_wider_block_needs_no_route() {
    let settings = settings(
        &["10.77.0.1/24", "fd00::1/128"],
        &["192.168.7.3/32", "10.77.0.2/32", "192.168.0.0/16", "fd00::2/128", "10.77.0.0/16"],
    );

    let routes = settings.routes().unwrap();

    assert_eq!(routes, ["192.168.0.0/16", "10.77.0.0/16", "fd00::2/128"].map(prefix));
}

#[test]
fn a_default_route_is_refused_with_the_reason() {
    for everything in ["0.0.0.0/0", "::/0"] {
        let error = settings(&[], &[everything]).routes().unwrap_err();
        assert!(matches!(error, TunError::DefaultRoute { .. }), "{error:?}");
        assert!(error.to_string().contains("own datagrams"), "{error}");
    }
}

#[cfg(target_os = "linux")]
mod in_a_namespace {
    //! With real devices, in a network namespace of the test's own.

    use crate::offload::Checksums;
    use std::net::UdpSocket;
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::isolated::{ip, isolated};
    use crate::watch::{Stop, Watch};

    #[test]
    fn a_device_has_its_addresses_and_routes_and_takes_them_along_when_it_goes() {
        isolated(|| async {
            let settings = settings(&["10.77.0.1/24", "fd00::1/128"], &["10.99.0.0/16", "fd00::2/128"]);

            let device = Device::create(&settings).unwrap();

            let addresses = ip("addr show dev stead-test");
            assert!(addresses.contains("mtu 1420"), "{addresses}");
            assert!(addresses.contains("inet 10.77.0.1/24"), "{addresses}");
            assert!(addresses.contains("inet6 fd00::1/128"), "{addresses}");
            assert!(!addresses.contains("tentative"), "{addresses}");
            assert!(ip("route show").contains("10.99.0.0/16 dev stead-test"));
            assert!(ip("-6 route show").contains("fd00::2 dev stead-test"));

            drop(device);
            assert!(!ip("link show").contains("stead-test"));
            assert_eq!(ip("route show"), "");
        });
    }

    /// A reader of so much of the device, and where it waits.
    fn reading(device: &Arc<Device>, share: Share) -> (Reader, Watch) {
        let watch = Watch::new(&Stop::new().unwrap()).unwrap();
        (Reader::new(device, share, &watch).unwrap(), watch)
    }

    /// Waits for something to read, and reads it; `None` if there is nothing for so long.
    fn read(
        (reader, watch): &mut (Reader, Watch),
        buffer: &mut [u8],
        within: Duration,
    ) -> Option<io::Result<usize>> {
        let next = async {
            loop {
                reader.ready().await?;
                match reader.try_read(buffer) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    read => return read,
                }
            }
        };
        let read = async {
            tokio::select! {
                read = next => Some(read),
                () = watch.pause(within) => None,
            }
        };
        watch.run(read).unwrap().expect("nobody says stop")
    }

    #[test]
    fn a_connection_that_fills_its_queue_keeps_its_order_and_does_not_keep_others_waiting() {
        isolated(|| async {
            let device = Arc::new(Device::create(&settings(&["10.77.0.1/24"], &[])).unwrap());
            let mut reader = reading(&device, Share::WHOLE);
            let flood = UdpSocket::bind("10.77.0.1:4000").unwrap();
            for number in 0..400_u32 {
                flood.send_to(&number.to_be_bytes(), "10.77.0.2:5000").unwrap();
            }
            // One of them may have the flood's queue, hardly all.
            for port in 6000..6008 {
                UdpSocket::bind("10.77.0.1:0").unwrap().send_to(b"late", ("10.77.0.2", port)).unwrap();
            }

            let mut buffer = vec![0; Device::LONGEST_READ];
            let (mut numbers, mut waited) = (Vec::new(), Vec::new());
            while numbers.len() + waited.len() < 408 {
                let len = read(&mut reader, &mut buffer, Duration::from_secs(2));
                let payload = buffer[10 + 28..len.unwrap().unwrap()].to_vec();
                match payload.as_slice() {
                    b"late" => waited.push(numbers.len()),
                    number => numbers.push(u32::from_be_bytes(number.try_into().unwrap())),
                }
            }

            assert!(numbers.is_sorted(), "a flow's packets stay in order");
            let prompt = waited.iter().filter(|waited| **waited < 20).count();
            assert!(prompt >= 4, "packets of the flood that went before the eight others: {waited:?}");
        });
    }

    #[test]
    fn what_a_full_queue_does_not_take_is_counted() {
        isolated(|| async {
            let device = Device::create(&settings(&["10.77.0.1/24"], &[])).unwrap();
            assert_eq!(device.overflowed(), 0);
            let flood = UdpSocket::bind("10.77.0.1:4000").unwrap();
            for _ in 0..1_500 {
                let _ = flood.send_to(b"flood", "10.77.0.2:5000");
            }
            assert_eq!(device.overflowed(), 500, "a queue holds 1000");
        });
    }

    #[test]
    fn readers_share_the_queues_and_together_read_everything() {
        isolated(|| async {
            let device = Arc::new(Device::create(&settings(&["10.77.0.1/24"], &[])).unwrap());
            let share = |index| reading(&device, Share { index, of: 2 });
            let mut readers = [share(0), share(1)];
            for port in 6000..6032 {
                UdpSocket::bind("10.77.0.1:0").unwrap().send_to(b"one", ("10.77.0.2", port)).unwrap();
            }

            let mut buffer = vec![0; Device::LONGEST_READ];
            let mut counts = [0, 0];
            for (reader, count) in readers.iter_mut().zip(&mut counts) {
                while let Some(read) = read(reader, &mut buffer, Duration::from_millis(200)) {
                    assert_eq!(read.unwrap(), 10 + 28 + 3);
                    *count += 1;
                }
            }
            assert_eq!(counts.iter().sum::<u32>(), 32);
            assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
        });
    }

    #[test]
    fn packets_come_out_of_the_device_and_go_in_again() {
        isolated(|| async {
            let settings = settings(&["10.77.0.1/24"], &[]);
            let device = Arc::new(Device::create(&settings).unwrap());
            let mut reader = reading(&device, Share::WHOLE);
            let socket = UdpSocket::bind("10.77.0.1:4000").unwrap();
            socket.set_read_timeout(Some(Duration::from_secs(2))).unwrap();

            socket.send_to(b"out", "10.77.0.2:5000").unwrap();
            let mut buffer = vec![0; Device::LONGEST_READ];
            let read = read(&mut reader, &mut buffer, Duration::from_secs(2));
            let read = read.unwrap().unwrap();
            let segments = Device::segments(&buffer[..read]).unwrap();
            let mut packet = vec![0; segments.len_of(0)];
            segments.write(0, &mut packet, Checksums::Complete);
            assert_eq!(&packet[28..], b"out");
            assert_eq!(reader.0.try_read(&mut buffer).unwrap_err().kind(), io::ErrorKind::WouldBlock);

            // The same packet, sent back: addresses and ports swapped leave the checksums as they are.
            let (source, destination) = (packet[12..16].to_vec(), packet[16..20].to_vec());
            packet[12..16].copy_from_slice(&destination);
            packet[16..20].copy_from_slice(&source);
            let (from, to) = (packet[20..22].to_vec(), packet[22..24].to_vec());
            packet[20..22].copy_from_slice(&to);
            packet[22..24].copy_from_slice(&from);
            device.write(&packet).unwrap();
            let mut back = [0; 16];
            let (len, sender) = socket.recv_from(&mut back).unwrap();
            assert_eq!((&back[..len], sender), (&b"out"[..], "10.77.0.2:5000".parse().unwrap()));
        });
    }

    #[test]
    fn a_name_that_is_taken_is_refused() {
        isolated(|| async {
            let settings = settings(&[], &[]);
            let _first = Device::create(&settings).unwrap();

            let error = Device::create(&settings).err().unwrap();

            assert!(matches!(error, TunError::Exists { .. }), "{error:?}");
        });
    }

    #[test]
    fn a_route_that_belongs_to_another_interface_is_not_taken_over() {
        isolated(|| async {
            ip("link add left type veth peer name right");
            ip("link set left up");
            ip("link set right up");
            ip("route add 10.99.0.0/16 dev left");

            let error = Device::create(&settings(&[], &["10.99.0.0/16"])).err().unwrap();

            assert!(matches!(error, TunError::RouteTaken { .. }), "{error:?}");
            assert!(!ip("link show").contains("stead-test"), "nothing is left of it");
        });
    }

    #[test]
    fn a_device_deleted_by_others_is_an_error_for_its_reader() {
        isolated(|| async {
            let device = Arc::new(Device::create(&settings(&[], &[])).unwrap());
            let mut reader = reading(&device, Share::WHOLE);
            let mut buffer = vec![0; Device::LONGEST_READ];

            ip("link del stead-test");

            let read = read(&mut reader, &mut buffer, Duration::from_secs(2));
            assert!(read.expect("it does not wait for ever").is_err());
        });
    }

    #[test]
    fn a_device_set_down_and_up_again_goes_on() {
        isolated(|| async {
            let settings = settings(&["10.77.0.1/24"], &[]);
            let device = Arc::new(Device::create(&settings).unwrap());
            let mut reader = reading(&device, Share::WHOLE);
            let mut buffer = vec![0; Device::LONGEST_READ];

            ip("link set stead-test down");
            let down = read(&mut reader, &mut buffer, Duration::from_millis(100));
            assert!(down.is_none(), "it waits: {down:?}");
            assert!(device.write(&[0x45; 20]).is_err());
            ip("link set stead-test up");

            UdpSocket::bind("10.77.0.1:0").unwrap().send_to(b"out", "10.77.0.2:5000").unwrap();
            let read = read(&mut reader, &mut buffer, Duration::from_secs(2));
            assert_eq!(read.unwrap().unwrap(), 10 + 28 + 3);
        });
    }

    #[test]
    fn a_host_without_ipv6_goes_without_the_ipv6_address() {
        isolated(|| async {
            if std::fs::write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1").is_err() {
                eprintln!("skipped: IPv6 cannot be switched off here");
                return;
            }
            let settings = settings(&["10.77.0.1/24", "fd00::1/128"], &["fd00::2/128"]);

            let _device = Device::create(&settings).unwrap();

            let addresses = ip("addr show dev stead-test");
            assert!(addresses.contains("10.77.0.1/24") && !addresses.contains("inet6"), "{addresses}");
        });
    }
}
