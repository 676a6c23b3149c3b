//! Ctrl-C ends the soak with the report so far.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether Ctrl-C was pressed. The second one ends the program as usual.
#[derive(Debug, Default)]
pub(super) struct Interruption(Arc<AtomicBool>);

impl Interruption {
    /// Watches from now on. Where no watch can be set, Ctrl-C ends the program at once.
    pub(super) fn watch() -> Self {
        let interruption = Self::default();
        #[cfg(target_os = "linux")]
        watch_in_background(Arc::clone(&interruption.0));
        interruption
    }

    pub(super) fn came(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

#[cfg(target_os = "linux")]
fn watch_in_background(came: Arc<AtomicBool>) {
    std::thread::spawn(move || {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_io().build() else { return };
        runtime.block_on(async {
            if tokio::signal::ctrl_c().await.is_ok() && !came.swap(true, Ordering::Relaxed) {
                let _again = tokio::signal::ctrl_c().await;
                // 128 and the number of SIGINT, as shells have it.
                std::process::exit(130);
            }
        });
    });
}
