//! boringtun, from crates.io.

use super::system::{Program, System};
use super::wireguard::{self, INTERFACE, WG};

pub(super) const SYSTEM: System = wireguard::system("boringtun", &[PROGRAM, WG], |host, setup| {
    wireguard::start(host, setup, PROGRAM.command(&["--foreground", KEEPS_RIGHTS, INTERFACE]))
});

const PROGRAM: Program = Program::from_crate("boringtun-cli", "boringtun-cli", "0.7.1");
/// It would become the user who called sudo; nobody did.
const KEEPS_RIGHTS: &str = "--disable-drop-privileges";
