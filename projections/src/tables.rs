//! Rows and cursors in the tables of a set.

use std::collections::BTreeSet;

use chancery_governance::subject::Subject;
use chancery_ledger::digest::Digest;
use sqlx::{AssertSqlSafe, QueryBuilder, Row as _, SqliteConnection};

use crate::advance::Place;
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

/// Takes the rows that `subjects` name into `rows`, those that there are.
pub(crate) async fn load(
    connection: &mut SqliteConnection,
    place: &Place,
    rows: &mut Rows,
    subjects: &BTreeSet<Subject>,
) -> Result<(), ViewsError> {
    let mut ids: [Vec<String>; 8] = Default::default();
    let [collaborations, members, invitations, datasets, queries, runs, changes, rules] = &mut ids;
    for subject in subjects {
        match subject {
            Subject::Collaboration(id) => collaborations.push(id.to_string()),
            Subject::Member(id) => members.push(id.to_string()),
            Subject::Invitation(id) => invitations.push(id.to_string()),
            Subject::Dataset(id) => datasets.push(id.to_string()),
            Subject::Query(id) => queries.push(id.to_string()),
            Subject::Run(id) => runs.push(id.to_string()),
            Subject::Change(id) => changes.push(id.to_string()),
            Subject::Rule(id) => rules.push(id.to_string()),
        }
    }
    load_rows(connection, place, &mut rows.collaborations, collaborations).await?;
    load_rows(connection, place, &mut rows.members, members).await?;
    load_rows(connection, place, &mut rows.invitations, invitations).await?;
    load_rows(connection, place, &mut rows.datasets, datasets).await?;
    load_rows(connection, place, &mut rows.queries, queries).await?;
    load_rows(connection, place, &mut rows.changes, changes).await?;
    load_rows(connection, place, &mut rows.rules, rules).await?;
    load_rows(connection, place, &mut rows.runs, runs).await
}

async fn load_rows<R: Row>(
    connection: &mut SqliteConnection,
    place: &Place,
    table: &mut Table<R>,
    ids: &[String],
) -> Result<(), ViewsError> {
    if ids.is_empty() {
        return Ok(());
    }
    // One parameter for all ids: one statement, prepared once, for any number of them.
    let sql = format!(
        "SELECT doc FROM {}{} WHERE collaboration = ? AND id IN (SELECT value FROM json_each(?))",
        place.set.prefix(),
        R::TABLE
    );
    let ids = serde_json::to_string(ids).map_err(|_| ViewsError::Row { table: R::TABLE })?;
    let rows = sqlx::query(AssertSqlSafe(sql))
        .bind(&place.name)
        .bind(ids)
        .fetch_all(&mut *connection)
        .await?;
    for row in rows {
        table.load(parse(row.try_get(0)?)?);
    }
    Ok(())
}

/// Rows as they are to be stored.
pub(crate) struct Changed {
    place: Place,
    /// The rows of each table.
    tables: Vec<(&'static str, Vec<Stored>)>,
}

struct Stored {
    id: String,
    position: i64,
    doc: String,
}

impl Rows {
    /// The rows that changed, which from now on count as stored.
    pub(crate) fn take_changed(&mut self, place: &Place) -> Result<Changed, ViewsError> {
        let tables = vec![
            changed(&mut self.collaborations)?,
            changed(&mut self.members)?,
            changed(&mut self.invitations)?,
            changed(&mut self.datasets)?,
            changed(&mut self.queries)?,
            changed(&mut self.runs)?,
            changed(&mut self.changes)?,
            changed(&mut self.rules)?,
        ];
        Ok(Changed { place: place.clone(), tables })
    }
}

fn changed<R: Row>(table: &mut Table<R>) -> Result<(&'static str, Vec<Stored>), ViewsError> {
    let rows = table.take_changed().map(|row| {
        let doc = serde_json::to_string(row);
        let doc = doc.map_err(|_| ViewsError::Row { table: R::TABLE })?;
        Ok(Stored { id: row.id().to_owned(), position: signed(row.position()), doc })
    });
    Ok((R::TABLE, rows.collect::<Result<_, ViewsError>>()?))
}

impl Changed {
    /// Where they belong.
    pub(crate) const fn place(&self) -> &Place {
        &self.place
    }

    /// Stores them.
    pub(crate) async fn store(self, connection: &mut SqliteConnection) -> Result<(), ViewsError> {
        let Place { set, name, .. } = &self.place;
        for (table, rows) in self.tables {
            let mut rows = rows.into_iter();
            while rows.len() > 0 {
                let mut insert = QueryBuilder::new(format!(
                    "INSERT INTO {}{table} (collaboration, id, position, doc) ",
                    set.prefix(),
                ));
                insert.push_values(rows.by_ref().take(INSERT_ROWS), |mut values, row| {
                    values.push_bind(name.as_str()).push_bind(row.id);
                    values.push_bind(row.position).push_bind(row.doc);
                });
                insert.push(" ON CONFLICT (collaboration, id) DO UPDATE SET doc = excluded.doc");
                insert.build().execute(&mut *connection).await?;
            }
        }
        Ok(())
    }
}

/// The number as it is stored. Positions end at 2^63, which the log's own store holds.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
