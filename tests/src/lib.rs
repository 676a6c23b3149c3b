//! Shared by the suites.

pub mod fuzz;
