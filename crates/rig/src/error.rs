//! What can go wrong while a world is made and used.

use std::io;
use std::time::Duration;

use crate::address::NoPrefix;

/// Why the rig could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum RigError {
    /// A system call around namespaces was refused.
    #[error("{namespace}: cannot {doing}: {source}")]
    Namespace {
        /// Whose namespace.
        namespace: String,
        /// What was tried.
        doing: &'static str,
        /// The kernel's answer.
        source: io::Error,
    },
    /// The thread that holds a namespace is no more.
    #[error("the namespace of {0} is gone")]
    Gone(String),
    /// A netlink request was refused.
    #[error("{namespace}: cannot {doing}: {source}")]
    Netlink {
        /// In whose namespace.
        namespace: String,
        /// What was tried.
        doing: String,
        /// The kernel's answer.
        source: rtnetlink::Error,
    },
    /// An interface never came up.
    #[error("{namespace}: {interface} had no carrier within {waited:?}")]
    NoCarrier {
        /// In whose namespace.
        namespace: String,
        /// The interface's name.
        interface: String,
        /// How long it was given.
        waited: Duration,
    },
    /// A kernel setting could not be written.
    #[error("{namespace}: cannot set {key}: {source}")]
    Sysctl {
        /// In whose namespace.
        namespace: String,
        /// Path under `/proc/sys`.
        key: String,
        /// The kernel's answer.
        source: io::Error,
    },
    /// A prefix in a plan does not read as one.
    #[error(transparent)]
    Prefix(#[from] NoPrefix),
    /// The plan of a network cannot be built.
    #[error("network {network}: {reason}")]
    Plan {
        /// The network's name.
        network: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A host has no interface or address of the kind that was asked for.
    #[error("host {host} has no {what}")]
    Missing {
        /// The host's name.
        host: String,
        /// What it lacks.
        what: String,
    },
    /// A program could not be started.
    #[error("{host}: cannot start {program}: {source}")]
    Spawn {
        /// On which host.
        host: String,
        /// The program's name.
        program: String,
        /// The kernel's answer.
        source: io::Error,
    },
    /// A program ended with a failure.
    #[error("{host}: {program} failed ({status})\n{output}")]
    Failed {
        /// On which host.
        host: String,
        /// The program's name.
        program: String,
        /// How it ended.
        status: String,
        /// What it printed.
        output: String,
    },
    /// A program did not say what was waited for.
    #[error("{host}: {program} did not say `{wanted}` within {waited:?}; it said:\n{log}")]
    NotReady {
        /// On which host.
        host: String,
        /// The program's name.
        program: String,
        /// The words waited for.
        wanted: String,
        /// How long it was given.
        waited: Duration,
        /// What it printed until then.
        log: String,
    },
    /// Scenarios cannot be read or played; the text is complete.
    #[error("{0}")]
    Scenario(String),
    /// The tunnel between two hosts did not come to life.
    #[error("{0}")]
    Tunnel(String),
    /// An answer of the program's control socket makes no sense.
    #[error("{host}: control socket: {reason}")]
    Control {
        /// On which host.
        host: String,
        /// What is wrong with the answer.
        reason: String,
    },
    /// Reading, writing or connecting failed.
    #[error("{doing}: {source}")]
    Io {
        /// What was tried.
        doing: String,
        /// The kernel's answer.
        source: io::Error,
    },
}

impl RigError {
    /// An input or output error with what was being done.
    pub fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }
}
