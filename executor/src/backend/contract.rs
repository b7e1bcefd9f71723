//! The contract of a backend, on the local one and on the fake.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use chancery_ledger::digest::Digest;
use chancery_ledger::id::{CollaborationId, RunId};
use tempfile::TempDir;
use uuid::Uuid;

use super::fake::Fake;
use super::local::Local;
use super::{Backend, Job, JobStatus, Phase};
use crate::RunKey;
use crate::config::Spark;
use crate::ending::Ending;

/// Long enough for any step on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(30);

pub fn run(n: u128) -> RunKey {
    RunKey {
        collaboration: CollaborationId::new(Uuid::from_u128(0xc0)),
        run: RunId::new(Uuid::from_u128(n)),
    }
}

/// A backend whose jobs do as the test says.
trait Bench {
    type Backend: Backend;
    /// The backend as another process would open it.
    fn open(&self) -> Self::Backend;
    fn job(&self) -> Job;
    fn die(&self);
    fn end(&self);
}

struct FakeBench(Fake);

impl Bench for FakeBench {
    type Backend = Fake;

    fn open(&self) -> Fake {
        self.0.clone()
    }

    fn job(&self) -> Job {
        Job { run: run(1), folder: PathBuf::new(), executor: Digest::of(b"key") }
    }

    fn die(&self) {
        self.0.die(run(1));
    }

    fn end(&self) {
        self.0.end(run(1), failed());
    }
}

fn failed() -> Ending {
    Ending::Failed { code: "spec_expired".into(), detail: "expires_ms is past".into() }
}

/// A job of its own in a folder of its own; `spark-submit` is a script that obeys files.
struct LocalBench {
    folder: TempDir,
    run: RunKey,
}

/// Writes its status when there is `end`, and dies when there is `die`; the sleep in a child makes
/// sure that children are found and killed too.
const SCRIPT: &str = r#"#!/bin/sh
for argument; do last=$argument; done
trap '' HUP
while :; do
  if [ -e end ]; then
    mkdir -p "$last"
    printf '%s' '{"v":1,"outcome":"failed","run":null,"code":"spec_expired","detail":"expires_ms is past"}' > "$last/s"
    mv "$last/s" "$last/status.json"
    exit 1
  fi
  if [ -e die ]; then rm die; exit 137; fi
  sleep 0.02
done
"#;

impl LocalBench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bench = Self { folder, run: RunKey { run: RunId::new(unique()), ..run(0) } };
        fs::create_dir(bench.job().folder).unwrap();
        script(&bench.submit(), SCRIPT);
        bench
    }

    fn submit(&self) -> PathBuf {
        self.folder.path().join("spark-submit")
    }
}

/// Marks are seen by all tests of this machine, so each run is its own.
fn unique() -> Uuid {
    let mut random = [0; 10];
    ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut random).unwrap();
    uuid::Builder::from_unix_timestamp_millis(crate::clock::now_ms(), &random).into_uuid()
}

