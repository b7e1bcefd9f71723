//! Making all views anew from the log, beside the ones that readers see.

use std::time::{Duration, Instant};

use chancery_ledger::id::CollaborationId;
use chancery_store::Store;
use sqlx::SqliteConnection;

use crate::advance::{Place, ROWS_HELD_MAX, Working, batch, fold};
use crate::ahead::Ahead;
use crate::halt::{Halt, ProjectError};
use crate::open::sizes;
use crate::schema::{self, Set};
use crate::tables::{Changed, Cursor, cursor, move_cursor};
use crate::task::Task;
use crate::views::Views;

/// What bounds the memory of a rebuild, beside [`Ahead`]'s own bounds.
#[derive(Debug, Clone, Copy)]
struct Limits {
    /// Entries that are folded before the rows that they changed are stored, each once.
    window_entries: u64,
    /// Rows held after a window is stored, at most.
    rows: usize,
}

const LIMITS: Limits = Limits { window_entries: 4096, rows: ROWS_HELD_MAX };
#[cfg(test)]
mod tests;

/// Heads read at a time.
const HEADS: u32 = 1024;

/// What a rebuild did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rebuilt {
    /// The entries that went through the fold.
    pub entries: u64,
    /// How long it took.
    pub elapsed: Duration,
    /// The collaborations whose logs are corrupt, and where; the views show what is before.
    pub halted: Vec<Halt>,
}

impl Rebuilt {
    /// Entries a second.
    pub fn entries_per_second(&self) -> f64 {
        let entries = u32::try_from(self.entries).unwrap_or(u32::MAX);
        f64::from(entries) / self.elapsed.as_secs_f64().max(f64::EPSILON)
    }
}

/// Makes all rows anew in a fresh set of tables and puts it in the place of the old one in one
/// transaction: readers see the old rows or the new ones. [`crate::Projector`]s may go on meanwhile.
///
/// `progress` is called now and then with the entries done and the entries that there are.
///
/// # Errors
///
/// [`ProjectError`], but a corrupt log is told in [`Rebuilt::halted`]; the old rows stay then.
pub async fn rebuild(
    store: &Store,
    views: &Views,
    progress: impl FnMut(u64, u64) + Send,
) -> Result<Rebuilt, ProjectError> {
    rebuild_within(store, views, LIMITS, progress).await
}

async fn rebuild_within(
    store: &Store,
    views: &Views,
    limits: Limits,
    mut progress: impl FnMut(u64, u64) + Send,
) -> Result<Rebuilt, ProjectError> {
    let _one = views.rebuilding().lock().await;
    let began = Instant::now();
    let mut transaction = views.writer().begin_with("BEGIN IMMEDIATE").await?;
    schema::create(&mut transaction, Set::Next).await?;
    transaction.commit().await?;

    let mut work = Work { store, views, limits, entries: 0, halted: Vec::new() };
    let logs = heads(store).await?;
    let total = logs.iter().map(|(_, size)| size).sum::<u64>();
    let mut reader = views.readers().acquire().await?;
    for (collaboration, size) in logs {
        let done = work.entries;
        let mut farthest = done;
        let progress = |size| {
            farthest = farthest.max(done + size);
            progress(farthest, total.max(farthest));
        };
        work.fill(&mut reader, collaboration, size, progress).await?;
    }
    drop(reader);

    // The rest and the swap, while nobody else writes: the views never go back.
    let mut transaction = views.writer().begin_with("BEGIN IMMEDIATE").await?;
    for (collaboration, size) in heads(store).await? {
        work.finish(&mut transaction, collaboration, size).await?;
    }
    schema::swap(&mut transaction).await?;
    let sizes = sizes(&mut *transaction).await?;
    transaction.commit().await?;
    views.replaced(sizes, &work.halted);
    let rebuilt = Rebuilt { entries: work.entries, elapsed: began.elapsed(), halted: work.halted };
    progress(rebuilt.entries, rebuilt.entries.max(total));
    tracing::info!(
        entries = rebuilt.entries,
        elapsed_ms = u64::try_from(rebuilt.elapsed.as_millis()).unwrap_or(u64::MAX),
        "the views are rebuilt"
    );
    Ok(rebuilt)
}

