//! The IO around the sans-IO node and the sans-IO service: TUN device, UDP sockets, address monitor, clock, workers, control socket.
//!
//! Nothing here knows what a message means. Platform code sits in one module per platform, below the module
//! whose interface it serves (`tun/linux.rs`, `monitor/linux.rs`, …).

mod ability;
pub mod clock;
pub mod control;
pub mod driver;
pub mod drops;
mod gate;
mod memory;
pub mod monitor;
pub mod offload;
pub mod service;
pub mod tun;
pub mod udp;

#[cfg(all(test, target_os = "linux"))]
mod isolated;
#[cfg(target_os = "linux")]
mod netlink;
mod survivors;
pub mod watch;
mod workers;

pub use ability::{MOST_WORKERS, ability, workers};
pub use memory::state_directory;
