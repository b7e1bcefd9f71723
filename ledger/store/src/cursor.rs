//! Durable cursors: how far a named consumer has acknowledged each collaboration's log.

use std::collections::BTreeMap;

use chancery_ledger::id::CollaborationId;
use sqlx::{Row, SqliteConnection, SqliteExecutor};
use tokio::sync::oneshot;

use crate::read::NEGATIVE;
use crate::row::{collaboration, id_bytes, number, signed};
use crate::writer::Write;
use crate::{Fault, ReadError, Store};

/// Bytes in a consumer's name, at most.
pub const CONSUMER_BYTES_MAX: usize = 64;

/// Why a cursor wasn't moved.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AdvanceError {
    /// Rejected: not forward, too far, or the name is empty or too long.
    #[error("a cursor moves forward, under a name of 1 to {CONSUMER_BYTES_MAX} bytes")]
    Invalid,
    /// Conflict: the cursor isn't where the caller believed. Two consumers share a name.
    #[error("the cursor is at {actual}, not where it was expected")]
    Conflict {
        /// Where it is.
        actual: u64,
    },
    /// It may or may not have moved. Repeat it; if it had moved, that is a `Conflict` at `to`.
    #[error("the cursor can't be written now")]
    Unavailable(#[source] Fault),
    /// The database holds what this store never writes.
    #[error("the cursors are corrupt: {0}")]
    Corrupt(&'static str),
}

/// One move of a cursor.
pub(crate) struct Advance {
    pub consumer: String,
    pub collaboration: CollaborationId,
    pub from: u64,
    pub to: u64,
}

impl Store {
    /// How many entries of the collaboration `consumer` has acknowledged: the position it wants
    /// next. 0 if it has none.
    ///
    /// # Errors
    ///
    /// See [`ReadError`].
    pub async fn cursor(&self, consumer: &str, c: CollaborationId) -> Result<u64, ReadError> {
        read(&self.readers, consumer, c).await
    }

    /// All cursors of `consumer` that are above 0.
    ///
    /// # Errors
    ///
    /// See [`ReadError`].
    pub async fn cursors(
        &self,
        consumer: &str,
    ) -> Result<BTreeMap<CollaborationId, u64>, ReadError> {
        let rows = sqlx::query("SELECT collaboration, position FROM cursors WHERE consumer = ?")
            .bind(consumer)
            .fetch_all(&self.readers)
            .await?;
        rows.iter()
            .map(|row| Ok((collaboration(row.try_get(0)?)?, number(row.try_get(1)?, NEGATIVE)?)))
            .collect()
    }

    /// Moves a cursor from `from` to `to` if it is at `from` (0: there is none yet); durable when
    /// this returns `Ok`.
    ///
    /// # Errors
    ///
    /// See [`AdvanceError`].
    pub async fn advance_cursor(
        &self,
        consumer: &str,
        c: CollaborationId,
        from: u64,
        to: u64,
    ) -> Result<(), AdvanceError> {
        if to <= from
            || signed(to).is_none()
            || consumer.is_empty()
            || consumer.len() > CONSUMER_BYTES_MAX
        {
            return Err(AdvanceError::Invalid);
        }
        let advance = Advance { consumer: consumer.to_owned(), collaboration: c, from, to };
        let (reply, outcome) = oneshot::channel();
        if self.writer.queue.send(Write::Advance { advance, reply }).await.is_err() {
            return Err(AdvanceError::Unavailable(Fault::stopped()));
        }
        outcome.await.unwrap_or_else(|_| Err(AdvanceError::Unavailable(Fault::stopped())))
    }
}

async fn read(
    db: impl SqliteExecutor<'_>,
    consumer: &str,
    c: CollaborationId,
) -> Result<u64, ReadError> {
    let row = sqlx::query("SELECT position FROM cursors WHERE consumer = ? AND collaboration = ?")
        .bind(consumer)
        .bind(id_bytes(&c))
        .fetch_optional(db)
        .await?;
    row.map_or(Ok(0), |row| number(row.try_get(0)?, NEGATIVE))
}

/// Moves the cursor inside the transaction open on `connection`. The outer error breaks the
/// transaction; the inner one leaves it untouched.
pub(crate) async fn apply(
    connection: &mut SqliteConnection,
    advance: &Advance,
) -> Result<Result<(), AdvanceError>, Fault> {
    let actual = match read(&mut *connection, &advance.consumer, advance.collaboration).await {
        Ok(actual) => actual,
        Err(ReadError::Unavailable(fault)) => return Err(fault),
        Err(ReadError::Corrupt(what)) => return Ok(Err(AdvanceError::Corrupt(what))),
    };
    if actual != advance.from {
        return Ok(Err(AdvanceError::Conflict { actual }));
    }
    let Some(to) = signed(advance.to) else { return Ok(Err(AdvanceError::Invalid)) };
    sqlx::query(
        "INSERT INTO cursors (consumer, collaboration, position) VALUES (?, ?, ?)
         ON CONFLICT (consumer, collaboration) DO UPDATE SET position = excluded.position",
    )
    .bind(&advance.consumer)
    .bind(id_bytes(&advance.collaboration))
    .bind(to)
    .execute(connection)
    .await?;
    Ok(Ok(()))
}
