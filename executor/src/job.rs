//! Job folders: what has to outlive the process, written whole or not at all.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::RunKey;

/// The signed job spec in a job's folder.
pub const SPEC: &str = "spec.cose";
/// The folder in it for what the application tells.
pub const STATUS: &str = "status";
const ATTEMPTS: &str = "attempts";
const STDERR: &str = "stderr.log";
/// How many failed runs' engine output is kept.
pub const FAILURES_KEPT_MAX: usize = 20;

/// The job folders of an executor: `<jobs>/<collaboration>/<run>`.
#[derive(Debug, Clone)]
pub struct Jobs {
    folder: PathBuf,
    failures: PathBuf,
}

impl Jobs {
    /// Those in a state folder.
    pub fn open(state_dir: &Path) -> io::Result<Self> {
        let jobs = Self { folder: state_dir.join("jobs"), failures: state_dir.join("failures") };
        fs::create_dir_all(&jobs.folder)?;
        fs::create_dir_all(&jobs.failures)?;
        Ok(jobs)
    }

    /// Where a run's job lies.
    pub fn folder(&self, run: RunKey) -> PathBuf {
        self.folder.join(run.collaboration.to_string()).join(run.run.to_string())
    }

    /// The job spec, if there is one.
    pub fn spec(&self, run: RunKey) -> io::Result<Option<Vec<u8>>> {
        missing_is_none(fs::read(self.folder(run).join(SPEC)))
    }

    /// Makes the folder ready for a job that nothing of has started: with this spec, and nothing
    /// that an earlier one told. The starts that were counted stay counted.
    pub fn put_spec(&self, run: RunKey, spec: &[u8]) -> io::Result<()> {
        let folder = self.folder(run);
        fs::create_dir_all(&folder)?;
        missing_is_none(fs::remove_dir_all(folder.join(STATUS)))?;
        write(&folder, SPEC, spec)?;
        // The folders' names have to be on disk as well.
        for above in folder.ancestors().skip(1).take(2) {
            File::open(above)?.sync_all()?;
        }
        Ok(())
    }

    /// Removes a job's folder, the spec last: with it, this can be repeated.
    pub fn remove(&self, run: RunKey, failed: bool) -> io::Result<()> {
        let folder = self.folder(run);
        if failed {
            self.keep_output(run, &folder)?;
        }
        let Some(entries) = missing_is_none(fs::read_dir(&folder))? else { return Ok(()) };
        for entry in entries {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                fs::remove_dir_all(entry.path())?;
            } else if entry.file_name() != SPEC && entry.file_name() != ATTEMPTS {
                fs::remove_file(entry.path())?;
            }
        }
        fs::remove_dir_all(&folder)
    }

    /// Keeps what a failed run's engine printed, and of all of these the newest few.
    fn keep_output(&self, run: RunKey, folder: &Path) -> io::Result<()> {
        let kept = self.failures.join(format!("{}.{STDERR}", run.run));
        missing_is_none(fs::rename(folder.join(STDERR), kept))?;
        let mut all = Vec::new();
        for entry in fs::read_dir(&self.failures)? {
            let entry = entry?;
            all.push((entry.metadata()?.modified()?, entry.path()));
        }
        all.sort_unstable();
        let surplus = all.len().saturating_sub(FAILURES_KEPT_MAX);
        for (_, path) in all.into_iter().take(surplus) {
            fs::remove_file(path)?;
        }
        Ok(())
    }
}

/// How often a job's engine was started, or was about to be.
pub fn attempts(folder: &Path) -> io::Result<u32> {
    match missing_is_none(fs::read_to_string(folder.join(ATTEMPTS)))? {
        None => Ok(0),
        Some(text) => text.parse().map_err(|_| io::Error::from(io::ErrorKind::InvalidData)),
    }
}

/// Counts a start that is about to be made.
pub fn count_attempt(folder: &Path) -> io::Result<()> {
    let count = attempts(folder)?.saturating_add(1);
    write(folder, ATTEMPTS, count.to_string().as_bytes())
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let fresh = folder.join(format!("{name}.new"));
    let mut file = File::create(&fresh)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&fresh, folder.join(name))?;
    File::open(folder)?.sync_all()
}

fn missing_is_none<T>(outcome: io::Result<T>) -> io::Result<Option<T>> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_spec_keeps_the_count_and_forgets_the_ending() {
        let state = tempfile::tempdir().unwrap();
        let jobs = Jobs::open(state.path()).unwrap();
        let run = crate::backend::contract::run(1);
        assert_eq!(jobs.spec(run).unwrap(), None);
        jobs.put_spec(run, b"one").unwrap();
        let folder = jobs.folder(run);
        count_attempt(&folder).unwrap();
        fs::create_dir(folder.join(STATUS)).unwrap();
        fs::write(folder.join(STATUS).join("status.json"), "{}").unwrap();
        jobs.put_spec(run, b"two").unwrap();
        assert_eq!(jobs.spec(run).unwrap().as_deref(), Some(b"two".as_slice()));
        assert_eq!(attempts(&folder).unwrap(), 1);
        assert!(!folder.join(STATUS).exists());
        jobs.remove(run, false).unwrap();
        jobs.remove(run, false).unwrap();
        assert!(!folder.exists());
    }

    #[test]
    fn the_output_of_the_newest_failures_is_kept() {
        let state = tempfile::tempdir().unwrap();
        let jobs = Jobs::open(state.path()).unwrap();
        for n in 0..FAILURES_KEPT_MAX as u128 + 3 {
            let run = crate::backend::contract::run(n);
            jobs.put_spec(run, b"spec").unwrap();
            fs::write(jobs.folder(run).join(STDERR), n.to_string()).unwrap();
            jobs.remove(run, true).unwrap();
        }
        let kept = fs::read_dir(&jobs.failures).unwrap().count();
        assert_eq!(kept, FAILURES_KEPT_MAX);
    }
}
