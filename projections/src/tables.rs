//! Rows and cursors in the tables of a set.

use chancery_governance::subject::Subject;
use chancery_ledger::digest::Digest;
use sqlx::{AssertSqlSafe, QueryBuilder, Row as _, SqliteConnection};

use crate::fold::{Row, Rows, Table};
use crate::read::parse;
use crate::schema::Set;
use crate::views::ViewsError;

/// Rows in one statement: a round trip to the connection's thread costs more than a row does.
const INSERT_ROWS: usize = 32;

/// How far the rows of a collaboration are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// Entries shown.
    pub size: u64,
    /// The leaf hash of the last.
    pub last: Option<Digest>,
}

impl Cursor {
    /// Before the first entry.
    pub(crate) const START: Self = Self { size: 0, last: None };
}

/// Where the rows of a collaboration are.
pub(crate) async fn cursor(
    connection: &mut SqliteConnection,
    set: Set,
    name: &str,
) -> sqlx::Result<Cursor> {
    let sql =
        format!("SELECT size, last_leaf FROM {}cursors WHERE collaboration = ?", set.prefix());
    let row = sqlx::query(AssertSqlSafe(sql)).bind(name).fetch_optional(&mut *connection).await?;
    let Some(row) = row else { return Ok(Cursor::START) };
    let size: i64 = row.try_get(0)?;
    Ok(Cursor { size: size.unsigned_abs(), last: Digest::from_slice(row.try_get(1)?) })
}

/// Notes where they are now.
pub(crate) async fn move_cursor(
    connection: &mut SqliteConnection,
    set: Set,
    name: &str,
    at: Cursor,
) -> sqlx::Result<()> {
    sqlx::query("INSERT INTO logs (collaboration) VALUES (?) ON CONFLICT DO NOTHING")
        .bind(name)
        .execute(&mut *connection)
        .await?;
    let sql = format!(
        "INSERT INTO {}cursors (collaboration, size, last_leaf) VALUES (?, ?, ?)
         ON CONFLICT (collaboration) DO UPDATE SET size = excluded.size, last_leaf = excluded.last_leaf",
        set.prefix()
    );
    sqlx::query(AssertSqlSafe(sql))
        .bind(name)
        .bind(signed(at.size))
        .bind(at.last.map(|last| last.as_bytes().to_vec()))
        .execute(&mut *connection)
        .await?;
    Ok(())
}

/// Takes the row that `subject` names into `rows`, if there is one.
pub(crate) async fn load(
    connection: &mut SqliteConnection,
    set: Set,
    name: &str,
    rows: &mut Rows,
    subject: Subject,
) -> Result<(), ViewsError> {
    match subject {
        Subject::Collaboration(id) => {
            load_row(connection, set, name, &mut rows.collaborations, id.to_string()).await
        }
        Subject::Member(id) => {
            load_row(connection, set, name, &mut rows.members, id.to_string()).await
        }
        Subject::Invitation(id) => {
            load_row(connection, set, name, &mut rows.invitations, id.to_string()).await
        }
        Subject::Dataset(id) => {
            load_row(connection, set, name, &mut rows.datasets, id.to_string()).await
        }
        Subject::Query(id) => {
            load_row(connection, set, name, &mut rows.queries, id.to_string()).await
        }
        Subject::Run(id) => load_row(connection, set, name, &mut rows.runs, id.to_string()).await,
    }
}

async fn load_row<R: Row>(
    connection: &mut SqliteConnection,
    set: Set,
    name: &str,
    table: &mut Table<R>,
    id: String,
) -> Result<(), ViewsError> {
    let sql =
        format!("SELECT doc FROM {}{} WHERE collaboration = ? AND id = ?", set.prefix(), R::TABLE);
    let row = sqlx::query(AssertSqlSafe(sql))
        .bind(name)
        .bind(id)
        .fetch_optional(&mut *connection)
        .await?;
    if let Some(row) = row {
        table.load(parse(row.try_get(0)?)?);
    }
    Ok(())
}

/// Stores the rows that changed.
pub(crate) async fn store_rows(
    connection: &mut SqliteConnection,
    set: Set,
    name: &str,
    rows: &mut Rows,
) -> Result<(), ViewsError> {
    store_table(connection, set, name, &mut rows.collaborations).await?;
    store_table(connection, set, name, &mut rows.members).await?;
    store_table(connection, set, name, &mut rows.invitations).await?;
    store_table(connection, set, name, &mut rows.datasets).await?;
    store_table(connection, set, name, &mut rows.queries).await?;
    store_table(connection, set, name, &mut rows.runs).await
}

async fn store_table<R: Row>(
    connection: &mut SqliteConnection,
    set: Set,
    name: &str,
    table: &mut Table<R>,
) -> Result<(), ViewsError> {
    let rows = table
        .take_changed()
        .map(|row| {
            let doc = serde_json::to_string(row);
            let doc = doc.map_err(|_| ViewsError::Row { table: R::TABLE })?;
            Ok((row.id().to_owned(), signed(row.position()), doc))
        })
        .collect::<Result<Vec<_>, ViewsError>>()?;
    for rows in rows.chunks(INSERT_ROWS) {
        let mut insert = QueryBuilder::new(format!(
            "INSERT INTO {}{} (collaboration, id, position, doc) ",
            set.prefix(),
            R::TABLE
        ));
        insert.push_values(rows, |mut values, (id, position, doc)| {
            values.push_bind(name).push_bind(id).push_bind(position).push_bind(doc);
        });
        insert.push(" ON CONFLICT (collaboration, id) DO UPDATE SET doc = excluded.doc");
        insert.build().execute(&mut *connection).await?;
    }
    Ok(())
}

/// The number as it is stored. Positions end at 2^63, which the log's own store holds.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
