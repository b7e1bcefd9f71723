//! The one task that writes: group commit.
//!
//! Writes queue here. Those that wait are decided on in order, stored in one transaction and
//! committed with one fsync; each caller is answered after the commit. If the database refuses a
//! statement, the writes run again one by one, so that one bad write can't fail its neighbours.

use std::time::Duration;

use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::time::Instant;

use crate::backend::{Backend as _, on};
use crate::group::{Outcome, Work};
use crate::{APPEND_BYTES_MAX, Appended, Database, Fault, ReadError, Store};

/// Writes that wait, at most; further callers wait for a place.
const QUEUE_MAX: usize = 256;
/// Writes in one transaction, at most. Their entries are bounded by [`APPEND_BYTES_MAX`] and what
/// the last of them adds.
const GROUP_MAX: usize = 128;
/// Between two tries to drop the traces of an erased key.
const TRACES_RETRY: Duration = Duration::from_secs(30);

/// A write and who waits for it.
pub(crate) struct Write {
    work: Work,
    reply: oneshot::Sender<Result<Outcome, Failure>>,
}

/// How a transaction failed.
#[derive(Debug, Clone)]
pub(crate) enum Failure {
    /// Nothing of it is stored: the database refused a part of it.
    NotStored(Fault),
    /// Nothing of it is stored: the database doesn't answer.
    Unreachable(Fault),
    /// Nothing of it is stored: the database holds what this store never writes.
    Corrupt(&'static str),
    /// The commit itself failed: nobody knows.
    Unknown(Fault),
}

impl From<Fault> for Failure {
    /// Before the commit.
    fn from(fault: Fault) -> Self {
        if fault.is_refusal() { Self::NotStored(fault) } else { Self::Unreachable(fault) }
    }
}

impl From<sqlx::Error> for Failure {
    /// Before the commit.
    fn from(error: sqlx::Error) -> Self {
        Fault::from(error).into()
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Unavailable(fault) => fault.into(),
            ReadError::Corrupt(what) => Self::Corrupt(what),
        }
    }
}

impl Store {
    /// Hands `work` to the writer and waits for what became of it.
    pub(crate) async fn write(&self, work: Work) -> Result<Outcome, Failure> {
        let (reply, outcome) = oneshot::channel();
        if self.queue.send(Write { work, reply }).await.is_err() {
            return Err(Failure::Unreachable(Fault::stopped()));
        }
        outcome.await.unwrap_or_else(|_| Err(Failure::Unknown(Fault::stopped())))
    }
}

/// Where hints of new entries go. Nobody has to listen.
pub(crate) struct Hints {
    /// Receivers in this process.
    pub here: broadcast::Sender<Appended>,
    /// The way to other processes, where there is one.
    pub elsewhere: Option<mpsc::Sender<Appended>>,
}

/// Starts the task; it ends when the last sender is dropped.
pub(crate) fn spawn(database: Database, hints: Hints) -> mpsc::Sender<Write> {
    let (queue, waiting) = mpsc::channel(QUEUE_MAX);
    tokio::spawn(Writer { database, hints, traces_until: None }.run(waiting));
    queue
}

struct Writer {
    database: Database,
    hints: Hints,
    /// When to try again to drop traces of erased keys that are still in the files.
    traces_until: Option<Instant>,
}

impl Writer {
    async fn run(mut self, mut waiting: mpsc::Receiver<Write>) {
        loop {
            let retry = async {
                match self.traces_until {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            let next = tokio::select! {
                biased;
                () = retry => {
                    let _ = self.drop_traces().await;
                    continue;
                }
                next = waiting.recv() => next,
            };
            let Some(first) = next else { return };
            let mut bytes = first.work.bytes();
            let mut group = vec![first];
            while group.len() < GROUP_MAX
                && bytes < APPEND_BYTES_MAX
                && let Ok(next) = waiting.try_recv()
            {
                bytes += next.work.bytes();
                group.push(next);
            }
            self.commit(group).await;
        }
    }

    async fn commit(&mut self, group: Vec<Write>) {
        match self.transact(&group).await {
            Err(Failure::NotStored(_) | Failure::Corrupt(_)) if group.len() > 1 => {
                for write in group {
                    let alone = self.transact(std::slice::from_ref(&write)).await;
                    self.settle(vec![write], alone).await;
                }
            }
            outcome => self.settle(group, outcome).await,
        }
    }

    async fn transact(&self, group: &[Write]) -> Result<Vec<Outcome>, Failure> {
        let works: Vec<&Work> = group.iter().map(|write| &write.work).collect();
        on!(self, database => database.transact(&works).await)
    }

    /// Answers every caller of the group. One who no longer listens is passed over.
    async fn settle(&mut self, group: Vec<Write>, outcomes: Result<Vec<Outcome>, Failure>) {
        let outcomes = match outcomes {
            Ok(outcomes) => outcomes,
            Err(failure) => {
                for write in group {
                    let _ = write.reply.send(Err(failure.clone()));
                }
                return;
            }
        };
        // The others first: nobody waits for another's erasure.
        let mut erasures = Vec::new();
        for (write, outcome) in group.into_iter().zip(outcomes) {
            let mut erases = matches!(outcome, Outcome::Erase(_));
            if let (Work::Append(append), Outcome::Append(Ok(()))) = (&write.work, &outcome) {
                erases |= !append.erased.is_empty();
                self.hints.send(Appended {
                    collaboration: append.collaboration,
                    size: append.new_size(),
                });
            }
            if erases {
                erasures.push((write.reply, outcome));
            } else {
                let _ = write.reply.send(Ok(outcome));
            }
        }
        if !erasures.is_empty() {
            let dropped = self.drop_traces().await;
            for (reply, outcome) in erasures {
                let _ = reply.send(Ok(match outcome {
                    Outcome::Erase(_) => Outcome::Erase(dropped.clone()),
                    // Stored whatever becomes of the traces; they are tried again.
                    other => other,
                }));
            }
        }
    }

    async fn drop_traces(&mut self) -> Result<(), crate::EraseError> {
        let dropped = on!(self, database => database.drop_traces().await);
        self.traces_until = dropped.is_err().then(|| Instant::now() + TRACES_RETRY);
        if let Err(error) = &dropped {
            tracing::warn!(
                error = error as &dyn std::error::Error,
                "traces of an erased personal key are left for now"
            );
        }
        dropped
    }
}

impl Hints {
    fn send(&self, appended: Appended) {
        let _ = self.here.send(appended);
        if let Some(elsewhere) = &self.elsewhere {
            let _ = elsewhere.try_send(appended);
        }
    }
}

impl Work {
    fn bytes(&self) -> usize {
        match self {
            Self::Append(append) => append.bytes(),
            Self::Cosign(cosign) => cosign.note.len(),
            Self::Keep(keep) => keep.receipt.bytes(),
            Self::Advance(_) | Self::Erase(_) => 0,
        }
    }
}
