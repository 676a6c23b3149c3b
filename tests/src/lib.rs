//! Shared by the suites: what is fuzzed, and the scenes, programs and strangers of the suites that run the
//! real program in a world of network namespaces.
//!
//! Such a suite needs root, `/dev/net/tun` and a few programs; a test that misses one says so on standard
//! error and passes ([`scene::Scene::ready`]). It needs the program too: `cargo build -p stead` first.

#[cfg(target_os = "linux")]
pub mod command;
pub mod fuzz;
#[cfg(target_os = "linux")]
pub mod kernel;
#[cfg(target_os = "linux")]
pub mod node;
#[cfg(target_os = "linux")]
pub mod patience;
#[cfg(target_os = "linux")]
pub mod scene;
#[cfg(target_os = "linux")]
pub mod stranger;
#[cfg(target_os = "linux")]
pub mod wireguard;
