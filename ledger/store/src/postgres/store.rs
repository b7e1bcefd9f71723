//! Storing what a group of writes comes to: one statement for each table, with arrays of columns.

use chancery_ledger::digest::Digest;
use sqlx::PgConnection;
use sqlx::postgres::PgQueryResult;
use uuid::Uuid;

use super::Undone;
use crate::group::Changes;

pub(super) async fn store(
    connection: &mut PgConnection,
    changes: &Changes<'_>,
) -> Result<(), Undone> {
    heads(&mut *connection, changes).await?;
    log(&mut *connection, changes).await?;
    personal_keys(&mut *connection, changes).await?;
    cursors(&mut *connection, changes).await?;
    for (c, (size, note)) in &changes.cosigned {
        sqlx::query(
            "INSERT INTO cosigned (collaboration, size, note) VALUES ($1, $2, $3)
             ON CONFLICT (collaboration) DO UPDATE SET size = excluded.size, note = excluded.note",
        )
        .bind(c.uuid())
        .bind(size.cast_signed())
        .bind(*note)
        .execute(&mut *connection)
        .await?;
    }
    for (c, receipt) in &changes.receipts {
        let service = Digest::of(&receipt.service);
        sqlx::query(
            "INSERT INTO mirror_services (digest, certificate) VALUES ($1, $2)
             ON CONFLICT (digest) DO NOTHING",
        )
        .bind(service.as_bytes().as_slice())
        .bind(receipt.service.as_slice())
        .execute(&mut *connection)
        .await?;
        sqlx::query(
            "INSERT INTO mirror_receipts
             (collaboration, first, size, root, kind, txid, service, receipt)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(c.uuid())
        .bind(receipt.first.cast_signed())
        .bind(receipt.size.cast_signed())
        .bind(receipt.root.as_bytes().as_slice())
        .bind(receipt.kind.as_str())
        .bind(receipt.transaction.as_str())
        .bind(service.as_bytes().as_slice())
        .bind(receipt.receipt.as_slice())
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// The compare-and-swap. A head that is there is locked since it was read; one that isn't may come
/// in between, and then its row stands already.
async fn heads(connection: &mut PgConnection, changes: &Changes<'_>) -> Result<(), Undone> {
    for new in [true, false] {
        let heads = changes.heads.iter().filter(|(_, head)| (head.before == 0) == new);
        let (mut ids, mut before, mut sizes, mut checkpoints) = (vec![], vec![], vec![], vec![]);
        for (c, head) in heads {
            ids.push(c.uuid());
            before.push(head.before.cast_signed());
            sizes.push(head.size.cast_signed());
            checkpoints.push(head.checkpoint);
        }
        if ids.is_empty() {
            continue;
        }
        let count = ids.len();
        let statement = if new {
            // In order, as the locks.
            "INSERT INTO heads (collaboration, size, checkpoint)
             SELECT collaboration, size, checkpoint
             FROM UNNEST($1::uuid[], $2::int8[], $3::int8[], $4::text[])
                 AS new (collaboration, before, size, checkpoint)
             ORDER BY collaboration ON CONFLICT (collaboration) DO NOTHING"
        } else {
            "UPDATE heads SET size = new.size, checkpoint = new.checkpoint
             FROM UNNEST($1::uuid[], $2::int8[], $3::int8[], $4::text[])
                 AS new (collaboration, before, size, checkpoint)
             WHERE heads.collaboration = new.collaboration AND heads.size = new.before"
        };
        let done = sqlx::query(statement)
            .bind(ids)
            .bind(before)
            .bind(sizes)
            .bind(checkpoints)
            .execute(&mut *connection)
            .await?;
        all_or_raced(&done, count)?;
    }
    Ok(())
}

fn all_or_raced(done: &PgQueryResult, count: usize) -> Result<(), Undone> {
    if done.rows_affected() == count as u64 { Ok(()) } else { Err(Undone::Raced) }
}

/// Nodes before entries: the database wants an entry's nodes when it takes the entry.
async fn log(connection: &mut PgConnection, changes: &Changes<'_>) -> Result<(), sqlx::Error> {
    let (mut of, mut levels, mut numbers, mut hashes) = (vec![], vec![], vec![], vec![]);
    for append in &changes.appends {
        for node in &append.nodes {
            of.push(append.collaboration.uuid());
            levels.push(i16::from(node.level));
            numbers.push(node.index.cast_signed());
            hashes.push(node.hash.as_bytes().as_slice());
        }
    }
    if !of.is_empty() {
        sqlx::query(
            "INSERT INTO nodes (collaboration, level, number, hash)
             SELECT * FROM UNNEST($1::uuid[], $2::int2[], $3::int8[], $4::bytea[])",
        )
        .bind(of)
        .bind(levels)
        .bind(numbers)
        .bind(hashes)
        .execute(&mut *connection)
        .await?;
    }

    let (mut of, mut positions, mut leaves, mut sealed) = (vec![], vec![], vec![], vec![]);
    for append in &changes.appends {
        for (position, entry) in (append.expected_size..).zip(&append.entries) {
            of.push(append.collaboration.uuid());
            positions.push(position.cast_signed());
            leaves.push(entry.leaf_hash.as_bytes().as_slice());
            sealed.push(entry.sealed.as_slice());
        }
    }
    if !of.is_empty() {
        sqlx::query(
            "INSERT INTO entries (collaboration, position, leaf_hash, sealed)
             SELECT * FROM UNNEST($1::uuid[], $2::int8[], $3::bytea[], $4::bytea[])",
        )
        .bind(of)
        .bind(positions)
        .bind(leaves)
        .bind(sealed)
        .execute(&mut *connection)
        .await?;
    }

    let (mut of, mut ids, mut firsts, mut counts, mut digests) =
        (vec![], vec![], vec![], vec![], vec![]);
    for append in &changes.appends {
        for command in &append.commands {
            of.push(append.collaboration.uuid());
            ids.push(command.id.uuid());
            firsts.push(command.first_position.cast_signed());
            counts.push(command.count.cast_signed());
            digests.push(command.content_digest.as_bytes().as_slice());
        }
    }
    if !of.is_empty() {
        sqlx::query(
            "INSERT INTO commands (collaboration, id, first_position, count, content_digest)
             SELECT * FROM UNNEST($1::uuid[], $2::uuid[], $3::int8[], $4::int8[], $5::bytea[])",
        )
        .bind(of)
        .bind(ids)
        .bind(firsts)
        .bind(counts)
        .bind(digests)
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

async fn personal_keys(
    connection: &mut PgConnection,
    changes: &Changes<'_>,
) -> Result<(), sqlx::Error> {
    if !changes.erased.is_empty() {
        let (of, subjects): (Vec<Uuid>, Vec<&str>) =
            changes.erased.iter().map(|(c, subject)| (c.uuid(), *subject)).unzip();
        sqlx::query(
            "DELETE FROM personal_keys USING UNNEST($1::uuid[], $2::text[])
                 AS erased (collaboration, subject)
             WHERE personal_keys.collaboration = erased.collaboration
                 AND personal_keys.subject = erased.subject",
        )
        .bind(of)
        .bind(subjects)
        .execute(&mut *connection)
        .await?;
    }
    if !changes.personal_keys.is_empty() {
        let (mut of, mut subjects, mut keys) = (vec![], vec![], vec![]);
        for ((c, subject), key) in &changes.personal_keys {
            of.push(c.uuid());
            subjects.push(*subject);
            keys.push(*key);
        }
        sqlx::query(
            "INSERT INTO personal_keys (collaboration, subject, key)
             SELECT * FROM UNNEST($1::uuid[], $2::text[], $3::bytea[])",
        )
        .bind(of)
        .bind(subjects)
        .bind(keys)
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// As for the heads.
async fn cursors(connection: &mut PgConnection, changes: &Changes<'_>) -> Result<(), Undone> {
    for new in [true, false] {
        let cursors = changes.cursors.iter().filter(|(_, cursor)| (cursor.before == 0) == new);
        let (mut names, mut of, mut before, mut to) = (vec![], vec![], vec![], vec![]);
        for ((consumer, c), cursor) in cursors {
            names.push(*consumer);
            of.push(c.uuid());
            before.push(cursor.before.cast_signed());
            to.push(cursor.to.cast_signed());
        }
        if names.is_empty() {
            continue;
        }
        let count = names.len();
        let statement = if new {
            "INSERT INTO cursors (consumer, collaboration, position)
             SELECT consumer, collaboration, position
             FROM UNNEST($1::text[], $2::uuid[], $3::int8[], $4::int8[])
                 AS new (consumer, collaboration, before, position)
             ORDER BY consumer, collaboration ON CONFLICT (consumer, collaboration) DO NOTHING"
        } else {
            "UPDATE cursors SET position = new.position
             FROM UNNEST($1::text[], $2::uuid[], $3::int8[], $4::int8[])
                 AS new (consumer, collaboration, before, position)
             WHERE cursors.consumer = new.consumer AND cursors.position = new.before
                 AND cursors.collaboration = new.collaboration"
        };
        let done = sqlx::query(statement)
            .bind(names)
            .bind(of)
            .bind(before)
            .bind(to)
            .execute(&mut *connection)
            .await?;
        all_or_raced(&done, count)?;
    }
    Ok(())
}
