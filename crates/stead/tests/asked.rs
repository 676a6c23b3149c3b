//! `stead status` and `stead connections` against a control socket with a daemon's answers behind it.

#![cfg(unix)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use stead_io::control::{Outcome, Question, Request, Server, StatusReport};
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
        Request::Stop => Outcome::Error("not today".into()),
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
    assert_eq!(words, ["home", "unproven", "1m 0s ago", "1.0 s ago", "-", "none, it has to speak first"]);
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
