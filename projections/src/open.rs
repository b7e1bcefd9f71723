//! Opening: file, settings, schema version.

use std::collections::HashMap;
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use chancery_ledger::id::CollaborationId;
use chancery_store::Fault;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Row as _, SqliteExecutor};

use crate::schema;
use crate::views::Views;

const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
const READERS_MAX: u32 = 8;

/// Why the views database didn't open. It holds nothing that the log does not: deleting the file
/// is safe.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file can't be created, read or written.
    #[error("the file of the views can't be made ready")]
    File(#[source] io::Error),
    /// It isn't a database, or it is in use in a way that shuts us out.
    #[error("the views can't be opened")]
    Database(#[source] Fault),
}

impl From<sqlx::Error> for OpenError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error.into())
    }
}

impl Views {
    /// Opens the views database at `path`; makes it, readable by the owner only (0600), if there is
    /// none. The folder must exist.
    ///
    /// Rows of another schema version ([`crate::SCHEMA_VERSION`]) are dropped: the projector makes
    /// them anew from the log, and until then the views are empty or behind.
    ///
    /// # Errors
    ///
    /// See [`OpenError`].
    pub async fn open(path: &Path) -> Result<Self, OpenError> {
        // Only where there is none: POSIX drops a process's locks on a file when any descriptor of
        // it closes, and SQLite's with them.
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(OpenError::File(error)),
        }
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(false)
            .journal_mode(SqliteJournalMode::Wal)
            // Safe against corruption in WAL mode; what a power cut takes, the log gives back.
            .synchronous(SqliteSynchronous::Normal)
            .busy_timeout(BUSY_TIMEOUT);
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            // What one statement changed, should it fail: not into a file for each.
            .connect_with(options.clone().pragma("temp_store", "MEMORY"))
            .await?;
        let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await?;
        let emptied = schema::prepare(&mut transaction).await?;
        let sizes = sizes(&mut *transaction).await?;
        transaction.commit().await?;
        if emptied {
            tracing::warn!(
                "the views are of another schema version and are made anew from the log"
            );
        }
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS_MAX)
            .connect_with(options.pragma("query_only", "ON"))
            .await?;
        Ok(Self::new(readers, writer, sizes))
    }
}

impl Views {
    /// How many entries of each collaboration the views database at `path` shows, without making,
    /// changing or clearing anything; `None` where it is of another schema version.
    ///
    /// # Errors
    ///
    /// [`OpenError::Database`], also where there is none.
    pub async fn shown(path: &Path) -> Result<Option<HashMap<CollaborationId, u64>>, OpenError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(false)
            .read_only(true)
            .busy_timeout(BUSY_TIMEOUT);
        let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await?;
        let version: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&pool).await?;
        let shown =
            if version == i64::from(schema::VERSION) { Some(sizes(&pool).await?) } else { None };
        pool.close().await;
        Ok(shown)
    }
}

/// How many entries of each collaboration the live tables show.
pub(crate) async fn sizes(
    db: impl SqliteExecutor<'_>,
) -> sqlx::Result<HashMap<CollaborationId, u64>> {
    let rows = sqlx::query("SELECT collaboration, size FROM cursors").fetch_all(db).await?;
    rows.iter()
        .map(|row| {
            let id: String = row.try_get(0)?;
            let id = id.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
            let size: i64 = row.try_get(1)?;
            Ok((id, size.unsigned_abs()))
        })
        .collect()
}
