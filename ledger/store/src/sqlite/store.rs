//! Storing what a group of writes comes to.
//!
//! A round trip to the connection's thread costs more than a row does, so rows go in many at once;
//! in powers of two, so that a few prepared statements do for any number.

use chancery_ledger::digest::Digest;
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::id_bytes;
use crate::group::Changes;

/// Rows in one statement, at most: a power of two.
const ROWS_MAX: usize = 512;

pub(super) async fn store(
    connection: &mut SqliteConnection,
    changes: &Changes<'_>,
) -> Result<(), sqlx::Error> {
    let heads: Vec<_> = changes.heads.iter().collect();
    for heads in chunks(&heads) {
        let mut insert = QueryBuilder::new("INSERT INTO heads (collaboration, size, checkpoint) ");
        insert.push_values(heads, |mut row, (c, head)| {
            row.push_bind(id_bytes(c))
                .push_bind(head.size.cast_signed())
                .push_bind(head.checkpoint);
        });
        insert.push(
            " ON CONFLICT (collaboration) DO UPDATE
              SET size = excluded.size, checkpoint = excluded.checkpoint",
        );
        run(&mut *connection, insert).await?;
    }
    log(&mut *connection, changes).await?;
    for (c, subject) in &changes.erased {
        sqlx::query("DELETE FROM personal_keys WHERE collaboration = ? AND subject = ?")
            .bind(id_bytes(c))
            .bind(*subject)
            .execute(&mut *connection)
            .await?;
    }
    let keys: Vec<_> = changes.personal_keys.iter().collect();
    for keys in chunks(&keys) {
        let mut insert =
            QueryBuilder::new("INSERT INTO personal_keys (collaboration, subject, key) ");
        insert.push_values(keys, |mut row, ((c, subject), key)| {
            row.push_bind(id_bytes(c)).push_bind(*subject).push_bind(**key);
        });
        run(&mut *connection, insert).await?;
    }
    let cursors: Vec<_> = changes.cursors.iter().collect();
    for cursors in chunks(&cursors) {
        let mut insert =
            QueryBuilder::new("INSERT INTO cursors (consumer, collaboration, position) ");
        insert.push_values(cursors, |mut row, ((consumer, c), cursor)| {
            row.push_bind(*consumer).push_bind(id_bytes(c)).push_bind(cursor.to.cast_signed());
        });
        insert.push(
            " ON CONFLICT (consumer, collaboration) DO UPDATE SET position = excluded.position",
        );
        run(&mut *connection, insert).await?;
    }
    for (c, (size, note)) in &changes.cosigned {
        sqlx::query(
            "INSERT INTO cosigned (collaboration, size, note) VALUES (?, ?, ?)
             ON CONFLICT (collaboration) DO UPDATE SET size = excluded.size, note = excluded.note",
        )
        .bind(id_bytes(c))
        .bind(size.cast_signed())
        .bind(*note)
        .execute(&mut *connection)
        .await?;
    }
    for (c, receipt) in &changes.receipts {
        let service = Digest::of(&receipt.service);
        sqlx::query(
            "INSERT INTO mirror_services (digest, certificate) VALUES (?, ?)
             ON CONFLICT (digest) DO NOTHING",
        )
        .bind(service.as_bytes().as_slice())
        .bind(receipt.service.as_slice())
        .execute(&mut *connection)
        .await?;
        sqlx::query(
            "INSERT INTO mirror_receipts
             (collaboration, first, size, root, kind, txid, service, receipt)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(id_bytes(c))
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

/// Nodes before entries: the database wants an entry's nodes when it takes the entry.
async fn log(connection: &mut SqliteConnection, changes: &Changes<'_>) -> Result<(), sqlx::Error> {
    let nodes: Vec<_> = changes
        .appends
        .iter()
        .flat_map(|append| append.nodes.iter().map(|node| (&append.collaboration, node)))
        .collect();
    for nodes in chunks(&nodes) {
        let mut insert =
            QueryBuilder::new("INSERT INTO nodes (collaboration, level, number, hash) ");
        insert.push_values(nodes, |mut row, (c, node)| {
            row.push_bind(id_bytes(c))
                .push_bind(node.level)
                .push_bind(node.index.cast_signed())
                .push_bind(node.hash.as_bytes().as_slice());
        });
        run(&mut *connection, insert).await?;
    }
    let entries: Vec<_> = changes
        .appends
        .iter()
        .flat_map(|append| {
            let rows = (append.expected_size..).zip(&append.entries);
            rows.map(|(position, entry)| (&append.collaboration, position, entry))
        })
        .collect();
    for entries in chunks(&entries) {
        let mut insert =
            QueryBuilder::new("INSERT INTO entries (collaboration, position, leaf_hash, sealed) ");
        insert.push_values(entries, |mut row, (c, position, entry)| {
            row.push_bind(id_bytes(c))
                .push_bind(position.cast_signed())
                .push_bind(entry.leaf_hash.as_bytes().as_slice())
                .push_bind(entry.sealed.as_slice());
        });
        run(&mut *connection, insert).await?;
    }
    let commands: Vec<_> = changes
        .appends
        .iter()
        .flat_map(|append| append.commands.iter().map(|command| (&append.collaboration, command)))
        .collect();
    for commands in chunks(&commands) {
        let mut insert = QueryBuilder::new(
            "INSERT INTO commands (collaboration, id, first_position, count, content_digest) ",
        );
        insert.push_values(commands, |mut row, (c, command)| {
            row.push_bind(id_bytes(c))
                .push_bind(command.id.as_bytes().as_slice())
                .push_bind(command.first_position.cast_signed())
                .push_bind(command.count.cast_signed())
                .push_bind(command.content_digest.as_bytes().as_slice());
        });
        run(&mut *connection, insert).await?;
    }
    Ok(())
}

async fn run(
    connection: &mut SqliteConnection,
    mut statement: QueryBuilder<Sqlite>,
) -> Result<(), sqlx::Error> {
    statement.build().execute(connection).await.map(|_| ())
}

/// Splits rows into runs of [`ROWS_MAX`] and then of smaller powers of two.
fn chunks<T>(rows: &[T]) -> impl Iterator<Item = &[T]> {
    let mut rest = rows;
    std::iter::from_fn(move || {
        let size = ROWS_MAX.min(1 << rest.len().checked_ilog2()?);
        let (chunk, after) = rest.split_at(size);
        rest = after;
        Some(chunk)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_go_in_powers_of_two_and_none_is_left() {
        let sizes = |rows: usize| chunks(&vec![(); rows]).map(<[()]>::len).collect::<Vec<_>>();
        assert_eq!(sizes(0), [0; 0]);
        assert_eq!(sizes(1), [1]);
        assert_eq!(sizes(127), [64, 32, 16, 8, 4, 2, 1]);
        assert_eq!(sizes(512), [512]);
        assert_eq!(sizes(1300), [512, 512, 256, 16, 4]);
    }
}
