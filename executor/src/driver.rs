//! The driver: hears hints, keeps verified logs, and does what the machine says for each run.

mod effects;
mod logs;
mod runs;

use std::fs::{self, File};
use std::future::Future;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;
use std::time::Duration;

use chancery_feed::{
    CursorError, Cursors, FeedError, FileCursors, LogReader, SWEEP_INTERVAL, Subscription, Wakeup,
};
use chancery_ledger::digest::Digest;
use chancery_ledger::id::CollaborationId;
use chancery_ledger::key::PublicKey;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::backend::Backend;
use crate::backend::local::Local;
use crate::client::Client;
use crate::config::Config;
use crate::job::Jobs;
use crate::paths::DataRoot;
use crate::{key, measurement};
use effects::{Stepped, Tools};
use logs::Logs;
use runs::Runs;

/// Hints that wait to be looked at; while there are more, the feed waits.
const HINTS_MAX: usize = 1024;
/// How often jobs that run are looked at.
const POLL_INTERVAL: Duration = Duration::from_millis(500);
/// How long after a failure it is tried again; calls to the service wait by themselves before.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);
/// How long after a refusal it is tried again, if the log doesn't move before.
const PARKED_INTERVAL: Duration = Duration::from_mins(1);

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
    let cursors = FileCursors::open(&config.state_dir.join("cursors"))
        .await
        .map_err(StartError::Cursors)?;
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
        let state = &config.state_dir;
        make_private(state).map_err(StartError::State)?;
        let lock = key::lock(state).map_err(StartError::State)?;
        let key = key::load_or_make(state).map_err(StartError::State)?;
        let root = DataRoot::open(&config.data_root).map_err(StartError::DataRoot)?;
        let place = install(state).map_err(StartError::State)?;
        let jobs = Jobs::open(state).map_err(StartError::State)?;
        let application = measurement::application();
        let public = key.public().clone();
        tracing::info!(key = %public.id(), %application, "executor started");
        let driver = Driver {
            logs: Logs::new(client.clone(), config.service_key, public.clone()),
            tools: Tools {
                client,
                key,
                application,
                root,
                jobs,
                backend: Local::new(config.spark.clone(), place),
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

struct Driver<B> {
    logs: Logs,
    tools: Tools<B>,
    runs: Runs,
    /// Held, not used: the lock ends when it closes.
    _lock: File,
}

impl<B: Backend> Driver<B> {
    async fn run<L, C>(
        mut self,
        subscription: Subscription<L, C>,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), ExecutorError>
    where
        L: LogReader + 'static,
        C: Cursors + 'static,
    {
        let (sender, hints) = mpsc::channel(HINTS_MAX);
        // Any await can be the last: whatever is dropped there is as if killed there.
        let outcome = tokio::select! {
            () = shutdown => Ok(()),
            ended = listen(subscription, sender) => Err(ExecutorError::Feed(ended)),
            () = self.work(hints) => Ok(()),
        };
        tracing::info!("executor stopped; jobs under way live on");
        outcome
    }

    async fn work(&mut self, mut hints: mpsc::Receiver<CollaborationId>) {
        while let Err(error) = self.logs.recover().await {
            tracing::debug!(error = %chain(&error), "the logs can't be listed yet");
            tokio::time::sleep(RETRY_INTERVAL).await;
        }
        loop {
            self.catch_up().await;
            self.step_all().await;
            let hint = match self.pause() {
                None => hints.recv().await,
                Some(pause) => {
                    tokio::time::timeout(pause, hints.recv()).await.unwrap_or_else(|_| {
                        if pause == PARKED_INTERVAL {
                            self.runs.unpark_all();
                        }
                        None
                    })
                }
            };
            self.logs.moved(hint);
            while let Ok(more) = hints.try_recv() {
                self.logs.moved(Some(more));
            }
        }
    }

    /// Brings the logs up to date that moved, and takes note of their runs.
    async fn catch_up(&mut self) {
        for collaboration in self.logs.take_moved() {
            if self.logs.sync(collaboration).await {
                self.runs.unpark(collaboration);
            }
            self.note(collaboration).await;
        }
    }

    async fn note(&mut self, collaboration: CollaborationId) {
        if self.logs.halted(collaboration) {
            // What the log permits is unknown from here on, so nothing of it goes on.
            for run in self.runs.drop_all(collaboration) {
                self.tools.stop(run).await;
            }
            return;
        }
        for noted in self.logs.take_touched(collaboration, &self.tools.jobs) {
            self.runs.note(noted);
        }
    }

    async fn step_all(&mut self) {
        for run in self.runs.turn() {
            let stepped = self.tools.step(&mut self.logs, run).await;
            self.note(run.collaboration).await;
            match stepped {
                Ok(Stepped::Waits) => self.runs.waits(run),
                Ok(Stepped::Done) => self.runs.done(run),
                Ok(Stepped::Refused { action, code }) => {
                    if self.runs.park(run) {
                        tracing::warn!(%run, action, code, "the service refuses; the run waits");
                    }
                }
                Err(error) => {
                    if self.runs.failed(run) {
                        tracing::warn!(%run, error = %chain(&error), "the run can't go on yet");
                    }
                }
            }
        }
    }

    fn pause(&self) -> Option<Duration> {
        if self.runs.ready() {
            Some(Duration::ZERO)
        } else if self.logs.behind() || self.runs.failing() {
            Some(RETRY_INTERVAL)
        } else if self.runs.under_way() {
            Some(POLL_INTERVAL)
        } else if self.runs.parked() {
            Some(PARKED_INTERVAL)
        } else {
            None
        }
    }
}

/// Turns deliveries into hints until the feed ends.
async fn listen<L: LogReader, C: Cursors>(
    mut subscription: Subscription<L, C>,
    hints: mpsc::Sender<CollaborationId>,
) -> FeedError {
    let mut away = false;
    loop {
        let error = match subscription.next_page().await {
            Ok(page) => {
                let Some(last) = page.last() else { continue };
                if hints.send(last.collaboration).await.is_err() {
                    return std::future::pending().await;
                }
                // A hint that is lost in a crash is made good by the recovery at the start.
                match subscription.acknowledge(last).await {
                    Ok(()) => {
                        away = false;
                        continue;
                    }
                    Err(error) => error,
                }
            }
            Err(error) => error,
        };
        if !matches!(error, FeedError::Unavailable(_)) {
            return error;
        }
        if !away {
            tracing::warn!(error = %chain(&error), "the feed is unavailable");
        }
        away = true;
    }
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
