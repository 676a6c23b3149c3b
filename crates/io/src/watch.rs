//! Where a worker waits: for packets, for datagrams, for room in a socket, and for the word to stop.
//!
//! A worker has two things to do, and a lone packet takes it a few microseconds, most of them in the kernel. So on Linux it
//! waits with an epoll of its own, and what waited goes on when that returns: no runtime stands between them. Elsewhere
//! it waits in a runtime of its own.
//!
//! # Invariants
//! - Who waits lets all others have their turn first, if there is something for them. What a worker leaves where it is,
//!   it finds when it waits the next time.
//! - What waits works in [`Watch::run`], nowhere else.

#[cfg(target_os = "linux")]
#[path = "watch/epoll.rs"]
mod platform;
#[cfg(not(target_os = "linux"))]
#[path = "watch/runtime.rs"]
mod platform;

#[cfg(target_os = "linux")]
mod lookout;

#[cfg(target_os = "linux")]
pub use platform::Watched;
pub use platform::{Stop, Watch};

/// What other platforms do, so that it is tested here, too.
#[cfg(all(test, target_os = "linux"))]
pub mod runtime;
#[cfg(test)]
mod tests;
