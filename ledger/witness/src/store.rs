//! The logs of a store.

use std::sync::Arc;

use chancery_ledger::id::CollaborationId;
use chancery_ledger::tile::{Tile, Tiles};
use chancery_store::{CosignError, Head, PAGE_MAX, ReadError, Store};
use tokio::sync::Notify;
use tokio::sync::broadcast::error::RecvError;

use crate::logs::{Logs, LogsError, Signed};

impl Logs for Store {
    async fn heads(
        &self,
        after: Option<CollaborationId>,
    ) -> Result<Vec<(CollaborationId, u64)>, LogsError> {
        Self::heads(self, after, PAGE_MAX).await.map_err(unread)
    }

    async fn head(&self, c: CollaborationId) -> Result<Option<Signed>, LogsError> {
        Ok(Self::head(self, c).await.map_err(unread)?.map(signed))
    }

    async fn tiles(&self, c: CollaborationId, tiles: &[Tile]) -> Result<Tiles, LogsError> {
        Self::tiles(self, c, tiles).await.map_err(unread)
    }

    async fn cosigned(&self, c: CollaborationId) -> Result<Option<Signed>, LogsError> {
        Ok(Self::cosigned(self, c).await.map_err(unread)?.map(signed))
    }

    async fn put_cosigned(&self, c: CollaborationId, signed: Signed) -> Result<bool, LogsError> {
        match Self::put_cosigned(self, c, signed.size, &signed.note).await {
            Ok(()) => Ok(true),
            Err(CosignError::Stale { .. }) => Ok(false),
            Err(error) => Err(LogsError(Box::new(error))),
        }
    }
}

fn signed(head: Head) -> Signed {
    Signed { size: head.size, note: head.checkpoint }
}

fn unread(error: ReadError) -> LogsError {
    LogsError(Box::new(error))
}

/// Notifies `hint` of appends made through this handle of the store and its clones, until the store
/// is dropped. Those of other processes the driver finds when it sweeps.
pub async fn forward_appends(store: &Store, hint: Arc<Notify>) {
    let mut appended = store.appended();
    while !matches!(appended.recv().await, Err(RecvError::Closed)) {
        hint.notify_one();
    }
}
