//! The rig's program: shows stead at work in a real-kernel world, and measures it there.

#[cfg(target_os = "linux")]
mod program;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    program::main()
}

#[cfg(not(target_os = "linux"))]
fn main() -> std::process::ExitCode {
    use std::io::Write as _;
    let reason = stead_rig::requirements::Requirements::check().err().unwrap_or_default();
    let _unseen = writeln!(std::io::stderr(), "error: {reason}");
    std::process::ExitCode::FAILURE
}
