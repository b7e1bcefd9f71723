//! One run, its service, its engine, and executors that come and go.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::engine::Engine;
use super::room::{self, Room};
use super::service::Service;
use chancery_executor::{Client, Config, Credentials, Executor, Secret, Spark, measurement};
use chancery_feed::{FileCursors, Subscription, Wakeup};
use chancery_governance::state::run::{Outcome, Stage};
use chancery_ledger::entry::Sealed;
use chancery_ledger::id::RunId;
use tempfile::TempDir;
use tokio::sync::oneshot;

/// Long enough for any step on a loaded machine.
pub const PATIENCE: Duration = Duration::from_mins(1);
/// How often the executor looks at the log.
pub const SWEEP: Duration = Duration::from_millis(50);

/// A run that was requested, and all that an executor needs for it.
pub struct Bench {
    pub folder: TempDir,
    pub service: Service,
    pub engine: Engine,
    pub config: Config,
    pub run: RunId,
}

/// An executor at work.
pub struct Running {
    pub executor: Executor,
    pub stop: oneshot::Sender<()>,
}

impl Running {
    /// Drops all that it does wherever it is, as a kill would.
    pub async fn kill(self) {
        self.stop.send(()).ok();
        self.executor.ended().await.unwrap();
    }
}

impl Bench {
    pub async fn new() -> Self {
        Self::of(Room::accepted(measurement::application())).await
    }

    /// One whose input is encrypted under `secret`.
    pub async fn encrypted(secret: &[u8]) -> Self {
        Self::of(Room::encrypted(measurement::application(), secret)).await
    }

    /// With a query that costs privacy.
    pub async fn private() -> Self {
        Self::of(Room::private(measurement::application())).await
    }

    async fn of(mut room: Room) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let engine = Engine::make(&folder.path().join("engine"));
        let orders = folder.path().join("data").join(room::orders_folder());
        fs::create_dir_all(&orders).unwrap();
        fs::write(orders.join("part.csv"), "customer,region\n").unwrap();
        let run = room::fresh_run();
        room.request(run);
        let (service, base) = Service::serve(room).await;
        let config = Config {
            service: base.clone(),
            service_keys: vec![room::service_key().public().id()],
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

    pub async fn start(&self) -> Running {
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

    pub fn stage(&self) -> Stage {
        self.service.lock().room.state().runs[&self.run].stage.clone()
    }

    pub async fn until(&self, what: &str, reached: impl Fn(&Self) -> bool) {
        let began = Instant::now();
        while !reached(self) {
            assert!(began.elapsed() < PATIENCE, "{what}: {:?}", self.stage());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub async fn until_stage(&self, name: &str) {
        self.until(name, |bench| bench.stage().name() == name).await;
    }

    /// Until the run ended and nothing of its job is left on disk.
    pub async fn until_cleared(&self) {
        self.until("cleared", |bench| bench.stage().ended() && !bench.job().exists()).await;
    }

    pub fn job(&self) -> PathBuf {
        let folder = self.config.state_dir.join("jobs").join(room::id().to_string());
        folder.join(self.run.to_string())
    }

    fn reports(&self) -> PathBuf {
        self.folder.path().join("data").join(room::report_folder())
    }

    pub fn output(&self) -> PathBuf {
        self.reports().join(self.run.to_string())
    }

    /// What lies in the output dataset's folder.
    pub fn results(&self) -> usize {
        fs::read_dir(self.reports()).map_or(0, Iterator::count)
    }

    pub fn outcomes(&self) -> usize {
        let subject = format!("run/{}", self.run);
        let kinds = ["RunRefused", "RunSucceeded", "RunFailed", "RunCancelled"];
        let inner = self.service.lock();
        let entries = inner.room.log.iter().map(Sealed::entry);
        entries.filter(|entry| entry.subject == subject && kinds.contains(&&*entry.kind)).count()
    }

    /// How many entries of that kind there are.
    pub fn count(&self, kind: &str) -> usize {
        self.service.lock().room.log.iter().filter(|sealed| sealed.entry().kind == kind).count()
    }

    pub fn failure(&self) -> (String, String) {
        match self.stage() {
            Stage::Ended(Outcome::Failed { code, detail }) => (code, detail),
            other => panic!("{other:?}"),
        }
    }
}
