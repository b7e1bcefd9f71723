//! The one task that writes: group commit.
//!
//! Writes queue here. Those that wait are applied in order inside one transaction and committed
//! with one fsync; each caller is answered after the commit. A write that is refused by what it
//! reads (a conflict, a duplicate) leaves the transaction untouched. If a statement fails, the
//! transaction is rolled back and its writes run again one by one, so that one bad write can't
//! fail its neighbours.

use chancery_ledger::id::CollaborationId;
use sqlx::{SqliteConnection, SqlitePool};
use tokio::sync::{broadcast, mpsc, oneshot};

use crate::append::{self, Append, AppendError, Refusal};
use crate::cursor::{self, Advance, AdvanceError};
use crate::personal_key::{self, EraseError};
use crate::{APPEND_BYTES_MAX, Appended, Fault};

const QUEUE_MAX: usize = 256;
const GROUP_MAX: usize = 128;

pub(crate) enum Write {
    Append {
        append: Append,
        reply: oneshot::Sender<Result<(), AppendError>>,
    },
    Advance {
        advance: Advance,
        reply: oneshot::Sender<Result<(), AdvanceError>>,
    },
    Erase {
        collaboration: CollaborationId,
        subject: String,
        reply: oneshot::Sender<Result<(), EraseError>>,
    },
}

/// What became of one write inside a transaction that isn't committed yet.
enum Applied {
    Append(Result<(), AppendError>),
    Advance(Result<(), AdvanceError>),
    Erase,
}

/// How a whole transaction failed.
enum Failure {
    /// Nothing of it is stored.
    RolledBack(Fault),
    /// The commit itself failed: nobody knows.
    Unknown(Fault),
}

/// Starts the task; it ends when the last sender is dropped.
pub(crate) fn spawn(
    pool: SqlitePool,
    appended: broadcast::Sender<Appended>,
) -> mpsc::Sender<Write> {
    let (queue, waiting) = mpsc::channel(QUEUE_MAX);
    tokio::spawn(run(pool, waiting, appended));
    queue
}

async fn run(
    pool: SqlitePool,
    mut waiting: mpsc::Receiver<Write>,
    appended: broadcast::Sender<Appended>,
) {
    while let Some(first) = waiting.recv().await {
        let mut bytes = first.bytes();
        let mut group = vec![first];
        while group.len() < GROUP_MAX
            && bytes < APPEND_BYTES_MAX
            && let Ok(next) = waiting.try_recv()
        {
            bytes += next.bytes();
            group.push(next);
        }
        commit_group(&pool, group, &appended).await;
    }
}

async fn commit_group(
    pool: &SqlitePool,
    group: Vec<Write>,
    appended: &broadcast::Sender<Appended>,
) {
    match transact(pool, &group).await {
        Err(Failure::RolledBack(_)) if group.len() > 1 => {
            for write in group {
                let alone = transact(pool, std::slice::from_ref(&write)).await;
                settle(pool, vec![write], alone, appended).await;
            }
        }
        outcome => settle(pool, group, outcome, appended).await,
    }
}

async fn transact(pool: &SqlitePool, group: &[Write]) -> Result<Vec<Applied>, Failure> {
    let rolled_back = |error: sqlx::Error| Failure::RolledBack(error.into());
    // IMMEDIATE takes the write lock before the first read: what a write checks can't change
    // before it commits, whichever process else is writing.
    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await.map_err(rolled_back)?;
    let mut applied = Vec::with_capacity(group.len());
    for write in group {
        // On an error, dropping the transaction rolls it back.
        applied.push(apply(&mut transaction, write).await.map_err(Failure::RolledBack)?);
    }
    transaction.commit().await.map_err(|error| Failure::Unknown(error.into()))?;
    Ok(applied)
}

async fn apply(connection: &mut SqliteConnection, write: &Write) -> Result<Applied, Fault> {
    match write {
        Write::Append { append, .. } => match append::apply(connection, append).await {
            Ok(()) => Ok(Applied::Append(Ok(()))),
            Err(Refusal::Clean(refused)) => Ok(Applied::Append(Err(refused))),
            Err(Refusal::Broken(fault)) => Err(fault),
        },
        Write::Advance { advance, .. } => {
            Ok(Applied::Advance(cursor::apply(connection, advance).await?))
        }
        Write::Erase { collaboration, subject, .. } => {
            personal_key::delete(connection, *collaboration, subject).await?;
            Ok(Applied::Erase)
        }
    }
}

/// Answers every caller of the group. One who no longer listens is passed over.
async fn settle(
    pool: &SqlitePool,
    group: Vec<Write>,
    outcome: Result<Vec<Applied>, Failure>,
    appended: &broadcast::Sender<Appended>,
) {
    match outcome {
        Ok(applied) => {
            let traces = if applied.iter().any(|one| matches!(one, Applied::Erase)) {
                drop_traces(pool).await
            } else {
                Ok(())
            };
            for (write, applied) in group.into_iter().zip(applied) {
                write.settle(applied, &traces, appended);
            }
        }
        Err(failure) => {
            for write in group {
                write.fail(&failure);
            }
        }
    }
}

async fn drop_traces(pool: &SqlitePool) -> Result<(), EraseError> {
    let mut connection =
        pool.acquire().await.map_err(|error| EraseError::Unavailable(error.into()))?;
    personal_key::drop_traces(&mut connection).await
}

impl Write {
    fn bytes(&self) -> usize {
        match self {
            Self::Append { append, .. } => append.bytes(),
            Self::Advance { .. } | Self::Erase { .. } => 0,
        }
    }

    fn settle(
        self,
        applied: Applied,
        traces: &Result<(), EraseError>,
        appended: &broadcast::Sender<Appended>,
    ) {
        match (self, applied) {
            (Self::Append { append, reply }, Applied::Append(result)) => {
                if result.is_ok() {
                    // No receiver is fine.
                    let _ = appended.send(Appended {
                        collaboration: append.collaboration,
                        size: append.new_size(),
                    });
                }
                let _ = reply.send(result);
            }
            (Self::Advance { reply, .. }, Applied::Advance(result)) => {
                let _ = reply.send(result);
            }
            (Self::Erase { reply, .. }, Applied::Erase) => {
                let _ = reply.send(traces.clone());
            }
            // `apply` answers each kind with its own; dropping the reply tells "unknown".
            (Self::Append { .. } | Self::Advance { .. } | Self::Erase { .. }, _) => {}
        }
    }

    fn fail(self, failure: &Failure) {
        let (Failure::RolledBack(fault) | Failure::Unknown(fault)) = failure;
        match self {
            Self::Append { reply, .. } => {
                let _ = reply.send(Err(match failure {
                    Failure::RolledBack(fault) => AppendError::Unavailable(fault.clone()),
                    Failure::Unknown(fault) => AppendError::Unknown(fault.clone()),
                }));
            }
            Self::Advance { reply, .. } => {
                let _ = reply.send(Err(AdvanceError::Unavailable(fault.clone())));
            }
            Self::Erase { reply, .. } => {
                let _ = reply.send(Err(EraseError::Unavailable(fault.clone())));
            }
        }
    }
}