struct Work<'a> {
    store: &'a Store,
    views: &'a Views,
    limits: Limits,
    entries: u64,
    halted: Vec<Halt>,
}

impl Work<'_> {
    /// Fills the next set with the first `size` entries of a log. While a window is stored, the one
    /// after it is folded.
    async fn fill(
        &mut self,
        reader: &mut SqliteConnection,
        collaboration: CollaborationId,
        size: u64,
        mut progress: impl FnMut(u64) + Send,
    ) -> Result<(), ProjectError> {
        let place = Place::new(Set::Next, collaboration);
        let mut log = Ahead::new(self.store, collaboration, size);
        let mut working = Working::at(Cursor::START);
        let mut storing = Storing { at: Cursor::START, task: None };
        loop {
            let from = working.cursor;
            let until = from.size.saturating_add(self.limits.window_entries).min(size);
            let folded = fold(reader, &mut log, &place, &mut working, until, &mut progress).await;
            let stored = storing.join().await?;
            if stored != from {
                // Another process fills the set too: on from where it is.
                working = Working::at(stored);
                continue;
            }
            let halt = match folded {
                Err(ProjectError::Halted(halt)) => {
                    working = Working::at(from);
                    fold(reader, &mut log, &place, &mut working, halt.position, |_| ()).await?;
                    Some(halt)
                }
                result => result.map(|()| None)?,
            };
            let to = working.cursor;
            if to != from {
                let changed = working.rows.take_changed(&place)?;
                let task = Task::spawn(store_window(self.views.clone(), changed, from, to));
                storing.task = Some(task);
            }
            let ends = to == from || to.size >= size || halt.is_some();
            if ends || working.holds_more_than(self.limits.rows) {
                let stored = storing.join().await?;
                if ends && stored == to {
                    self.entries += to.size;
                    self.halted.extend(halt);
                    return Ok(());
                }
                working = Working::at(stored);
            }
        }
    }

    /// Brings the next set up to `size` inside the transaction open on `connection`.
    async fn finish(
        &mut self,
        connection: &mut SqliteConnection,
        collaboration: CollaborationId,
        size: u64,
    ) -> Result<(), ProjectError> {
        if self.halted.iter().any(|halt| halt.collaboration == collaboration) {
            return Ok(());
        }
        let mut log = Ahead::new(self.store, collaboration, size);
        let mut working = Working::new();
        loop {
            let moved = batch(connection, &mut log, Set::Next, &mut working).await?;
            self.entries += moved.to - moved.from;
            let ends = moved.to == moved.from || moved.halt.is_some();
            self.halted.extend(moved.halt);
            if ends {
                return Ok(());
            }
        }
    }
}

/// The window that is being stored, if one is.
struct Storing {
    /// Where the tables are when it is not.
    at: Cursor,
    task: Option<Task<Result<Cursor, ProjectError>>>,
}

impl Storing {
    /// Waits for it. Gives where the tables are now.
    async fn join(&mut self) -> Result<Cursor, ProjectError> {
        if let Some(task) = self.task.take() {
            self.at = task.join().await?;
        }
        Ok(self.at)
    }
}

/// Moves the next set from `from` to `to`, if it is at `from`. Gives where it is now.
async fn store_window(
    views: Views,
    changed: Changed,
    from: Cursor,
    to: Cursor,
) -> Result<Cursor, ProjectError> {
    let place = changed.place().clone();
    let mut transaction = views.writer().begin_with("BEGIN IMMEDIATE").await?;
    let found = cursor(&mut transaction, place.set, &place.name).await?;
    if found != from {
        return Ok(found);
    }
    changed.store(&mut transaction).await?;
    move_cursor(&mut transaction, place.set, &place.name, to).await?;
    transaction.commit().await?;
    Ok(to)
}

async fn heads(store: &Store) -> Result<Vec<(CollaborationId, u64)>, ProjectError> {
    let mut all = Vec::new();
    loop {
        let after = all.last().map(|(last, _)| *last);
        let page = store.heads(after, HEADS).await.map_err(ProjectError::Log)?;
        if page.is_empty() {
            return Ok(all);
        }
        all.extend(page);
    }
}
