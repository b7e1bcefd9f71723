//! Reading: ranges, heads, commands.

use chancery_ledger::digest::Digest;
use chancery_ledger::id::{CollaborationId, CommandId};
use futures_util::TryStreamExt as _;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteExecutor};

use crate::row::{collaboration, digest, id_bytes, number, signed};
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
        let Some((from, until)) = self.window(c, from, limit.min(RANGE_ENTRIES_MAX)).await? else {
            return Ok(Vec::new());
        };
        let mut rows = sqlx::query(
            "SELECT position, leaf_hash, sealed FROM entries
             WHERE collaboration = ? AND position >= ? AND position < ? ORDER BY position",
        )
        .bind(id_bytes(&c))
        .bind(from)
        .bind(until)
        .fetch(&self.readers);
        let mut entries = Vec::new();
        let mut bytes = 0;
        for expected in from..until {
            let row = rows.try_next().await?.ok_or(GAP)?;
            if row.try_get::<i64, _>(0)? != expected {
                return Err(GAP);
            }
            let sealed: Vec<u8> = row.try_get(2)?;
            bytes += sealed.len();
            entries.push(StoredEntry {
                position: number(expected, NEGATIVE)?,
                leaf_hash: digest(row.try_get(1)?)?,
                sealed,
            });
            if bytes >= RANGE_BYTES_MAX {
                break;
            }
        }
        Ok(entries)
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
        let Some((from, until)) = self.window(c, from, limit.min(LEAF_HASHES_MAX)).await? else {
            return Ok(Vec::new());
        };
        self.read_leaves(c, from, until).await
    }

    /// All leaf hashes of positions `from` to below `until`.
    pub(crate) async fn read_leaves(
        &self,
        c: CollaborationId,
        from: i64,
        until: i64,
    ) -> Result<Vec<Digest>, ReadError> {
        let rows = sqlx::query(
            "SELECT position, leaf_hash FROM entries
             WHERE collaboration = ? AND position >= ? AND position < ? ORDER BY position",
        )
        .bind(id_bytes(&c))
        .bind(from)
        .bind(until)
        .fetch_all(&self.readers)
        .await?;
        gapless(&rows, from, until)
    }

    /// All hashes of nodes `from` to below `until` of a level.
    pub(crate) async fn read_nodes(
        &self,
        c: CollaborationId,
        level: u8,
        from: i64,
        until: i64,
    ) -> Result<Vec<Digest>, ReadError> {
        let rows = sqlx::query(
            "SELECT number, hash FROM nodes
             WHERE collaboration = ? AND level = ? AND number >= ? AND number < ? ORDER BY number",
        )
        .bind(id_bytes(&c))
        .bind(level)
        .bind(from)
        .bind(until)
        .fetch_all(&self.readers)
        .await?;
        gapless(&rows, from, until)
    }

    pub(crate) async fn size(&self, c: CollaborationId) -> Result<Option<u64>, ReadError> {
        size(&self.readers, c).await
    }

    /// The newest checkpoint of a collaboration; `None` if it has no log.
    ///
    /// # Errors
    ///
    /// See [`ReadError`].
    pub async fn head(&self, c: CollaborationId) -> Result<Option<Head>, ReadError> {
        let row = sqlx::query("SELECT size, checkpoint FROM heads WHERE collaboration = ?")
            .bind(id_bytes(&c))
            .fetch_optional(&self.readers)
            .await?;
        row.map(|row| {
            Ok(Head { size: number(row.try_get(0)?, NEGATIVE)?, checkpoint: row.try_get(1)? })
        })
        .transpose()
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
        // The empty blob sorts before every id.
        let after = after.as_ref().map_or(&[][..], id_bytes);
        let rows = sqlx::query(
            "SELECT collaboration, size FROM heads WHERE collaboration > ? ORDER BY collaboration LIMIT ?",
        )
        .bind(after)
        .bind(limit.min(PAGE_MAX))
        .fetch_all(&self.readers)
        .await?;
        rows.iter()
            .map(|row| Ok((collaboration(row.try_get(0)?)?, number(row.try_get(1)?, NEGATIVE)?)))
            .collect()
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
        command(&self.readers, c, id).await
    }

    /// Which positions to read: from `from`, `limit` at most, below the head. Entries are never
    /// deleted, so all of them are there for the statement that follows.
    async fn window(
        &self,
        c: CollaborationId,
        from: u64,
        limit: u32,
    ) -> Result<Option<(i64, i64)>, ReadError> {
        let size = size(&self.readers, c).await?.unwrap_or(0);
        let until = from.saturating_add(limit.into()).min(size);
        if from >= until {
            return Ok(None);
        }
        Ok(signed(from).zip(signed(until)))
    }
}

const GAP: ReadError = ReadError::Corrupt("an entry below the head is missing");
pub(crate) const NEGATIVE: &str = "a position or size is negative";

/// The hashes of (number, hash) rows, which must be all of `from` to below `until`.
fn gapless(rows: &[SqliteRow], from: i64, until: i64) -> Result<Vec<Digest>, ReadError> {
    let mut rows = rows.iter();
    (from..until)
        .map(|expected| {
            let row = rows.next().ok_or(GAP)?;
            if row.try_get::<i64, _>(0)? == expected { digest(row.try_get(1)?) } else { Err(GAP) }
        })
        .collect()
}

pub(crate) async fn size(
    db: impl SqliteExecutor<'_>,
    c: CollaborationId,
) -> Result<Option<u64>, ReadError> {
    let row = sqlx::query("SELECT size FROM heads WHERE collaboration = ?")
        .bind(id_bytes(&c))
        .fetch_optional(db)
        .await?;
    row.map(|row| number(row.try_get(0)?, NEGATIVE)).transpose()
}

pub(crate) async fn command(
    db: impl SqliteExecutor<'_>,
    c: CollaborationId,
    id: CommandId,
) -> Result<Option<CommandRecord>, ReadError> {
    let row = sqlx::query(
        "SELECT first_position, count, content_digest FROM commands WHERE collaboration = ? AND id = ?",
    )
    .bind(id_bytes(&c))
    .bind(id.as_bytes().as_slice())
    .fetch_optional(db)
    .await?;
    row.map(|row| {
        Ok(CommandRecord {
            first_position: number(row.try_get(0)?, NEGATIVE)?,
            count: number(row.try_get(1)?, NEGATIVE)?,
            content_digest: digest(row.try_get(2)?)?,
        })
    })
    .transpose()
}
