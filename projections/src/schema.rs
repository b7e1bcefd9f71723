//! The tables, in two sets: the one that readers see, and the one that a rebuild fills.

use sqlx::{AssertSqlSafe, Row as _, SqliteConnection};

/// The version of tables and documents. Another one in the file means: make all rows anew.
pub const VERSION: u32 = 5;

const TABLES: [&str; 9] = [
    "collaborations",
    "members",
    "invitations",
    "datasets",
    "queries",
    "runs",
    "changes",
    "rules",
    "cursors",
];

/// Numbers collaborations in the order in which they were first seen, for lists over all of them.
/// Outside the sets, so that a rebuild leaves the order as it is.
const LOGS: &str = "CREATE TABLE logs (
    ordinal       INTEGER PRIMARY KEY AUTOINCREMENT,
    collaboration TEXT NOT NULL UNIQUE
) STRICT";

/// A set of tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Set {
    /// The one that readers see.
    Live,
    /// The one that a rebuild fills.
    Next,
}

impl Set {
    /// What its tables' names begin with.
    pub(crate) const fn prefix(self) -> &'static str {
        match self {
            Self::Live => "",
            Self::Next => "next_",
        }
    }
}

/// Brings the file to this version inside the transaction open on `connection`. Rows of another
/// version are dropped, to be made anew from the log. True if that happened.
pub(crate) async fn prepare(connection: &mut SqliteConnection) -> sqlx::Result<bool> {
    let stored: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut *connection).await?;
    if stored == i64::from(VERSION) {
        return Ok(false);
    }
    let tables = sqlx::query(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
    )
    .fetch_all(&mut *connection)
    .await?;
    for table in &tables {
        let name: String = table.try_get(0)?;
        let quoted = name.replace('"', "\"\"");
        execute(connection, format!("DROP TABLE \"{quoted}\"")).await?;
    }
    sqlx::query(LOGS).execute(&mut *connection).await?;
    create(connection, Set::Live).await?;
    execute(connection, format!("PRAGMA user_version = {VERSION}")).await?;
    Ok(stored != 0)
}

/// Makes the tables of `set`, empty.
pub(crate) async fn create(connection: &mut SqliteConnection, set: Set) -> sqlx::Result<()> {
    for table in TABLES {
        execute(connection, format!("DROP TABLE IF EXISTS {}{table}", set.prefix())).await?;
    }
    let sql = include_str!("schema.sql").replace("{set}", set.prefix());
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *connection).await?;
    Ok(())
}

/// Puts the next set in the place of the live one, inside the transaction open on `connection`.
pub(crate) async fn swap(connection: &mut SqliteConnection) -> sqlx::Result<()> {
    let next = Set::Next.prefix();
    for table in TABLES {
        execute(connection, format!("DROP TABLE {table}")).await?;
        execute(connection, format!("ALTER TABLE {next}{table} RENAME TO {table}")).await?;
    }
    Ok(())
}

async fn execute(connection: &mut SqliteConnection, sql: String) -> sqlx::Result<()> {
    sqlx::query(AssertSqlSafe(sql)).execute(&mut *connection).await?;
    Ok(())
}
