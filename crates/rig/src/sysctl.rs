//! Kernel settings of one namespace.

use std::fs;
use std::path::Path;

use crate::error::RigError;
use crate::namespace::Inside;

impl Inside {
    /// Writes `value` to `/proc/sys/<key>`; `/proc/sys/net` shows the namespace of the thread that opens it.
    pub(crate) fn sysctl(&self, key: &str, value: &str) -> Result<(), RigError> {
        fs::write(Path::new("/proc/sys").join(key), value).map_err(|source| RigError::Sysctl {
            namespace: self.name().to_owned(),
            key: key.to_owned(),
            source,
        })
    }

    /// Settings of every namespace of the rig; meant for before its first interface is made.
    pub(crate) fn set_defaults(&self, settings: &Settings) -> Result<(), RigError> {
        // Duplicate address detection takes one to two seconds, which would swamp what is measured.
        let dad = if settings.duplicate_address_detection { "1" } else { "0" };
        for scope in ["all", "default"] {
            self.sysctl(&format!("net/ipv6/conf/{scope}/accept_dad"), dad)?;
            self.sysctl(&format!("net/ipv6/conf/{scope}/dad_transmits"), dad)?;
            self.sysctl(&format!("net/ipv6/conf/{scope}/accept_ra"), "0")?;
        }
        if settings.forwards {
            self.sysctl("net/ipv4/ip_forward", "1")?;
            self.sysctl("net/ipv6/conf/all/forwarding", "1")?;
        }
        // One congestion control everywhere, so that figures of two machines compare; it is built into
        // most kernels, and where it is not the machine's own choice stays.
        let _other_control = self.sysctl("net/ipv4/tcp_congestion_control", "cubic");
        Ok(())
    }
}

/// How a namespace is set up.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Settings {
    pub(crate) forwards: bool,
    pub(crate) duplicate_address_detection: bool,
}
