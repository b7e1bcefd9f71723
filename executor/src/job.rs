//! Job folders: what has to outlive the process, written whole or not at all.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use chancery_ledger::id::DatasetId;
use zeroize::Zeroizing;

use crate::{RunKey, key};

/// The signed job spec in a job's folder.
pub const SPEC: &str = "spec.cose";
/// The folder in it for what the application tells.
pub const STATUS: &str = "status";
/// The secrets of encrypted inputs in it: the application reads the file once, and removes it.
pub const SECRETS: &str = "secrets.json";
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

    /// Leaves secrets for the application, by dataset, in a file for its owner only; none leave no
    /// file. They never stand in an argument or the environment, which other processes can read.
    pub fn put_secrets(
        &self,
        run: RunKey,
        secrets: &BTreeMap<DatasetId, Zeroizing<Vec<u8>>>,
    ) -> io::Result<()> {
        let folder = self.folder(run);
        let path = folder.join(SECRETS);
        missing_is_none(fs::remove_file(&path))?;
        if secrets.is_empty() {
            return Ok(());
        }
        let mut text = Zeroizing::new(String::from("{"));
        for (number, (dataset, secret)) in secrets.iter().enumerate() {
            let comma = if number == 0 { "" } else { "," };
            let secret = Zeroizing::new(URL_SAFE_NO_PAD.encode(secret));
            for part in [comma, "\"", &dataset.to_string(), "\":\"", &secret, "\""] {
                text.push_str(part);
            }
        }
        text.push('}');
        key::put(&folder, &path, text.as_bytes())
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
    fn secrets_lie_in_a_private_file_and_go_with_the_job() {
        use std::os::unix::fs::PermissionsExt as _;

        let state = tempfile::tempdir().unwrap();
        let jobs = Jobs::open(state.path()).unwrap();
        let run = crate::backend::contract::run(1);
        jobs.put_spec(run, b"one").unwrap();
        let path = jobs.folder(run).join(SECRETS);
        jobs.put_secrets(run, &BTreeMap::new()).unwrap();
        assert!(!path.exists());
        let (one, other) = (DatasetId::new(uuid::Uuid::nil()), DatasetId::new(uuid::Uuid::max()));
        let secrets = BTreeMap::from([
            (one, Zeroizing::new(b"one".to_vec())),
            (other, Zeroizing::new(b"other".to_vec())),
        ]);
        jobs.put_secrets(run, &secrets).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let read: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        let expected = serde_json::json!({ one.to_string(): "b25l", other.to_string(): "b3RoZXI" });
        assert_eq!(read, expected);
        jobs.put_secrets(run, &BTreeMap::new()).unwrap();
        assert!(!path.exists());
        jobs.put_secrets(run, &secrets).unwrap();
        jobs.remove(run, true).unwrap();
        assert!(!path.exists());
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
