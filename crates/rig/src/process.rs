//! Programs that run inside a host, and what they print.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, PipeReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getppid};

use crate::error::RigError;
use crate::host::Host;

/// A running program; dropping it ends it.
#[derive(Debug)]
pub struct Process {
    host: Host,
    program: String,
    child: Child,
    log: Arc<Log>,
}

impl Process {
    pub(crate) fn start(host: &Host, mut command: Command) -> Result<Self, RigError> {
        let program = name_of(&command);
        let failed =
            |source| RigError::Spawn { host: host.name().to_owned(), program: program.clone(), source };
        let (reader, writer) = io::pipe().map_err(failed)?;
        let errors = writer.try_clone().map_err(failed)?;
        command.stdin(Stdio::null()).stdout(writer).stderr(errors);
        die_with_the_rig(&mut command);
        // Started on the host's own thread: the child inherits its namespaces, and the kernel kills it
        // when that thread is no more.
        let child = host.call(move || command.spawn())?.map_err(failed)?;
        let log = Arc::new(Log::default());
        let kept = Arc::clone(&log);
        thread::Builder::new()
            .name(format!("log-{program}"))
            .spawn(move || kept.fill(reader))
            .map_err(failed)?;
        Ok(Self { host: host.clone(), program, child, log })
    }

    /// Its process number.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its process number and those of the processes that it started and theirs, as they are now.
    #[must_use]
    pub fn with_descendants(&self) -> Vec<u32> {
        let parents: Vec<(u32, u32)> = parents().collect();
        let mut family = vec![self.id()];
        let mut known = 0;
        while let Some(parent) = family.get(known).copied() {
            family.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(id, _)| id));
            known += 1;
        }
        family
    }

    /// Everything it printed so far, on standard output and error, each line with the time since its start.
    #[must_use]
    pub fn log(&self) -> String {
        self.log.text()
    }

    /// When it printed lines with `words` in them.
    #[must_use]
    pub fn moments(&self, words: &str) -> Vec<Instant> {
        let lines = self.log.lines();
        let with_words = lines.kept.iter().filter(|line| line.text.contains(words));
        with_words.map(|line| line.at).collect()
    }

    /// Waits until it prints a line with `words` in it, and returns the line.
    ///
    /// # Errors
    /// [`RigError::NotReady`] with all it printed, if it does not within `patience` or ends before.
    pub fn wait_for(&self, words: &str, patience: Duration) -> Result<String, RigError> {
        self.log.wait_for(words, patience).ok_or_else(|| self.not_ready(words, patience))
    }

    /// Waits until `holds`, which is asked again after every `pause`; `wanted` is what it asks for.
    ///
    /// # Errors
    /// [`RigError::NotReady`] with all it printed, if that is not within `patience`; the first error of `holds`.
    pub(crate) fn wait_until(
        &self,
        wanted: &str,
        (pause, patience): (Duration, Duration),
        mut holds: impl FnMut() -> Result<bool, RigError>,
    ) -> Result<(), RigError> {
        let started = Instant::now();
        while !holds()? {
            if started.elapsed() > patience {
                return Err(self.not_ready(wanted, patience));
            }
            thread::sleep(pause);
        }
        Ok(())
    }

    fn not_ready(&self, wanted: &str, waited: Duration) -> RigError {
        RigError::NotReady {
            host: self.host.name().to_owned(),
            program: self.program.clone(),
            wanted: wanted.to_owned(),
            waited,
            log: self.log(),
        }
    }

    /// Whether it runs still.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Asks it to end (SIGTERM) and returns how it did; kills it if it does not within `patience`.
    ///
    /// # Errors
    /// What the kernel refused.
    pub fn terminate(&mut self, patience: Duration) -> Result<ExitStatus, RigError> {
        self.signal(Signal::SIGTERM);
        let started = Instant::now();
        while started.elapsed() < patience {
            if let Some(status) = self.child.try_wait().map_err(RigError::io("wait for a program"))? {
                return Ok(status);
            }
            thread::sleep(Duration::from_millis(5));
        }
        self.kill()
    }

    /// Kills it (SIGKILL), as a crash would.
    ///
    /// # Errors
    /// What the kernel refused.
    pub fn kill(&mut self) -> Result<ExitStatus, RigError> {
        self.child.kill().map_err(RigError::io("kill a program"))?;
        self.child.wait().map_err(RigError::io("wait for a program"))
    }

    /// Sends it a signal, such as SIGSTOP to let it sleep.
    pub fn signal(&self, signal: Signal) {
        if let Ok(id) = i32::try_from(self.child.id()) {
            let _ended_already = kill(Pid::from_raw(id), signal);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.is_running() {
            let _ended_already = self.terminate(GRACE);
        }
        if thread::panicking() {
            let _unseen = writeln!(
                io::stderr(),
                "--- {} on {} printed:\n{}---",
                self.program,
                self.host.name(),
                self.log()
            );
        }
    }
}

