//! Entries from the log through the fold into rows, and batches of them into the tables.

use std::collections::BTreeSet;

use chancery_governance::subject::Subject;
use chancery_ledger::id::CollaborationId;
use sqlx::SqliteConnection;

use crate::ahead::{Ahead, Read};
use crate::fold::{Rows, reads};
use crate::halt::{Corrupt, Halt, ProjectError};
use crate::schema::Set;
use crate::tables::{Cursor, cursor, load, move_cursor};

/// Most entries of a batch. Whole pages, so that none is read twice.
pub const BATCH_ENTRIES_MAX: u32 = 1024;
/// Rows kept between the batches of one collaboration, at most.
pub(crate) const ROWS_HELD_MAX: usize = 16_384;

/// Rows kept from batch to batch, so that few are read again.
pub(crate) struct Working {
    pub(crate) rows: Rows,
    /// Where the rows are.
    pub(crate) cursor: Cursor,
    /// What was looked up, found or not. None: all rows there are, are here.
    known: Option<BTreeSet<Subject>>,
}

impl Working {
    /// Nothing is known; the cursor is an impossible one.
    pub(crate) fn new() -> Self {
        Self::at(Cursor { size: u64::MAX, last: None })
    }

    /// Nothing is known but where the tables are.
    pub(crate) fn at(cursor: Cursor) -> Self {
        let known = (cursor.size > 0).then(BTreeSet::new);
        Self { rows: Rows::default(), cursor, known }
    }

    /// Whether more than `max` rows are held. All of them must be stored before they go.
    pub(crate) fn holds_more_than(&self, max: usize) -> bool {
        self.rows.held() > max
    }
}

/// The tables of one collaboration.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) set: Set,
    pub(crate) collaboration: CollaborationId,
    /// Its id as the tables have it.
    pub(crate) name: String,
}

impl Place {
    pub(crate) fn new(set: Set, collaboration: CollaborationId) -> Self {
        Self { set, collaboration, name: collaboration.to_string() }
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
    log: &mut Ahead,
    set: Set,
    working: &mut Working,
) -> Result<Moved, ProjectError> {
    let place = Place::new(set, log.collaboration());
    let from = cursor(connection, set, &place.name).await?;
    if working.cursor != from || working.holds_more_than(ROWS_HELD_MAX) {
        *working = Working::at(from);
    }
    let until = from.size.saturating_add(BATCH_ENTRIES_MAX.into());
    let halt = match fold(connection, log, &place, working, until, |_| ()).await {
        Err(ProjectError::Halted(halt)) => {
            // Nothing is written yet, but the rows in memory moved in part: begin again.
            *working = Working::at(from);
            fold(connection, log, &place, working, halt.position, |_| ()).await?;
            Some(halt)
        }
        result => result.map(|()| None)?,
    };
    if working.cursor != from {
        working.rows.take_changed(&place)?.store(connection).await?;
        move_cursor(connection, set, &place.name, working.cursor).await?;
    }
    Ok(Moved { from: from.size, to: working.cursor.size, halt })
}

/// Moves the rows in memory up to the position `until` or the end of the log, and tells `progress`
/// after each page where they are.
///
/// Rows that are not held are read on `connection`: those must be stored as they are now.
///
/// # Errors
///
/// [`ProjectError::Halted`] at a bad entry: the rows moved in part then.
pub(crate) async fn fold(
    connection: &mut SqliteConnection,
    log: &mut Ahead,
    place: &Place,
    working: &mut Working,
    until: u64,
    mut progress: impl FnMut(u64) + Send,
) -> Result<(), ProjectError> {
    log.seek(working.cursor.size);
    while working.cursor.size < until {
        let mut page = log.page().await.map_err(ProjectError::Log)?;
        if page.is_empty() {
            break;
        }
        page.truncate(usize::try_from(until - working.cursor.size).unwrap_or(usize::MAX));
        fold_page(connection, place, working, page).await?;
        progress(working.cursor.size);
    }
    Ok(())
}

async fn fold_page(
    connection: &mut SqliteConnection,
    place: &Place,
    working: &mut Working,
    page: Vec<Read>,
) -> Result<(), ProjectError> {
    let collaboration = place.collaboration;
    if let Some(known) = &mut working.known {
        let mut unknown = BTreeSet::new();
        for (recorded, event) in page.iter().flatten().filter_map(|opened| opened.said()) {
            reads(recorded, event, |subject| {
                if known.insert(subject) {
                    unknown.insert(subject);
                }
            });
        }
        load(connection, place, &mut working.rows, &unknown).await?;
    }
    for read in page {
        let at = working.cursor;
        let halt = |cause| ProjectError::Halted(Halt { collaboration, position: at.size, cause });
        let opened = read.map_err(halt)?;
        let (recorded, event, next) = opened.continues(collaboration, at).map_err(halt)?;
        working
            .rows
            .fold(&recorded, &event)
            .map_err(|why| halt(Corrupt::Illegal { kind: event.kind(), why }))?;
        working.cursor = next;
    }
    Ok(())
}