/// Written by another process: a file that this one has open for writing, in whatever thread's
/// half-made child, can't be executed.
fn script(path: &Path, text: &str) {
    let written = std::process::Command::new("sh")
        .args(["-c", r#"printf %s "$1" > "$2" && chmod 755 "$2""#, "sh", text])
        .arg(path)
        .status()
        .unwrap();
    assert!(written.success());
}

impl Bench for LocalBench {
    type Backend = Local;

    fn open(&self) -> Local {
        let spark =
            Spark { submit: self.submit(), python: "python3".into(), driver_memory_mib: 512 };
        Local::new(spark, self.folder.path().join("application"))
    }

    fn job(&self) -> Job {
        let folder = self.folder.path().join("job");
        Job { run: self.run, folder, executor: Digest::of(b"key") }
    }

    fn die(&self) {
        fs::write(self.job().folder.join("die"), "").unwrap();
    }

    fn end(&self) {
        fs::write(self.job().folder.join("end"), "").unwrap();
    }
}

impl Drop for LocalBench {
    fn drop(&mut self) {
        for pid in super::process::marked(&self.run.to_string()).unwrap() {
            super::process::signal(pid, rustix::process::Signal::KILL).unwrap();
        }
    }
}

/// The job's status once `reached` holds of it.
async fn eventually(
    backend: &impl Backend,
    job: &Job,
    reached: impl Fn(&JobStatus) -> bool,
) -> JobStatus {
    let began = Instant::now();
    loop {
        let status = backend.status(job).await.unwrap();
        if reached(&status) {
            return status;
        }
        assert!(began.elapsed() < PATIENCE, "{status:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn a_job_is_started_once_and_found_again(bench: impl Bench) {
    let job = bench.job();
    let first = bench.open();
    assert_eq!(first.status(&job).await.unwrap(), JobStatus::default());
    first.launch(&job).await.unwrap();
    drop(first);
    let second = bench.open();
    let running = JobStatus { attempts: 1, phase: Phase::Running(None) };
    assert_eq!(second.status(&job).await.unwrap(), running);
    second.launch(&job).await.unwrap();
    assert_eq!(second.status(&job).await.unwrap(), running);
    bench.end();
    let ended = eventually(&second, &job, |status| matches!(status.phase, Phase::Ended(_))).await;
    assert_eq!(ended, JobStatus { attempts: 1, phase: Phase::Ended(failed()) });
    // It may be on its way out for a moment; after that, too, it isn't started again.
    eventually_still_ended(&second, &job).await;
}

async fn eventually_still_ended(backend: &impl Backend, job: &Job) {
    backend.cancel(job).await.unwrap();
    backend.launch(job).await.unwrap();
    let status = backend.status(job).await.unwrap();
    assert_eq!(status, JobStatus { attempts: 1, phase: Phase::Ended(failed()) });
}

async fn a_dead_job_is_idle_and_starts_again(bench: impl Bench) {
    let (job, backend) = (bench.job(), bench.open());
    for attempt in 1..=3 {
        backend.launch(&job).await.unwrap();
        assert!(matches!(backend.status(&job).await.unwrap().phase, Phase::Running(_)));
        bench.die();
        let dead = eventually(&backend, &job, |status| status.phase == Phase::Idle).await;
        assert_eq!(dead.attempts, attempt);
    }
}

async fn nothing_lives_after_a_cancel(bench: impl Bench) {
    let (job, backend) = (bench.job(), bench.open());
    backend.cancel(&job).await.unwrap();
    backend.launch(&job).await.unwrap();
    backend.cancel(&job).await.unwrap();
    let idle = JobStatus { attempts: 1, phase: Phase::Idle };
    assert_eq!(backend.status(&job).await.unwrap(), idle);
    backend.cancel(&job).await.unwrap();
    assert_eq!(backend.status(&job).await.unwrap(), idle);
}

#[tokio::test]
async fn the_fake_keeps_the_contract() {
    a_job_is_started_once_and_found_again(FakeBench(Fake::default())).await;
    a_dead_job_is_idle_and_starts_again(FakeBench(Fake::default())).await;
    nothing_lives_after_a_cancel(FakeBench(Fake::default())).await;
}

#[tokio::test]
async fn local_a_job_is_started_once_and_found_again() {
    a_job_is_started_once_and_found_again(LocalBench::new()).await;
}

#[tokio::test]
async fn local_a_dead_job_is_idle_and_starts_again() {
    a_dead_job_is_idle_and_starts_again(LocalBench::new()).await;
}

#[tokio::test]
async fn local_nothing_lives_after_a_cancel() {
    nothing_lives_after_a_cancel(LocalBench::new()).await;
}

#[tokio::test]
async fn a_job_that_ignores_the_request_to_end_is_killed_with_its_children() {
    let bench = LocalBench::new();
    let stubborn = "#!/bin/sh\ntrap '' TERM\nsh -c \"trap '' TERM; touch ready; while :; do sleep 0.05; done\" &\nwhile :; do sleep 0.05; done\n";
    script(&bench.submit(), stubborn);
    let (job, backend) = (bench.job(), bench.open());
    backend.launch(&job).await.unwrap();
    eventually(&backend, &job, |_| job.folder.join("ready").exists()).await;
    backend.cancel(&job).await.unwrap();
    assert_eq!(backend.status(&job).await.unwrap().phase, Phase::Idle);
    assert_eq!(super::process::marked(&job.run.to_string()).unwrap(), []);
}

#[tokio::test]
async fn the_engine_gets_what_it_needs_and_no_more_of_the_environment() {
    let bench = LocalBench::new();
    script(
        &bench.submit(),
        "#!/bin/sh\nprintf '%s\\n' \"$@\"\nenv >&2\ntouch done\nwhile :; do sleep 0.05; done\n",
    );
    let (job, backend) = (bench.job(), bench.open());
    backend.launch(&job).await.unwrap();
    eventually(&backend, &job, |_| job.folder.join("done").exists()).await;
    backend.cancel(&job).await.unwrap();
    let arguments = fs::read_to_string(job.folder.join("stdout.log")).unwrap();
    let arguments: Vec<_> = arguments.lines().collect();
    let folder = job.folder.display();
    assert_eq!(arguments[..2], ["--master", "local[*]"]);
    assert_eq!(
        arguments[arguments.len() - 9..],
        [
            bench.folder.path().join("application/main.py").display().to_string(),
            "--spec".into(),
            format!("{folder}/spec.cose"),
            "--executor-key".into(),
            job.executor.to_hex(),
            "--secrets".into(),
            format!("{folder}/secrets.json"),
            "--status-dir".into(),
            format!("{folder}/status"),
        ]
    );
    let environment = fs::read_to_string(job.folder.join("stderr.log")).unwrap();
    let known = [
        "PATH",
        "HOME",
        "JAVA_HOME",
        "LANG",
        "LC_ALL",
        "USER",
        "PYSPARK_PYTHON",
        "PYSPARK_DRIVER_PYTHON",
        "PYTHONDONTWRITEBYTECODE",
        "TMPDIR",
        "CHANCERY_JOB",
        "PWD",
        "_",
        "OLDPWD",
        "SHLVL",
    ];
    for name in environment.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name) {
        assert!(known.contains(&name), "{name}");
    }
}
