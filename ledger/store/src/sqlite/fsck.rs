//! The rows as they are, for `fsck`.

use std::collections::BTreeMap;
use std::ops::Range;

use chancery_ledger::id::{CollaborationId, CommandId};
use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, TryStreamExt as _};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, Sqlite, Transaction};

use super::{id_bytes, uuid};
use crate::ReadError;
use crate::backend::{RawEntry, RawHead, Snapshot};
use crate::fsck::PAGE_BYTES;

/// A transaction that only reads: it sees one moment, from its first statement on.
pub(crate) struct View(Transaction<'static, Sqlite>);

impl View {
    pub(super) fn of(transaction: Transaction<'static, Sqlite>) -> Self {
        Self(transaction)
    }
}

impl Snapshot for View {
    async fn head(&mut self, c: CollaborationId) -> Result<Option<RawHead>, ReadError> {
        let row = sqlx::query("SELECT size, checkpoint FROM heads WHERE collaboration = ?")
            .bind(id_bytes(&c))
            .fetch_optional(&mut *self.0)
            .await?;
        row.map(|row| raw_head(&row)).transpose()
    }

    async fn cosigned(&mut self, c: CollaborationId) -> Result<Option<RawHead>, ReadError> {
        let row = sqlx::query("SELECT size, note FROM cosigned WHERE collaboration = ?")
            .bind(id_bytes(&c))
            .fetch_optional(&mut *self.0)
            .await?;
        row.map(|row| raw_head(&row)).transpose()
    }

    async fn entries(
        &mut self,
        c: CollaborationId,
        from: i64,
        limit: u32,
    ) -> Result<Vec<RawEntry>, ReadError> {
        let mut rows = sqlx::query(
            "SELECT position, leaf_hash, sealed FROM entries
             WHERE collaboration = ? AND position >= ? ORDER BY position LIMIT ?",
        )
        .bind(id_bytes(&c))
        .bind(from)
        .bind(limit)
        .fetch(&mut *self.0);
        let mut entries = Vec::new();
        let mut bytes = 0;
        while bytes < PAGE_BYTES
            && let Some(row) = rows.try_next().await?
        {
            let sealed: Vec<u8> = row.try_get(2)?;
            bytes += sealed.len();
            entries.push(RawEntry {
                position: row.try_get(0)?,
                leaf_hash: row.try_get(1)?,
                sealed,
            });
        }
        Ok(entries)
    }

    async fn nodes(
        &mut self,
        c: CollaborationId,
        level: u8,
        numbers: Range<i64>,
    ) -> Result<BTreeMap<i64, Vec<u8>>, ReadError> {
        let rows = sqlx::query(
            "SELECT number, hash FROM nodes
             WHERE collaboration = ? AND level = ? AND number >= ? AND number < ?",
        )
        .bind(id_bytes(&c))
        .bind(level)
        .bind(numbers.start)
        .bind(numbers.end)
        .fetch_all(&mut *self.0)
        .await?;
        rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
    }

    fn nodes_beyond(
        &mut self,
        c: CollaborationId,
        size: i64,
    ) -> BoxStream<'_, Result<(i64, i64), ReadError>> {
        sqlx::query(
            "SELECT level, number FROM nodes WHERE collaboration = ? AND number >= (? >> (8 * level))
             ORDER BY level, number",
        )
        .bind(c.as_bytes().to_vec())
        .bind(size)
        .fetch(&mut *self.0)
        .map(|row| {
            let row = row?;
            Ok((row.try_get(0)?, row.try_get(1)?))
        })
        .boxed()
    }

    fn commands(
        &mut self,
        c: CollaborationId,
    ) -> BoxStream<'_, Result<(CommandId, i64, i64), ReadError>> {
        sqlx::query(
            "SELECT id, first_position, count FROM commands WHERE collaboration = ?
             ORDER BY first_position, count, id",
        )
        .bind(c.as_bytes().to_vec())
        .fetch(&mut *self.0)
        .map(|row| {
            let row = row?;
            Ok((CommandId::new(uuid(row.try_get(0)?)?), row.try_get(1)?, row.try_get(2)?))
        })
        .boxed()
    }

    fn cursors_beyond(
        &mut self,
        c: CollaborationId,
        size: i64,
    ) -> BoxStream<'_, Result<(String, i64), ReadError>> {
        sqlx::query(
            "SELECT consumer, position FROM cursors WHERE collaboration = ? AND position > ?
             ORDER BY consumer",
        )
        .bind(c.as_bytes().to_vec())
        .bind(size)
        .fetch(&mut *self.0)
        .map(|row| {
            let row = row?;
            Ok((row.try_get(0)?, row.try_get(1)?))
        })
        .boxed()
    }

    async fn personal_subjects(&mut self, c: CollaborationId) -> Result<Vec<String>, ReadError> {
        let rows = sqlx::query(
            "SELECT subject FROM personal_keys WHERE collaboration = ? ORDER BY subject",
        )
        .bind(id_bytes(&c))
        .fetch_all(&mut *self.0)
        .await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    fn mirror_ranges(
        &mut self,
        c: CollaborationId,
    ) -> BoxStream<'_, Result<(i64, i64), ReadError>> {
        sqlx::query(
            "SELECT first, size FROM mirror_receipts WHERE collaboration = ? ORDER BY first",
        )
        .bind(c.as_bytes().to_vec())
        .fetch(&mut *self.0)
        .map(|row| {
            let row = row?;
            Ok((row.try_get(0)?, row.try_get(1)?))
        })
        .boxed()
    }

    async fn mirror_roots(
        &mut self,
        c: CollaborationId,
        sizes: Range<i64>,
    ) -> Result<BTreeMap<i64, Vec<u8>>, ReadError> {
        let rows = sqlx::query(
            "SELECT size, root FROM mirror_receipts
             WHERE collaboration = ? AND size >= ? AND size < ?",
        )
        .bind(id_bytes(&c))
        .bind(sizes.start)
        .bind(sizes.end)
        .fetch_all(&mut *self.0)
        .await?;
        rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
    }
}

fn raw_head(row: &SqliteRow) -> Result<RawHead, ReadError> {
    Ok(RawHead { size: row.try_get(0)?, note: row.try_get(1)? })
}
