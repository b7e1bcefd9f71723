//! Real Spark in a child process: `spark-submit --master local[*]`.
//!
//! The job's folder holds all there is to know:
//!
//! - `lock`: held by the engine as its standard input, from before its first instruction until its
//!   last process that inherited it is gone. The kernel keeps it, so no crash of the executor can
//!   lose it, and no two engines of a run can live.
//! - `attempts`: how often the engine was started; written before each start.
//! - `group`: the engine's process group, for systems without `/proc`. Used only while the lock
//!   is held: until then the number is the engine's.
//! - `spec.cose`, `status/status.json`, `status/progress.json`: see `executor/spark/README.md`.
//! - `secrets.json`: the secrets of encrypted inputs, for the application to read once and remove.
//! - `stdout.log`, `stderr.log`: what the engine printed in its last attempt. The application
//!   prints one line; Spark's own logging is off but for its launcher's few lines.
//! - `tmp`: Spark's spill files and the engine's `TMPDIR`; emptied before each start.
//!
//! The engine is in a process group of its own, so that it outlives the executor and a terminal's
//! Ctrl-C.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal};
use tokio::process::Command;
use tokio::time::Instant;

use super::{Backend, BackendError, Job, JobStatus, Phase, process};
use crate::config::Spark;
use crate::{ending, job};

/// How long the engine has to end by itself when it is asked to.
const TERM_PATIENCE: Duration = Duration::from_secs(5);
/// How long the kernel has to end it.
const KILL_PATIENCE: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(20);
/// What the engine gets of the executor's environment; the rest may hold secrets.
const ENVIRONMENT: [&str; 6] = ["PATH", "HOME", "JAVA_HOME", "LANG", "LC_ALL", "USER"];

/// Local Spark.
#[derive(Debug, Clone)]
pub struct Local {
    spark: Spark,
    application: PathBuf,
}

impl Local {
    /// Runs the application that is installed in the folder `application`.
    pub fn new(spark: Spark, application: PathBuf) -> Self {
        Self { spark, application }
    }

