use std::path::Path;

use stead_sns::{Quotas, RelayLimits};

use super::*;

const EXAMPLE: &str = include_str!("../../../../configs/subscribe-notify-service.yaml");

fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let key = dir.path().join("private.key");
    std::fs::write(&key, "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=").unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    dir
}

fn load(text: &str) -> Result<ServiceConfiguration, String> {
    let dir = folder();
    let file = dir.path().join("sns.yaml");
    std::fs::write(&file, text).unwrap();
    let paths = |report: Report| report.to_string().replace(&file.display().to_string(), "sns.yaml");
    ServiceConfiguration::load(&file).map_err(paths)
}

fn with(lines: &str) -> Result<ServiceConfiguration, String> {
    load(&format!("private_key_file: private.key\n{lines}\n"))
}

#[test]
fn the_example_loads_without_a_doubt_and_says_what_the_defaults_are() {
    let example = load(EXAMPLE).unwrap();
    let least = with("").unwrap();

    assert!(example.warnings.is_empty(), "{}", example.warnings);
    assert_eq!(example.public_key(), least.public_key());
    assert_eq!(example.listen_port, least.listen_port);
    assert_eq!(example.settings.quotas, least.settings.quotas);
    assert_eq!(example.settings.relay, least.settings.relay);
    assert_eq!(example.settings.clients, least.settings.clients);
    assert_eq!(example.settings.window, least.settings.window);
    assert_eq!(example.settings.longest_lease, least.settings.longest_lease);
}

#[test]
fn every_key_of_the_example_is_explained_with_its_default() {
    let lines: Vec<_> = EXAMPLE.lines().collect();
    for (index, line) in lines.iter().enumerate() {
        let key = line.trim_start();
        if key.contains(": ") && !key.starts_with('#') && !key.starts_with("- ") {
            let above = lines[..index].iter().rev().take_while(|line| line.trim_start().starts_with('#'));
            let comment: String = above.copied().collect();
            assert!(comment.contains("Default") || comment.contains("Required"), "`{key}` lacks its default");
        }
    }
}

#[test]
fn what_is_written_is_what_the_service_is_told() {
    let configuration = with(
        "listen_port: 7\nclients: [YZzC0lWJ7nwYWUFr4O9xV+p1a53+HA1iwWhkcE3eUgY=]\nlongest_lease: 5m\n\
         window: 1500ms\nquotas: { clients: 9, subscriptions: 99 }\n\
         relay: { rate: 125kB, burst: 64kB, total: 10MB }",
    )
    .unwrap();

    let settings = configuration.settings;
    assert_eq!(configuration.listen_port, 7);
    assert_eq!(settings.clients.map(|keys| keys.len()), Some(1));
    assert_eq!((settings.longest_lease.as_secs(), settings.window.as_millis()), (300, 1500));
    assert_eq!(settings.quotas, Quotas { clients: 9, subscriptions: 99, ..Quotas::default() });
    assert_eq!(settings.relay, Some(RelayLimits { rate: 125_000, burst: 64_000, total: 10_000_000 }));
}

#[test]
fn the_relay_can_be_switched_off_and_on() {
    assert_eq!(with("relay: off").unwrap().settings.relay, None);
    assert_eq!(with("relay: on").unwrap().settings.relay, Some(RelayLimits::default()));
}

#[test]
fn all_mistakes_are_shown_at_once_with_line_expectation_and_hint() {
    let report = with(
        "listen_port: 70000\nclients: anybody\nwindow: 1\nlongest_lease: 2d\nquotas: { client: 3 }\n\
         relay: { rate: 8mbit, burst: 1kB }\npeers: {}",
    )
    .unwrap_err();

    for line in
        ["sns.yaml:2", "sns.yaml:3", "sns.yaml:4", "sns.yaml:5", "sns.yaml:6", "sns.yaml:7", "sns.yaml:8"]
    {
        assert!(report.contains(line), "{line} in\n{report}");
    }
    for words in [
        "`relay.rate`: `8mbit` counts bits, not bytes",
        "`8mbit` are `1MB`",
        "a duration from 10s to 65535s",
        "at least `2kB`",
        "did you mean `clients`",
        "if you meant seconds, write `1s`",
    ] {
        assert!(report.contains(words), "{words} in\n{report}");
    }
}

#[test]
fn without_a_key_there_is_no_service() {
    let report = load("listen_port: 51821\n").unwrap_err();
    assert!(report.contains("private_key_file") && report.contains("stead keygen"), "{report}");
}

#[cfg(target_os = "linux")]
#[test]
fn the_control_socket_is_known_without_the_key() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("sns.yaml");
    for (text, socket) in [
        ("private_key_file: missing.key\n", "/run/stead/sns.sock".into()),
        ("private_key_file: missing.key\ncontrol_socket: s.sock\n", dir.path().join("s.sock")),
    ] {
        std::fs::write(&file, text).unwrap();
        assert_eq!(ServiceConfiguration::control_socket_of(&file).unwrap(), Path::new(&socket));
    }
}
