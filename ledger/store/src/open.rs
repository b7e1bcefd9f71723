//! Opening a store.

use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::sync::broadcast;

use crate::postgres::Postgres;
use crate::sqlite::Sqlite;
use crate::writer::{self, Hints};
use crate::{Database, Fault, ReadError, Store};

/// Hints that wait for a receiver, at most; then it has missed some.
const HINTS_MAX: usize = 1024;

/// The tables that reading a log takes.
pub(crate) const TABLES_READ: [&str; 6] =
    ["heads", "entries", "nodes", "cosigned", "mirror_services", "mirror_receipts"];

/// Why the database didn't open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file or its folder can't be created, read or written.
    #[error("the database file can't be made ready")]
    File(#[source] io::Error),
    /// Another process has been opening the same file for too long.
    #[error("another process has been opening the database for {} s", Self::LOCK_TIMEOUT.as_secs())]
    Busy,
    /// It isn't a database, it isn't reached, or it is in use in a way that shuts us out.
    #[error("the database can't be opened")]
    Database(#[source] Fault),
    /// What the URL names isn't a server's database.
    #[error("not the URL of a PostgreSQL database")]
    Url(#[source] Fault),
    /// The server can't keep the store's promises.
    #[error("the PostgreSQL server is unfit: {0}")]
    Unfit(&'static str),
    /// It is to be read, and the log's tables are not there.
    #[error("it has not the tables of a log; a service that opens it makes them")]
    NoTables,
    /// The schema is newer than this program, was altered, or a step failed.
    #[error("the database schema can't be brought up to date")]
    Migration(#[source] sqlx::migrate::MigrateError),
    /// The tree of an older log can't be computed.
    #[error("the tree's nodes can't be computed")]
    Backfill(#[source] ReadError),
}

impl OpenError {
    /// How long a file's opener waits for another.
    pub(crate) const LOCK_TIMEOUT: Duration = Duration::from_secs(30);
}

impl Store {
    /// Opens the log database at `path` (`SQLite`); makes it, readable by the owner only (0600), if
    /// there is none. The folder must exist. Permissions of a file that exists are left alone.
    ///
    /// Beside it lie `SQLite`'s `-wal` and `-shm` files and a `.lock` file, which keeps two
    /// processes from creating or migrating it at once.
    ///
    /// # Errors
    ///
    /// See [`OpenError`].
    pub async fn open(path: &Path) -> Result<Self, OpenError> {
        let database = Database::Sqlite(Sqlite::open(path).await?);
        let (here, _) = broadcast::channel(HINTS_MAX);
        Ok(Self::start(database, Hints { here, elsewhere: None }))
    }

    /// Connects to the log database at `url` (PostgreSQL 15 or newer, a primary with `fsync` on):
    /// `postgres://user:password@host:port/database`. The database must exist; its tables are
    /// made, in the first schema of the `search_path`, if there are none.
    ///
    /// A server on another machine must prove its name by a certificate that this machine trusts,
    /// unless the URL says otherwise (`sslmode`, `sslrootcert`). A pooler that shares connections
    /// between transactions can't be in between.
    ///
    /// # Errors
    ///
    /// See [`OpenError`].
    pub async fn connect(url: &str) -> Result<Self, OpenError> {
        let (here, _) = broadcast::channel(HINTS_MAX);
        let (postgres, elsewhere) = Postgres::connect(url, here.clone()).await?;
        let hints = Hints { here, elsewhere: Some(elsewhere) };
        Ok(Self::start(Database::Postgres(postgres), hints))
    }

    /// Opens the log database at `path` (`SQLite`) to read it: it must exist, and nothing in it is
    /// created, migrated or written. Every write through this handle fails.
    ///
    /// # Errors
    ///
    /// See [`OpenError`]; `Database` too where the file is no database.
    pub async fn open_to_read(path: &Path) -> Result<Self, OpenError> {
        let database = Database::Sqlite(Sqlite::open_to_read(path).await?);
        let (here, _) = broadcast::channel(HINTS_MAX);
        Ok(Self::start(database, Hints { here, elsewhere: None }))
    }

    /// Connects to the log database at `url` (PostgreSQL, as [`Store::connect`] has it) to read it:
    /// nothing in it is created, migrated or written, and a standby will do. The user needs the
    /// right to `SELECT` from the log's tables, and no other. Every write through this handle fails.
    ///
    /// # Errors
    ///
    /// See [`OpenError`]; `NoTables` where a service never opened it.
    pub async fn connect_to_read(url: &str) -> Result<Self, OpenError> {
        let database = Database::Postgres(Postgres::connect_to_read(url).await?);
        let (here, _) = broadcast::channel(HINTS_MAX);
        Ok(Self::start(database, Hints { here, elsewhere: None }))
    }

    fn start(database: Database, hints: Hints) -> Self {
        let appended = hints.here.clone();
        let queue = writer::spawn(database.clone(), hints);
        Self { database, queue, appended }
    }
}

#[cfg(test)]
mod tests {
    use chancery_ledger::id::CollaborationId;

    use super::*;

    #[tokio::test]
    async fn what_is_opened_to_read_is_neither_made_nor_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.db");
        assert!(matches!(Store::open_to_read(&path).await, Err(OpenError::Database(_))));
        assert!(!path.exists());
        std::fs::write(&path, b"").unwrap();
        assert!(matches!(Store::open_to_read(&path).await, Err(OpenError::NoTables)));
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 0);
        Store::open(&path).await.unwrap().close().await;
        let store = Store::open_to_read(&path).await.unwrap();
        assert_eq!(store.heads(None, 1).await.unwrap(), []);
        let log = CollaborationId::new(uuid::Uuid::from_u128(1));
        assert!(store.advance_cursor("reader", log, 0, 1).await.is_err());
    }
}