    fn command(&self, job: &Job, lock: File) -> io::Result<Command> {
        let tmp = job.folder.join("tmp");
        let mut command = Command::new(&self.spark.submit);
        command
            .args(["--master", "local[*]", "--name", "chancery"])
            .arg("--driver-memory")
            .arg(format!("{}m", self.spark.driver_memory_mib))
            .args(["--driver-java-options", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"])
            .args(["--conf", "spark.ui.enabled=false"])
            .arg("--conf")
            .arg(setting("spark.local.dir=", &tmp))
            .arg(self.application.join("main.py"))
            .arg("--spec")
            .arg(job.folder.join(job::SPEC))
            .args(["--executor-key", &job.executor.to_hex()])
            .arg("--secrets")
            .arg(job.folder.join(job::SECRETS))
            .arg("--status-dir")
            .arg(job.folder.join(job::STATUS))
            .current_dir(&job.folder)
            .env_clear()
            .envs(ENVIRONMENT.iter().filter_map(|name| Some((name, std::env::var_os(name)?))))
            .env("PYSPARK_PYTHON", &self.spark.python)
            .env("PYSPARK_DRIVER_PYTHON", &self.spark.python)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("TMPDIR", &tmp)
            .env(process::MARK, job.run.to_string())
            .stdin(Stdio::from(lock))
            .stdout(File::create(job.folder.join("stdout.log"))?)
            .stderr(File::create(job.folder.join("stderr.log"))?)
            .process_group(0)
            .kill_on_drop(false);
        Ok(command)
    }
}

fn setting(name: &str, path: &Path) -> std::ffi::OsString {
    let mut setting = std::ffi::OsString::from(name);
    setting.push(path);
    setting
}

/// The job's lock, if nothing holds it.
fn take_lock(folder: &Path) -> io::Result<Option<File>> {
    let path = folder.join("lock");
    let lock = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
    match lock.try_lock() {
        Ok(()) => Ok(Some(lock)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn lives(job: &Job) -> io::Result<bool> {
    // The lock covers the moment between fork and exec, when the mark is not there yet; the mark
    // covers children that outlive what held the lock.
    Ok(job.folder.exists() && take_lock(&job.folder)?.is_none()
        || !process::marked(&job.run.to_string())?.is_empty())
}

fn status(job: &Job) -> io::Result<JobStatus> {
    // In this order: what ends between the two looks has left its status.
    let lives = lives(job)?;
    let attempts = job::attempts(&job.folder)?;
    let folder = job.folder.join(job::STATUS);
    let phase = match ending::read(&folder.join("status.json"))? {
        Some(ending) => Phase::Ended(ending),
        None if lives => Phase::Running(ending::progress(&folder.join("progress.json"))),
        None => Phase::Idle,
    };
    Ok(JobStatus { attempts, phase })
}

fn prepare(job: &Job) -> io::Result<()> {
    let tmp = job.folder.join("tmp");
    match fs::remove_dir_all(&tmp) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::create_dir(&tmp)?;
    job::count_attempt(&job.folder)
}

fn signal(job: &Job, signal: Signal) -> io::Result<()> {
    for pid in process::marked(&job.run.to_string())? {
        process::signal(pid, signal)?;
    }
    let group = fs::read_to_string(job.folder.join("group")).ok();
    let group = group.and_then(|text| text.parse().ok()).and_then(Pid::from_raw);
    if let Some(group) = group
        && take_lock(&job.folder)?.is_none()
    {
        process::signal_group(group, signal)?;
    }
    Ok(())
}

impl Backend for Local {
    async fn launch(&self, job: &Job) -> Result<(), BackendError> {
        let fault = BackendError::at;
        let Some(lock) = take_lock(&job.folder).map_err(fault("taking the job's lock"))? else {
            return Ok(());
        };
        let ended = ending::read(&job.folder.join(job::STATUS).join("status.json"));
        if ended.map_err(fault("looking at the job"))?.is_some() {
            return Ok(());
        }
        // With the lock in hand, whatever still has the mark is the rest of a dead engine.
        self.kill_marked(job).await?;
        prepare(job).map_err(fault("preparing the job"))?;
        let mut command = self.command(job, lock).map_err(fault("preparing the engine"))?;
        let child = command.spawn().map_err(fault("starting spark-submit"))?;
        if let Some(id) = child.id() {
            let written = fs::write(job.folder.join("group"), id.to_string());
            written.map_err(fault("noting the engine's process group"))?;
        }
        // The runtime reaps it; it isn't killed with this handle.
        drop(child);
        Ok(())
    }

    async fn status(&self, job: &Job) -> Result<JobStatus, BackendError> {
        status(job).map_err(BackendError::at("looking at the job"))
    }

    async fn cancel(&self, job: &Job) -> Result<(), BackendError> {
        let fault = BackendError::at;
        let began = Instant::now();
        let mut sent = None;
        while lives(job).map_err(fault("looking at the job"))? {
            let wanted = if began.elapsed() < TERM_PATIENCE { Signal::TERM } else { Signal::KILL };
            // Asked once, killed as often as children turn up.
            if sent != Some(Signal::TERM) || wanted == Signal::KILL {
                signal(job, wanted).map_err(fault("signalling the engine"))?;
                sent = Some(wanted);
            }
            if began.elapsed() > TERM_PATIENCE + KILL_PATIENCE {
                return Err(fault("killing the engine")(io::ErrorKind::TimedOut.into()));
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }
}

impl Local {
    async fn kill_marked(&self, job: &Job) -> Result<(), BackendError> {
        let fault = BackendError::at;
        let began = Instant::now();
        loop {
            let left =
                process::marked(&job.run.to_string()).map_err(fault("looking for processes"))?;
            if left.is_empty() {
                return Ok(());
            }
            if began.elapsed() > KILL_PATIENCE {
                return Err(fault("killing the engine")(io::ErrorKind::TimedOut.into()));
            }
            for pid in left {
                process::signal(pid, Signal::KILL).map_err(fault("signalling the engine"))?;
            }
            tokio::time::sleep(POLL).await;
        }
    }
}
