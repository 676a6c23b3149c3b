//! `stead status` and `stead connections` against a control socket with a daemon's answers behind it.

#![cfg(unix)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use stead_io::control::{OrderReport, Outcome, Question, Request, Server, StatusReport};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

/// A daemon that knows two answers by heart.
struct Daemon {
    _runtime: Runtime,
    dir: TempDir,
}

impl Daemon {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let runtime = Runtime::new().unwrap();
        let server = runtime.block_on(Server::bind(&dir.path().join("stead0.sock"))).unwrap();
        let (questions, mut asked) = mpsc::channel::<Question>(1);
        runtime.spawn(server.run(questions));
        runtime.spawn(async move {
            while let Some(question) = asked.recv().await {
                let _ = question.answer.send(answer(question.request));
            }
        });
        Self { _runtime: runtime, dir }
    }

    fn socket(&self) -> PathBuf {
        self.dir.path().join("stead0.sock")
    }
}

fn answer(request: Request) -> Outcome {
    match request {
        Request::Status => Outcome::Status(Box::new(status())),
        Request::Connections => Outcome::Connections(Vec::new()),
        Request::Suspend { peers } if peers.iter().any(|name| name != "home") => {
            Outcome::UnknownPeer { name: peers[0].clone(), peers: vec!["home".into(), "phone".into()] }
        }
        Request::Suspend { .. } => Outcome::Ordered(vec![ordered("ordered")]),
        Request::Resume { .. } => Outcome::Ordered(vec![ordered("resuming")]),
        Request::Stop => Outcome::Error("not today".into()),
    }
}

fn ordered(because: &str) -> OrderReport {
    OrderReport {
        peer: "home".into(),
        changed: true,
        held_because: Some(because.into()),
        held_since: Some(1_000),
    }
}

/// A peer that says it is proven, and whose proof in one direction is a minute old.
fn status() -> StatusReport {
    serde_json::from_value(serde_json::json!({
        "interface": "stead0", "public_key": "HIgo9xNzJMWLKASShiTqIybxZ0U3wGLiUeJ1PKf8ykw=",
        "virtual_addresses": ["10.77.0.2/24"], "listen_port": 51820,
        "attachment": {"addresses": [], "default_v4": null, "default_v6": null, "changed": 1_000_000},
        "uptime": 5_000_000, "connections": 1, "connections_limit": 65536,
        "peers": [{
            "name": "home", "public_key": "k", "virtual_addresses": [], "kind": "vc-enhanced", "state": "proven",
            "held_since": null, "held_packets": 0, "path": null, "candidates": [],
            "last_received": 60_000_000, "last_acknowledged": 1_000_000, "last_handshake": null,
            "handshakes": 1, "moves_local": 0, "moves_remote": 0, "bytes_sent": 1, "bytes_received": 1,
            "packets_sent": 1, "packets_received": 1, "public": null
        }],
        "drops": {}
    }))
    .unwrap()
}

fn stead(arguments: &[&str], socket: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_stead")).args(arguments).arg("--socket").arg(socket).output().unwrap()
}

fn stdout(output: &Output) -> &str {
    core::str::from_utf8(&output.stdout).unwrap()
}

#[test]
fn status_shows_the_ages_of_both_proofs_and_believes_only_them() {
    let daemon = Daemon::start();
    let output = stead(&["status"], &daemon.socket());
    assert!(output.status.success());
    let text = stdout(&output);
    assert!(text.contains("attached at      no network, for 1.0 s"), "{text}");
    let row = text.lines().find(|line| line.starts_with("home")).unwrap();
    let words: Vec<_> = row.split("  ").map(str::trim).filter(|word| !word.is_empty()).collect();
    let path = "none, it has to speak first";
    assert_eq!(words, ["home", "unproven", "1m 0s ago", "1.0 s ago", "-", "-", path]);
}

#[test]
fn json_is_the_daemons_own_report_in_one_line() {
    let daemon = Daemon::start();
    let output = stead(&["status", "--json"], &daemon.socket());
    assert_eq!(stdout(&output).lines().count(), 1);
    assert_eq!(serde_json::from_str::<StatusReport>(stdout(&output)).unwrap(), status());
    let output = stead(&["connections", "--json"], &daemon.socket());
    assert_eq!(stdout(&output), "[]\n");
}

#[test]
fn an_empty_table_of_connections_says_so() {
    let daemon = Daemon::start();
    let output = stead(&["connections"], &daemon.socket());
    assert_eq!((output.status.code(), stdout(&output)), (Some(0), "No active connections\n"));
}

#[test]
fn orders_say_what_became_of_them() {
    let daemon = Daemon::start();
    assert_eq!(stdout(&stead(&["suspend"], &daemon.socket())), "home: suspended\n");
    assert_eq!(
        stdout(&stead(&["resume", "home"], &daemon.socket())),
        "home: resumed; the peer is asked, traffic flows as soon as it answers\n"
    );
    let json = stead(&["resume", "--json"], &daemon.socket());
    assert_eq!(
        stdout(&json),
        "[{\"peer\":\"home\",\"changed\":true,\"held_because\":\"resuming\",\"held_since\":1000}]\n"
    );
}

#[test]
fn an_order_for_somebody_unknown_names_who_was_perhaps_meant() {
    let daemon = Daemon::start();
    let refused = |name| String::from_utf8(stead(&["suspend", name], &daemon.socket()).stderr).unwrap();
    assert_eq!(
        refused("hoem"),
        "error: no peer is called `hoem`\nhint: did you mean `home`? Nothing was done for any peer\n"
    );
    assert_eq!(
        refused("office"),
        "error: no peer is called `office`\nhint: the peers are home, phone; nothing was done for any of them\n"
    );
}

#[test]
fn an_order_without_a_daemon_says_how_to_start_one() {
    let nowhere = tempfile::tempdir().unwrap();
    let output = stead(&["suspend"], &nowhere.path().join("nobody.sock"));
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text.contains("no daemon is running") && text.contains("stead up"), "{text}");
}
