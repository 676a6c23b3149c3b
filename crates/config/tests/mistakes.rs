//! Each kind of mistake, with the report that a person gets for it.
//!
//! `mistakes/NAME.yaml` is a configuration, `mistakes/NAME.txt` its report; `mistakes/keys/` has the
//! key files that they name. With `STEAD_BLESS=1` the reports are written anew, to be read in the diff.

use std::fs;
use std::path::{Path, PathBuf};

use stead_config::{Configuration, Report};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mistakes")
}

/// A copy of the folder whose key files have the mode that a report must not depend on.
fn copy() -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    fs::create_dir(copy.path().join("keys")).unwrap();
    for part in ["", "keys"] {
        for entry in fs::read_dir(folder().join(part)).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_file() {
                let to = copy.path().join(part).join(entry.file_name());
                fs::copy(entry.path(), &to).unwrap();
                set_mode(&to, if entry.file_name() == "open.key" { 0o644 } else { 0o600 });
            }
        }
    }
    copy
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[cfg(not(unix))]
fn set_mode(_: &Path, _: u32) {}

fn cases() -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder())
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().to_str()?.strip_suffix(".yaml").map(str::to_owned))
        .collect();
    names.sort();
    names
}

fn report_of(copy: &Path, name: &str) -> Report {
    match Configuration::load(&copy.join(format!("{name}.yaml"))) {
        Ok(configuration) => configuration.warnings,
        Err(report) => report,
    }
}

#[cfg(unix)]
#[test]
fn each_mistake_has_the_report_that_is_written_beside_it() {
    let copy = copy();
    let mut different = Vec::new();
    for name in cases() {
        let rendered = report_of(copy.path(), &name).to_string();
        let rendered = rendered.replace(&format!("{}/", copy.path().display()), "");
        let golden = folder().join(format!("{name}.txt"));
        if std::env::var_os("STEAD_BLESS").is_some() {
            fs::write(&golden, &rendered).unwrap();
        }
        let expected = fs::read_to_string(&golden).unwrap_or_default();
        if rendered != expected {
            different.push(format!("{name}.yaml\n--- expected\n{expected}\n--- got\n{rendered}"));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n\n"));
}

#[test]
fn every_report_names_a_line_what_was_expected_and_what_to_do() {
    let copy = copy();
    let cases = cases();
    assert!(cases.len() > 30, "only {} cases found", cases.len());
    for name in cases {
        let report = report_of(copy.path(), &name);
        assert!(!report.is_empty(), "{name}.yaml has no mistake");
        for finding in report.findings() {
            assert!(finding.place.is_some(), "{name}: no line for `{}`", finding.what());
            assert!(finding.expected().starts_with("expected "), "{name}: {}", finding.expected());
            assert!(!finding.hint().is_empty(), "{name}: {}", finding.what());
        }
    }
}

#[test]
fn a_file_that_is_not_there_is_reported_with_the_systems_words() {
    let report = Configuration::load(Path::new("/nowhere/stead.yaml")).unwrap_err();
    assert_eq!(
        report.to_string(),
        "error: cannot read the configuration: No such file or directory\n  \
         --> /nowhere/stead.yaml\n   \
         | expected a readable file of YAML\n\
         hint: `stead init DIR` writes a first configuration\n"
    );
}

#[test]
fn a_file_without_end_is_refused() {
    let report = Configuration::load(Path::new("/dev/zero")).unwrap_err();
    assert_eq!(report.errors(), 1);
    assert!(report.to_string().starts_with("error: the file is larger than"), "{report}");
}

#[test]
fn what_is_left_out_has_the_documented_default() {
    let copy = copy();
    let file = copy.path().join("minimal.yaml");
    fs::write(&file, "private_key_file: keys/own.key\n").unwrap();

    let configuration = Configuration::load(&file).unwrap();

    assert_eq!(configuration.interface.as_str(), "stead0");
    assert_eq!(configuration.listen_port, 51820);
    assert_eq!(configuration.mtu, 1420);
    assert_eq!(configuration.log.as_str(), "info");
    assert_eq!(configuration.connection_limit, 65536);
    let own = configuration.public_key().virtual_address();
    assert_eq!(configuration.addresses.len(), 1);
    assert_eq!(configuration.addresses[0].address(), own);
    assert!(configuration.peers.is_empty() && configuration.routes().is_empty());
}

#[test]
fn peers_come_by_name_and_routes_by_length() {
    let copy = copy();
    let file = copy.path().join("two.yaml");
    let (bob, alice) =
        ("HIgo9xNzJMWLKASShiTqIybxZ0U3wGLiUeJ1PKf8ykw=", "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=");
    let text = format!(
        "private_key_file: keys/own.key\npeers:\n  \
         bob: {{public_key: {bob}, endpoints: b.example:1, allowed_ips: [10.0.0.0/8, 10.0.0.0/8]}}\n  \
         alice: {{public_key: {alice}, endpoints: [\"[2001:db8::1]:2\"], allowed_ips: 10.1.0.0/16}}\n"
    );
    fs::write(&file, text).unwrap();

    let configuration = Configuration::load(&file).unwrap();

    let names: Vec<_> = configuration.peers.iter().map(|peer| peer.name.as_str()).collect();
    assert_eq!(names, ["alice", "bob"]);
    let routes: Vec<_> =
        configuration.routes().iter().map(|route| format!("{} {}", route.prefix, route.peer)).collect();
    assert_eq!(routes[..2], ["10.1.0.0/16 alice", "10.0.0.0/8 bob"]);
    assert_eq!(routes.len(), 4, "and one for each key's address");
}

#[test]
fn the_control_socket_is_known_without_reading_any_key() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("stead.yaml");
    fs::write(&file, "private_key_file: nowhere.key\ncontrol_socket: here.sock\n").unwrap();
    assert_eq!(Configuration::control_socket_of(&file).unwrap(), dir.path().join("here.sock"));

    fs::write(&file, "private_key_file: nowhere.key\ninterface: wg-home\n").unwrap();
    assert_eq!(Configuration::control_socket_of(&file).unwrap().file_stem().unwrap(), "wg-home");

    fs::write(&file, "private_key_file: nowhere.key\ncontrol_socket: [a]\n").unwrap();
    assert_eq!(Configuration::control_socket_of(&file).unwrap_err().errors(), 1);
}
