//! What may be meant as it stands, and probably is not.

use std::path::PathBuf;

/// A doubt about a configuration that can be used all the same. One variant per doubt.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Warning {
    /// Others on this machine can read a secret.
    #[error("`{}` can be read by others (mode {mode:04o})", path.display())]
    OpenKeyFile {
        /// The file with the secret.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A node without peers is an interface that leads nowhere.
    #[error("there are no peers")]
    NoPeers,
    /// Nobody can speak first but the peer.
    #[error("peer `{peer}` has no endpoint")]
    NoEndpoint {
        /// The peer's name.
        peer: String,
    },
    /// Neither side of the configuration can begin, seen from here.
    #[error("`{key}` has no effect without an endpoint until `{peer}` has spoken")]
    KeepaliveWithoutEndpoint {
        /// Path of the key.
        key: String,
        /// The peer's name.
        peer: String,
    },
    /// Two peers behind one address and port: one of them is mistyped.
    #[error("peers `{first}` and `{peer}` share the endpoint {endpoint}")]
    SharedEndpoint {
        /// The peer that names it second.
        peer: String,
        /// The peer that names it first.
        first: String,
        /// Where the first one is.
        first_line: usize,
        /// The endpoint.
        endpoint: String,
    },
    /// Full packets become datagrams that an Ethernet frame cannot hold.
    #[error("`mtu` is {mtu}, and the datagrams it makes do not fit most networks")]
    LargeMtu {
        /// As configured.
        mtu: u16,
    },
}

impl Warning {
    /// What would have raised no doubt.
    #[must_use]
    pub fn expected(&self) -> String {
        match self {
            Self::OpenKeyFile { .. } => "expected mode 0600: a secret that others know proves nothing".into(),
            Self::NoPeers => "expected names under `peers:`, each with its `public_key:`".into(),
            Self::NoEndpoint { peer } => {
                format!(
                    "expected `endpoints:` under the peer, or one of `services:` to find it; \
                     as it is, `{peer}` has to speak first"
                )
            }
            Self::KeepaliveWithoutEndpoint { .. } => {
                "expected `endpoints:` beside `persistent_keepalive:`".into()
            }
            Self::SharedEndpoint { first, first_line, .. } => {
                format!("expected one peer per address and port; `{first}` has it at line {first_line}")
            }
            Self::LargeMtu { mtu } => {
                format!(
                    "expected at most 1420: the tunnel adds 80 bytes, so {mtu} needs links of {}",
                    u32::from(*mtu) + 80
                )
            }
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::OpenKeyFile { path, .. } => format!("chmod 600 {}", path.display()),
            Self::NoPeers => "`stead init` leaves an example behind `#` signs below `peers:`".into(),
            Self::NoEndpoint { peer } => {
                format!(
                    "give an `ip:port` where `{peer}` can be reached, \
                 or `endpoints: []` if this host waits for it"
                )
            }
            Self::KeepaliveWithoutEndpoint { .. } => {
                "set it on the side behind the NAT, which is the side that knows an endpoint".into()
            }
            Self::SharedEndpoint { .. } => "`stead check` on each peer shows the port it listens on".into(),
            Self::LargeMtu { .. } => {
                "keep the default unless every network on the way has jumbo frames".into()
            }
        }
    }
}
