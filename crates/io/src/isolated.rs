//! Tests in a network namespace of their own: nothing outside it is touched.

use std::process::Command;

/// Runs `test` in a fresh network namespace; says why if it may not have one.
pub(crate) fn isolated<F: Future<Output = ()>>(test: impl FnOnce() -> F + Send) {
    std::thread::scope(|scope| {
        scope.spawn(|| {
            if let Err(error) = nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET) {
                eprintln!("skipped: no network namespace of our own here ({error}); run as root");
                return;
            }
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(test());
        });
    });
}

/// Runs `ip` with these arguments in the namespace; returns what it printed.
pub(crate) fn ip(arguments: &str) -> String {
    let done = Command::new("ip").args(arguments.split_whitespace()).output().unwrap();
    assert!(done.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}
