//! What a group of writes must know, in one statement for each kind, however many there are.

use std::fmt::Write as _;

use chancery_ledger::digest::hex;
use chancery_ledger::id::CommandId;
use sqlx::{Row as _, SqliteConnection};

use super::{collaboration, uuid};
use crate::group::{Known, Wanted};
use crate::row::{digest, number};
use crate::{CommandRecord, ReadError};

pub(super) async fn load(
    connection: &mut SqliteConnection,
    wanted: &Wanted<'_>,
) -> Result<Known, ReadError> {
    let mut known = Known::default();
    if !wanted.heads.is_empty() {
        let rows = sqlx::query(
            "SELECT heads.collaboration, size FROM json_each(?) AS wanted
             CROSS JOIN heads ON heads.collaboration = unhex(wanted.value)",
        )
        .bind(list(wanted.heads.iter().map(|c| [&c.as_bytes()[..]])))
        .fetch_all(&mut *connection)
        .await?;
        for row in rows {
            known.sizes.insert(collaboration(row.try_get(0)?)?, number(row.try_get(1)?)?);
        }
    }
    if !wanted.commands.is_empty() {
        let rows = sqlx::query(
            "SELECT commands.collaboration, commands.id, first_position, count, content_digest
             FROM json_each(?) AS wanted CROSS JOIN commands
             ON commands.collaboration = unhex(substr(wanted.value, 1, 32))
                AND commands.id = unhex(substr(wanted.value, 33))",
        )
        .bind(list(wanted.commands.iter().map(|(c, id)| [&c.as_bytes()[..], &id.as_bytes()[..]])))
        .fetch_all(&mut *connection)
        .await?;
        for row in rows {
            let record = CommandRecord {
                first_position: number(row.try_get(2)?)?,
                count: number(row.try_get(3)?)?,
                content_digest: digest(row.try_get(4)?)?,
            };
            let id = CommandId::new(uuid(row.try_get(1)?)?);
            known.commands.insert((collaboration(row.try_get(0)?)?, id), record);
        }
    }
    if !wanted.personal_keys.is_empty() {
        let rows = sqlx::query(
            "SELECT personal_keys.collaboration, subject, personal_keys.key
             FROM json_each(?) AS wanted CROSS JOIN personal_keys
             ON personal_keys.collaboration = unhex(substr(wanted.value, 1, 32))
                AND subject = CAST(unhex(substr(wanted.value, 33)) AS TEXT)",
        )
        .bind(list(wanted.personal_keys.iter().map(|(c, s)| [&c.as_bytes()[..], s.as_bytes()])))
        .fetch_all(&mut *connection)
        .await?;
        for row in rows {
            let of = (collaboration(row.try_get(0)?)?, row.try_get(1)?);
            known.personal_keys.insert(of, row.try_get(2)?);
        }
    }
    if !wanted.cursors.is_empty() {
        let rows = sqlx::query(
            "SELECT consumer, cursors.collaboration, position
             FROM json_each(?) AS wanted CROSS JOIN cursors
             ON cursors.collaboration = unhex(substr(wanted.value, 1, 32))
                AND consumer = CAST(unhex(substr(wanted.value, 33)) AS TEXT)",
        )
        .bind(list(wanted.cursors.iter().map(|(name, c)| [&c.as_bytes()[..], name.as_bytes()])))
        .fetch_all(&mut *connection)
        .await?;
        for row in rows {
            let of = (row.try_get(0)?, collaboration(row.try_get(1)?)?);
            known.cursors.insert(of, number(row.try_get(2)?)?);
        }
    }
    if !wanted.cosigned.is_empty() {
        let rows = sqlx::query(
            "SELECT cosigned.collaboration, size FROM json_each(?) AS wanted
             CROSS JOIN cosigned ON cosigned.collaboration = unhex(wanted.value)",
        )
        .bind(list(wanted.cosigned.iter().map(|c| [&c.as_bytes()[..]])))
        .fetch_all(&mut *connection)
        .await?;
        for row in rows {
            known.cosigned.insert(collaboration(row.try_get(0)?)?, number(row.try_get(1)?)?);
        }
    }
    if !wanted.mirrored.is_empty() {
        let rows = sqlx::query(
            "SELECT unhex(value), size FROM (
                SELECT value, (
                    SELECT size FROM mirror_receipts WHERE collaboration = unhex(wanted.value)
                    ORDER BY size DESC LIMIT 1
                ) AS size FROM json_each(?) AS wanted
             ) WHERE size IS NOT NULL",
        )
        .bind(list(wanted.mirrored.iter().map(|c| [&c.as_bytes()[..]])))
        .fetch_all(&mut *connection)
        .await?;
        for row in rows {
            known.mirrored.insert(collaboration(row.try_get(0)?)?, number(row.try_get(1)?)?);
        }
    }
    Ok(known)
}

/// The items as a JSON list of texts, the hex digits of each item's parts in a row.
fn list<'a, const PARTS: usize>(items: impl Iterator<Item = [&'a [u8]; PARTS]>) -> String {
    let mut list = String::from("[");
    for (n, parts) in items.enumerate() {
        list.push_str(if n == 0 { "\"" } else { ",\"" });
        for part in parts {
            let _ = write!(list, "{}", hex(part));
        }
        list.push('"');
    }
    list.push(']');
    list
}