/// Runs a program to its end; see [`Host::output`].
pub(crate) fn output(host: &Host, mut command: Command, input: Option<PathBuf>) -> Result<String, RigError> {
    let program = name_of(&command);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    die_with_the_rig(&mut command);
    let owner = host.name().to_owned();
    let spawned = host.call(move || {
        // Opened inside: the path is one of the host's.
        let stdin = input.map(File::open).transpose()?.map_or(Stdio::null(), Stdio::from);
        command.stdin(stdin).spawn()
    })?;
    let output = spawned.and_then(Child::wait_with_output).map_err(|source| RigError::Spawn {
        host: owner.clone(),
        program: program.clone(),
        source,
    })?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(text);
    }
    let output_text = text + &String::from_utf8_lossy(&output.stderr);
    Err(RigError::Failed { host: owner, program, status: output.status.to_string(), output: output_text })
}

/// What a program prints, as it comes.
#[derive(Debug, Default)]
struct Log {
    lines: Mutex<Lines>,
    grown: Condvar,
}

#[derive(Debug, Default)]
struct Lines {
    kept: VecDeque<Line>,
    dropped: usize,
    ended: bool,
}

#[derive(Debug)]
struct Line {
    at: Instant,
    /// With the time since the program's start.
    text: String,
}

impl Log {
    fn fill(&self, reader: PipeReader) {
        let started = Instant::now();
        for line in BufReader::new(reader).split(b'\n') {
            let Ok(line) = line else { break };
            let at = Instant::now();
            let stamp = (at - started).as_secs_f64();
            let mut lines = self.lines();
            if lines.kept.len() == MOST_LINES {
                lines.kept.pop_front();
                lines.dropped += 1;
            }
            let text = format!("{stamp:9.3}  {}", String::from_utf8_lossy(&line));
            lines.kept.push_back(Line { at, text });
            self.grown.notify_all();
        }
        self.lines().ended = true;
        self.grown.notify_all();
    }

    fn wait_for(&self, words: &str, patience: Duration) -> Option<String> {
        let until = Instant::now() + patience;
        let mut lines = self.lines();
        loop {
            if let Some(line) = lines.kept.iter().find(|line| line.text.contains(words)) {
                return Some(line.text.clone());
            }
            let left = until.saturating_duration_since(Instant::now());
            if lines.ended || left.is_zero() {
                return None;
            }
            lines = self.grown.wait_timeout(lines, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn text(&self) -> String {
        let lines = self.lines();
        let mut text = match lines.dropped {
            0 => String::new(),
            dropped => format!("({dropped} lines before these)\n"),
        };
        for line in &lines.kept {
            text.push_str(&line.text);
            text.push('\n');
        }
        text
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Every process of the machine with the number of its parent.
fn parents() -> impl Iterator<Item = (u32, u32)> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| {
        let id = entry.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        // The name before it may hold anything; its closing parenthesis is the last one.
        let parent = stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()?;
        Some((id, parent))
    })
}

fn name_of(command: &Command) -> String {
    let path = Path::new(command.get_program());
    path.file_name().unwrap_or(command.get_program()).to_string_lossy().into_owned()
}

/// Has the kernel kill the program when the rig dies, however it dies.
#[expect(unsafe_code, reason = "what runs between fork and exec must be declared safe to run there")]
fn die_with_the_rig(command: &mut Command) {
    // Ctrl-C at a terminal goes to the rig, which then ends what it started in its own order.
    command.process_group(0);
    let rig = Pid::this();
    // SAFETY: the closure makes two system calls and allocates nothing, so it is safe after a fork.
    unsafe {
        command.pre_exec(move || {
            set_pdeathsig(Signal::SIGKILL)?;
            // Killed before the request was made: nobody would tell us any more.
            if getppid() == rig { Ok(()) } else { Err(io::ErrorKind::NotConnected.into()) }
        });
    }
}

/// How long a program may take to tidy up after SIGTERM.
const GRACE: Duration = Duration::from_secs(3);
/// Lines of output kept per program: enough for a failure's cause, bounded for a chatty one.
const MOST_LINES: usize = 4000;
