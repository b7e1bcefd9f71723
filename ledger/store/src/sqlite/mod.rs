//! The log in a `SQLite` file.
//!
//! One connection writes, under `SQLite`'s write lock, which it shares with other processes; the
//! others read. A transaction takes the lock before it reads, so that what it decides on can't
//! change before it commits.

mod backfill;
mod fsck;
mod load;
mod open;
mod read;
mod store;

use chancery_ledger::id::CollaborationId;
use sqlx::{Row as _, SqlitePool};
use uuid::Uuid;

use crate::group::{self, Outcome, Work};
use crate::personal_key::EraseError;
use crate::writer::Failure;
use crate::{Fault, ReadError};

#[derive(Clone)]
pub(crate) struct Sqlite {
    readers: SqlitePool,
    writer: SqlitePool,
}

impl Sqlite {
    async fn transact(&self, group: &[&Work]) -> Result<Vec<Outcome>, Failure> {
        let unreachable = |error: sqlx::Error| Failure::Unreachable(error.into());
        let mut transaction =
            self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(unreachable)?;
        // On an error, dropping the transaction rolls it back.
        let known = load::load(&mut transaction, &group::wanted(group)).await?;
        let (outcomes, changes) = group::decide(group, known);
        store::store(&mut transaction, &changes).await?;
        transaction.commit().await.map_err(|error| Failure::Unknown(error.into()))?;
        Ok(outcomes)
    }

    /// Moves the write-ahead log into the database and empties it.
    async fn drop_traces(&self) -> Result<(), EraseError> {
        let unavailable = |error: sqlx::Error| EraseError::Unavailable(Fault::from(error));
        let mut connection = self.writer.acquire().await.map_err(unavailable)?;
        // Nobody else can write meanwhile.
        sqlx::query("PRAGMA busy_timeout = 1000")
            .execute(&mut *connection)
            .await
            .map_err(unavailable)?;
        let row = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&mut *connection).await;
        sqlx::query(open::BUSY_TIMEOUT_PRAGMA)
            .execute(&mut *connection)
            .await
            .map_err(unavailable)?;
        let row = row.map_err(unavailable)?;
        if row.try_get::<i64, _>(0).map_err(unavailable)? == 0 {
            Ok(())
        } else {
            Err(EraseError::Traces)
        }
    }

    async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

fn collaboration(bytes: &[u8]) -> Result<CollaborationId, ReadError> {
    Ok(CollaborationId::new(uuid(bytes)?))
}

fn uuid(bytes: &[u8]) -> Result<Uuid, ReadError> {
    Uuid::from_slice(bytes).map_err(|_| ReadError::Corrupt("an id doesn't have 16 bytes"))
}

fn id_bytes(collaboration: &CollaborationId) -> &[u8] {
    collaboration.as_bytes().as_slice()
}
