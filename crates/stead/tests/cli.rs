//! The program as a person or a script meets it, without a running node.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A known pair: the secret of WireGuard's own quick start, and its public key.
const SECRET: &str = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=";
const PUBLIC: &str = "HIgo9xNzJMWLKASShiTqIybxZ0U3wGLiUeJ1PKf8ykw=";

struct Bench {
    dir: TempDir,
}

struct Answer {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Bench {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stead"));
        command.args(line.split_whitespace()).current_dir(self.path()).env_remove("NO_COLOR");
        command
    }

    fn stead(&self, line: &str) -> Answer {
        answer(self.command(line).stdin(Stdio::null()).output().unwrap())
    }

    fn stead_with(&self, line: &str, stdin: &str) -> Answer {
        let mut child = self
            .command(line)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
        answer(child.wait_with_output().unwrap())
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path().join(name)).unwrap()
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path().join(name), text).unwrap();
    }
}

fn answer(output: Output) -> Answer {
    Answer {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn a_made_key_and_its_public_key_belong_together() {
    let bench = Bench::new();
    let made = bench.stead("keygen");
    assert_eq!((made.code, made.stderr.as_str()), (0, ""));
    assert_eq!(made.stdout.trim_end().len(), 44);
    assert_ne!(made.stdout, bench.stead("keygen").stdout, "two keys are never the same");

    let public = bench.stead_with("pubkey", &made.stdout);
    assert_eq!((public.code, public.stdout.len()), (0, 45));
    bench.write("k", &made.stdout);
    assert_eq!(bench.stead("pubkey k").stdout, public.stdout);
    assert_eq!(bench.stead_with("pubkey -", &made.stdout).stdout, public.stdout);
}

#[test]
fn pubkey_agrees_with_wireguard_and_knows_the_virtual_address() {
    let bench = Bench::new();
    assert_eq!(bench.stead_with("pubkey", SECRET).stdout, format!("{PUBLIC}\n"));
    let both = bench.stead_with("pubkey --address", SECRET).stdout;
    let lines: Vec<_> = both.lines().collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0], PUBLIC);
    assert!(lines[1].starts_with("fd73:7465:6164:"), "{}", lines[1]);
}

#[test]
fn pubkey_refuses_what_is_no_key_without_repeating_it() {
    let bench = Bench::new();
    let cut = bench.stead_with("pubkey", &SECRET[..40]);
    assert_eq!(cut.code, 1);
    assert_eq!(
        cut.stderr,
        "error: what is in standard input has 40 characters, and a key has 44\n\
         hint: copy the whole line; its last character is `=`\n"
    );
    let missing = bench.stead("pubkey nowhere");
    assert_eq!(missing.code, 1);
    assert!(missing.stderr.starts_with("error: cannot read `nowhere`: No such file"), "{}", missing.stderr);
}

#[test]
fn a_key_file_is_private_and_never_overwritten_by_accident() {
    let bench = Bench::new();
    let first = bench.stead("keygen --out k");
    assert_eq!(first.code, 0, "{}", first.stderr);
    #[cfg(unix)]
    assert_eq!(mode(&bench.path().join("k")), 0o600);
    let key = bench.text("k");
    assert_eq!(bench.stead("pubkey k").stdout, first.stdout, "keygen --out prints the public key");

    let second = bench.stead("keygen --out k");
    assert_eq!((second.code, second.stdout.as_str()), (1, ""));
    assert!(second.stderr.starts_with("error: `k` exists already\nhint: "), "{}", second.stderr);
    assert_eq!(bench.text("k"), key);

    assert_eq!(bench.stead("keygen --out k --force").code, 0);
    assert_ne!(bench.text("k"), key);
    #[cfg(unix)]
    assert_eq!(mode(&bench.path().join("k")), 0o600);
    assert_eq!(fs::read_dir(bench.path()).unwrap().count(), 1, "nothing is left beside it");
}

