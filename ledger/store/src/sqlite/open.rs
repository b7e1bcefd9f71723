//! Opening: file, settings, migrations.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use super::{Sqlite, backfill};
use crate::OpenError;
use crate::open::TABLES_READ;

const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// Sets [`BUSY_TIMEOUT`] on a connection that had another.
pub(super) const BUSY_TIMEOUT_PRAGMA: &str = "PRAGMA busy_timeout = 10000";
const READERS_MAX: u32 = 8;
/// Rows that a reader's thread makes before it waits for who asked.
const ROWS_AHEAD: usize = 256;

impl Sqlite {
    pub(crate) async fn open(path: &Path) -> Result<Self, OpenError> {
        let locking = tokio::task::spawn_blocking({
            let path = path.to_owned();
            move || lock_and_create(&path)
        });
        let lock = match tokio::time::timeout(OpenError::LOCK_TIMEOUT, locking).await {
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
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options.clone())
            .await
            .map_err(|error| OpenError::Database(error.into()))?;
        sqlx::migrate!("src/sqlite/migrations").run(&writer).await.map_err(OpenError::Migration)?;
        backfill::run(&writer).await.map_err(OpenError::Backfill)?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS_MAX)
            .connect_with(options.pragma("query_only", "ON").row_buffer_size(ROWS_AHEAD))
            .await
            .map_err(|error| OpenError::Database(error.into()))?;
        drop(lock);

        Ok(Self { readers, writer })
    }

    pub(crate) async fn open_to_read(path: &Path) -> Result<Self, OpenError> {
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
        let tables: Vec<String> =
            sqlx::query_scalar("SELECT name FROM sqlite_master WHERE type = 'table'")
                .fetch_all(&readers)
                .await
                .map_err(database)?;
        if !TABLES_READ.iter().all(|wanted| tables.iter().any(|name| name == wanted)) {
            return Err(OpenError::NoTables);
        }
        Ok(Self { writer: readers.clone(), readers })
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
        assert!(matches!(Sqlite::open_to_read(&path).await, Err(OpenError::Database(_))));
        assert!(!path.exists());
        std::fs::write(&path, "").unwrap();
        assert!(matches!(Sqlite::open_to_read(&path).await, Err(OpenError::NoTables)));
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 0);
        Sqlite::open(&path).await.unwrap();
        let database = Sqlite::open_to_read(&path).await.unwrap();
        for pool in [&database.readers, &database.writer] {
            assert!(sqlx::query("CREATE TABLE t (a)").execute(pool).await.is_err());
        }
    }

    #[tokio::test]
    async fn the_connections_are_set_for_durability() {
        let folder = tempfile::tempdir().unwrap();
        let store = Sqlite::open(&folder.path().join("log.db")).await.unwrap();
        for (pool, query_only) in [(&store.writer, 0), (&store.readers, 1)] {
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
