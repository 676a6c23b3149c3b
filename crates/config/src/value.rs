//! The values a configuration is made of, each parsed by the one type that holds it.
//!
//! Every fault is a variant of the value's own error, so that a report can say what was expected of
//! this kind of value and what to do about this mistake.

pub mod duration;
pub mod endpoint;
pub mod interface_name;
pub mod interface_pattern;
pub mod key;
pub mod log_filter;
pub mod prefix;
pub mod size;
