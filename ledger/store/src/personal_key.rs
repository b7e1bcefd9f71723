//! Keys of personal data, kept beside the log: destroying one erases the person.

use chancery_ledger::id::CollaborationId;
use sqlx::{Row, SqliteConnection, SqliteExecutor};
use tokio::sync::oneshot;

use crate::row::id_bytes;
use crate::writer::Write;
use crate::{Fault, ReadError, Store};

/// Why a key may still be readable.
#[derive(Debug, Clone, thiserror::Error)]
pub enum EraseError {
    /// The key may be there still. Retry.
    #[error("the key can't be erased now")]
    Unavailable(#[source] Fault),
    /// The row is gone, but a reader keeps its old page in the write-ahead log. Retry.
    #[error("the key is deleted, but traces of it wait for a reader to finish")]
    Traces,
}

impl Store {
    /// The key of a subject's personal data; `None` if there is none or it was erased.
    ///
    /// # Errors
    ///
    /// See [`ReadError`].
    pub async fn personal_key(
        &self,
        c: CollaborationId,
        subject: &str,
    ) -> Result<Option<Vec<u8>>, ReadError> {
        read(&self.readers, c, subject).await
    }

    /// Destroys the key of a subject's personal data, in the table and in the write-ahead log;
    /// `Ok` also if there is none, so that it can be repeated. Backups are beyond its reach.
    ///
    /// # Errors
    ///
    /// See [`EraseError`]; after each, repeat it.
    pub async fn erase_personal_key(
        &self,
        c: CollaborationId,
        subject: &str,
    ) -> Result<(), EraseError> {
        let (reply, outcome) = oneshot::channel();
        let write = Write::Erase { collaboration: c, subject: subject.to_owned(), reply };
        if self.writer.queue.send(write).await.is_err() {
            return Err(EraseError::Unavailable(Fault::stopped()));
        }
        outcome.await.unwrap_or_else(|_| Err(EraseError::Unavailable(Fault::stopped())))
    }
}

pub(crate) async fn read(
    db: impl SqliteExecutor<'_>,
    c: CollaborationId,
    subject: &str,
) -> Result<Option<Vec<u8>>, ReadError> {
    let row = sqlx::query("SELECT key FROM personal_keys WHERE collaboration = ? AND subject = ?")
        .bind(id_bytes(&c))
        .bind(subject)
        .fetch_optional(db)
        .await?;
    row.map(|row| Ok(row.try_get(0)?)).transpose()
}

/// Deletes the row inside the transaction open on `connection`.
pub(crate) async fn delete(
    connection: &mut SqliteConnection,
    c: CollaborationId,
    subject: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM personal_keys WHERE collaboration = ? AND subject = ?")
        .bind(id_bytes(&c))
        .bind(subject)
        .execute(connection)
        .await?;
    Ok(())
}

/// Moves the write-ahead log into the database and empties it; outside a transaction.
pub(crate) async fn drop_traces(connection: &mut SqliteConnection) -> Result<(), EraseError> {
    let unavailable = |error: sqlx::Error| EraseError::Unavailable(error.into());
    let row = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
        .fetch_one(connection)
        .await
        .map_err(unavailable)?;
    if row.try_get::<i64, _>(0).map_err(unavailable)? == 0 {
        Ok(())
    } else {
        Err(EraseError::Traces)
    }
}
