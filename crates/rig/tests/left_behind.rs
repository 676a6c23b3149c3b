//! A rig that is killed leaves nothing: no process, no namespace, no interface, no file.
#![cfg(target_os = "linux")]

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use stead_rig::{Driver, Requirements};

#[test]
fn a_rig_that_is_killed_leaves_neither_processes_nor_namespaces_nor_interfaces() {
    if !Requirements::met("a_rig_that_is_killed", &["nft", "wireguard-go", "wg"]) {
        return;
    }
    for signal in [Signal::SIGKILL, Signal::SIGTERM, Signal::SIGINT] {
        let before = Machine::now();
        let mut rig = start_rig(&["moves", "--tunnel", "wireguard-go", "--count", "20"]);
        let children = await_children(rig.id(), "wireguard-go");
        let namespaces = namespaces_of(rig.id());
        assert!(namespaces.len() >= 8, "six networks and two hosts at least: {namespaces:?}");

        kill(Pid::from_raw(rig.id().cast_signed()), signal).expect("the rig runs");
        rig.wait().expect("the rig ends");

        let gone = within(Duration::from_secs(10), || {
            children.iter().all(|child| !is_alive(*child)) && users_of(&namespaces).is_empty()
        });
        assert!(gone, "{signal}: left {children:?} and {:?}", users_of(&namespaces));
        assert_eq!(Machine::now(), before, "{signal}");
    }
}

#[test]
fn what_a_system_started_dies_with_a_rig_that_is_killed() {
    for driver in [Driver::Boringtun, Driver::Gotatun, Driver::Nebula, Driver::Openvpn, Driver::Tinc] {
        if !driver.met("what_a_system_started_dies") {
            continue;
        }
        let before = Machine::now();
        let name = driver.name();
        let mut rig = start_rig(&["bench", "--tunnels", name, "--runs", "1", "--time", "60s"]);
        let children = await_children(rig.id(), driver.programs()[0].name);
        let namespaces = namespaces_of(rig.id());

        kill(Pid::from_raw(rig.id().cast_signed()), Signal::SIGKILL).expect("the rig runs");
        rig.wait().expect("the rig ends");

        let gone = within(Duration::from_secs(10), || {
            children.iter().all(|child| !is_alive(*child)) && users_of(&namespaces).is_empty()
        });
        assert!(gone, "{name}: left {children:?} and {:?}", users_of(&namespaces));
        assert_eq!(Machine::now(), before, "{name}");
    }
}

/// What of the machine itself a rig must not touch.
#[derive(Debug, Eq, PartialEq)]
struct Machine {
    interfaces: BTreeSet<String>,
    named_namespaces: BTreeSet<PathBuf>,
    control_sockets: BTreeSet<PathBuf>,
}

impl Machine {
    fn now() -> Self {
        Self {
            interfaces: entries("/sys/class/net").iter().map(|path| path.display().to_string()).collect(),
            named_namespaces: entries("/run/netns"),
            control_sockets: ["/run/wireguard", "/run/rig", "/run/tinc"]
                .into_iter()
                .flat_map(entries)
                .collect(),
        }
    }
}

fn start_rig(arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_stead-rig"))
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the rig's program starts")
}

/// Waits until the rig runs `program` at both ends, and returns their numbers.
fn await_children(rig: u32, program: &str) -> Vec<u32> {
    let mut found = Vec::new();
    let there = within(Duration::from_secs(20), || {
        found = running_children(rig, program);
        found.len() >= 2
    });
    assert!(there, "the rig never started {program} twice: {found:?}");
    found
}

fn running_children(parent: u32, program: &str) -> Vec<u32> {
    processes()
        .filter(|id| {
            let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
            let says = |key: &str, value: &str| {
                status.lines().any(|line| line.strip_prefix(key).is_some_and(|found| found.trim() == value))
            };
            says("PPid:", &parent.to_string()) && says("Name:", program)
        })
        .collect()
}

/// The network namespaces of a process's threads, without the one that this test runs in.
fn namespaces_of(process: u32) -> BTreeSet<PathBuf> {
    let own = fs::read_link("/proc/self/ns/net").expect("a namespace");
    let threads = entries(&format!("/proc/{process}/task"));
    let links = threads.iter().filter_map(|thread| fs::read_link(thread.join("ns/net")).ok());
    links.filter(|namespace| *namespace != own).collect()
}

/// The processes with a thread in one of these namespaces.
fn users_of(namespaces: &BTreeSet<PathBuf>) -> Vec<u32> {
    processes().filter(|id| namespaces_of(*id).intersection(namespaces).next().is_some()).collect()
}

/// A zombie has died; that nobody has asked how is not the rig's doing.
fn is_alive(process: u32) -> bool {
    fs::read_to_string(format!("/proc/{process}/stat"))
        .is_ok_and(|stat| stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z')))
}

fn processes() -> impl Iterator<Item = u32> {
    entries("/proc").into_iter().filter_map(|path| path.file_name()?.to_str()?.parse().ok())
}

fn entries(directory: &str) -> BTreeSet<PathBuf> {
    let listed = fs::read_dir(directory).into_iter().flatten();
    listed.filter_map(|entry| Some(entry.ok()?.path())).collect()
}

fn within(patience: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let until = Instant::now() + patience;
    loop {
        if holds() {
            return true;
        }
        if Instant::now() > until {
            return false;
        }
        thread::sleep(Duration::from_millis(20));
    }
}
