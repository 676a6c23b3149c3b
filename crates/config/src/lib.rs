//! YAML to checked configuration.
//!
//! [`Configuration::load`] reads a file and either returns a configuration in which nothing is left
//! to check, or a [`Report`] in which every mistake has its file, line, column and key, what was
//! expected there and what to do about it.
//!
//! Not its job: looking up host names, making interfaces, knowing whether a peer answers.
//!
//! # How a file becomes a configuration
//! bytes → [`document`] (values and their places) → [`raw`] (each value by itself, in its own type)
//! → [`resolve`] (key files, defaults, conflicts) → [`Configuration`]. Each step goes on after a
//! mistake, so that one run shows all of them. [`Mistake`](mistake::Mistake) and
//! [`Warning`](warning::Warning) list what can be found.

#![expect(rustdoc::private_intra_doc_links, reason = "the tour above passes through private rooms")]

pub mod configuration;
pub mod control_socket;
pub mod mistake;
pub mod report;
pub mod service;
pub mod template;
pub mod value;
pub mod warning;

mod conflicts;
mod document;
pub mod likely;
mod raw;
mod resolve;
mod secrets;
mod section;

pub use configuration::{
    CipherChoice, Configuration, Peer, Resend, Route, Service, StateDirectory, Suspension,
};
pub use report::{Finding, Paint, Position, Report, Severity};
pub use service::ServiceConfiguration;
pub use value::endpoint::Endpoint;
pub use value::prefix::{InterfaceAddress, Prefix};

/// An error of the system without its number: `No such file or directory`.
fn plain_reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split_once(" (os error").map_or(text.clone(), |(reason, _)| reason.into())
}
