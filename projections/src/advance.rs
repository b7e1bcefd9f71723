//! One batch: entries from the log through the fold into the tables, together with the cursor.

use std::collections::BTreeSet;

use chancery_governance::log::{self, FoldError};
use chancery_governance::subject::Subject;
use chancery_ledger::digest::Digest;
use chancery_ledger::entry::{self, Sealed};
use chancery_ledger::id::CollaborationId;
use chancery_store::{ReadError, Store, StoredEntry};
use sqlx::{AssertSqlSafe, QueryBuilder, Row as _, SqliteConnection};

use crate::fold::{Row, Rows, Table, reads};
use crate::read::parse;
use crate::schema::Set;
use crate::views::ViewsError;

/// Most entries of a batch.
pub const BATCH_ENTRIES_MAX: u32 = 1024;
/// Rows kept between the batches of one collaboration, at most.
const ROWS_HELD_MAX: usize = 16_384;
/// Rows in one statement: a round trip to the connection's thread costs more than a row does.
const INSERT_ROWS: usize = 32;

/// Views of a collaboration that have stopped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{collaboration} at position {position}")]
pub struct Halt {
    /// Whose views.
    pub collaboration: CollaborationId,
    /// The first entry that they do not show.
    pub position: u64,
    /// What is wrong with it.
    #[source]
    pub cause: Corrupt,
}

