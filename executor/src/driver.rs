//! The driver: hears hints, keeps verified logs, and does what the machine says for each run.

mod effects;
mod logs;
mod runs;
mod work;

use std::fs;
use std::future::Future;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;

use chancery_feed::{
    CursorError, Cursors, FeedError, FileCursors, LogReader, SWEEP_INTERVAL, Subscription, Wakeup,
};
use chancery_ledger::digest::Digest;
use chancery_ledger::key::PublicKey;
use tokio::task::JoinHandle;

use crate::backend::local::Local;
use crate::client::Client;
use crate::config::Config;
use crate::job::Jobs;
use crate::paths::DataRoot;
use crate::{key, measurement, opening};
use effects::Tools;
use logs::Logs;
use runs::Runs;
use work::Driver;

/// An executor at work.
#[derive(Debug)]
pub struct Executor {
    task: JoinHandle<Result<(), ExecutorError>>,
    key: PublicKey,
    application: Digest,
}

/// Why an executor did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The state folder can't be used: another executor has it, or it can't be written.
    #[error("the executor's state folder can't be used")]
    State(#[source] io::Error),
    /// The data root is no folder.
    #[error("the data root can't be used")]
    DataRoot(#[source] io::Error),
    /// A path of Spark's can't be made absolute.
    #[error("the paths of Spark can't be made absolute")]
    Spark(#[source] io::Error),
    /// The feed's cursors in the state folder can't be used.
    #[error("the feed's cursors can't be opened")]
    Cursors(#[source] CursorError),
    /// The subscription can't be opened.
    #[error("the feed can't be opened")]
    Feed(#[source] FeedError),
}

/// Why an executor stopped by itself.
#[derive(Debug, thiserror::Error)]
pub enum ExecutorError {
    /// The feed ended.
    #[error("the feed ended")]
    Feed(#[source] FeedError),
    /// A task of it ended by a fault.
    #[error("a task of the executor ended")]
    Task(#[source] tokio::task::JoinError),
}

/// Opens the executor's subscription: over HTTP by `client`, woken by `wakeup`, with its progress
/// in the state folder.
///
/// # Errors
///
/// [`StartError`].
pub async fn subscribe(
    config: &Config,
    client: &Client,
    wakeup: Wakeup,
) -> Result<Subscription<Client, FileCursors>, StartError> {
    make_private(&config.state_dir).map_err(StartError::State)?;
    let cursors =
        FileCursors::open(&config.state_dir.join("cursors")).await.map_err(StartError::Cursors)?;
    Subscription::open(client.clone(), cursors, wakeup, SWEEP_INTERVAL)
        .await
        .map_err(StartError::Feed)
}

impl Executor {
    /// Starts an executor with local Spark, which works until `shutdown` is ready. The service
    /// need not be there yet.
    ///
    /// A stop is no cancel: a job under way lives on, and the next start adopts it.
    ///
    /// # Errors
    ///
    /// [`StartError`].
    pub fn start<L, C>(
        config: &Config,
        client: Client,
        subscription: Subscription<L, C>,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> Result<Self, StartError>
    where
        L: LogReader + 'static,
        C: Cursors + 'static,
    {
        make_private(&config.state_dir).map_err(StartError::State)?;
        // The engine works in another folder, so no path may be relative.
        let state = &config.state_dir.canonicalize().map_err(StartError::State)?;
        let spark = config.spark.absolute().map_err(StartError::Spark)?;
        let lock = key::lock(state).map_err(StartError::State)?;
        let key = key::load_or_make(state).map_err(StartError::State)?;
        let opening = opening::load_or_make(state).map_err(StartError::State)?;
        let root = DataRoot::open(&config.data_root).map_err(StartError::DataRoot)?;
        let place = install(state).map_err(StartError::State)?;
        let jobs = Jobs::open(state).map_err(StartError::State)?;
        let application = measurement::application();
        let public = key.public().clone();
        tracing::info!(key = %public.id(), %application, "executor started");
        let driver = Driver {
            logs: Logs::new(client.clone(), config.service_keys.clone(), public.clone()),
            tools: Tools {
                client,
                key,
                opening,
                application,
                root,
                jobs,
                backend: Local::new(spark, place),
            },
            runs: Runs::default(),
            _lock: lock,
        };
        let task = tokio::spawn(driver.run(subscription, shutdown));
        Ok(Self { task, key: public, application })
    }

    /// The key that it signs with.
    pub const fn key(&self) -> &PublicKey {
        &self.key
    }

    /// The application that it runs.
    pub const fn application(&self) -> Digest {
        self.application
    }

    /// Waits for its end.
    ///
    /// # Errors
    ///
    /// [`ExecutorError`] where it stopped by itself.
    pub async fn ended(self) -> Result<(), ExecutorError> {
        self.task.await.map_err(ExecutorError::Task)?
    }
}

fn make_private(folder: &PathBuf) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

fn install(state: &std::path::Path) -> io::Result<PathBuf> {
    let folder = state.join("application");
    fs::create_dir_all(&folder)?;
    measurement::install(&folder)
}

/// An error with all its causes, for the log.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
