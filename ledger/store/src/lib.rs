//! The log in a database: opaque sealed entries by collaboration and position.
//!
//! The store knows no event types. It holds four promises on both databases, `SQLite` and
//! PostgreSQL, and the contract suite in `tests/` checks each on both:
//!
//! - An append is all or nothing, and is on disk before it is acknowledged.
//! - It succeeds only at the size that its writer expected, so that a log never forks.
//! - No position is visible before those below it, and a range that is read has no gap.
//! - A command id is used once in a collaboration.
//!
//! All writes of a process go through one task (`writer`), which commits what is waiting as one
//! transaction with one fsync. What a group of writes comes to is decided in one place (`group`);
//! a database only loads what the decision needs, and stores it. Writers in other processes are
//! kept out meanwhile by `SQLite`'s write lock, or by PostgreSQL's lock on the heads' rows. The
//! views are in another database.

mod append;
mod backend;
mod cosigned;
mod cursor;
mod error;
mod fsck;
mod group;
mod mirrored;
mod open;
mod personal_key;
mod postgres;
mod read;
mod row;
mod sqlite;
mod tile;
mod writer;

use chancery_ledger::id::CollaborationId;
use tokio::sync::{broadcast, mpsc};

use crate::backend::{Backend as _, on};

pub use append::{
    APPEND_BYTES_MAX, Append, AppendError, BATCH_ENTRIES_MAX, CHECKPOINT_BYTES_MAX,
    ENTRY_BYTES_MAX, NewCommand, NewEntry, Oversize, PERSONAL_KEY_BYTES_MAX, SUBJECT_BYTES_MAX,
};
pub use cosigned::CosignError;
pub use cursor::{AdvanceError, CONSUMER_BYTES_MAX};
pub use error::Fault;
pub use fsck::{Checked, Finding};
pub use mirrored::{
    MIRROR_CERTIFICATE_BYTES_MAX, MIRROR_NAME_BYTES_MAX, MIRROR_RECEIPT_BYTES_MAX,
    MIRROR_RECEIPTS_MAX, MirrorError, MirrorReceipt,
};
pub use open::OpenError;
pub use personal_key::EraseError;
pub use read::{
    CommandRecord, Head, LEAF_HASHES_MAX, PAGE_MAX, RANGE_BYTES_MAX, RANGE_ENTRIES_MAX, ReadError,
    StoredEntry,
};

/// A log database. Clones share the connections.
#[derive(Clone)]
pub struct Store {
    database: Database,
    queue: mpsc::Sender<writer::Write>,
    appended: broadcast::Sender<Appended>,
}

#[derive(Clone)]
enum Database {
    Sqlite(sqlite::Sqlite),
    Postgres(postgres::Postgres),
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
    /// Wake-up hints for appends made from now on: through this handle and its clones, and on
    /// PostgreSQL, with some delay, through those of other processes.
    ///
    /// Some may be missing (a slow receiver's are `Lagged`), and those of other processes may come
    /// out of order: whoever follows the log must also sweep [`Store::heads`].
    pub fn appended(&self) -> broadcast::Receiver<Appended> {
        self.appended.subscribe()
    }

    /// Waits for the write under way, then closes all connections; every later call is
    /// `Unavailable`. Without it, nothing acknowledged is lost either.
    pub async fn close(&self) {
        on!(self, database => database.close().await);
    }
}
