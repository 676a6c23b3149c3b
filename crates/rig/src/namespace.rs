//! One network namespace without a name, held by a thread.
//!
//! The thread unshares the network and the mounts, keeps a netlink socket open, and does what it is asked
//! there. Programs are started from it, so that they inherit both and die with it. `/run` is a private,
//! empty file system: control sockets and keys of two hosts never meet, and vanish with the namespace.
//!
//! # Invariants
//! - The namespaces live no longer than this value, its threads and the programs started in it.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd, RawFd};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc;
use std::thread::{self, JoinHandle, ThreadId};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};

use crate::error::RigError;
use crate::sysctl::Settings;

/// A network namespace (with mounts of its own) and the thread that holds it.
#[derive(Debug)]
pub struct Namespace {
    name: String,
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
    holder: ThreadId,
    network: OwnedFd,
    mounts: OwnedFd,
}

impl Namespace {
    /// Makes the namespace; its loopback interface is up.
    pub(crate) fn new(name: &str, settings: Settings) -> Result<Self, RigError> {
        let (jobs, inbox) = mpsc::channel();
        let (made, opened) = mpsc::channel();
        let owner = name.to_owned();
        let thread = thread::Builder::new()
            .name(format!("ns-{name}"))
            .spawn(move || hold(owner, settings, &made, &inbox))
            .map_err(RigError::io("start a thread"))?;
        let holder = thread.thread().id();
        let (network, mounts) = opened.recv().map_err(|_| RigError::Gone(name.to_owned()))??;
        Ok(Self { name: name.to_owned(), jobs: Some(jobs), thread: Some(thread), holder, network, mounts })
    }

    /// Whose namespace this is.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The descriptor that netlink moves interfaces with.
    pub(crate) fn descriptor(&self) -> RawFd {
        self.network.as_raw_fd()
    }

    /// Runs `job` on the holding thread and waits for its result.
    pub(crate) fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Inside) -> T + Send + 'static,
    ) -> Result<T, RigError> {
        let gone = || RigError::Gone(self.name.clone());
        let (answer, result) = mpsc::channel();
        let job: Job = Box::new(move |inside| {
            let _nobody_waits = answer.send(job(inside));
        });
        self.jobs.as_ref().ok_or_else(gone)?.send(job).map_err(|_| gone())?;
        result.recv().map_err(|_| gone())
    }

    /// Starts a thread inside the namespace; meant for traffic and for whatever takes long.
    pub(crate) fn thread<T: Send + 'static>(
        &self,
        body: impl FnOnce() -> T + Send + 'static,
    ) -> Result<Task<T>, RigError> {
        let failed =
            |doing| move |source| RigError::Namespace { namespace: self.name.clone(), doing, source };
        let network = self.network.try_clone().map_err(failed("copy a descriptor"))?;
        let mounts = self.mounts.try_clone().map_err(failed("copy a descriptor"))?;
        let (entered, outcome) = mpsc::channel();
        let thread = thread::Builder::new()
            .name(self.name.clone())
            .spawn(move || {
                let entry = enter(&network, &mounts);
                let inside = entry.is_ok();
                let _creator_gave_up = entered.send(entry);
                // What was not entered must not run: it would act on the machine itself.
                inside.then(body)
            })
            .map_err(failed("start a thread"))?;
        outcome.recv().map_err(|_| RigError::Gone(self.name.clone()))?.map_err(failed("enter it"))?;
        Ok(Task { namespace: self.name.clone(), thread })
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        drop(self.jobs.take());
        // The last handle may be dropped by a job itself; a thread cannot wait for its own end.
        if let Some(thread) = self.thread.take()
            && thread::current().id() != self.holder
        {
            let _panicked = thread.join();
        }
    }
}

/// Something that runs on a thread inside a namespace.
#[derive(Debug)]
pub struct Task<T> {
    namespace: String,
    thread: JoinHandle<Option<T>>,
}

impl<T> Task<T> {
    /// Waits for the end, and passes a panic on.
    ///
    /// # Errors
    /// [`RigError::Gone`] if the thread never got inside.
    pub fn join(self) -> Result<T, RigError> {
        match self.thread.join() {
            Ok(value) => value.ok_or(RigError::Gone(self.namespace)),
            Err(panic) => resume_unwind(panic),
        }
    }

    /// Whether it has ended.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }
}

type Job = Box<dyn FnOnce(&Inside) + Send>;

/// What a job finds on the holding thread.
pub(crate) struct Inside {
    name: String,
    pub(crate) runtime: tokio::runtime::Runtime,
    pub(crate) netlink: rtnetlink::Handle,
}

impl Inside {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    fn enter_new(name: String, settings: Settings) -> Result<Self, RigError> {
        let failed = |doing| {
            let namespace = name.clone();
            move |source: io::Error| RigError::Namespace { namespace, doing, source }
        };
        unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS)
            .map_err(io::Error::from)
            .map_err(failed("make a namespace"))?;
        make_mounts_private().map_err(failed("make the mounts private"))?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()
            .map_err(failed("start a runtime"))?;
        let entered = runtime.enter();
        let (connection, netlink, _) = rtnetlink::new_connection().map_err(failed("open netlink"))?;
        runtime.spawn(connection);
        drop(entered);
        let inside = Self { name, runtime, netlink };
        inside.set_defaults(&settings)?;
        inside.set_up("lo")?;
        Ok(inside)
    }
}

fn hold(
    name: String,
    settings: Settings,
    made: &mpsc::Sender<Result<(OwnedFd, OwnedFd), RigError>>,
    inbox: &mpsc::Receiver<Job>,
) {
    let entered = Inside::enter_new(name, settings).and_then(|inside| Ok((own_descriptors()?, inside)));
    let inside = match entered {
        Ok((descriptors, inside)) => {
            let _creator_gave_up = made.send(Ok(descriptors));
            inside
        }
        Err(error) => {
            let _creator_gave_up = made.send(Err(error));
            return;
        }
    };
    while let Ok(job) = inbox.recv() {
        // A panic in one job must not end the thread: the kernel would kill every program started from it.
        let _panicked = catch_unwind(AssertUnwindSafe(|| job(&inside)));
    }
}

fn own_descriptors() -> Result<(OwnedFd, OwnedFd), RigError> {
    let open = |path: &str| File::open(path).map(OwnedFd::from).map_err(RigError::io(path));
    Ok((open("/proc/thread-self/ns/net")?, open("/proc/thread-self/ns/mnt")?))
}

/// Nothing mounted here is seen outside; `/run` is empty and `/sys/class/net` shows this namespace.
fn make_mounts_private() -> io::Result<()> {
    const NONE: Option<&str> = None;
    mount(NONE, "/", NONE, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NONE)?;
    mount(Some("tmpfs"), "/run", Some("tmpfs"), MsFlags::MS_NOSUID | MsFlags::MS_NODEV, Some("mode=755"))?;
    // Some containers forbid it; nothing of the rig itself reads /sys.
    let _left_as_it_was = mount(Some("sysfs"), "/sys", Some("sysfs"), MsFlags::empty(), NONE);
    Ok(())
}

fn enter(network: &OwnedFd, mounts: &OwnedFd) -> io::Result<()> {
    // The kernel lets a thread change its mounts only if it shares its root directory with no other.
    unshare(CloneFlags::CLONE_FS)?;
    setns(mounts, CloneFlags::CLONE_NEWNS)?;
    setns(network, CloneFlags::CLONE_NEWNET)?;
    Ok(())
}
