//! Reading: ranges, heads, commands.

use std::ops::Range;

use chancery_ledger::digest::Digest;
use chancery_ledger::id::{CollaborationId, CommandId};

use crate::backend::{Backend as _, on};
use crate::{Fault, Store};

/// Entries in one answer of [`Store::range`], at most.
pub const RANGE_ENTRIES_MAX: u32 = 1024;
/// Bytes after which an answer of [`Store::range`] takes no further entry.
pub const RANGE_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Hashes in one answer of [`Store::leaf_hashes`], at most.
pub const LEAF_HASHES_MAX: u32 = 65_536;
/// Rows in one answer of [`Store::heads`], at most.
pub const PAGE_MAX: u32 = 10_000;

/// An entry as it lies in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEntry {
    /// Its position in the collaboration's log, from 0.
    pub position: u64,
    /// The sealed bytes.
    pub sealed: Vec<u8>,
    /// The leaf hash that its writer gave.
    pub leaf_hash: Digest,
}

/// The newest state of a collaboration's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Entries in the log.
    pub size: u64,
    /// The signed note over them.
    pub checkpoint: String,
}

/// What a command did when it was first carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommandRecord {
    /// The position of its first entry.
    pub first_position: u64,
    /// How many entries it made.
    pub count: u64,
    /// The digest of what it asked for. Another digest under the same id is a misuse.
    pub content_digest: Digest,
}

/// Why a read gave nothing.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ReadError {
    /// The database didn't answer. Retry.
    #[error("the log can't be read now")]
    Unavailable(#[source] Fault),
    /// The database holds what this store never writes: stop writing.
    #[error("the log is corrupt: {0}")]
    Corrupt(&'static str),
}

impl From<sqlx::Error> for ReadError {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => {
                Self::Corrupt("a column has another type")
            }
            other => Self::Unavailable(other.into()),
        }
    }
}

impl Store {
    /// Entries from position `from` on, in order and without gaps; `limit` of them at most.
    ///
    /// An answer also ends at [`RANGE_ENTRIES_MAX`] and [`RANGE_BYTES_MAX`], so a short one isn't
    /// the end of the log: **only an empty one is** (for a `limit` above 0).
    ///
    /// # Errors
    ///
    /// `Corrupt` if an entry below the head is missing.
    pub async fn range(
        &self,
        c: CollaborationId,
        from: u64,
        limit: u32,
    ) -> Result<Vec<StoredEntry>, ReadError> {
        match self.window(c, from, limit.min(RANGE_ENTRIES_MAX)).await? {
            Some(window) => on!(self, database => database.entries(c, window).await),
            None => Ok(Vec::new()),
        }
    }

    /// Leaf hashes from position `from` on, in order and without gaps; at most `limit` and
    /// [`LEAF_HASHES_MAX`]. Only an empty answer is the end.
    ///
    /// # Errors
    ///
    /// `Corrupt` if an entry below the head is missing.
    pub async fn leaf_hashes(
        &self,
        c: CollaborationId,
        from: u64,
        limit: u32,
    ) -> Result<Vec<Digest>, ReadError> {
        match self.window(c, from, limit.min(LEAF_HASHES_MAX)).await? {
            Some(window) => on!(self, database => database.leaf_hashes(c, window).await),
            None => Ok(Vec::new()),
        }
    }

    /// The newest checkpoint of a collaboration; `None` if it has no log.
    ///
    /// # Errors
    ///
    /// See [`ReadError`].
    pub async fn head(&self, c: CollaborationId) -> Result<Option<Head>, ReadError> {
        on!(self, database => database.head(c).await)
    }

    /// Collaborations and the sizes of their logs, by id, those after `after`; at most `limit` and
    /// [`PAGE_MAX`]. Only an empty answer is the end.
    ///
    /// # Errors
    ///
    /// See [`ReadError`].
    pub async fn heads(
        &self,
        after: Option<CollaborationId>,
        limit: u32,
    ) -> Result<Vec<(CollaborationId, u64)>, ReadError> {
        on!(self, database => database.heads(after, limit.min(PAGE_MAX)).await)
    }

    /// The first outcome of a command; `None` if it hasn't been carried out.
    ///
    /// # Errors
    ///
    /// See [`ReadError`].
    pub async fn command(
        &self,
        c: CollaborationId,
        id: CommandId,
    ) -> Result<Option<CommandRecord>, ReadError> {
        on!(self, database => database.command(c, id).await)
    }

    /// Which positions to read: from `from`, `limit` at most, below the head. Entries are never
    /// deleted, so all of them are there for the statement that follows.
    async fn window(
        &self,
        c: CollaborationId,
        from: u64,
        limit: u32,
    ) -> Result<Option<Range<u64>>, ReadError> {
        let size = on!(self, database => database.size(c).await)?.unwrap_or(0);
        let until = size.min(from.saturating_add(limit.into()));
        Ok((from < until).then_some(from..until))
    }
}
