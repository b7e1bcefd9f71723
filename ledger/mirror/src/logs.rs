//! The logs to mirror: what the driver reads, and where it keeps receipts.

use std::collections::BTreeMap;
use std::error::Error;
use std::future::Future;
use std::sync::{Mutex, PoisonError};

use chancery_ccf::txid::TxId;
use chancery_ledger::digest::Digest;
use chancery_ledger::id::CollaborationId;
use chancery_ledger::merkle;

/// A checkpoint, a signed note, and its size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// The number of entries.
    pub size: u64,
    /// The note.
    pub note: String,
}

/// A batch whose receipt was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirrored {
    /// Position of its first entry.
    pub first: u64,
    /// Size of the log after it.
    pub size: u64,
    /// The root over the log after it.
    pub root: Digest,
    /// The transaction.
    pub transaction: TxId,
    /// The certificate of the service that the receipt was verified under, in DER.
    pub service: Vec<u8>,
    /// The receipt as it came, JSON.
    pub receipt: Vec<u8>,
}

/// The logs can't be read or written now, or are corrupt.
#[derive(Debug, thiserror::Error)]
#[error("the logs are unavailable")]
pub struct LogsError(#[source] pub Box<dyn Error + Send + Sync>);

/// The logs of a service, and the receipts beside them. The contract is in `tests/logs.rs`.
pub trait Logs: Send + Sync + 'static {
    /// Collaborations and the sizes of their logs, by id, those after `after`. Only an empty answer
    /// is the end.
    fn heads(
        &self,
        after: Option<CollaborationId>,
    ) -> impl Future<Output = Result<Vec<(CollaborationId, u64)>, LogsError>> + Send;

    /// The newest checkpoint of a log; `None` if there is no log.
    fn head(
        &self,
        c: CollaborationId,
    ) -> impl Future<Output = Result<Option<Signed>, LogsError>> + Send;

    /// Sealed entries from a position on, at most `limit`; a short answer is not the end, only an
    /// empty one is.
    fn entries(
        &self,
        c: CollaborationId,
        from: u64,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<Vec<u8>>, LogsError>> + Send;

    /// Leaf hashes from a position on, at most `limit`. Only an empty answer is the end.
    fn leaf_hashes(
        &self,
        c: CollaborationId,
        from: u64,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<Digest>, LogsError>> + Send;

    /// Entries with a receipt that is kept: the size of the newest one's log, or 0.
    fn mirrored(&self, c: CollaborationId) -> impl Future<Output = Result<u64, LogsError>> + Send;

    /// Keeps a batch that begins where the newest one that is kept ended; false where it doesn't.
    fn keep(
        &self,
        c: CollaborationId,
        batch: Mirrored,
    ) -> impl Future<Output = Result<bool, LogsError>> + Send;

    /// The batch that holds a position; `None` while it has no receipt.
    fn receipt_of(
        &self,
        c: CollaborationId,
        position: u64,
    ) -> impl Future<Output = Result<Option<Mirrored>, LogsError>> + Send;
}

/// Logs in memory, for tests.
#[derive(Debug, Default)]
pub struct InMemory(Mutex<BTreeMap<CollaborationId, Log>>);

#[derive(Debug, Default)]
struct Log {
    entries: Vec<Vec<u8>>,
    note: String,
    kept: Vec<Mirrored>,
}

impl InMemory {
    /// Makes a log hold these entries and this checkpoint over them, whatever it held before: a test
    /// may give it another past.
    pub fn set(&self, c: CollaborationId, entries: Vec<Vec<u8>>, note: String) {
        self.with(|logs| {
            let log = logs.entry(c).or_default();
            log.entries = entries;
            log.note = note;
        });
    }

    /// The receipts that are kept.
    pub fn kept(&self, c: CollaborationId) -> Vec<Mirrored> {
        self.with(|logs| logs.get(&c).map(|log| log.kept.clone()).unwrap_or_default())
    }

    /// Forgets the receipts, as a database that is restored does.
    pub fn forget(&self, c: CollaborationId) {
        self.with(|logs| logs.entry(c).or_default().kept.clear());
    }

    fn with<T>(&self, act: impl FnOnce(&mut BTreeMap<CollaborationId, Log>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn slice<T>(
        &self,
        c: CollaborationId,
        from: u64,
        limit: u32,
        map: impl Fn(&Vec<u8>) -> T,
    ) -> Vec<T> {
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        let limit = limit as usize;
        self.with(|logs| {
            let entries = logs.get(&c).map_or(&[][..], |log| &log.entries);
            entries.iter().skip(from).take(limit).map(map).collect()
        })
    }
}

impl Logs for InMemory {
    async fn heads(
        &self,
        after: Option<CollaborationId>,
    ) -> Result<Vec<(CollaborationId, u64)>, LogsError> {
        Ok(self.with(|logs| {
            let later = logs.iter().filter(|(c, _)| after.is_none_or(|after| **c > after));
            later.map(|(c, log)| (*c, log.entries.len() as u64)).collect()
        }))
    }

    async fn head(&self, c: CollaborationId) -> Result<Option<Signed>, LogsError> {
        Ok(self.with(|logs| {
            let log = logs.get(&c)?;
            Some(Signed { size: log.entries.len() as u64, note: log.note.clone() })
        }))
    }

    async fn entries(
        &self,
        c: CollaborationId,
        from: u64,
        limit: u32,
    ) -> Result<Vec<Vec<u8>>, LogsError> {
        Ok(self.slice(c, from, limit, Vec::clone))
    }

    async fn leaf_hashes(
        &self,
        c: CollaborationId,
        from: u64,
        limit: u32,
    ) -> Result<Vec<Digest>, LogsError> {
        Ok(self.slice(c, from, limit, |entry| merkle::leaf_hash(entry)))
    }

    async fn mirrored(&self, c: CollaborationId) -> Result<u64, LogsError> {
        Ok(self.kept(c).last().map_or(0, |batch| batch.size))
    }

    async fn keep(&self, c: CollaborationId, batch: Mirrored) -> Result<bool, LogsError> {
        Ok(self.with(|logs| {
            let kept = &mut logs.entry(c).or_default().kept;
            let follows = kept.last().map_or(0, |last| last.size) == batch.first;
            if follows {
                kept.push(batch);
            }
            follows
        }))
    }

    async fn receipt_of(
        &self,
        c: CollaborationId,
        position: u64,
    ) -> Result<Option<Mirrored>, LogsError> {
        Ok(self.kept(c).into_iter().find(|batch| (batch.first..batch.size).contains(&position)))
    }
}
