//! What programs and the machine use: processor time and memory, as the kernel counts them.

use std::fs;
use std::time::Duration;

use crate::error::RigError;

/// Processor time that a program used since its start, in user space and in the kernel, all of its threads together,
/// those that have ended included.
///
/// # Errors
/// If there is no such program any more.
pub fn processor_time(process: u32) -> Result<Duration, RigError> {
    let path = format!("/proc/{process}/stat");
    time_of_program(&read(&path)?).ok_or_else(|| no_sense(&path))
}

/// Processor time that the whole machine spent on anything since it started, interrupts included, on all processors
/// together.
///
/// # Errors
/// If the kernel does not tell.
pub fn machine_time() -> Result<Duration, RigError> {
    time_of_machine(&read("/proc/stat")?).ok_or_else(|| no_sense("/proc/stat"))
}

/// What a program has in memory, in bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq, serde::Serialize)]
pub struct Memory {
    /// Now.
    pub resident: u64,
    /// At most since its start.
    pub peak: u64,
}

impl Memory {
    /// That of a running program.
    ///
    /// # Errors
    /// If there is no such program any more.
    pub fn of(process: u32) -> Result<Self, RigError> {
        let path = format!("/proc/{process}/status");
        Self::parse(&read(&path)?).ok_or_else(|| no_sense(&path))
    }

    fn parse(status: &str) -> Option<Self> {
        let kilobytes = |key: &str| {
            let value = status.lines().find_map(|line| line.strip_prefix(key))?;
            value.trim().strip_suffix(" kB")?.trim_end().parse::<u64>().ok()
        };
        Some(Self { resident: kilobytes("VmRSS:")? * 1024, peak: kilobytes("VmHWM:")? * 1024 })
    }
}

/// `utime` and `stime` of `/proc/PID/stat`; the name before them may hold spaces and parentheses.
fn time_of_program(stat: &str) -> Option<Duration> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut times = after_name.split_ascii_whitespace().skip(11).map(str::parse::<u64>);
    Some(ticks(times.next()?.ok()? + times.next()?.ok()?))
}

/// All of the first line of `/proc/stat` but what was idle, waited for disks, or was stolen by other machines; guests
/// are counted in the user's time already.
fn time_of_machine(stat: &str) -> Option<Duration> {
    let fields = stat.lines().next()?.strip_prefix("cpu ")?.split_ascii_whitespace();
    let fields: Vec<u64> = fields.map(|field| field.parse().ok()).collect::<Option<_>>()?;
    let [user, nice, system, _idle, _waiting, interrupts, soft_interrupts, ..] = *fields else { return None };
    Some(ticks(user + nice + system + interrupts + soft_interrupts))
}

fn ticks(count: u64) -> Duration {
    Duration::from_millis(count * 1000 / TICKS_PER_SECOND)
}

fn read(path: &str) -> Result<String, RigError> {
    fs::read_to_string(path).map_err(RigError::io(format!("read {path}")))
}

fn no_sense(path: &str) -> RigError {
    RigError::io(format!("read {path}"))(std::io::ErrorKind::InvalidData.into())
}

/// The unit of both files: Linux shows programs hundredths of a second (`USER_HZ`) on every architecture we run on.
const TICKS_PER_SECOND: u64 = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_with_an_odd_name_has_its_times_read() {
        let stat = "4242 (a) R (b c) S 1 4242 4242 0 -1 4194560 100 0 0 0 150 25 7 9 20 0 3 0 99 1 2";
        assert_eq!(time_of_program(stat), Some(Duration::from_millis(1750)));
        assert_eq!(time_of_program("4242 (x) S 1 2"), None);
    }

    #[test]
    fn the_machine_is_busy_with_all_but_idling_waiting_and_what_others_stole() {
        let stat = "cpu  100 10 50 9999 888 7 3 777 60 1\ncpu0 1 2 3\n";
        assert_eq!(time_of_machine(stat), Some(Duration::from_millis(1700)));
        assert_eq!(time_of_machine("cpu0 1 2 3"), None);
    }

    #[test]
    fn memory_is_read_in_bytes_and_a_program_that_has_none_is_none() {
        let status = "Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\nThreads:\t1\n";
        assert_eq!(Memory::parse(status), Some(Memory { resident: 1 << 20, peak: 2 << 20 }));
        assert_eq!(Memory::parse("Name:\tkthreadd\n"), None);
    }

    #[test]
    fn this_program_uses_what_it_burns() {
        let own = std::process::id();
        let (before, machine) = (processor_time(own).unwrap(), machine_time().unwrap());
        let mut sum = 0_u64;
        while processor_time(own).unwrap() < before + Duration::from_millis(50) {
            sum = sum.wrapping_add(std::hint::black_box(1));
        }
        assert!(machine_time().unwrap() > machine);
        assert!(Memory::of(own).unwrap().resident > 100_000);
    }
}