#[cfg(unix)]
#[test]
fn force_makes_an_open_file_private_and_a_link_is_not_followed() {
    use std::os::unix::fs::PermissionsExt as _;
    let bench = Bench::new();
    bench.write("open", "x");
    fs::set_permissions(bench.path().join("open"), fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(bench.stead("keygen --out open --force").code, 0);
    assert_eq!(mode(&bench.path().join("open")), 0o600);

    bench.write("elsewhere", "precious");
    std::os::unix::fs::symlink("elsewhere", bench.path().join("link")).unwrap();
    assert_eq!(bench.stead("keygen --out link").code, 1);
    assert_eq!(bench.stead("keygen --out link --force").code, 0);
    assert_eq!(bench.text("elsewhere"), "precious");
}

#[test]
fn a_preshared_key_has_no_public_part() {
    let bench = Bench::new();
    let made = bench.stead("keygen --preshared --out p");
    assert_eq!((made.code, made.stdout.as_str()), (0, ""));
    assert_eq!(bench.text("p").trim_end().len(), 44);
}

#[test]
fn init_writes_what_check_accepts() {
    let bench = Bench::new();
    let init = bench.stead("init node");
    assert_eq!(init.code, 0, "{}", init.stderr);
    let public = bench.stead("pubkey node/private.key --address").stdout;
    for line in public.lines() {
        assert!(init.stdout.contains(line), "the public key and the address are shown: {}", init.stdout);
    }
    assert!(init.stdout.contains("stead check node/stead.yaml"));
    #[cfg(unix)]
    {
        assert_eq!(mode(&bench.path().join("node/private.key")), 0o600);
        assert_eq!(mode(&bench.path().join("node")), 0o700);
    }

    let check = bench.stead("check node/stead.yaml");
    assert_eq!(check.code, 0, "{}", check.stderr);
    assert!(check.stdout.contains(public.lines().next().unwrap()));
    assert!(check.stderr.contains("warning: there are no peers"));
}

#[test]
fn init_takes_a_files_name_and_the_example_to_follow() {
    let bench = Bench::new();
    assert_eq!(bench.stead("init hub.yaml --like public-server").code, 0);
    assert!(bench.text("hub.yaml").contains("listen_port: 51820"));
    assert_eq!(bench.stead("check hub.yaml").code, 0);
}

#[test]
fn init_overwrites_nothing_and_keeps_a_key_that_is_there() {
    let bench = Bench::new();
    bench.stead("keygen --out private.key");
    let key = bench.text("private.key");
    let init = bench.stead("init .");
    assert_eq!(init.code, 0, "{}", init.stderr);
    assert!(init.stdout.contains("Kept  ./private.key"), "{}", init.stdout);
    assert_eq!(bench.text("private.key"), key);

    bench.write("stead.yaml", "mine");
    let again = bench.stead("init .");
    assert_eq!(again.code, 1);
    assert!(again.stderr.starts_with("error: `./stead.yaml` exists already\nhint: "), "{}", again.stderr);
    assert_eq!(bench.text("stead.yaml"), "mine");
}

#[test]
fn init_does_not_take_any_file_for_a_key() {
    let bench = Bench::new();
    bench.write("private.key", "my diary");
    let init = bench.stead("init .");
    assert_eq!(init.code, 1);
    assert!(init.stderr.contains("`./private.key` exists already and has 8 characters"), "{}", init.stderr);
    assert_eq!(bench.text("private.key"), "my diary");
    assert!(!bench.path().join("stead.yaml").exists());
}

#[test]
fn a_newcomer_who_checks_an_example_is_told_how_to_make_the_key() {
    let bench = Bench::new();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs/roaming-laptop.yaml");
    fs::copy(example, bench.path().join("roaming-laptop.yaml")).unwrap();

    let check = bench.stead("check roaming-laptop.yaml");
    assert_eq!((check.code, check.stdout.as_str()), (1, ""));
    assert!(
        check.stderr.starts_with(
            "error: `private_key_file` names `private.key`, which does not exist\n  --> roaming-laptop.yaml:"
        ),
        "{}",
        check.stderr
    );
    assert!(check.stderr.contains("hint: make one: `stead keygen --out private.key`\n"), "{}", check.stderr);
    assert!(check.stderr.ends_with("\n1 error\n"), "{}", check.stderr);

    assert_eq!(bench.stead("keygen --out private.key").code, 0);
    let check = bench.stead("check roaming-laptop.yaml");
    assert_eq!((check.code, check.stderr.as_str()), (0, ""), "the hint was all it took");
    for part in ["peer home", "home.example.org:51820", "every 25 s", "any free UDP port", "10.77.0.0/24"] {
        assert!(check.stdout.contains(part), "{part} is missing in {}", check.stdout);
    }
}

#[test]
fn check_answers_programs_in_one_line_of_json() {
    let bench = Bench::new();
    bench.stead("keygen --out k");
    bench.write(
        "a.yaml",
        &format!(
            "private_key_file: k\npeers:\n  bob:\n    public_key: {PUBLIC}\n    \
             allowed_ips: 10.1.0.0/16\n    persistent_keepalive: 25s\n"
        ),
    );
    let check = bench.stead("check a.yaml --json");
    assert_eq!((check.code, check.stdout.lines().count()), (0, 1));
    let json: serde_json::Value = serde_json::from_str(&check.stdout).unwrap();
    assert_eq!(json["valid"], true);
    assert_eq!(json["node"]["mtu"], 1420);
    assert_eq!(json["peers"][0]["persistent_keepalive"], 25_000_000);
    assert_eq!(json["routes"][0]["prefix"], "10.1.0.0/16");
    assert_eq!(json["routes"][0]["peer"], "bob");
    assert_eq!(json["findings"][0]["severity"], "warning");
    assert_eq!(json["findings"][0]["line"], 3);

    bench.write("b.yaml", "privat_key_file: k\n");
    let check = bench.stead("check b.yaml --json");
    assert_eq!((check.code, check.stderr.as_str()), (1, ""));
    let json: serde_json::Value = serde_json::from_str(&check.stdout).unwrap();
    assert_eq!(json["valid"], false);
    assert_eq!(json["findings"][0]["hint"], "did you mean `private_key_file`?");
}

#[test]
fn without_a_running_node_status_says_so_and_what_to_do() {
    let bench = Bench::new();
    for line in ["status --socket nobody.sock", "connections --socket nobody.sock --json"] {
        let asked = bench.stead(line);
        assert_eq!((asked.code, asked.stdout.as_str()), (1, ""));
        assert!(
            asked.stderr.starts_with("error: no daemon is running at nobody.sock\nhint: "),
            "{}",
            asked.stderr
        );
    }
    bench.write("a.yaml", "private_key_file: k\ncontrol_socket: of-a.sock\n");
    let asked = bench.stead("status a.yaml");
    assert!(asked.stderr.contains("of-a.sock"), "{}", asked.stderr);
}

#[test]
fn colours_stay_out_of_pipes_and_files() {
    let bench = Bench::new();
    bench.write("a.yaml", "mtu: 1\n");
    let check = bench.stead("check a.yaml");
    assert_eq!(check.code, 1);
    assert!(!check.stderr.contains('\x1b') && !check.stdout.contains('\x1b'));
    assert!(check.stderr.ends_with("\n2 errors and 1 warning\n"), "{}", check.stderr);
}

#[test]
fn a_command_line_that_makes_no_sense_ends_with_2() {
    let bench = Bench::new();
    for line in ["", "chek a.yaml", "check", "keygen --force", "status a.yaml --socket b"] {
        assert_eq!(bench.stead(line).code, 2, "stead {line}");
    }
    let misspelt = bench.stead("chek a.yaml").stderr;
    assert!(misspelt.contains("'check'"), "{misspelt}");
}

#[test]
fn completions_and_manual_name_every_command() {
    let bench = Bench::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = bench.stead(&format!("completions {shell}")).stdout;
        assert!(script.contains("keygen") && script.contains("connections"), "{shell}");
    }
    let page = bench.stead("man").stdout;
    assert!(page.contains(".TH stead 1") && page.contains("stead\\-check"), "{page}");
    assert_eq!(bench.stead("man --out pages").code, 0);
    for name in ["stead.1", "stead-keygen.1", "stead-status.1"] {
        assert!(bench.path().join("pages").join(name).exists(), "{name}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_reported_and_a_reader_that_left_is_not() {
    let bench = Bench::new();
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = bench.command("keygen").stdout(full).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().starts_with("error: cannot write to standard output"));

    let mut child =
        bench.command("completions zsh").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stderr.is_empty(), "no panic, no message");
}
