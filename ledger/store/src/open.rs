//! Opening: file, settings, migrations.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use tokio::sync::broadcast;

use crate::{Fault, Store, Writer, writer};

const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
const OPEN_TIMEOUT: Duration = Duration::from_secs(30);
const READERS_MAX: u32 = 8;
const HINTS_MAX: usize = 1024;

/// Why the database didn't open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file or its folder can't be created, read or written.
    #[error("the database file can't be made ready")]
    File(#[source] io::Error),
    /// Another process has been opening the same file for too long.
    #[error("another process has been opening the database for {} s", OPEN_TIMEOUT.as_secs())]
    Busy,
    /// It isn't a database, or the file is in use in a way that shuts us out.
    #[error("the database can't be opened")]
    Database(#[source] Fault),
    /// The schema is newer than this program, was altered, or a step failed.
    #[error("the database schema can't be brought up to date")]
    Migration(#[source] sqlx::migrate::MigrateError),
}

impl Store {
    /// Opens the log database at `path`; makes it, readable by the owner only (0600), if there is
    /// none. The folder must exist. Permissions of a file that exists are left alone.
    ///
    /// Beside it lie `SQLite`'s `-wal` and `-shm` files and a `.lock` file, which keeps two
    /// processes from creating or migrating it at once.
    ///
    /// # Errors
    ///
    /// See [`OpenError`].
    pub async fn open(path: &Path) -> Result<Self, OpenError> {
        let locking = tokio::task::spawn_blocking({
            let path = path.to_owned();
            move || lock_and_create(&path)
        });
        let lock = match tokio::time::timeout(OPEN_TIMEOUT, locking).await {
            Ok(Ok(locked)) => locked.map_err(OpenError::File)?,
            Ok(Err(stopped)) => return Err(OpenError::File(io::Error::other(stopped))),
            Err(_) => return Err(OpenError::Busy),
        };

        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(false)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT)
            // An erased key must not survive in a free page.
            .pragma("secure_delete", "ON");
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options.clone())
            .await
            .map_err(|error| OpenError::Database(error.into()))?;
        sqlx::migrate!().run(&pool).await.map_err(OpenError::Migration)?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS_MAX)
            .connect_with(options.pragma("query_only", "ON"))
            .await
            .map_err(|error| OpenError::Database(error.into()))?;
        drop(lock);

        let (appended, _) = broadcast::channel(HINTS_MAX);
        let queue = writer::spawn(pool.clone(), appended.clone());
        Ok(Self { readers, writer: Arc::new(Writer { pool, queue, appended }) })
    }

    /// Opens the log database at `path` to read it: it must exist, and nothing in it is created,
    /// migrated or written. Every write through this handle fails.
    ///
    /// # Errors
    ///
    /// See [`OpenError`]; `Database` too where the file is no log database.
    pub async fn open_to_read(path: &Path) -> Result<Self, OpenError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(false)
            .read_only(true)
            .busy_timeout(BUSY_TIMEOUT)
            .pragma("query_only", "ON");
        let database = |error: sqlx::Error| OpenError::Database(error.into());
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS_MAX)
            .connect_with(options)
            .await
            .map_err(database)?;
        sqlx::query("SELECT size, checkpoint FROM heads LIMIT 1")
            .fetch_optional(&readers)
            .await
            .map_err(database)?;
        let (appended, _) = broadcast::channel(HINTS_MAX);
        let queue = writer::spawn(readers.clone(), appended.clone());
        let writer = Arc::new(Writer { pool: readers.clone(), queue, appended });
        Ok(Self { readers, writer })
    }
}

/// Takes the lock that guards creation and migration, then creates the database file if missing.
///
/// The file must not be opened here when a connection may have it open: POSIX drops a process's
/// locks on a file when *any* descriptor of it closes, `SQLite`'s with them.
fn lock_and_create(path: &Path) -> io::Result<File> {
    let mut lock_path = path.as_os_str().to_owned();
    lock_path.push(".lock");
    let lock = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(PathBuf::from(lock_path))?;
    lock.lock()?;
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(file) => {
            file.sync_all()?;
            let folder = match path.parent() {
                Some(parent) if !parent.as_os_str().is_empty() => parent,
                _ => Path::new("."),
            };
            File::open(folder)?.sync_all()?;
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    Ok(lock)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_opened_to_read_is_neither_made_nor_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.db");
        assert!(matches!(Store::open_to_read(&path).await, Err(OpenError::Database(_))));
        assert!(!path.exists());
        Store::open(&path).await.unwrap().close().await;
        let store = Store::open_to_read(&path).await.unwrap();
        assert_eq!(store.heads(None, 1).await.unwrap(), []);
        let written = sqlx::query("CREATE TABLE t (a)").execute(&store.writer.pool).await;
        assert!(written.is_err());
    }

    #[tokio::test]
    async fn the_connections_are_set_for_durability() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("log.db")).await.unwrap();
        for (pool, query_only) in [(&store.writer.pool, 0), (&store.readers, 1)] {
            let mode: String =
                sqlx::query_scalar("PRAGMA journal_mode").fetch_one(pool).await.unwrap();
            assert_eq!(mode, "wal");
            for (pragma, expected) in [
                ("PRAGMA synchronous", 2), // FULL
                ("PRAGMA foreign_keys", 1),
                ("PRAGMA secure_delete", 1),
                ("PRAGMA query_only", query_only),
                ("PRAGMA busy_timeout", 10_000),
            ] {
                let value: i64 = sqlx::query_scalar(pragma).fetch_one(pool).await.unwrap();
                assert_eq!(value, expected, "{pragma}");
            }
        }
    }
}
