//! stead with a configuration of the test's own, where a pair of hosts is not enough.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use stead_rig::traffic::Line;
use stead_rig::{Host, Process, RigError};

use crate::command::{DIRECTORY, SOCKET, stead, up, write};

/// The port that nodes listen on.
pub const PORT: u16 = 51820;

/// A host with a key and a number that its virtual address ends with.
#[derive(Debug)]
pub struct Node {
    /// Where it runs.
    pub host: Host,
    /// Its public key, base64.
    pub key: String,
    number: u8,
}

impl Node {
    /// Makes a key on the host.
    ///
    /// # Errors
    /// If the program fails.
    pub fn new(host: &Host, number: u8) -> Result<Self, RigError> {
        write(host, "nothing", String::new())?;
        let key_file = format!("{DIRECTORY}/private.key");
        host.output(stead(&["keygen", "--out", &key_file])?)?;
        let key = host.output(stead(&["pubkey", &key_file])?)?.trim().to_owned();
        Ok(Self { host: host.clone(), key, number })
    }

    /// Where applications find it.
    #[must_use]
    pub const fn address(&self) -> IpAddr {
        IpAddr::V4(Ipv4Addr::new(10, 78, 0, self.number))
    }

    /// A line from here to there through the tunnel.
    #[must_use]
    pub fn line_to(&self, other: &Self) -> Line {
        Line { client: self.host.clone(), server: other.host.clone(), address: other.address() }
    }

    /// Starts the program; each peer is found at its address of the underlay, if one is given.
    ///
    /// # Errors
    /// With all it printed, if it does not get ready.
    pub fn up(&self, peers: &[(&Self, Option<IpAddr>)]) -> Result<Process, RigError> {
        self.up_with("", peers)
    }

    /// As [`up`](Self::up), with further lines of configuration.
    ///
    /// # Errors
    /// As [`up`](Self::up).
    pub fn up_with(&self, further: &str, peers: &[(&Self, Option<IpAddr>)]) -> Result<Process, RigError> {
        let state = if further.contains("state_directory") { "" } else { "state_directory: off\n" };
        let mut text = format!(
            "private_key_file: private.key\nlisten_port: {PORT}\naddresses: [\"{}/24\"]\n\
             control_socket: {SOCKET}\n{state}{further}peers:\n",
            self.address()
        );
        for (peer, at) in peers {
            let endpoints: Vec<String> = at.iter().map(|at| SocketAddr::new(*at, PORT).to_string()).collect();
            text += &format!(
                "  {}:\n    public_key: \"{}\"\n    endpoints: {endpoints:?}\n    allowed_ips: [\"{}/32\"]\n",
                peer.host.name(),
                peer.key,
                peer.address()
            );
        }
        up(&self.host, &write(&self.host, "stead.yaml", text)?)
    }
}