/// What is wrong with an entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Corrupt {
    /// The store can't give it.
    #[error("the store is corrupt: {0}")]
    Store(&'static str),
    /// Its bytes are no entry.
    #[error("its bytes are no entry")]
    Entry(#[source] entry::OpenError),
    /// Its bytes don't have the leaf hash that was stored beside them.
    #[error("its bytes do not have the stored leaf hash")]
    Leaf,
    /// It says that it stands somewhere else.
    #[error("it is of another log or position")]
    Place,
    /// It does not name the leaf hash of the entry before.
    #[error("it does not continue the chain")]
    Chain,
    /// Its subject or payload can't be read.
    #[error("what it records can't be read")]
    Read(#[source] FoldError),
    /// Its event does not fit the rows.
    #[error("{kind} is illegal here: {why}")]
    Illegal {
        /// The event's type.
        kind: &'static str,
        /// What does not fit.
        why: &'static str,
    },
    /// The log ends before what the views show: it is not the log that they were made from.
    #[error("the log has {size} entries only, fewer than its views show")]
    Shorter {
        /// The log's entries.
        size: u64,
    },
}

/// Why the views of a collaboration were not moved.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ProjectError {
    /// The log can't be read, now or at all.
    #[error("the log can't be read")]
    Log(#[source] ReadError),
    /// The views can't be written now, or hold a row that this release does not write.
    #[error("the views can't be written")]
    Views(#[source] ViewsError),
    /// Corrupt: they have stopped.
    #[error("the views have stopped")]
    Halted(#[source] Halt),
}

impl From<sqlx::Error> for ProjectError {
    fn from(error: sqlx::Error) -> Self {
        Self::Views(error.into())
    }
}

impl From<ViewsError> for ProjectError {
    fn from(error: ViewsError) -> Self {
        Self::Views(error)
    }
}

/// How far the rows of a collaboration are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// Entries shown.
    pub size: u64,
    /// The leaf hash of the last.
    pub last: Option<Digest>,
}

impl Cursor {
    const START: Self = Self { size: 0, last: None };
}

/// Rows kept from batch to batch, so that few are read again.
pub(crate) struct Working {
    rows: Rows,
    cursor: Cursor,
    /// What was looked up, found or not. None: all rows there are, are here.
    known: Option<BTreeSet<Subject>>,
}

impl Working {
    /// Nothing is known; the cursor is an impossible one.
    pub(crate) fn new() -> Self {
        Self {
            rows: Rows::default(),
            cursor: Cursor { size: u64::MAX, last: None },
            known: Some(BTreeSet::new()),
        }
    }

    fn at(cursor: Cursor) -> Self {
        let known = (cursor.size > 0).then(BTreeSet::new);
        Self { rows: Rows::default(), cursor, known }
    }
}

/// What a batch did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Moved {
    /// Entries shown before.
    pub from: u64,
    /// Entries shown after.
    pub to: u64,
    /// What is wrong with the entry after those.
    pub halt: Option<Halt>,
}

/// Moves the rows of one collaboration by one batch, inside the transaction open on `connection`:
/// the entries before a bad one too. On an error the transaction must be rolled back, and `working`
/// dropped.
pub(crate) async fn batch(
    connection: &mut SqliteConnection,
    store: &Store,
    set: Set,
    collaboration: CollaborationId,
    working: &mut Working,
) -> Result<Moved, ProjectError> {
    let name = collaboration.to_string();
    let from = cursor(connection, set, &name).await?;
    if working.cursor != from || working.rows.held() > ROWS_HELD_MAX {
        *working = Working::at(from);
    }
    let place = Place { store, set, collaboration, name };
    match fold_batch(connection, &place, BATCH_ENTRIES_MAX, working).await {
        Err(ProjectError::Halted(halt)) => {
            // Nothing is written yet, but the rows in memory moved in part: begin again.
            *working = Working::at(from);
            let good = halt.position.saturating_sub(from.size);
            let limit = u32::try_from(good).unwrap_or(BATCH_ENTRIES_MAX);
            let to = fold_batch(connection, &place, limit, working).await?;
            Ok(Moved { from: from.size, to: to.size, halt: Some(halt) })
        }
        result => Ok(Moved { from: from.size, to: result?.size, halt: None }),
    }
}

/// Which log, and which tables.
struct Place<'a> {
    store: &'a Store,
    set: Set,
    collaboration: CollaborationId,
    name: String,
}

async fn fold_batch(
    connection: &mut SqliteConnection,
    place: &Place<'_>,
    limit: u32,
    working: &mut Working,
) -> Result<Cursor, ProjectError> {
    let Place { store, set, collaboration, ref name } = *place;
    let mut at = working.cursor;
    let entries = store.range(collaboration, at.size, limit).await.map_err(|error| match error {
        ReadError::Unavailable(_) => ProjectError::Log(error),
        ReadError::Corrupt(what) => ProjectError::Halted(Halt {
            collaboration,
            position: at.size,
            cause: Corrupt::Store(what),
        }),
    })?;
    if entries.is_empty() {
        return Ok(at);
    }
    for entry in entries {
        let position = entry.position;
        let halt = |cause| ProjectError::Halted(Halt { collaboration, position, cause });
        let sealed = open(entry, collaboration, at).map_err(halt)?;
        let (recorded, event) = log::read(&sealed).map_err(|error| halt(Corrupt::Read(error)))?;
        if let Some(known) = &mut working.known {
            for subject in reads(&recorded, &event) {
                if known.insert(subject) {
                    load(connection, set, name, &mut working.rows, subject).await?;
                }
            }
        }
        working
            .rows
            .fold(&recorded, &event)
            .map_err(|why| halt(Corrupt::Illegal { kind: event.kind(), why }))?;
        at = Cursor { size: position + 1, last: Some(sealed.leaf()) };
    }
    store_rows(connection, set, name, &mut working.rows).await?;
    move_cursor(connection, set, name, at).await?;
    working.cursor = at;
    Ok(at)
}

/// Reads a stored entry and checks that it continues the log at `at`. Its seal was checked when it
/// came in; that nobody changed it since is for the auditor, beyond what chain and hash tell.
fn open(entry: StoredEntry, collaboration: CollaborationId, at: Cursor) -> Result<Sealed, Corrupt> {
    let sealed = Sealed::parse(entry.sealed).map_err(Corrupt::Entry)?;
    if sealed.leaf() != entry.leaf_hash {
        return Err(Corrupt::Leaf);
    }
    let says = sealed.entry();
    if says.collaboration != collaboration || says.position != at.size {
        return Err(Corrupt::Place);
    }
    if says.previous != at.last {
        return Err(Corrupt::Chain);
    }
    Ok(sealed)
}

/// Where the rows of a collaboration are.
async fn cursor(connection: &mut SqliteConnection, set: Set, name: &str) -> sqlx::Result<Cursor> {
    let sql =
        format!("SELECT size, last_leaf FROM {}cursors WHERE collaboration = ?", set.prefix());
    let row =
        sqlx::query(AssertSqlSafe(sql)).bind(name).fetch_optional(&mut *connection).await?;
    let Some(row) = row else { return Ok(Cursor::START) };
    let size: i64 = row.try_get(0)?;
    Ok(Cursor { size: size.unsigned_abs(), last: Digest::from_slice(row.try_get(1)?) })
}

async fn move_cursor(
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

async fn load(
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

async fn store_rows(
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
