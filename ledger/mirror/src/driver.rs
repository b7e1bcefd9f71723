//! Mirrors all logs of a service: finds them, and runs a follower for each.

use std::collections::BTreeMap;
use std::sync::Arc;

use chancery_ccf::verdict::causes;
use chancery_ledger::entry::Sealed;
use chancery_ledger::id::CollaborationId;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::backoff;
use crate::follower::{Follower, Next, Options, StepError};
use crate::logs::{Logs, LogsError};
use crate::port::{LedgerError, MirrorLedger};
use crate::status::{Board, LogStatus, State, StatusHandle};

/// Has the logs of a service mirrored. It reads them, and keeps receipts beside them.
pub struct Driver<P, L> {
    ledger: Arc<P>,
    logs: Arc<L>,
    options: Options,
    board: Board,
    hint: Arc<Notify>,
}

impl<P: MirrorLedger, L: Logs> Driver<P, L> {
    /// Of these logs, in that ledger.
    pub fn new(ledger: Arc<P>, logs: Arc<L>, options: Options) -> Self {
        Self { ledger, logs, options, board: Board::new(), hint: Arc::new(Notify::new()) }
    }

    /// Reads how it stands.
    pub fn status(&self) -> StatusHandle {
        self.board.handle()
    }

    /// Notify it when a log may have grown; without, it looks every [`Options::sweep`].
    pub fn hint(&self) -> Arc<Notify> {
        self.hint.clone()
    }

    /// Runs until `shutdown`. What is under way then is dropped: it is asked for again next time.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let mut tasks = JoinSet::new();
        let follow = async {
            // Sizes, so that a worker is woken for its own log only.
            let mut known: BTreeMap<CollaborationId, watch::Sender<u64>> = BTreeMap::new();
            loop {
                match self.all().await {
                    Ok(logs) => {
                        for (c, size) in logs {
                            let grown = known.entry(c).or_insert_with(|| {
                                let grown = watch::Sender::new(size);
                                tasks.spawn(self.worker(c, grown.subscribe()).run());
                                grown
                            });
                            grown.send_if_modified(|seen| std::mem::replace(seen, size) != size);
                        }
                    }
                    Err(error) => {
                        tracing::warn!(%error, "the mirror can't read which logs there are");
                    }
                }
                let _ = timeout(self.options.sweep, self.hint.notified()).await;
            }
        };
        tokio::select! {
            () = shutdown => {}
            () = follow => {}
        }
        tasks.shutdown().await;
    }

    async fn all(&self) -> Result<Vec<(CollaborationId, u64)>, LogsError> {
        let mut found: Vec<(CollaborationId, u64)> = Vec::new();
        loop {
            let page = self.logs.heads(found.last().map(|(c, _)| *c)).await?;
            if page.is_empty() {
                return Ok(found);
            }
            found.extend(page);
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
            oldest: None,
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
    /// A position and when its entry was sealed.
    oldest: Option<(u64, u64)>,
}

impl<P: MirrorLedger, L: Logs> Worker<P, L> {
    async fn run(mut self) {
        let mut failures = 0;
        loop {
            match self.follower.step(&*self.ledger, &*self.logs).await {
                Ok(next) => {
                    failures = 0;
                    self.note(State::Following).await;
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
                    self.note(State::Diverged(causes(&divergence))).await;
                    return;
                }
                Err(error) => {
                    failures += 1;
                    if failures == 1 {
                        tracing::warn!(collaboration = %self.collaboration, error = causes(&error), "the mirror waits");
                    }
                    let Options { backoff_first, backoff_cap, .. } = self.options;
                    self.note(state_of(&error)).await;
                    sleep(backoff::delay(failures, backoff_first, backoff_cap)).await;
                }
            }
        }
    }

    async fn note(&mut self, state: State) {
        let progress = self.follower.progress();
        let (size, sent, mirrored) = (progress.size, progress.sent, progress.mirrored);
        let oldest_ms = if mirrored < size { self.sealed_ms(mirrored).await } else { None };
        let status = LogStatus { size, sent, mirrored, oldest_ms, state };
        self.board.note(self.collaboration, status);
    }

    /// When the entry at a position was sealed. Read once for each position that the receipts reach.
    async fn sealed_ms(&mut self, position: u64) -> Option<u64> {
        if let Some((_, time)) = self.oldest.filter(|(at, _)| *at == position) {
            return Some(time);
        }
        let entries = self.logs.entries(self.collaboration, position, 1).await.ok()?;
        let sealed = Sealed::parse(entries.into_iter().next()?).ok()?;
        let time = sealed.entry().time_ms;
        self.oldest = Some((position, time));
        Some(time)
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
