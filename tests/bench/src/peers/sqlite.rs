//! Bare SQLite: a table of its own in a file of its own, with the settings of the product's store
//! (WAL, `synchronous=FULL`), and nothing but inserts.

use std::path::Path;

use anyhow::Result;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{QueryBuilder, Sqlite};

use crate::report::{Sample, Timer};

/// Rows in one statement, as many as the product's store gives one.
const INSERT_ROWS: usize = 32;

/// A database with one table.
pub struct Bare {
    pool: SqlitePool,
    position: i64,
}

impl Bare {
    /// Makes it.
    ///
    /// # Errors
    ///
    /// Where the file can't be made.
    pub async fn open(file: &Path) -> Result<Self> {
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full);
        let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await?;
        sqlx::query("CREATE TABLE log (position INTEGER PRIMARY KEY, sealed BLOB NOT NULL) STRICT")
            .execute(&pool)
            .await?;
        Ok(Self { pool, position: 0 })
    }

    /// Inserts each batch in a transaction of its own. Gives rows a second.
    ///
    /// # Errors
    ///
    /// Where a write fails.
    pub async fn insert(&mut self, batches: &[Vec<Vec<u8>>]) -> Result<Sample> {
        let rows = batches.iter().map(|batch| batch.len() as u64).sum();
        let timer = Timer::start();
        for batch in batches {
            let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
            for part in batch.chunks(INSERT_ROWS) {
                let mut insert = QueryBuilder::<Sqlite>::new("INSERT INTO log (position, sealed) ");
                insert.push_values(part, |mut row, sealed| {
                    row.push_bind(self.position).push_bind(sealed.as_slice());
                    self.position += 1;
                });
                insert.build().execute(&mut *transaction).await?;
            }
            transaction.commit().await?;
        }
        Ok(timer.rate(rows))
    }
}
