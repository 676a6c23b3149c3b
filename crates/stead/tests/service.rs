//! `stead sns` as it runs: two clients over loopback, its status, its end.

#![cfg(unix)]

use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant, SystemTime};

use stead_noise::cookie::{Mac1Key, seal_mac1};
use stead_noise::handshake::Initiator;
use stead_noise::keys::{PresharedKey, PublicKey, StaticSecret};
use stead_noise::random::{Random, RandomStream};
use stead_noise::rendezvous::Rendezvous;
use stead_noise::session::Session;
use stead_wire::message::{Message, SessionIndex, TAG_LEN, TRANSPORT_HEADER_LEN, padded_len};
use stead_wire::options::{self, Lease, Marks, Publication, Receipt, Subscription, Topic, VcOption, Wishes};
use stead_wire::plaintext::Plaintext;
use stead_wire::time::UnixTime;
use tempfile::TempDir;

/// How long anything here may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running `stead sns`; killed if a test forgets it.
struct Running {
    dir: TempDir,
    child: Child,
}

impl Running {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let lines = "private_key_file: private.key\nlisten_port: 0\ncontrol_socket: s.sock\nwindow: 1s\n";
        std::fs::write(dir.path().join("sns.yaml"), lines).unwrap();
        let made = stead(dir.path()).args(["keygen", "--out", "private.key"]).output().unwrap();
        assert!(made.status.success(), "{made:?}");
        let mut command = stead(dir.path());
        command.args(["sns", "--config", "sns.yaml"]).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "stead: ready\n");
        Self { dir, child }
    }

    fn status(&self) -> serde_json::Value {
        let output = stead(self.dir.path())
            .args(["sns", "--config", "sns.yaml", "--status", "--json"])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn place(&self) -> (SocketAddr, PublicKey) {
        let status = self.status();
        let port = u16::try_from(status["listen_port"].as_u64().unwrap()).unwrap();
        (([127, 0, 0, 1], port).into(), status["public_key"].as_str().unwrap().parse().unwrap())
    }

    fn interrupt(mut self) -> (ExitStatus, Vec<String>) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        let end = Instant::now() + PATIENCE;
        let status = loop {
            match self.child.try_wait().unwrap() {
                Some(status) => break status,
                None if Instant::now() < end => std::thread::sleep(Duration::from_millis(10)),
                None => panic!("it goes on"),
            }
        };
        let entries = std::fs::read_dir(self.dir.path()).unwrap();
        let mut left: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        left.sort();
        (status, left)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn stead(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stead"));
    command.current_dir(dir).stdin(Stdio::null());
    command
}

/// A client on a socket of its own.
struct Client {
    secret: StaticSecret,
    service: PublicKey,
    socket: UdpSocket,
    session: Session,
    random: RandomStream,
}

impl Client {
    fn connect(number: u8, (place, service): (SocketAddr, PublicKey)) -> Self {
        let secret = StaticSecret::from_random([number; 32]);
        let mut random = Random::from_seed([number; 32]).stream("client");
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(place).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let (mut handshake, mut message) = Initiator::start(
            &secret,
            &service,
            &PresharedKey::default(),
            SessionIndex(u32::from(number)),
            UnixTime(wall).into(),
            &mut random,
        )
        .unwrap();
        seal_mac1(&mut message, &Mac1Key::for_receiver(&service));
        socket.send(&message).unwrap();
        let mut buffer = [0; 2048];
        let len = socket.recv(&mut buffer).unwrap();
        let Message::Response(response) = Message::decode(&buffer[..len]).unwrap() else {
            panic!("a response")
        };
        let keys = handshake.finish(&response).unwrap();
        let session = Session::new(keys, stead_wire::time::Instant::ZERO);
        Self { secret, service, socket, session, random }
    }

    fn with(&self, peer: &Self) -> Rendezvous {
        Rendezvous::new(&self.secret, &peer.secret.public_key(), &self.service).unwrap()
    }

    fn send(&self, options: &[VcOption]) {
        let mut list = Vec::new();
        options.iter().for_each(|option| option.encode(&mut list));
        let mut message = vec![0; TRANSPORT_HEADER_LEN + padded_len(list.len()) + TAG_LEN];
        message[TRANSPORT_HEADER_LEN..][..list.len()].copy_from_slice(&list);
        self.session.seal_in_place(self.session.reserve(1).unwrap(), &mut message);
        self.socket.send(&message).unwrap();
    }

    /// The options of the next message.
    fn hear(&self) -> Vec<VcOption> {
        let mut buffer = [0; 2048];
        let len = self.socket.recv(&mut buffer).unwrap();
        let plaintext = self.session.open_in_place(&mut buffer[..len]).unwrap();
        options::decode(Plaintext::split(plaintext).unwrap().options).map(Result::unwrap).collect()
    }

    fn subscription(&self, topic: Topic, wishes: Wishes) -> [VcOption; 2] {
        let claimed = VcOption::Claimed(self.socket.local_addr().unwrap());
        let lease = Lease::from_secs(60);
        [claimed, VcOption::Subscription(Subscription { topic, lease, wishes })]
    }
}

#[test]
fn two_clients_that_know_only_keys_find_each_other_and_the_status_says_so() {
    let running = Running::start();
    let mut bob = Client::connect(2, running.place());
    let alice = Client::connect(1, running.place());
    let (mine, theirs) = (alice.with(&bob), bob.with(&alice));

    alice.send(&alice.subscription(mine.topic(), Wishes::WATCH));
    let here = VcOption::Apparent(alice.socket.local_addr().unwrap());
    assert!(alice.hear().contains(&here), "told where it is");

    let sealed = theirs.seal(7, b"bob is here", &mut bob.random).unwrap();
    bob.send(&bob.subscription(theirs.topic(), Wishes::NONE));
    let publication = Publication { topic: theirs.topic(), number: 7, marks: Marks::NONE, sealed };
    bob.send(&[VcOption::Publication(publication)]);

    let told = alice.hear().into_iter().find_map(|option| match option {
        VcOption::Notification(it) => Some(it),
        _ => None,
    });
    let told = told.expect("a notification");
    assert_eq!(told.apparent, bob.socket.local_addr().unwrap());
    assert_eq!(mine.open(7, &told.sealed).as_deref(), Ok(&b"bob is here"[..]));
    alice.send(&[VcOption::Notified(Receipt { topic: told.topic, number: 7 })]);

    let end = Instant::now() + PATIENCE;
    while running.status()["notifications"]["acknowledged"] != 1 {
        assert!(Instant::now() < end, "{}", running.status());
    }
    let status = running.status();
    assert_eq!((&status["clients"]["now"], &status["pairs"]), (&2.into(), &1.into()));
}

#[test]
fn ctrl_c_ends_it_cleanly_and_leaves_nothing_behind() {
    let (status, left) = Running::start().interrupt();

    assert_eq!(status.code(), Some(0));
    assert_eq!(left, ["private.key", "sns.yaml"]);
}

#[test]
fn a_second_one_on_the_same_control_socket_is_refused_and_the_first_goes_on() {
    let running = Running::start();

    let second = stead(running.dir.path()).args(["sns", "--config", "sns.yaml"]).output().expect("it starts");

    assert_eq!(second.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&second.stderr).contains("already running"));
    running.status();
}

#[test]
fn stead_status_shows_a_service_too() {
    let running = Running::start();

    for way in [&["--socket", "s.sock"][..], &["sns.yaml"]] {
        let shown = stead(running.dir.path()).arg("status").args(way).output().unwrap();

        let text = String::from_utf8(shown.stdout).unwrap();
        assert!(text.starts_with("service          for any key\n"), "{way:?}: {text}");
    }
}

#[test]
fn asked_while_none_runs_it_says_so() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("sns.yaml"), "private_key_file: k\ncontrol_socket: s.sock\n").unwrap();

    let asked = stead(dir.path()).args(["sns", "--config", "sns.yaml", "--status"]).output().unwrap();

    assert_eq!(asked.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&asked.stderr).contains("running"), "{asked:?}");
}

#[test]
fn a_wrong_configuration_is_refused_with_the_line_and_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("sns.yaml"), "private_key_file: k\nrelay: { rate: 8mbit }\n").unwrap();

    let refused = stead(dir.path()).args(["sns", "--config", "sns.yaml"]).output().unwrap();

    let text = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1));
    assert!(text.contains("sns.yaml:2") && text.contains("counts bits"), "{text}");
}
