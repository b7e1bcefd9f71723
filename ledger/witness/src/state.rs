//! What a witness must never forget: the last checkpoint that it cosigned of each log.

use std::path::Path;

use chancery_ledger::digest::Digest;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Row as _, SqlitePool};

/// The last checkpoint that was cosigned of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Latest {
    /// Its size; 0 before the first.
    pub size: u64,
    /// Its root; of no leaves, the hash of nothing.
    pub root: Digest,
}

impl Default for Latest {
    fn default() -> Self {
        Self { size: 0, root: Digest::of(b"") }
    }
}

/// The state of a witness, in `SQLite`. Clones share the connection.
#[derive(Debug, Clone)]
pub struct State {
    pool: SqlitePool,
}

/// The state can't be read or written. What was being recorded may or may not be.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The database fails.
    #[error("the witness's state is unavailable")]
    Unavailable(#[from] sqlx::Error),
    /// It holds what this crate never writes.
    #[error("the witness's state is corrupt: {0}")]
    Corrupt(&'static str),
}

const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS latest (
    origin TEXT PRIMARY KEY NOT NULL,
    size INTEGER NOT NULL CHECK (size >= 0),
    root BLOB NOT NULL CHECK (length(root) = 32)
) STRICT";

impl State {
    /// Opens the state at `path`, or makes it.
    ///
    /// # Errors
    ///
    /// [`StateError::Unavailable`].
    pub async fn open(path: &Path) -> Result<Self, StateError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // A commit is on disk when it is acknowledged.
            .synchronous(SqliteSynchronous::Full);
        // One connection: the updates are short, and are one after the other anyway.
        let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await?;
        sqlx::query(SCHEMA).execute(&pool).await?;
        Ok(Self { pool })
    }

    /// The last checkpoint cosigned of log `origin`.
    ///
    /// # Errors
    ///
    /// [`StateError`].
    pub async fn latest(&self, origin: &str) -> Result<Latest, StateError> {
        let row = sqlx::query("SELECT size, root FROM latest WHERE origin = ?")
            .bind(origin)
            .fetch_optional(&self.pool)
            .await?;
        let Some(row) = row else { return Ok(Latest::default()) };
        let size = u64::try_from(row.try_get::<i64, _>(0)?)
            .map_err(|_| StateError::Corrupt("a negative size"))?;
        let root = Digest::from_slice(row.try_get(1)?).ok_or(StateError::Corrupt("a root"))?;
        Ok(Latest { size, root })
    }

    /// Records `new` in place of `old`, if `old` is still the last: durable when this returns true.
    /// False where it is not, and nothing was recorded.
    ///
    /// # Errors
    ///
    /// [`StateError`].
    pub async fn advance(
        &self,
        origin: &str,
        old: Latest,
        new: Latest,
    ) -> Result<bool, StateError> {
        let signed =
            |size| i64::try_from(size).map_err(|_| StateError::Corrupt("a size beyond 2^63 - 1"));
        // One statement, so that between the check and the change there is nothing.
        let done = if old == Latest::default() {
            sqlx::query(
                "INSERT INTO latest (origin, size, root) VALUES (?1, ?2, ?3) ON CONFLICT (origin) \
                 DO UPDATE SET size = excluded.size, root = excluded.root WHERE size = 0",
            )
            .bind(origin)
            .bind(signed(new.size)?)
            .bind(new.root.as_bytes().as_slice())
        } else {
            sqlx::query(
                "UPDATE latest SET size = ?2, root = ?3 WHERE origin = ?1 AND size = ?4 AND root = ?5",
            )
            .bind(origin)
            .bind(signed(new.size)?)
            .bind(new.root.as_bytes().as_slice())
            .bind(signed(old.size)?)
            .bind(old.root.as_bytes().as_slice())
        }
        .execute(&self.pool)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Waits for the statement under way and closes the database.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_advances_from_the_last_only_and_keeps_it_when_opened_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("witness.db");
        let at = |size: u64| Latest { size, root: Digest::of(&size.to_be_bytes()) };
        let state = State::open(&path).await.unwrap();
        assert_eq!(state.latest("o").await.unwrap(), Latest::default());
        assert!(state.advance("o", Latest::default(), at(5)).await.unwrap());
        assert!(!state.advance("o", Latest::default(), at(6)).await.unwrap());
        assert!(!state.advance("o", at(4), at(6)).await.unwrap());
        let forked = Latest { size: 5, root: Digest::of(b"fork") };
        assert!(!state.advance("o", forked, at(6)).await.unwrap());
        assert!(state.advance("o", at(5), at(9)).await.unwrap());
        state.close().await;
        let state = State::open(&path).await.unwrap();
        assert_eq!(state.latest("o").await.unwrap(), at(9));
        assert_eq!(state.latest("p").await.unwrap(), Latest::default());
        let edge = at(1 << 63);
        assert!(matches!(state.advance("o", at(9), edge).await, Err(StateError::Corrupt(_))));
        assert!(state.advance("o", at(9), at((1 << 63) - 1)).await.unwrap());
    }
}
