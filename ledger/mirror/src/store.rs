//! The logs of a store, and the receipts kept in it.

use std::sync::Arc;

use chancery_ledger::digest::Digest;
use chancery_ledger::id::CollaborationId;
use chancery_store::{MirrorError, MirrorReceipt, PAGE_MAX, ReadError, Store};
use tokio::sync::Notify;
use tokio::sync::broadcast::error::RecvError;

use crate::logs::{Logs, LogsError, Mirrored, Signed};
use crate::port::Kind;

/// The logs of a store, mirrored in a ledger of one kind, which stands beside each receipt.
pub struct StoredLogs {
    store: Store,
    kind: Kind,
}

impl StoredLogs {
    /// Of that store, for a ledger of that kind.
    pub const fn new(store: Store, kind: Kind) -> Self {
        Self { store, kind }
    }
}

impl Logs for StoredLogs {
    async fn heads(
        &self,
        after: Option<CollaborationId>,
    ) -> Result<Vec<(CollaborationId, u64)>, LogsError> {
        self.store.heads(after, PAGE_MAX).await.map_err(unread)
    }

    async fn head(&self, c: CollaborationId) -> Result<Option<Signed>, LogsError> {
        let head = self.store.head(c).await.map_err(unread)?;
        Ok(head.map(|head| Signed { size: head.size, note: head.checkpoint }))
    }

    async fn entries(
        &self,
        c: CollaborationId,
        from: u64,
        limit: u32,
    ) -> Result<Vec<Vec<u8>>, LogsError> {
        let entries = self.store.range(c, from, limit).await.map_err(unread)?;
        Ok(entries.into_iter().map(|entry| entry.sealed).collect())
    }

    async fn leaf_hashes(
        &self,
        c: CollaborationId,
        from: u64,
        limit: u32,
    ) -> Result<Vec<Digest>, LogsError> {
        self.store.leaf_hashes(c, from, limit).await.map_err(unread)
    }

    async fn mirrored(&self, c: CollaborationId) -> Result<u64, LogsError> {
        self.store.mirrored(c).await.map_err(unread)
    }

    async fn keep(&self, c: CollaborationId, batch: Mirrored) -> Result<bool, LogsError> {
        let receipt = MirrorReceipt {
            first: batch.first,
            size: batch.size,
            root: batch.root,
            kind: self.kind.as_str().to_owned(),
            transaction: batch.transaction.to_string(),
            service: batch.service,
            receipt: batch.receipt,
        };
        match self.store.keep_mirror_receipt(c, receipt).await {
            Ok(()) => Ok(true),
            Err(MirrorError::Conflict { .. }) => Ok(false),
            Err(error) => Err(LogsError(Box::new(error))),
        }
    }

    async fn receipt_of(
        &self,
        c: CollaborationId,
        position: u64,
    ) -> Result<Option<Mirrored>, LogsError> {
        let found = self.store.mirror_receipt(c, position).await.map_err(unread)?;
        found.map(mirrored).transpose()
    }
}

fn mirrored(stored: MirrorReceipt) -> Result<Mirrored, LogsError> {
    let transaction = stored.transaction.parse().map_err(|error| LogsError(Box::new(error)))?;
    let MirrorReceipt { first, size, root, service, receipt, .. } = stored;
    Ok(Mirrored { first, size, root, transaction, service, receipt })
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
