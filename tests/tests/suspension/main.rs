//! Suspension against the Linux kernel as the local stack: real sockets in two namespaces, and between their devices a
//! line that goes dark, with a connection table and what is held at each end.
//!
//! ```text
//!  sockets ─ kernel ─ TUN ─ [ table, held ] ──── line ──── [ table, held ] ─ TUN ─ kernel ─ sockets
//!                                └ answers    a few ms,        └ answers
//!                                             a bounded rate
//! ```
//! Every packet that goes in or out is looked at ([`judge`]). Real time, so the outages are short; how long ones go is
//! shown with a stack whose clock is ours, in the table's own tests.
#![cfg(target_os = "linux")]

mod application;
mod end;
mod judge;
mod line;
mod moments;
mod outages;
mod world;
