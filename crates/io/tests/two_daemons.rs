//! Two daemons in two network namespaces, with a cable between them.
//!
//! ```text
//!  +------- alice -------+            +-------- bob --------+
//!  | stead0 10.77.0.1    |            | stead0 10.77.0.2    |
//!  | left   192.168.9.1  |============| right  192.168.9.2  |
//!  +---------------------+    veth    +---------------------+
//! ```
#![cfg(target_os = "linux")]

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, unshare};
use stead_io::control::{self, ConnectionReport, Outcome, PeerState, Request, StatusReport};
use stead_io::driver::{Daemon, DaemonSettings, RunError, StartError};
use stead_io::tun::{TunError, VirtualAddress};
use stead_node::{PeerSettings, Prefix, Resending, Settings, SuspensionSettings};
use stead_noise::keys::StaticSecret;
use tokio::sync::oneshot;

const ALICE: [u8; 32] = [0xa1; 32];
const BOB: [u8; 32] = [0xb0; 32];

/// A thread in a network namespace of its own.
struct Host {
    jobs: mpsc::Sender<Box<dyn FnOnce() + Send>>,
    tid: i32,
}

impl Host {
    /// `None`, with the reason printed, where namespaces are not to be had.
    fn new() -> Option<Self> {
        let (jobs, queue) = mpsc::channel::<Box<dyn FnOnce() + Send>>();
        let (tell, told) = mpsc::channel();
        thread::spawn(move || {
            tell.send(unshare(CloneFlags::CLONE_NEWNET).map(|()| nix::unistd::gettid().as_raw())).unwrap();
            queue.into_iter().for_each(|job| job());
        });
        match told.recv().unwrap() {
            Ok(tid) => Some(Self { jobs, tid }),
            Err(error) => {
                eprintln!("skipped: no network namespace of our own here ({error}); run as root");
                None
            }
        }
    }

    /// Runs `job` inside; threads that it starts are inside too.
    fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> T {
        let (tell, told) = mpsc::channel();
        self.jobs.send(Box::new(move || drop(tell.send(job())))).unwrap();
        told.recv().expect("the job did not panic")
    }

    fn ip(&self, arguments: &str) {
        let arguments = arguments.to_owned();
        self.run(move || {
            let done = Command::new("ip").args(arguments.split_whitespace()).output().unwrap();
            assert!(done.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&done.stderr));
        });
    }

    /// Starts a daemon; it runs until its sender is dropped or used.
    fn daemon(&self, settings: DaemonSettings) -> (oneshot::Sender<()>, thread::JoinHandle<()>) {
        let (stop, stopped) = oneshot::channel();
        let thread = self.run(move || {
            let (ready, started) = mpsc::channel();
            let thread = thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(async {
                    let daemon = Daemon::start(settings).await.unwrap();
                    ready.send(()).unwrap();
                    daemon.run_until(async { drop(stopped.await) }).await.unwrap();
                });
            });
            started.recv().expect("the daemon starts");
            thread
        });
        (stop, thread)
    }
}

fn settings(folder: &Path, own: [u8; 32], peer: [u8; 32], address: &str, endpoint: &str) -> DaemonSettings {
    let peer = StaticSecret::from_random(peer).public_key();
    let other: IpAddr = if address == "10.77.0.1" { [10, 77, 0, 2] } else { [10, 77, 0, 1] }.into();
    DaemonSettings {
        workers: 2,
        path_hook: None,
        metered: Vec::new(),
        state_directory: None,
        interface: "stead0".into(),
        addresses: vec![VirtualAddress { ip: address.parse().unwrap(), prefix_len: 24 }],
        control_socket: folder.join(format!("{address}.sock")),
        node: Settings {
            secret: StaticSecret::from_random(own),
            listen_port: 51820,
            mtu: 1420,
            connections: 1024,
            resending: Resending::default(),
            suspension: SuspensionSettings::default(),
            able: stead_wire::options::Capabilities::FAST_AES,
            mobile: true,
            services: Vec::new(),
            peers: vec![PeerSettings {
                name: "peer".into(),
                public_key: peer,
                preshared_key: None,
                endpoints: endpoint.parse().into_iter().collect(),
                remembered: Vec::new(),
                allowed_ips: vec![Prefix::host(other)],
                persistent_keepalive: None,
            }],
        },
    }
}

/// Two hosts with an address each, not yet running a daemon.
fn cabled() -> Option<(Host, Host)> {
    let (alice, bob) = (Host::new()?, Host::new()?);
    alice.ip(&format!("link add left type veth peer name right netns {}", bob.tid));
    for (host, link, address) in [(&alice, "left", "192.168.9.1"), (&bob, "right", "192.168.9.2")] {
        host.ip("link set lo up");
        host.ip(&format!("link set {link} up"));
        host.ip(&format!("addr add {address}/24 dev {link}"));
        host.ip("route add default via 192.168.9.254");
    }
    Some((alice, bob))
}

