//! Reading from `SQLite`.

use std::collections::BTreeMap;
use std::ops::Range;

use chancery_ledger::digest::Digest;
use chancery_ledger::id::{CollaborationId, CommandId};
use futures_util::TryStreamExt as _;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::fsck::View;
use super::{Sqlite, collaboration, id_bytes};
use crate::backend::Backend;
use crate::group::{Outcome, Work};
use crate::personal_key::EraseError;
use crate::row::{GAP, bounds, digest, gapless, number};
use crate::writer::Failure;
use crate::{CommandRecord, Head, MirrorReceipt, RANGE_BYTES_MAX, ReadError, StoredEntry};

impl Backend for Sqlite {
    type Snapshot = View;

    async fn transact(&self, group: &[&Work]) -> Result<Vec<Outcome>, Failure> {
        Self::transact(self, group).await
    }

    async fn drop_traces(&self) -> Result<(), EraseError> {
        Self::drop_traces(self).await
    }

    async fn close(&self) {
        Self::close(self).await;
    }

    async fn size(&self, c: CollaborationId) -> Result<Option<u64>, ReadError> {
        let row = sqlx::query("SELECT size FROM heads WHERE collaboration = ?")
            .bind(id_bytes(&c))
            .fetch_optional(&self.readers)
            .await?;
        row.map(|row| number(row.try_get(0)?)).transpose()
    }

    async fn head(&self, c: CollaborationId) -> Result<Option<Head>, ReadError> {
        let row = sqlx::query("SELECT size, checkpoint FROM heads WHERE collaboration = ?")
            .bind(id_bytes(&c))
            .fetch_optional(&self.readers)
            .await?;
        row.map(|row| head(&row)).transpose()
    }

    async fn cosigned(&self, c: CollaborationId) -> Result<Option<Head>, ReadError> {
        let row = sqlx::query("SELECT size, note FROM cosigned WHERE collaboration = ?")
            .bind(id_bytes(&c))
            .fetch_optional(&self.readers)
            .await?;
        row.map(|row| head(&row)).transpose()
    }

    async fn heads(
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
        .bind(limit)
        .fetch_all(&self.readers)
        .await?;
        rows.iter()
            .map(|row| Ok((collaboration(row.try_get(0)?)?, number(row.try_get(1)?)?)))
            .collect()
    }

    async fn entries(
        &self,
        c: CollaborationId,
        positions: Range<u64>,
    ) -> Result<Vec<StoredEntry>, ReadError> {
        let (from, until) = bounds(&positions);
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
        for position in positions {
            let row = rows.try_next().await?.ok_or(GAP)?;
            if number(row.try_get(0)?)? != position {
                return Err(GAP);
            }
            let sealed: Vec<u8> = row.try_get(2)?;
            bytes += sealed.len();
            entries.push(StoredEntry { position, leaf_hash: digest(row.try_get(1)?)?, sealed });
            if bytes >= RANGE_BYTES_MAX {
                break;
            }
        }
        Ok(entries)
    }

    async fn leaf_hashes(
        &self,
        c: CollaborationId,
        positions: Range<u64>,
    ) -> Result<Vec<Digest>, ReadError> {
        let (from, until) = bounds(&positions);
        let rows = sqlx::query(
            "SELECT position, leaf_hash FROM entries
             WHERE collaboration = ? AND position >= ? AND position < ? ORDER BY position",
        )
        .bind(id_bytes(&c))
        .bind(from)
        .bind(until)
        .fetch_all(&self.readers)
        .await?;
        gapless(rows.iter().map(numbered), positions)
    }

    async fn nodes(
        &self,
        c: CollaborationId,
        level: u8,
        numbers: Range<u64>,
    ) -> Result<Vec<Digest>, ReadError> {
        let (from, until) = bounds(&numbers);
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
        gapless(rows.iter().map(numbered), numbers)
    }

    async fn command(
        &self,
        c: CollaborationId,
        id: CommandId,
    ) -> Result<Option<CommandRecord>, ReadError> {
        let row = sqlx::query(
            "SELECT first_position, count, content_digest FROM commands
             WHERE collaboration = ? AND id = ?",
        )
        .bind(id_bytes(&c))
        .bind(id.as_bytes().as_slice())
        .fetch_optional(&self.readers)
        .await?;
        row.map(|row| {
            Ok(CommandRecord {
                first_position: number(row.try_get(0)?)?,
                count: number(row.try_get(1)?)?,
                content_digest: digest(row.try_get(2)?)?,
            })
        })
        .transpose()
    }

