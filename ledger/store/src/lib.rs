//! The log on `SQLite`: opaque sealed entries by collaboration and position.
//!
//! The store knows no event types. It holds four promises, and the contract suite in `tests/`
//! checks each:
//!
//! - An append is all or nothing, and is on disk before it is acknowledged.
//! - It succeeds only at the size that its writer expected, so that a log never forks.
//! - No position is visible before those below it, and a range that is read has no gap.
//! - A command id is used once in a collaboration.
//!
//! All writes of a process go through one task (`writer`), which commits what is waiting as one
//! transaction with one fsync. Writers in other processes are kept out by `SQLite`'s write lock.
//! The views are in another database.

mod append;
mod backfill;
mod cursor;
mod error;
mod open;
mod personal_key;
mod read;
mod row;
mod tile;
mod writer;

use std::sync::Arc;

use chancery_ledger::id::CollaborationId;
use sqlx::SqlitePool;
use tokio::sync::{broadcast, mpsc};

pub use append::{
    APPEND_BYTES_MAX, Append, AppendError, BATCH_ENTRIES_MAX, CHECKPOINT_BYTES_MAX,
    ENTRY_BYTES_MAX, NewCommand, NewEntry, Oversize, PERSONAL_KEY_BYTES_MAX, SUBJECT_BYTES_MAX,
};
pub use cursor::{AdvanceError, CONSUMER_BYTES_MAX};
pub use error::Fault;
pub use open::OpenError;
pub use personal_key::EraseError;
pub use read::{
    CommandRecord, Head, LEAF_HASHES_MAX, PAGE_MAX, RANGE_BYTES_MAX, RANGE_ENTRIES_MAX, ReadError,
    StoredEntry,
};

/// A log database. Clones share the connections.
#[derive(Clone)]
pub struct Store {
    readers: SqlitePool,
    writer: Arc<Writer>,
}

struct Writer {
    pool: SqlitePool,
    queue: mpsc::Sender<writer::Write>,
    appended: broadcast::Sender<Appended>,
}

/// That a collaboration's log has grown: a hint, sent after the commit. The log is the truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// The collaboration whose log grew.
    pub collaboration: CollaborationId,
    /// Entries in the log after the append.
    pub size: u64,
}

impl Store {
    /// Wake-up hints for appends made through this handle and its clones from now on.
    ///
    /// Appends of other processes send none, and a slow receiver misses some (`Lagged`): whoever
    /// follows the log must also sweep [`Store::heads`].
    pub fn appended(&self) -> broadcast::Receiver<Appended> {
        self.writer.appended.subscribe()
    }

    /// Waits for the write under way, then closes all connections; every later call is
    /// `Unavailable`. Without it, nothing acknowledged is lost either.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.pool.close().await;
    }
}
