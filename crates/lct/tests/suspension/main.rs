//! Suspension against a real TCP that is not ours: two smoltcp stacks, a line between them that goes dark, and at each
//! end a table and what is held.
//!
//! ```text
//!  application ─ smoltcp ─ [ table, held ] ──── line ──── [ table, held ] ─ smoltcp ─ application
//!                              └ answers                      └ answers
//! ```
//! Sequence numbers are shifted between stack and end, so that they wrap early.

mod bounds;
mod endings;
mod outages;
mod stack;
mod world;
