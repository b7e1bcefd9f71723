//! The handle on the views: how far they are, and waiting for it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use chancery_ledger::id::CollaborationId;
use chancery_store::Fault;
use sqlx::SqlitePool;
use tokio::sync::{Mutex, watch};

use crate::halt::Halt;

/// The views database. Clones share the connections.
#[derive(Clone)]
pub struct Views {
    inner: Arc<Inner>,
}

struct Inner {
    readers: SqlitePool,
    /// One connection: whoever holds it is the one writer of this process.
    writer: SqlitePool,
    progress: watch::Sender<Progress>,
    rebuilding: Mutex<()>,
}

/// How far the views are.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    sizes: HashMap<CollaborationId, u64>,
    halted: BTreeMap<CollaborationId, Halt>,
}

/// Why the views gave no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ViewsError {
    /// Unavailable: the database didn't answer. Retry.
    #[error("the views can't be read now")]
    Unavailable(#[source] Fault),
    /// Unavailable: the views did not show the position in time. Retry.
    #[error("the views of {collaboration} do not show position {position} yet")]
    Behind {
        /// Whose views.
        collaboration: CollaborationId,
        /// What was waited for.
        position: u64,
    },
    /// Corrupt: the views stopped before that position, at an entry that does not fit.
    #[error("the views have stopped")]
    Halted(#[source] Halt),
    /// Corrupt: a row is not one that this release writes. A rebuild helps.
    #[error("a row of {table} is not one that this release writes")]
    Row {
        /// The view's table.
        table: &'static str,
    },
}

impl From<sqlx::Error> for ViewsError {
    fn from(error: sqlx::Error) -> Self {
        Self::Unavailable(error.into())
    }
}

/// How the views are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// How many collaborations they show.
    pub collaborations: usize,
    /// How many entries they show, over all collaborations.
    pub entries: u64,
    /// The collaborations whose views have stopped, and where.
    pub halted: Vec<Halt>,
}

impl Views {
    pub(crate) fn new(
        readers: SqlitePool,
        writer: SqlitePool,
        sizes: HashMap<CollaborationId, u64>,
    ) -> Self {
        let (progress, _) = watch::channel(Progress { sizes, halted: BTreeMap::new() });
        Self { inner: Arc::new(Inner { readers, writer, progress, rebuilding: Mutex::new(()) }) }
    }

    /// Waits until the views show the entry at `position` of a collaboration: read your writes.
    ///
    /// It hears of what the [`crate::Projector`]s on this handle and its clones do, in this process.
    ///
    /// # Errors
    ///
    /// [`ViewsError::Behind`] when `timeout` is over; [`ViewsError::Halted`] at once where the
    /// views stopped before that position.
    pub async fn wait_for(
        &self,
        collaboration: CollaborationId,
        position: u64,
        timeout: Duration,
    ) -> Result<(), ViewsError> {
        let mut progress = self.inner.progress.subscribe();
        let waiting = progress.wait_for(|progress| {
            progress.size(collaboration) > position || progress.halted.contains_key(&collaboration)
        });
        let behind = ViewsError::Behind { collaboration, position };
        let Ok(Ok(progress)) = tokio::time::timeout(timeout, waiting).await else {
            return Err(behind);
        };
        match progress.halted.get(&collaboration) {
            Some(halt) if progress.size(collaboration) <= position => {
                Err(ViewsError::Halted(halt.clone()))
            }
            _ => Ok(()),
        }
    }

    /// How many entries of a collaboration's log the views show.
    pub fn size(&self, collaboration: CollaborationId) -> u64 {
        self.inner.progress.borrow().size(collaboration)
    }

    /// How the views are.
    pub fn health(&self) -> Health {
        let progress = self.inner.progress.borrow();
        Health {
            collaborations: progress.sizes.len(),
            entries: progress.sizes.values().sum(),
            halted: progress.halted.values().cloned().collect(),
        }
    }

    /// Waits for the write under way, then closes all connections.
    pub async fn close(&self) {
        self.inner.readers.close().await;
        self.inner.writer.close().await;
    }

    /// Why the views of a collaboration stopped, if they did.
    pub(crate) fn halt(&self, collaboration: CollaborationId) -> Option<Halt> {
        self.inner.progress.borrow().halted.get(&collaboration).cloned()
    }

    pub(crate) fn readers(&self) -> &SqlitePool {
        &self.inner.readers
    }

    pub(crate) fn writer(&self) -> &SqlitePool {
        &self.inner.writer
    }

    pub(crate) fn rebuilding(&self) -> &Mutex<()> {
        &self.inner.rebuilding
    }

    /// Tells the waiters how far a collaboration is.
    pub(crate) fn reached(&self, collaboration: CollaborationId, size: u64) {
        self.inner
            .progress
            .send_if_modified(|progress| progress.sizes.insert(collaboration, size) != Some(size));
    }

    /// Tells the waiters that a collaboration goes no further, and the operator why. Once.
    pub(crate) fn stopped(&self, halt: &Halt) {
        let news = self.inner.progress.send_if_modified(|progress| {
            progress.halted.insert(halt.collaboration, halt.clone()).is_none()
        });
        if news {
            tracing::error!(
                collaboration = %halt.collaboration,
                position = halt.position,
                cause = %halt.cause,
                "the log is corrupt: its views have stopped"
            );
        }
    }

    /// Replaces all that is known, after a rebuild.
    pub(crate) fn replaced(&self, sizes: HashMap<CollaborationId, u64>, halted: &[Halt]) {
        self.inner.progress.send_modify(|progress| {
            progress.sizes = sizes;
            progress.halted.clear();
        });
        for halt in halted {
            self.stopped(halt);
        }
    }
}

impl Progress {
    fn size(&self, collaboration: CollaborationId) -> u64 {
        self.sizes.get(&collaboration).copied().unwrap_or(0)
    }
}
