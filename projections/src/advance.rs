//! One batch: entries from the log through the fold into the tables, together with the cursor.

use std::collections::BTreeSet;

use chancery_governance::log;
use chancery_governance::subject::Subject;
use chancery_ledger::entry::Sealed;
use chancery_ledger::id::CollaborationId;
use chancery_store::{ReadError, Store, StoredEntry};
use sqlx::SqliteConnection;

use crate::fold::{Rows, reads};
use crate::halt::{Corrupt, Halt, ProjectError};
use crate::schema::Set;
use crate::tables::{Cursor, cursor, load, move_cursor, store_rows};

/// Most entries of a batch.
pub const BATCH_ENTRIES_MAX: u32 = 1024;
/// Rows kept between the batches of one collaboration, at most.
const ROWS_HELD_MAX: usize = 16_384;

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
    let entries =
        store.range(collaboration, at.size, limit).await.map_err(|error| match error {
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
