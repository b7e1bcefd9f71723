//! The port to the log: the store in the same process, or the executor's HTTP client.

use std::future::Future;

use chancery_ledger::id::CollaborationId;
use chancery_store::{ReadError, Store};

use crate::{Corruption, FeedError, Source};

/// An entry as the log gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// Its position in the collaboration's log, from 0.
    pub position: u64,
    /// The sealed bytes.
    pub sealed: Vec<u8>,
}

/// Why the log gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum ReadFailure {
    /// It doesn't answer now.
    #[error("the log is unavailable")]
    Unavailable(#[source] Source),
    /// It contradicts itself.
    #[error("the log is corrupt")]
    Corrupt(#[source] Source),
}

/// Where entries are read by position. The reader must check what it reads as far as its callers
/// rely on it: the executor, for one, verifies proofs.
pub trait LogReader: Send + Sync {
    /// Entries of `collaboration` from position `from` on, contiguous, at most `limit`. Fewer is
    /// not the end of the log; only none is.
    fn range(
        &self,
        collaboration: CollaborationId,
        from: u64,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<LogEntry>, ReadFailure>> + Send;

    /// Collaborations and their log sizes, by id, those after `after`, at most `limit`. Fewer is
    /// not the end; only none is.
    fn heads(
        &self,
        after: Option<CollaborationId>,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<(CollaborationId, u64)>, ReadFailure>> + Send;
}

impl LogReader for Store {
    async fn range(
        &self,
        collaboration: CollaborationId,
        from: u64,
        limit: u32,
    ) -> Result<Vec<LogEntry>, ReadFailure> {
        let entries = Store::range(self, collaboration, from, limit).await?;
        Ok(entries
            .into_iter()
            .map(|entry| LogEntry { position: entry.position, sealed: entry.sealed })
            .collect())
    }

    async fn heads(
        &self,
        after: Option<CollaborationId>,
        limit: u32,
    ) -> Result<Vec<(CollaborationId, u64)>, ReadFailure> {
        Ok(Store::heads(self, after, limit).await?)
    }
}

impl From<ReadError> for ReadFailure {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Unavailable(_) => Self::Unavailable(error.into()),
            ReadError::Corrupt(_) => Self::Corrupt(error.into()),
        }
    }
}

impl From<ReadFailure> for FeedError {
    fn from(failure: ReadFailure) -> Self {
        match failure {
            ReadFailure::Unavailable(source) => Self::Unavailable(source),
            ReadFailure::Corrupt(source) => Self::Corrupt(Corruption::Log(source)),
        }
    }
}
