//! A host: a namespace with interfaces that can be moved, and the programs and threads in it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::address::{Family, Prefix};
use crate::error::RigError;
use crate::namespace::{Inside, Namespace, Task};
use crate::network::Network;
use crate::process::Process;
use crate::sysctl::Settings;
use crate::tun;

mod attachment;

use self::attachment::Cable;
pub use self::attachment::WLAN;

/// A host in a world; cheap to clone, every clone is the same host.
#[derive(Clone, Debug)]
pub struct Host(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    namespace: Namespace,
    interfaces: Mutex<BTreeMap<String, Cable>>,
}

impl Host {
    pub(crate) fn new(name: &str, settings: Settings) -> Result<Self, RigError> {
        let namespace = Namespace::new(name, settings)?;
        Ok(Self(Arc::new(Inner { namespace, interfaces: Mutex::default() })))
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.namespace.name()
    }

    /// The addresses it has on all networks now, without those of tunnels.
    #[must_use]
    pub fn addresses(&self) -> Vec<IpAddr> {
        self.interfaces().values().flat_map(|cable| cable.addresses.clone()).collect()
    }

    /// Its address of `family`, if it has one now.
    #[must_use]
    pub fn address(&self, family: Family) -> Option<IpAddr> {
        self.addresses().into_iter().find(|address| Family::of(*address) == family)
    }

    /// The network its ordinary interface is in.
    #[must_use]
    pub fn network(&self) -> Option<Network> {
        self.interfaces().get(WLAN).and_then(|cable| cable.far.clone()).map(|(_, network)| network)
    }

    /// Lets the host's TCP send a segment again so many times before it gives a connection up.
    ///
    /// # Errors
    /// What the kernel refused.
    pub fn set_tcp_retries(&self, times: u32) -> Result<(), RigError> {
        self.inside(move |inside| inside.sysctl("net/ipv4/tcp_retries2", &times.to_string()))
    }

    /// Changes a setting of the host's kernel, named as below `/proc/sys`.
    ///
    /// # Errors
    /// What the kernel refused.
    pub fn set_sysctl(&self, key: &str, value: &str) -> Result<(), RigError> {
        let (key, value) = (key.to_owned(), value.to_owned());
        self.inside(move |inside| inside.sysctl(&key, &value))
    }

    /// Makes a TUN device with these addresses; whoever holds the file is its other end. Reads never wait, and each
    /// gives one whole IP packet.
    ///
    /// # Errors
    /// What the kernel refused.
    pub fn device(&self, name: &str, mtu: u32, places: &[Prefix]) -> Result<File, RigError> {
        let device = self.open_device(name, tun::make)?;
        self.bring_up(name, mtu, places)?;
        Ok(device)
    }

    /// As [`device`](Self::device), but each read and write is a virtio header and a packet or a super-packet of TCP; those
    /// read have `longest` bytes at most, the header aside.
    pub(crate) fn offloading_device(
        &self,
        name: &str,
        mtu: u32,
        longest: u32,
        places: &[Prefix],
    ) -> Result<File, RigError> {
        let device = self.open_device(name, tun::make_offloading)?;
        let bounded = name.to_owned();
        self.inside(move |inside| inside.set_longest_super_packet(&bounded, longest))?;
        self.bring_up(name, mtu, places)?;
        Ok(device)
    }

    fn open_device(&self, name: &str, make: fn(&str) -> io::Result<File>) -> Result<File, RigError> {
        let doing = format!("{}: make {name}", self.name());
        let name = name.to_owned();
        self.call(move || make(&name))?.map_err(RigError::io(doing))
    }

    fn bring_up(&self, name: &str, mtu: u32, places: &[Prefix]) -> Result<(), RigError> {
        let (name, places) = (name.to_owned(), places.to_vec());
        self.inside(move |inside| {
            inside.set_mtu(&name, mtu)?;
            inside.set_up(&name)?;
            places.into_iter().try_for_each(|place| inside.add_address(&name, place))
        })
    }

    /// Runs something short on the thread that holds the host, and waits for it.
    ///
    /// # Errors
    /// [`RigError::Gone`] if it panicked.
    pub fn call<T: Send + 'static>(&self, body: impl FnOnce() -> T + Send + 'static) -> Result<T, RigError> {
        self.0.namespace.run(move |_| body())
    }

    /// Runs `body` on a thread of its own inside the host.
    ///
    /// # Errors
    /// What the kernel refused.
    pub fn run<T: Send + 'static>(
        &self,
        body: impl FnOnce() -> T + Send + 'static,
    ) -> Result<Task<T>, RigError> {
        self.0.namespace.thread(body)
    }

    /// Starts a program in the host; what it prints is kept, and shown if a test fails. It is killed when
    /// the [`Process`] is dropped, and by the kernel when the rig is killed.
    ///
    /// # Errors
    /// [`RigError::Spawn`] if it cannot be started.
    pub fn spawn(&self, command: Command) -> Result<Process, RigError> {
        Process::start(self, command)
    }

    /// Runs a program in the host to its end and returns what it printed on standard output.
    ///
    /// # Errors
    /// [`RigError::Spawn`] if it cannot be started; [`RigError::Failed`] if it fails.
    pub fn output(&self, command: Command) -> Result<String, RigError> {
        crate::process::output(self, command, None)
    }

    /// As [`output`](Self::output), with a file of the host as standard input.
    ///
    /// # Errors
    /// As [`output`](Self::output).
    pub fn output_fed(&self, command: Command, input: &Path) -> Result<String, RigError> {
        crate::process::output(self, command, Some(input.to_owned()))
    }

    /// How many interfaces the host has, loopback and tunnels included.
    ///
    /// # Errors
    /// What the kernel refused.
    pub fn count_interfaces(&self) -> Result<usize, RigError> {
        self.inside(Inside::count_links)
    }

    /// Runs netlink requests inside.
    pub(crate) fn inside<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Inside) -> Result<T, RigError> + Send + 'static,
    ) -> Result<T, RigError> {
        self.0.namespace.run(job)?
    }

    fn interfaces(&self) -> MutexGuard<'_, BTreeMap<String, Cable>> {
        self.0.interfaces.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
