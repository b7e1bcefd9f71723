//! Processes of a job: found by a mark in their environment, which all children inherit.
//!
//! A process id alone is no name: it is used again. The mark is, and needs no file that a crash
//! could leave unwritten. Where there is no `/proc`, nothing is found, and the job's lock and
//! recorded group have to do (see [`super::local`]).

use std::fs;
use std::io;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

/// The variable that holds the mark.
pub const MARK: &str = "CHANCERY_JOB";

/// The processes whose environment has `MARK=mark`, zombies aside.
pub fn marked(mark: &str) -> io::Result<Vec<Pid>> {
    let entries = match fs::read_dir("/proc") {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let wanted = format!("{MARK}={mark}");
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        let id = entry.file_name().to_str().and_then(|name| name.parse().ok());
        let Some(pid) = id.and_then(Pid::from_raw) else { continue };
        // Gone by now, or another user's: not ours.
        let Ok(environment) = fs::read(entry.path().join("environ")) else { continue };
        if environment.split(|byte| *byte == 0).any(|variable| variable == wanted.as_bytes()) {
            found.push(pid);
        }
    }
    Ok(found)
}

/// Signals a process; one that is gone is fine.
pub fn signal(pid: Pid, signal: Signal) -> io::Result<()> {
    forgiving(kill_process(pid, signal))
}

/// Signals a process group; one that is gone is fine.
pub fn signal_group(group: Pid, signal: Signal) -> io::Result<()> {
    forgiving(kill_process_group(group, signal))
}

fn forgiving(outcome: rustix::io::Result<()>) -> io::Result<()> {
    match outcome {
        Ok(()) | Err(Errno::SRCH) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
