//! The port to durable progress: in the store, or in a file of a process without the database.

use std::collections::BTreeMap;
use std::future::Future;

use chancery_ledger::id::CollaborationId;
use chancery_store::{AdvanceError, ReadError, Store};

use crate::{ConsumerName, Source};

/// Why cursors weren't read or moved.
#[derive(Debug, thiserror::Error)]
pub enum CursorError {
    /// The cursor isn't where the caller believed.
    #[error("the cursor is at {actual}, not where it was expected")]
    Conflict {
        /// Where it is.
        actual: u64,
    },
    /// They can't be read or written now; a move may or may not have been made.
    #[error("the cursors are unavailable")]
    Unavailable(#[source] Source),
    /// They can't be read as cursors.
    #[error("the cursors are corrupt")]
    Corrupt(#[source] Source),
}

/// One consumer's durable progress: for each collaboration, how many entries it has acknowledged.
pub trait Cursors: Send + Sync {
    /// All cursors above 0.
    fn load(
        &self,
    ) -> impl Future<Output = Result<BTreeMap<CollaborationId, u64>, CursorError>> + Send;

    /// Moves one from `from` to `to`, if it is at `from`; durable when this returns `Ok`.
    fn advance(
        &self,
        collaboration: CollaborationId,
        from: u64,
        to: u64,
    ) -> impl Future<Output = Result<(), CursorError>> + Send;
}

/// A consumer's cursors beside the log.
#[derive(Clone)]
pub struct StoreCursors {
    store: Store,
    consumer: ConsumerName,
}

impl StoreCursors {
    /// Those of `consumer` in `store`.
    pub fn new(store: Store, consumer: ConsumerName) -> Self {
        Self { store, consumer }
    }
}

impl Cursors for StoreCursors {
    async fn load(&self) -> Result<BTreeMap<CollaborationId, u64>, CursorError> {
        self.store.cursors(self.consumer.as_str()).await.map_err(|error| match error {
            ReadError::Unavailable(_) => CursorError::Unavailable(error.into()),
            ReadError::Corrupt(_) => CursorError::Corrupt(error.into()),
        })
    }

    async fn advance(&self, c: CollaborationId, from: u64, to: u64) -> Result<(), CursorError> {
        self.store.advance_cursor(self.consumer.as_str(), c, from, to).await.map_err(|error| {
            match error {
                AdvanceError::Conflict { actual } => CursorError::Conflict { actual },
                AdvanceError::Unavailable(_) => CursorError::Unavailable(error.into()),
                // The subscription moves forward only, so an invalid move is a broken cursor.
                AdvanceError::Invalid | AdvanceError::Corrupt(_) => {
                    CursorError::Corrupt(error.into())
                }
            }
        })
    }
}