fn ask(folder: &Path, address: &str, request: Request) -> Outcome {
    let path = folder.join(format!("{address}.sock"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(control::ask(&path, &request)).unwrap().outcome
}

fn status(folder: &Path, address: &str) -> StatusReport {
    match ask(folder, address, Request::Status) {
        Outcome::Status(status) => *status,
        other => panic!("{other:?}"),
    }
}

fn connections(folder: &Path, address: &str) -> Vec<ConnectionReport> {
    match ask(folder, address, Request::Connections) {
        Outcome::Connections(connections) => connections,
        other => panic!("{other:?}"),
    }
}

/// Byte `n` of every test stream.
fn pattern(n: usize) -> u8 {
    (n.wrapping_mul(2_654_435_761) >> 13) as u8
}

/// Serves one client `len` bytes of the pattern.
fn serve(len: usize) {
    let listener = TcpListener::bind("10.77.0.2:7000").unwrap();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let bytes: Vec<u8> = (0..len).map(pattern).collect();
        stream.write_all(&bytes).unwrap();
    });
}

/// Takes a stream of the pattern up to its end, calling `at` on the way; how long it is.
fn download(mut at: impl FnMut(usize)) -> usize {
    let mut stream = TcpStream::connect("10.77.0.2:7000").unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut buffer = vec![0; 1 << 16];
    let mut len = 0;
    loop {
        let read = stream.read(&mut buffer).unwrap();
        if read == 0 {
            return len;
        }
        for (offset, byte) in buffer[..read].iter().enumerate() {
            assert_eq!(*byte, pattern(len + offset), "byte {}", len + offset);
        }
        len += read;
        at(len);
    }
}

#[test]
fn packets_and_streams_pass_and_the_reports_tell_of_them() {
    let Some((alice, bob)) = cabled() else { return };
    let folder = tempfile::tempdir().unwrap();
    let (stop_a, a) = alice.daemon(settings(folder.path(), ALICE, BOB, "10.77.0.1", "192.168.9.2:51820"));
    let (stop_b, b) = bob.daemon(settings(folder.path(), BOB, ALICE, "10.77.0.2", ""));

    // A datagram and its answer.
    bob.run(|| {
        let socket = UdpSocket::bind("10.77.0.2:5000").unwrap();
        thread::spawn(move || {
            let mut buffer = [0; 2000];
            while let Ok((len, from)) = socket.recv_from(&mut buffer) {
                socket.send_to(&buffer[..len], from).unwrap();
            }
        });
    });
    alice.run(|| {
        let socket = UdpSocket::bind("10.77.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        for len in [0, 1, 500, 1392, 1500] {
            let sent: Vec<u8> = (0..len).map(pattern).collect();
            socket.send_to(&sent, "10.77.0.2:5000").unwrap();
            let mut buffer = [0; 2000];
            let (received, _) = socket.recv_from(&mut buffer).unwrap();
            assert_eq!(buffer[..received], sent, "{len} bytes there and back, fragments included");
        }
    });

    // A stream.
    bob.run(|| serve(20_000_000));
    let began = Instant::now();
    assert_eq!(alice.run(|| download(|_| {})), 20_000_000);
    eprintln!("20 MB in {:?}", began.elapsed());

    let here = status(folder.path(), "10.77.0.1");
    assert_eq!(here.peers[0].state, PeerState::Proven);
    assert_eq!(here.peers[0].handshakes, 1);
    assert!(here.peers[0].bytes_received > 20_000_000);
    assert!(here.virtual_addresses.contains(&"10.77.0.1/24".to_owned()));
    let rows = connections(folder.path(), "10.77.0.1");
    let stream = rows.iter().find(|row| row.original.protocol == "tcp").expect("the stream is listed");
    assert!(stream.bytes_received > 20_000_000, "{stream:?}");
    eprintln!("drops: {:?}", here.drops);

    // An orderly end, asked for over the control socket on one side.
    assert_eq!(ask(folder.path(), "10.77.0.2", Request::Stop), Outcome::Stopped(true));
    b.join().unwrap();
    drop(stop_b);
    stop_a.send(()).unwrap();
    a.join().unwrap();
    for host in [&alice, &bob] {
        host.run(|| assert!(nix::net::if_::if_nametoindex("stead0").is_err(), "the device is gone"));
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "so are the control sockets");
}

