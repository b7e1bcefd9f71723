//! Mirrors all logs of a service: finds them, and runs a follower for each.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use chancery_ccf::verdict::causes;
use chancery_ledger::id::CollaborationId;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::backoff;
use crate::follower::{Follower, Next, Options, StepError};
use crate::logs::{Logs, LogsError};
use crate::port::{LedgerError, MirrorLedger};
use crate::status::{LogStatus, State};

type Board = Arc<Mutex<BTreeMap<CollaborationId, LogStatus>>>;

/// Has the logs of a service mirrored. It reads them, and keeps receipts beside them.
pub struct Driver<P, L> {
    ledger: Arc<P>,
    logs: Arc<L>,
    options: Options,
    board: Board,
    hint: Arc<Notify>,
}

/// Reads how mirroring stands, while the driver runs.
#[derive(Clone)]
pub struct StatusHandle(Board);

impl StatusHandle {
    /// How each log stands now.
    pub fn read(&self) -> BTreeMap<CollaborationId, LogStatus> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl<P: MirrorLedger, L: Logs> Driver<P, L> {
    /// Of these logs, in that ledger.
    pub fn new(ledger: Arc<P>, logs: Arc<L>, options: Options) -> Self {
        Self { ledger, logs, options, board: Board::default(), hint: Arc::new(Notify::new()) }
    }

    /// Reads how it stands.
    pub fn status(&self) -> StatusHandle {
        StatusHandle(self.board.clone())
    }

    /// Notify it when a log may have grown; without, it looks every [`Options::sweep`].
    pub fn hint(&self) -> Arc<Notify> {
        self.hint.clone()
    }

    /// Runs until `shutdown`. What is under way then is dropped: it is asked for again next time.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let mut tasks = JoinSet::new();
        let (grown, _) = watch::channel(0_u64);
        let follow = async {
            let mut known = BTreeSet::new();
            loop {
                match self.all().await {
                    Ok(logs) => {
                        for c in logs.into_iter().filter(|c| known.insert(*c)) {
                            tasks.spawn(self.worker(c, grown.subscribe()).run());
                        }
                    }
                    Err(error) => {
                        tracing::warn!(%error, "the mirror can't read which logs there are");
                    }
                }
                grown.send_modify(|count| *count += 1);
                let _ = timeout(self.options.sweep, self.hint.notified()).await;
            }
        };
        tokio::select! {
            () = shutdown => {}
            () = follow => {}
        }
        tasks.shutdown().await;
    }

    async fn all(&self) -> Result<Vec<CollaborationId>, LogsError> {
        let mut found = Vec::new();
        loop {
            let page = self.logs.heads(found.last().copied()).await?;
            if page.is_empty() {
                return Ok(found);
            }
            found.extend(page.into_iter().map(|(c, _)| c));
        }
    }

    fn worker(&self, c: CollaborationId, grown: watch::Receiver<u64>) -> Worker<P, L> {
        Worker {
            collaboration: c,
            follower: Follower::new(c, self.options.clone()),
            ledger: self.ledger.clone(),
            logs: self.logs.clone(),
            options: self.options.clone(),
            board: self.board.clone(),
            grown,
        }
    }
}

struct Worker<P, L> {
    collaboration: CollaborationId,
    follower: Follower,
    ledger: Arc<P>,
    logs: Arc<L>,
    options: Options,
    board: Board,
    grown: watch::Receiver<u64>,
}

impl<P: MirrorLedger, L: Logs> Worker<P, L> {
    async fn run(mut self) {
        let mut failures = 0;
        loop {
            match self.follower.step(&*self.ledger, &*self.logs).await {
                Ok(next) => {
                    failures = 0;
                    self.note(State::Following);
                    match next {
                        Next::Now => {}
                        Next::Poll => sleep(self.options.poll).await,
                        Next::Idle => {
                            if self.grown.changed().await.is_err() {
                                return;
                            }
                        }
                    }
                }
                Err(StepError::Diverged(divergence)) => {
                    tracing::error!(
                        collaboration = %self.collaboration, divergence = causes(&divergence),
                        "MIRROR DIVERGED: this log is mirrored no more until people have looked"
                    );
                    self.note(State::Diverged(causes(&divergence)));
                    return;
                }
                Err(error) => {
                    failures += 1;
                    if failures == 1 {
                        tracing::warn!(collaboration = %self.collaboration, error = causes(&error), "the mirror waits");
                    }
                    let Options { backoff_first, backoff_cap, .. } = self.options;
                    self.note(state_of(&error));
                    sleep(backoff::delay(failures, backoff_first, backoff_cap)).await;
                }
            }
        }
    }

    fn note(&self, state: State) {
        let progress = self.follower.progress();
        let (size, sent, mirrored) = (progress.size, progress.sent, progress.mirrored);
        let status = LogStatus { size, sent, mirrored, state };
        let mut board = self.board.lock().unwrap_or_else(PoisonError::into_inner);
        board.insert(self.collaboration, status);
    }
}

fn state_of(error: &StepError) -> State {
    match error {
        StepError::Ledger(LedgerError::Refused(refusal)) if !refusal.is_stale() => {
            State::Blocked(refusal.code.clone())
        }
        StepError::Ledger(_) | StepError::Logs(_) => State::Unavailable(causes(error)),
        StepError::Diverged(divergence) => State::Diverged(causes(divergence)),
    }
}
