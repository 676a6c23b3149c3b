//! What a program in the foreground needs: a log, and to know when to end.

use std::io;

use tracing::info;
use tracing_subscriber::EnvFilter;

use crate::failure::Failure;

/// Where everything happens that waits: one thread.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| {
        Failure::refused(format!("the system gave no means to wait for packets: {error}"), "try again")
    })
}

/// The IO crate's errors end with their hint.
pub(crate) fn split_hint(text: &str) -> Failure {
    match text.split_once("\nhint: ") {
        Some((what, hint)) => Failure::refused(what, hint),
        None => Failure::refused(text, "`log: debug` in the configuration may show more"),
    }
}

/// Log lines go to standard error, so that standard output says only when the program is ready.
pub(crate) fn log_to_stderr(filter: &str) {
    let filter = EnvFilter::new(filter);
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_target(false).init();
}

/// Resolves when the user or the system wants the program to end. To be asked for before anything is made, so that no
/// signal finds something that it would leave behind.
pub(crate) fn stop_signal() -> Result<impl Future<Output = ()>, Failure> {
    awaited_signals().map_err(|error| {
        Failure::refused(format!("the system lets no signals be awaited: {error}"), "try again")
    })
}

#[cfg(unix)]
fn awaited_signals() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => info!("Interrupted"),
            _ = terminate.recv() => info!("Told to terminate"),
            _ = hang_up.recv() => info!("The terminal is gone"),
        }
    })
}

#[cfg(windows)]
fn awaited_signals() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::windows::{ctrl_break, ctrl_c, ctrl_close, ctrl_shutdown};
    let (mut c, mut brk) = (ctrl_c()?, ctrl_break()?);
    let (mut close, mut shutdown) = (ctrl_close()?, ctrl_shutdown()?);
    Ok(async move {
        tokio::select! {
            _ = c.recv() => info!("Interrupted"),
            _ = brk.recv() => info!("Interrupted"),
            _ = close.recv() => info!("The console is closed"),
            _ = shutdown.recv() => info!("The system shuts down"),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_with_a_hint_keeps_them_apart() {
        let Failure::Refused { what, hint } = split_hint("no device\nhint: be root") else {
            panic!("refused")
        };
        assert_eq!((what.as_str(), hint.as_str()), ("no device", "be root"));
    }
}
