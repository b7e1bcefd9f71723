//! What a group of writes must know, in one statement for each kind, however many there are.

use chancery_ledger::id::{CollaborationId, CommandId};
use sqlx::{PgConnection, Row as _};
use uuid::Uuid;

use super::Undone;
use crate::group::{Known, Wanted};
use crate::row::{digest, number};
use crate::{CommandRecord, ReadError};

impl From<ReadError> for Undone {
    fn from(error: ReadError) -> Self {
        Self::Failed(error.into())
    }
}

/// The heads first: what comes after is read under their locks.
pub(super) async fn load(
    connection: &mut PgConnection,
    wanted: &Wanted<'_>,
) -> Result<Known, Undone> {
    let mut known = Known::default();
    if !wanted.heads.is_empty() {
        // In order, so that two processes can't each hold what the other waits for.
        let rows = sqlx::query(
            "SELECT collaboration, size FROM heads WHERE collaboration = ANY ($1)
             ORDER BY collaboration FOR NO KEY UPDATE",
        )
        .bind(wanted.heads.iter().map(|c| c.uuid()).collect::<Vec<_>>())
        .fetch_all(&mut *connection)
        .await?;
        for row in rows {
            known.sizes.insert(CollaborationId::new(row.try_get(0)?), number(row.try_get(1)?)?);
        }
    }
    if !wanted.commands.is_empty() {
        let (of, ids): (Vec<Uuid>, Vec<Uuid>) =
            wanted.commands.iter().map(|(c, id)| (c.uuid(), id.uuid())).unzip();
        let rows = sqlx::query(
            "SELECT collaboration, id, first_position, count, content_digest FROM commands
             JOIN UNNEST($1::uuid[], $2::uuid[]) AS wanted (collaboration, id)
             USING (collaboration, id)",
        )
        .bind(of)
        .bind(ids)
        .fetch_all(&mut *connection)
        .await?;
        for row in rows {
            let record = CommandRecord {
                first_position: number(row.try_get(2)?)?,
                count: number(row.try_get(3)?)?,
                content_digest: digest(row.try_get(4)?)?,
            };
            let of = (CollaborationId::new(row.try_get(0)?), CommandId::new(row.try_get(1)?));
            known.commands.insert(of, record);
        }
    }
    if !wanted.personal_keys.is_empty() {
        let (of, subjects): (Vec<Uuid>, Vec<&str>) =
            wanted.personal_keys.iter().map(|(c, subject)| (c.uuid(), *subject)).unzip();
        let rows = sqlx::query(
            "SELECT collaboration, subject, key FROM personal_keys
             JOIN UNNEST($1::uuid[], $2::text[]) AS wanted (collaboration, subject)
             USING (collaboration, subject)",
        )
        .bind(of)
        .bind(subjects)
        .fetch_all(&mut *connection)
        .await?;
        for row in rows {
            let of = (CollaborationId::new(row.try_get(0)?), row.try_get(1)?);
            known.personal_keys.insert(of, row.try_get(2)?);
        }
    }
    if !wanted.cosigned.is_empty() {
        let rows =
            sqlx::query("SELECT collaboration, size FROM cosigned WHERE collaboration = ANY ($1)")
                .bind(wanted.cosigned.iter().map(|c| c.uuid()).collect::<Vec<_>>())
                .fetch_all(&mut *connection)
                .await?;
        for row in rows {
            known.cosigned.insert(CollaborationId::new(row.try_get(0)?), number(row.try_get(1)?)?);
        }
    }
    if !wanted.mirrored.is_empty() {
        let rows = sqlx::query(
            "SELECT collaboration, size FROM UNNEST($1::uuid[]) AS wanted (collaboration),
             LATERAL (
                SELECT size FROM mirror_receipts
                WHERE mirror_receipts.collaboration = wanted.collaboration
                ORDER BY size DESC LIMIT 1
             ) AS newest",
        )
        .bind(wanted.mirrored.iter().map(|c| c.uuid()).collect::<Vec<_>>())
        .fetch_all(&mut *connection)
        .await?;
        for row in rows {
            known.mirrored.insert(CollaborationId::new(row.try_get(0)?), number(row.try_get(1)?)?);
        }
    }
    if !wanted.cursors.is_empty() {
        let (names, of): (Vec<&str>, Vec<Uuid>) =
            wanted.cursors.iter().map(|(name, c)| (*name, c.uuid())).unzip();
        let rows = sqlx::query(
            "SELECT consumer, cursors.collaboration, position FROM cursors
             JOIN UNNEST($1::text[], $2::uuid[]) AS wanted (consumer, collaboration)
             USING (consumer, collaboration)
             ORDER BY consumer, cursors.collaboration FOR UPDATE OF cursors",
        )
        .bind(names)
        .bind(of)
        .fetch_all(&mut *connection)
        .await?;
        for row in rows {
            let of = (row.try_get(0)?, CollaborationId::new(row.try_get(1)?));
            known.cursors.insert(of, number(row.try_get(2)?)?);
        }
    }
    Ok(known)
}
