//! Making all views anew from the log, beside the ones that readers see.

use std::time::{Duration, Instant};

use chancery_ledger::id::CollaborationId;
use chancery_store::Store;
use sqlx::SqliteConnection;

use crate::advance::{Working, batch};
use crate::halt::{Halt, ProjectError};
use crate::open::sizes;
use crate::schema::{self, Set};
use crate::views::Views;

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
/// `progress` is called after each batch with the entries done and the entries that there are.
///
/// # Errors
///
/// [`ProjectError`], but a corrupt log is told in [`Rebuilt::halted`]; the old rows stay then.
pub async fn rebuild(
    store: &Store,
    views: &Views,
    mut progress: impl FnMut(u64, u64) + Send,
) -> Result<Rebuilt, ProjectError> {
    let _one = views.rebuilding().lock().await;
    let began = Instant::now();
    let mut transaction = views.writer().begin_with("BEGIN IMMEDIATE").await?;
    schema::create(&mut transaction, Set::Next).await?;
    transaction.commit().await?;

    let mut work = Work { store, entries: 0, halted: Vec::new() };
    let logs = heads(store).await?;
    let mut total = logs.iter().map(|(_, size)| size).sum::<u64>();
    for (collaboration, _) in logs {
        let mut working = Working::new();
        loop {
            let mut transaction = views.writer().begin_with("BEGIN IMMEDIATE").await?;
            let more = work.step(&mut transaction, collaboration, &mut working).await?;
            transaction.commit().await?;
            total = total.max(work.entries);
            progress(work.entries, total);
            if !more {
                break;
            }
        }
    }

    // The rest and the swap, while nobody else writes: the views never go back.
    let mut transaction = views.writer().begin_with("BEGIN IMMEDIATE").await?;
    for (collaboration, _) in heads(store).await? {
        let mut working = Working::new();
        while work.step(&mut transaction, collaboration, &mut working).await? {}
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
    entries: u64,
    halted: Vec<Halt>,
}

impl Work<'_> {
    /// One batch of a collaboration into the next set; false at the end of its log.
    async fn step(
        &mut self,
        connection: &mut SqliteConnection,
        collaboration: CollaborationId,
        working: &mut Working,
    ) -> Result<bool, ProjectError> {
        if self.halted.iter().any(|halt| halt.collaboration == collaboration) {
            return Ok(false);
        }
        let moved = batch(connection, self.store, Set::Next, collaboration, working).await?;
        self.entries += moved.to - moved.from;
        self.halted.extend(moved.halt);
        Ok(moved.to > moved.from)
    }
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
