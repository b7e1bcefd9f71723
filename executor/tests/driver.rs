//! The executor against the rules, a service with faults, and a scripted engine.

mod support;

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use chancery_executor::{Client, Config, Credentials, Executor, Secret, Spark, measurement};
use chancery_feed::{FileCursors, Subscription, Wakeup};
use chancery_governance::state::run::{Outcome, Stage};
use chancery_ledger::digest::Digest;
use chancery_ledger::id::RunId;
use support::engine::Engine;
use support::room::{self, Room};
use support::service::Service;
use tempfile::TempDir;
use tokio::sync::oneshot;

/// Long enough for any step on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(60);
const SWEEP: Duration = Duration::from_millis(50);

struct Bench {
    folder: TempDir,
    service: Service,
    engine: Engine,
    config: Config,
    run: RunId,
}

struct Running {
    executor: Executor,
    stop: oneshot::Sender<()>,
}

impl Running {
    /// Drops all that it does wherever it is, as a kill would.
    async fn kill(self) {
        self.stop.send(()).ok();
        self.executor.ended().await.unwrap();
    }
}

impl Bench {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let engine = Engine::make(&folder.path().join("engine"));
        fs::create_dir_all(folder.path().join("data/litware/orders")).unwrap();
        fs::write(folder.path().join("data/litware/orders/part.csv"), "customer,region\n").unwrap();
        let mut room = Room::accepted(measurement::application());
        let run = room::fresh_run();
        room.request(run);
        let (service, base) = Service::serve(room).await;
        let config = Config {
            service: base.clone(),
            service_key: room::service_key().public().id(),
            credentials: Credentials {
                token_endpoint: format!("{base}/token"),
                client_id: "executor".into(),
                client_secret: Secret("secret".into()),
                scope: None,
            },
            data_root: folder.path().join("data"),
            state_dir: folder.path().join("state"),
            spark: Spark {
                submit: engine.program(),
                python: "python3".into(),
                driver_memory_mib: 512,
            },
        };
        Self { folder, service, engine, config, run }
    }

    async fn start(&self) -> Running {
        // Some test is the first; the others find it installed.
        rustls::crypto::ring::default_provider().install_default().ok();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let client = Client::new(&self.config, http);
        fs::create_dir_all(&self.config.state_dir).unwrap();
        let cursors = self.config.state_dir.join("cursors");
        let cursors = FileCursors::open(&cursors).await.unwrap();
        let subscription =
            Subscription::open(client.clone(), cursors, Wakeup::none(), SWEEP).await.unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = async move {
            stopped.await.ok();
        };
        let executor = Executor::start(&self.config, client, subscription, shutdown).unwrap();
        Running { executor, stop }
    }

    fn stage(&self) -> Stage {
        self.service.lock().room.state().runs[&self.run].stage.clone()
    }

    async fn until(&self, what: &str, reached: impl Fn(&Self) -> bool) {
        let began = Instant::now();
        while !reached(self) {
            assert!(began.elapsed() < PATIENCE, "{what}: {:?}", self.stage());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn until_stage(&self, name: &str) {
        self.until(name, |bench| bench.stage().name() == name).await;
    }

    /// Until the run ended and nothing of its job is left on disk.
    async fn until_cleared(&self) {
        self.until("cleared", |bench| bench.stage().ended() && !bench.job().exists()).await;
    }

    fn job(&self) -> PathBuf {
        let folder = self.config.state_dir.join("jobs").join(room::id().to_string());
        folder.join(self.run.to_string())
    }

    fn output(&self) -> PathBuf {
        self.folder.path().join("data/fabrikam/report").join(self.run.to_string())
    }

    /// What lies in the output dataset's folder.
    fn results(&self) -> usize {
        fs::read_dir(self.folder.path().join("data/fabrikam/report")).map_or(0, Iterator::count)
    }

    fn outcomes(&self) -> usize {
        let subject = format!("run/{}", self.run);
        let kinds = ["RunRefused", "RunSucceeded", "RunFailed", "RunCancelled"];
        let inner = self.service.lock();
        let entries = inner.room.log.iter().map(|sealed| sealed.entry());
        entries.filter(|entry| entry.subject == subject && kinds.contains(&&*entry.kind)).count()
    }

    fn failure(&self) -> (String, String) {
        match self.stage() {
            Stage::Ended(Outcome::Failed { code, detail }) => (code, detail),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_requested_run_becomes_an_attested_result() {
    let bench = Bench::new().await;
    let running = bench.start().await;
    bench.until_cleared().await;
    running.kill().await;
    let Stage::Ended(Outcome::Succeeded { result, .. }) = bench.stage() else {
        panic!("{:?}", bench.stage())
    };
    let file = &result.manifest.files[0];
    let content = fs::read(bench.output().join(&file.path)).unwrap();
    assert_eq!(file.digest, Digest::of(&content));
    assert_eq!(result.application, measurement::application());
    assert_eq!(result.votes.len(), 2);
    assert_eq!((bench.engine.began(), bench.outcomes()), (1, 1));
}

#[tokio::test]
async fn a_job_that_outlives_the_executor_is_adopted() {
    let bench = Bench::new().await;
    bench.engine.set("hold");
    let running = bench.start().await;
    bench.until_stage("started").await;
    let key = running.executor.key().clone();
    running.kill().await;
    let running = bench.start().await;
    assert_eq!(running.executor.key(), &key);
    bench.engine.unset("hold");
    bench.until_stage("succeeded").await;
    running.kill().await;
    assert_eq!((bench.engine.began(), bench.outcomes()), (1, 1));
}

#[tokio::test]
async fn a_job_that_ended_while_the_executor_was_away_is_reported() {
    let bench = Bench::new().await;
    bench.engine.set("hold");
    let running = bench.start().await;
    bench.until("the engine", |bench| bench.engine.began() == 1).await;
    running.kill().await;
    bench.engine.unset("hold");
    bench.until("its end", |bench| bench.job().join("status/status.json").exists()).await;
    let running = bench.start().await;
    bench.until_stage("succeeded").await;
    running.kill().await;
    assert_eq!((bench.engine.began(), bench.outcomes()), (1, 1));
}

#[tokio::test]
async fn withdrawn_consent_kills_the_job_and_leaves_no_result() {
    let bench = Bench::new().await;
    bench.engine.set("half");
    bench.engine.set("hold");
    let running = bench.start().await;
    bench.until_stage("started").await;
    bench.until("half a result", |bench| bench.output().join("part-00000.csv").exists()).await;
    bench.service.lock().room.withdraw_consent();
    assert_eq!(bench.stage().name(), "cancelled");
    bench.until_cleared().await;
    running.kill().await;
    assert_eq!((bench.results(), bench.outcomes()), (0, 1));
}

#[tokio::test]
async fn consent_withdrawn_while_the_executor_is_away_clears_the_job_at_its_start() {
    let bench = Bench::new().await;
    bench.engine.set("half");
    bench.engine.set("hold");
    let running = bench.start().await;
    bench.until_stage("started").await;
    running.kill().await;
    bench.service.lock().room.withdraw_consent();
    let running = bench.start().await;
    bench.until_cleared().await;
    running.kill().await;
    assert_eq!((bench.results(), bench.outcomes()), (0, 1));
}

#[tokio::test]
async fn an_engine_that_dies_is_started_again_and_given_up_in_the_end() {
    let bench = Bench::new().await;
    bench.engine.set("half");
    bench.engine.set("die");
    let running = bench.start().await;
    bench.until_cleared().await;
    running.kill().await;
    assert_eq!(bench.failure().0, "engine_died");
    assert_eq!((bench.engine.began(), bench.outcomes(), bench.results()), (3, 1, 0));
}

#[tokio::test]
async fn what_a_dead_engine_left_is_no_obstacle_to_the_next() {
    let bench = Bench::new().await;
    bench.engine.set("half");
    bench.engine.set("die");
    let running = bench.start().await;
    bench.until("the engine", |bench| bench.engine.began() == 1).await;
    bench.engine.unset("half");
    bench.engine.unset("die");
    bench.until_stage("succeeded").await;
    running.kill().await;
    assert_eq!((bench.outcomes(), bench.results()), (1, 1));
}

#[tokio::test]
async fn the_applications_own_failure_is_the_outcome() {
    let bench = Bench::new().await;
    bench.engine.set("fail");
    let running = bench.start().await;
    bench.until_cleared().await;
    running.kill().await;
    assert_eq!(bench.failure(), ("minimum_group_violated".into(), "totals: too small".into()));
}

#[tokio::test]
async fn a_result_that_differs_from_its_manifest_fails_and_goes() {
    let bench = Bench::new().await;
    bench.engine.set("lie");
    let running = bench.start().await;
    bench.until_cleared().await;
    running.kill().await;
    assert_eq!(bench.failure().0, "result_invalid");
    assert_eq!(bench.results(), 0);
}

#[tokio::test]
async fn a_result_of_somebody_else_is_never_written_over_nor_removed() {
    let bench = Bench::new().await;
    fs::create_dir_all(bench.output()).unwrap();
    fs::write(bench.output().join("theirs.csv"), "x").unwrap();
    let running = bench.start().await;
    bench.until_cleared().await;
    running.kill().await;
    assert_eq!(bench.failure().0, "output_exists");
    assert_eq!(bench.engine.began(), 0);
    assert!(bench.output().join("theirs.csv").exists());
}

#[tokio::test]
async fn a_dataset_outside_the_data_root_fails_the_run() {
    let bench = Bench::new().await;
    let link = bench.folder.path().join("data/litware/orders/link.csv");
    std::os::unix::fs::symlink("/etc/hostname", link).unwrap();
    let running = bench.start().await;
    bench.until_stage("failed").await;
    running.kill().await;
    assert_eq!(bench.failure().0, "dataset_path_refused");
    assert_eq!(bench.engine.began(), 0);
}

#[tokio::test]
async fn lost_replies_and_a_service_that_is_away_change_nothing() {
    let bench = Bench::new().await;
    {
        let mut inner = bench.service.lock();
        inner.away = 3;
        inner.lose_replies = 8;
    }
    let running = bench.start().await;
    bench.until_stage("succeeded").await;
    running.kill().await;
    assert_eq!((bench.engine.began(), bench.outcomes()), (1, 1));
}

#[tokio::test]
async fn a_lost_state_folder_means_a_new_key_and_a_new_admission() {
    let mut bench = Bench::new().await;
    bench.engine.set("hold");
    let running = bench.start().await;
    bench.until_stage("started").await;
    let key = running.executor.key().clone();
    running.kill().await;
    // With the folder goes what was known of the job; a new machine does not have its processes.
    let old = bench.config.state_dir.clone();
    bench.config.state_dir = bench.folder.path().join("state-2");
    bench.engine.unset("hold");
    bench.until("the old engine", |_| {
        let status = old.join("jobs").join(room::id().to_string()).join(bench.run.to_string());
        status.join("status/status.json").exists()
    })
    .await;
    fs::remove_dir_all(bench.output()).unwrap();
    let running = bench.start().await;
    assert_ne!(running.executor.key(), &key);
    bench.until_stage("succeeded").await;
    running.kill().await;
    assert_eq!((bench.engine.began(), bench.outcomes()), (2, 1));
}

#[tokio::test]
async fn nothing_is_done_on_a_log_that_does_not_verify() {
    let tampered = Bench::new().await;
    tampered.service.lock().tampered = Some(6);
    let mut pinned = Bench::new().await;
    pinned.config.service_key = Digest::of(b"another service");
    for bench in [tampered, pinned] {
        let running = bench.start().await;
        // A second log would be needed to know that it was looked at; a few sweeps have to do.
        tokio::time::sleep(SWEEP * 20).await;
        running.kill().await;
        assert_eq!((bench.stage().name(), bench.engine.began()), ("requested", 0));
    }
}

#[tokio::test]
async fn killed_again_and_again_it_still_comes_to_one_outcome() {
    let bench = Bench::new().await;
    bench.engine.set("hold");
    bench.service.lock().lose_replies = 3;
    for n in 0..25_u32 {
        let running = bench.start().await;
        tokio::time::sleep(Duration::from_millis(u64::from(n * n % 97) * 3)).await;
        running.kill().await;
        if n == 20 {
            bench.engine.unset("hold");
        }
    }
    let running = bench.start().await;
    bench.until_cleared().await;
    running.kill().await;
    assert_eq!(bench.stage().name(), "succeeded");
    assert_eq!((bench.engine.began(), bench.outcomes(), bench.results()), (1, 1, 1));
}