#[test]
fn a_stream_lives_through_a_change_of_address() {
    let Some((alice, bob)) = cabled() else { return };
    let folder = tempfile::tempdir().unwrap();
    let _a = alice.daemon(settings(folder.path(), ALICE, BOB, "10.77.0.1", "192.168.9.2:51820"));
    let _b = bob.daemon(settings(folder.path(), BOB, ALICE, "10.77.0.2", "192.168.9.1:51820"));

    bob.run(|| serve(60_000_000));
    let (halfway, moved) = mpsc::channel();
    alice.ip("link set left txqueuelen 1000");
    let mover = {
        let tid = alice.tid;
        thread::spawn(move || {
            moved.recv().unwrap();
            let enter = format!("/proc/self/task/{tid}/ns/net");
            let namespace = std::fs::File::open(enter).unwrap();
            nix::sched::setns(namespace, CloneFlags::CLONE_NEWNET).unwrap();
            for command in [
                "addr del 192.168.9.1/24 dev left",
                "addr add 192.168.9.77/24 dev left",
                "route replace default via 192.168.9.254",
            ] {
                assert!(Command::new("ip").args(command.split(' ')).status().unwrap().success(), "{command}");
            }
        })
    };
    let (len, stall) = alice.run(move || {
        let (mut told, mut last, mut stall) = (false, Instant::now(), Duration::ZERO);
        let len = download(|len| {
            stall = stall.max(last.elapsed());
            last = Instant::now();
            if len > 20_000_000 && !told {
                told = true;
                halfway.send(()).unwrap();
            }
        });
        (len, stall)
    });
    mover.join().unwrap();

    assert_eq!(len, 60_000_000);
    eprintln!("longest stall: {stall:?}");
    let there = status(folder.path(), "10.77.0.2");
    assert_eq!(there.peers[0].path.as_ref().unwrap().remote.to_string(), "192.168.9.77:51820");
    assert_eq!(there.peers[0].handshakes, 1, "no handshake after the first");
    assert_eq!(there.peers[0].moves_remote, 1);
    assert!(stall < Duration::from_secs(3), "{stall:?}");
}

#[test]
fn a_daemon_whose_device_is_taken_away_ends_and_says_so() {
    let Some(host) = Host::new() else { return };
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path(), ALICE, BOB, "10.77.0.1", "");

    let outcome = host.run(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let daemon = Daemon::start(settings).await.unwrap();
            assert!(Command::new("ip").args(["link", "del", "stead0"]).status().unwrap().success());
            let patience =
                tokio::time::timeout(Duration::from_secs(5), daemon.run_until(core::future::pending()));
            patience.await.expect("it ends by itself")
        })
    });

    assert!(matches!(outcome, Err(RunError::InterfaceGone { .. })), "{outcome:?}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "the control socket is gone");
}

#[test]
fn a_daemon_that_cannot_have_its_device_leaves_nothing_and_the_next_one_starts() {
    let Some(host) = Host::new() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    host.ip("link add stead0 type veth peer name other");

    host.run(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let first = Daemon::start(settings(&path, ALICE, BOB, "10.77.0.1", "")).await;
            assert!(matches!(first.err(), Some(StartError::Tun(TunError::Exists { .. }))));
            assert_eq!(std::fs::read_dir(&path).unwrap().count(), 0, "no control socket is left");

            assert!(Command::new("ip").args(["link", "del", "stead0"]).status().unwrap().success());
            let second = Daemon::start(settings(&path, ALICE, BOB, "10.77.0.1", "")).await.unwrap();
            let third = Daemon::start(settings(&path, BOB, ALICE, "10.77.0.1", "")).await;
            assert!(matches!(third.err(), Some(StartError::Control(_))), "the second one answers");
            second.run_until(core::future::ready(())).await.unwrap();
        });
    });
}

#[test]
fn the_sender_of_datagrams_that_a_narrow_path_does_not_take_is_told() {
    let Some((alice, bob)) = cabled() else { return };
    let folder = tempfile::tempdir().unwrap();
    let (stop_a, a) = alice.daemon(settings(folder.path(), ALICE, BOB, "10.77.0.1", "192.168.9.2:51820"));
    let (stop_b, b) = bob.daemon(settings(folder.path(), BOB, ALICE, "10.77.0.2", ""));
    alice.ip("link set left mtu 1300");
    bob.ip("link set right mtu 1300");

    let _receiver = bob.run(|| UdpSocket::bind("10.77.0.2:5000").unwrap());
    let told = alice.run(|| {
        let socket = UdpSocket::bind("10.77.0.1:0").unwrap();
        // A short one first, so that either end knows that the other is a node too.
        socket.send_to(&[1], "10.77.0.2:5000").unwrap();
        thread::sleep(Duration::from_millis(200));
        let began = Instant::now();
        // What the kernel knows of the way, since ICMP told it. By default it lets nobody cut a datagram of 1360 bytes.
        let knows = || {
            let route = Command::new("ip").args(["route", "get", "10.77.0.2"]).output().unwrap();
            String::from_utf8_lossy(&route.stdout).contains(" mtu 12")
        };
        while !knows() && began.elapsed() < Duration::from_secs(5) {
            socket.send_to(&[7; 1360], "10.77.0.2:5000").unwrap();
            thread::sleep(Duration::from_millis(20));
        }
        began.elapsed()
    });
    eprintln!("told after {told:?}");
    assert!(told < Duration::from_secs(3), "{told:?}");
    drop((stop_a, stop_b));
    a.join().unwrap();
    b.join().unwrap();
}
