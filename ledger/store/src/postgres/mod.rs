//! The log in PostgreSQL.
//!
//! One connection writes for this process. Its transaction first locks the rows of the heads that
//! it is about to move, in the order of their ids; a collaboration without a head is raced for by
//! inserting one, and who loses decides again. `READ COMMITTED` does: every statement after the
//! locks sees what the writers before have committed. A log's entries are committed in the order
//! of their positions, because each writer holds the head from its decision to its commit, and a
//! commit is visible to others only once it is on disk.
//!
//! Nothing in a transaction may outlast its bounds: the server ends statements, waits for locks
//! and idle transactions, and this process gives a server up that doesn't answer.

mod connect;
mod fsck;
mod hints;
mod load;
mod read;
mod store;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::{PgPool, Postgres as Dialect};

use crate::Fault;
use crate::group::{self, Outcome, Work};
use crate::personal_key::EraseError;
use crate::writer::Failure;

/// How long a transaction takes, at most, and apart from it its commit.
const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(45);
/// How often a group that lost a race is decided anew.
const RACES_MAX: usize = 16;

#[derive(Clone)]
pub(crate) struct Postgres {
    readers: PgPool,
    /// None where it is only read: a default of the session would not keep a transaction from being
    /// begun as one that writes.
    writer: Option<PgPool>,
    /// Stops when the last clone goes.
    _hints: Option<Arc<hints::Tasks>>,
}

/// Why a transaction is rolled back.
enum Undone {
    /// Another process was faster: decide again.
    Raced,
    /// It can't be.
    Failed(Failure),
}

impl From<sqlx::Error> for Undone {
    fn from(error: sqlx::Error) -> Self {
        let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
        match code.as_deref() {
            // serialization_failure, deadlock_detected
            Some("40001" | "40P01") => Self::Raced,
            // admin_shutdown, crash_shutdown, cannot_connect_now: the connection is gone.
            Some("57P01" | "57P02" | "57P03") => Self::Failed(Failure::Unreachable(error.into())),
            _ => Self::Failed(error.into()),
        }
    }
}

impl Postgres {
    async fn transact(&self, group: &[&Work]) -> Result<Vec<Outcome>, Failure> {
        let mut connection = self.begin().await?;
        for _ in 0..RACES_MAX {
            match within(TRANSACTION_TIMEOUT, attempt(&mut connection, group)).await {
                Ok(outcomes) => {
                    let committed = within(TRANSACTION_TIMEOUT, async {
                        sqlx::query("COMMIT").execute(&mut *connection).await
                    });
                    if let Err(error) = committed.await {
                        connection.close_on_drop();
                        return Err(Failure::Unknown(error.into()));
                    }
                    return Ok(outcomes);
                }
                Err(Undone::Raced) => {
                    within(TRANSACTION_TIMEOUT, async {
                        sqlx::query("ROLLBACK").execute(&mut *connection).await
                    })
                    .await?;
                    start(&mut connection).await?;
                }
                Err(Undone::Failed(failure)) => {
                    connection.close_on_drop();
                    return Err(failure);
                }
            }
        }
        connection.close_on_drop();
        Err(Failure::NotStored(timed_out().into()))
    }

    /// The writer's connection, in a transaction. One that broke while it was idle is replaced.
    async fn begin(&self) -> Result<PoolConnection<Dialect>, Failure> {
        let unreachable = |error: sqlx::Error| Failure::Unreachable(error.into());
        let writer = self.writer().map_err(unreachable)?;
        let mut connection = writer.acquire().await.map_err(unreachable)?;
        if start(&mut connection).await.is_ok() {
            return Ok(connection);
        }
        connection.close_on_drop();
        drop(connection);
        let mut connection = writer.acquire().await.map_err(unreachable)?;
        match start(&mut connection).await {
            Ok(()) => Ok(connection),
            Err(error) => {
                connection.close_on_drop();
                Err(unreachable(error))
            }
        }
    }

    /// Writes the rows of personal keys that stand into a new file: a deleted row stays in the old
    /// one, even after a plain `VACUUM`, until another row happens to overwrite it. `VACUUM (FULL)`
    /// is not enough either: it copies deleted rows that a snapshot of anybody, a connection to
    /// another database that just starts included, could still see. `ALTER TABLE` copies what is
    /// visible now and nothing else; the expression makes it rewrite.
    async fn drop_traces(&self) -> Result<(), EraseError> {
        let unavailable = |error: sqlx::Error| EraseError::Unavailable(Fault::from(error));
        let writer = self.writer().map_err(unavailable)?;
        let mut connection = writer.acquire().await.map_err(unavailable)?;
        let done = within(TRANSACTION_TIMEOUT, async {
            sqlx::query("SET lock_timeout = '1s'").execute(&mut *connection).await?;
            sqlx::query(
                "ALTER TABLE personal_keys ALTER COLUMN key TYPE bytea USING key || ''::bytea",
            )
            .execute(&mut *connection)
            .await?;
            sqlx::query("RESET lock_timeout").execute(&mut *connection).await
        });
        match done.await {
            Ok(_) => Ok(()),
            Err(error) => {
                connection.close_on_drop();
                Err(unavailable(error))
            }
        }
    }

    fn writer(&self) -> Result<&PgPool, sqlx::Error> {
        let read_only = || sqlx::Error::Configuration("it was opened to be read".into());
        self.writer.as_ref().ok_or_else(read_only)
    }

    async fn close(&self) {
        self.readers.close().await;
        if let Some(writer) = &self.writer {
            writer.close().await;
        }
    }
}

/// Begins a transaction whose commit waits for the disk, whatever the server's default is.
async fn start(connection: &mut PoolConnection<Dialect>) -> Result<(), sqlx::Error> {
    within(TRANSACTION_TIMEOUT, async {
        sqlx::raw_sql(
            "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL synchronous_commit = on",
        )
        .execute(&mut **connection)
        .await
    })
    .await
    .map(|_| ())
}

async fn attempt(
    connection: &mut PoolConnection<Dialect>,
    group: &[&Work],
) -> Result<Vec<Outcome>, Undone> {
    let known = load::load(connection, &group::wanted(group)).await?;
    let (outcomes, changes) = group::decide(group, known);
    store::store(connection, &changes).await?;
    Ok(outcomes)
}

fn timed_out() -> sqlx::Error {
    sqlx::Error::Io(io::ErrorKind::TimedOut.into())
}

/// What `work` gives, unless it takes too long; then its connection is no more use.
async fn within<T, E: From<sqlx::Error>>(
    limit: Duration,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    tokio::time::timeout(limit, work).await.unwrap_or_else(|_| Err(timed_out().into()))
}
