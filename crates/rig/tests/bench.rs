//! The benchmark's program, from its arguments to the files that it leaves: short runs, whose figures say nothing.
#![cfg(target_os = "linux")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use stead_rig::Requirements;

#[test]
fn a_short_run_measures_everything_writes_it_down_and_draws_it() {
    if !Requirements::met("a_short_run_measures_everything", &[]) {
        return;
    }
    let files = Files::new("whole");
    let ran = bench(&["--tunnels", "none,forwarder", "--runs", "1", "--time", "200ms"], &files);
    let report = files.report();
    let printed = String::from_utf8_lossy(&ran.stdout).into_owned();
    let figures = [
        "tcp-up-1",
        "tcp-down-4",
        "tcp-both",
        "tcp-up-1-offload-off",
        "udp-200-datagrams",
        "udp-1400-bits",
        "ping-idle-median",
        "udp-echo-download-p99",
        "tcp-rr-upload-max",
        "tcp-rr-idle-rate",
        "cpu-machine",
    ];
    for figure in figures {
        let median = report.pointer(&format!("/results/{figure}/none/median")).and_then(Value::as_u64);
        assert!(median.is_some(), "{figure} of the bare cable\n{printed}");
        assert!(report["units"][figure].is_string(), "{figure} has a unit");
    }
    let stream = report.pointer("/results/tcp-up-1/none/median").and_then(Value::as_u64);
    assert!(stream > Some(0), "something came over the cable: {stream:?}");
    assert_eq!(report["results"]["memory-resident"], Value::Null, "neither has a program of its own");
    assert!(report["machine"]["kernel"].as_str().is_some_and(|kernel| kernel.starts_with("Linux")));
    assert!(report["runs"][0]["measured"].as_array().is_some_and(|steps| steps.len() > 20));
    for shown in ["TCP, Gbit/s", "packets of 1400 B", "Round trips, under a download", "none", "forwarder"] {
        assert!(printed.contains(shown), "{shown}\n{printed}");
    }
    let picture = fs::read_to_string(files.picture()).expect("it was drawn");
    assert!(picture.starts_with("<svg") && picture.contains(">forwarder<"), "{picture}");

    // What was written down is shown and drawn again without measuring anything.
    let again = Files::new("again");
    let from = files.json().display().to_string();
    let shown = bench(&["--from", &from], &again);
    assert!(String::from_utf8_lossy(&shown.stdout).contains("TCP, Gbit/s"));
    assert_eq!(fs::read_to_string(again.picture()).expect("it was drawn"), picture);
}

#[test]
fn a_part_alone_is_measured_alone() {
    if !Requirements::met("a_part_alone", &[]) {
        return;
    }
    let files = Files::new("part");
    bench(&["--tunnels", "none,none", "--only", "udp", "--runs", "1", "--time", "200ms"], &files);
    let report = files.report();
    let figures: Vec<&String> = report["results"].as_object().expect("there are results").keys().collect();
    assert!(figures.iter().all(|figure| figure.starts_with("udp-")) && !figures.is_empty(), "{figures:?}");
    assert_eq!(report["systems"].as_array().map(Vec::len), Some(1), "none was asked for twice");
}

/// Runs the benchmark; promises may be broken in so short a run, so its verdict is not asked for.
fn bench(arguments: &[&str], files: &Files) -> Output {
    let output = Command::new(env!("CARGO_BIN_EXE_stead-rig"))
        .arg("bench")
        .args(arguments)
        .args([Path::new("--json"), &files.json(), Path::new("--plot"), &files.picture()])
        .output()
        .expect("the rig's program starts");
    assert!(files.picture().exists(), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

/// Where a run writes; gone with the value.
struct Files(PathBuf);

impl Files {
    fn new(name: &str) -> Self {
        let directory = std::env::temp_dir().join(format!("stead-bench-{name}-{}", std::process::id()));
        fs::create_dir_all(&directory).expect("a directory can be made");
        Self(directory)
    }

    fn json(&self) -> PathBuf {
        self.0.join("report.json")
    }

    fn picture(&self) -> PathBuf {
        self.0.join("report.svg")
    }

    fn report(&self) -> Value {
        let text = fs::read_to_string(self.json()).expect("a report was written");
        serde_json::from_str(&text).expect("it is JSON")
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _gone_already = fs::remove_dir_all(&self.0);
    }
}
