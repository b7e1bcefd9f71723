//! Work that a migration leaves to the program: nodes of logs that are older than their table.

use chancery_ledger::id::CollaborationId;
use chancery_ledger::merkle::{Frontier, Node};
use sqlx::{QueryBuilder, Row as _, Sqlite, SqlitePool};

use super::{collaboration, id_bytes};
use crate::ReadError;
use crate::row::digest;

/// Leaf hashes that are held at once.
const LEAVES_MAX: u32 = 32_768;
/// Nodes in one statement.
const INSERT_ROWS: usize = 64;

/// Computes the nodes of all logs, if the migration asked for it. Can be stopped and run again.
pub(super) async fn run(pool: &SqlitePool) -> Result<(), ReadError> {
    let pending = sqlx::query("SELECT 1 FROM pending WHERE task = 'nodes'");
    if pending.fetch_optional(pool).await?.is_none() {
        return Ok(());
    }
    let mut after: Option<CollaborationId> = None;
    loop {
        let row = sqlx::query(
            "SELECT collaboration FROM heads WHERE collaboration > ? ORDER BY collaboration LIMIT 1",
        )
        .bind(after.as_ref().map_or(&[][..], id_bytes))
        .fetch_optional(pool)
        .await?;
        let Some(row) = row else { break };
        let c = collaboration(row.try_get(0)?)?;
        fill(pool, c).await?;
        after = Some(c);
    }
    sqlx::query("DELETE FROM pending WHERE task = 'nodes'").execute(pool).await?;
    Ok(())
}

async fn fill(pool: &SqlitePool, c: CollaborationId) -> Result<(), ReadError> {
    let mut tree = Frontier::default();
    loop {
        let rows = sqlx::query(
            "SELECT leaf_hash FROM entries WHERE collaboration = ? AND position >= ?
             ORDER BY position LIMIT ?",
        )
        .bind(id_bytes(&c))
        .bind(tree.size().cast_signed())
        .bind(LEAVES_MAX)
        .fetch_all(pool)
        .await?;
        if rows.is_empty() {
            return Ok(());
        }
        let mut nodes: Vec<Node> = Vec::new();
        for row in &rows {
            tree.append_noting(digest(row.try_get(0)?)?, &mut nodes);
        }
        let mut transaction = pool.begin().await?;
        for nodes in nodes.chunks(INSERT_ROWS) {
            let mut insert = QueryBuilder::<Sqlite>::new(
                "INSERT OR IGNORE INTO nodes (collaboration, level, number, hash) ",
            );
            insert.push_values(nodes, |mut row, node| {
                row.push_bind(id_bytes(&c))
                    .push_bind(node.level)
                    .push_bind(node.index.cast_signed())
                    .push_bind(node.hash.as_bytes().as_slice());
            });
            insert.build().execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
    }
}
