//! The loop: hints, logs, runs, and a pause.

use std::fs::File;
use std::future::Future;
use std::time::Duration;

use chancery_feed::{Cursors, FeedError, LogReader, Subscription};
use chancery_ledger::id::CollaborationId;
use tokio::sync::mpsc;

use super::effects::{Stepped, Tools};
use super::logs::Logs;
use super::runs::Runs;
use super::{ExecutorError, chain};
use crate::backend::{Backend, Progress};

/// Hints that wait to be looked at; while there are more, the feed waits.
const HINTS_MAX: usize = 1024;
/// How often jobs that run are looked at.
const POLL_INTERVAL: Duration = Duration::from_millis(500);
/// How long after a failure it is tried again; calls to the service wait by themselves before.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);
/// How long after a refusal it is tried again, if the log doesn't move before.
const PARKED_INTERVAL: Duration = Duration::from_mins(1);

/// An executor's parts.
pub struct Driver<B> {
    pub logs: Logs,
    pub tools: Tools<B>,
    pub runs: Runs,
    /// Held, not used: the lock ends when it closes.
    pub _lock: File,
}

impl<B: Backend> Driver<B> {
    /// Works until `shutdown` is ready or the feed ends.
    pub async fn run<L, C>(
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
                _ if self.logs.halted(run.collaboration) => {}
                Ok(Stepped::Waits(progress)) => {
                    if let Some(Progress { stage, done, total, .. }) =
                        self.runs.waits(run, progress)
                    {
                        tracing::info!(%run, stage, done, total, "progress");
                    }
                }
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