    async fn personal_key(
        &self,
        c: CollaborationId,
        subject: &str,
    ) -> Result<Option<Vec<u8>>, ReadError> {
        let row =
            sqlx::query("SELECT key FROM personal_keys WHERE collaboration = ? AND subject = ?")
                .bind(id_bytes(&c))
                .bind(subject)
                .fetch_optional(&self.readers)
                .await?;
        row.map(|row| Ok(row.try_get(0)?)).transpose()
    }

    async fn mirrored(&self, c: CollaborationId) -> Result<u64, ReadError> {
        let row = sqlx::query(
            "SELECT size FROM mirror_receipts WHERE collaboration = ?
             ORDER BY size DESC LIMIT 1",
        )
        .bind(id_bytes(&c))
        .fetch_optional(&self.readers)
        .await?;
        row.map_or(Ok(0), |row| number(row.try_get(0)?))
    }

    async fn mirror_receipt(
        &self,
        c: CollaborationId,
        position: i64,
    ) -> Result<Option<MirrorReceipt>, ReadError> {
        let row = sqlx::query(
            "SELECT first, size, root, kind, txid, certificate, receipt
             FROM mirror_receipts JOIN mirror_services ON service = digest
             WHERE collaboration = ? AND first <= ? ORDER BY first DESC LIMIT 1",
        )
        .bind(id_bytes(&c))
        .bind(position)
        .fetch_optional(&self.readers)
        .await?;
        let receipt = row.map(|row| mirror_receipt(&row)).transpose()?;
        Ok(receipt.filter(|receipt| position.cast_unsigned() < receipt.size))
    }

    async fn mirror_receipts(
        &self,
        c: CollaborationId,
        from: i64,
        limit: u32,
    ) -> Result<Vec<MirrorReceipt>, ReadError> {
        let mut rows = sqlx::query(
            "SELECT first, size, root, kind, txid, certificate, receipt
             FROM mirror_receipts JOIN mirror_services ON service = digest
             WHERE collaboration = ? AND first >= ? ORDER BY first LIMIT ?",
        )
        .bind(id_bytes(&c))
        .bind(from)
        .bind(limit)
        .fetch(&self.readers);
        let (mut receipts, mut bytes) = (Vec::new(), 0);
        while bytes < RANGE_BYTES_MAX
            && let Some(row) = rows.try_next().await?
        {
            let receipt = mirror_receipt(&row)?;
            bytes += receipt.bytes();
            receipts.push(receipt);
        }
        Ok(receipts)
    }

    async fn cursor(&self, consumer: &str, c: CollaborationId) -> Result<u64, ReadError> {
        let row =
            sqlx::query("SELECT position FROM cursors WHERE consumer = ? AND collaboration = ?")
                .bind(consumer)
                .bind(id_bytes(&c))
                .fetch_optional(&self.readers)
                .await?;
        row.map_or(Ok(0), |row| number(row.try_get(0)?))
    }

    async fn cursors(&self, consumer: &str) -> Result<BTreeMap<CollaborationId, u64>, ReadError> {
        let rows = sqlx::query("SELECT collaboration, position FROM cursors WHERE consumer = ?")
            .bind(consumer)
            .fetch_all(&self.readers)
            .await?;
        rows.iter()
            .map(|row| Ok((collaboration(row.try_get(0)?)?, number(row.try_get(1)?)?)))
            .collect()
    }

    async fn snapshot(&self) -> Result<View, ReadError> {
        Ok(View::of(self.readers.begin().await?))
    }
}

fn head(row: &SqliteRow) -> Result<Head, ReadError> {
    Ok(Head { size: number(row.try_get(0)?)?, checkpoint: row.try_get(1)? })
}

fn numbered(row: &SqliteRow) -> Result<(i64, &[u8]), ReadError> {
    Ok((row.try_get(0)?, row.try_get(1)?))
}

fn mirror_receipt(row: &SqliteRow) -> Result<MirrorReceipt, ReadError> {
    Ok(MirrorReceipt {
        first: number(row.try_get(0)?)?,
        size: number(row.try_get(1)?)?,
        root: digest(row.try_get(2)?)?,
        kind: row.try_get(3)?,
        transaction: row.try_get(4)?,
        service: row.try_get(5)?,
        receipt: row.try_get(6)?,
    })
}
