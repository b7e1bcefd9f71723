//! The logs to have cosigned: what the driver reads, and where it keeps what witnesses said.

use std::collections::BTreeMap;
use std::error::Error;
use std::future::Future;
use std::sync::{Mutex, PoisonError};

use chancery_ledger::digest::Digest;
use chancery_ledger::id::CollaborationId;
use chancery_ledger::merkle::root;
use chancery_ledger::tile::{Tile, Tiles};

/// A checkpoint, a signed note, and its size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// The number of entries.
    pub size: u64,
    /// The note.
    pub note: String,
}

/// The logs can't be read or written now, or are corrupt.
#[derive(Debug, thiserror::Error)]
#[error("the logs are unavailable")]
pub struct LogsError(#[source] pub Box<dyn Error + Send + Sync>);

/// The logs of a service. The contract is in `tests/logs.rs`.
pub trait Logs: Send + Sync + 'static {
    /// Collaborations and the sizes of their logs, by id, those after `after`. Only an empty answer
    /// is the end.
    fn heads(
        &self,
        after: Option<CollaborationId>,
    ) -> impl Future<Output = Result<Vec<(CollaborationId, u64)>, LogsError>> + Send;

    /// The newest checkpoint that the log signed; `None` if there is no log.
    fn head(
        &self,
        c: CollaborationId,
    ) -> impl Future<Output = Result<Option<Signed>, LogsError>> + Send;

    /// The tiles asked for; those beyond the log are left out.
    fn tiles(
        &self,
        c: CollaborationId,
        tiles: &[Tile],
    ) -> impl Future<Output = Result<Tiles, LogsError>> + Send;

    /// The newest cosigned checkpoint that was kept.
    fn cosigned(
        &self,
        c: CollaborationId,
    ) -> impl Future<Output = Result<Option<Signed>, LogsError>> + Send;

    /// Keeps a cosigned checkpoint in place of an older one or one of the same size; false where a
    /// newer one is kept.
    fn put_cosigned(
        &self,
        c: CollaborationId,
        signed: Signed,
    ) -> impl Future<Output = Result<bool, LogsError>> + Send;
}

/// Logs in memory, for tests.
#[derive(Debug, Default)]
pub struct InMemory {
    logs: Mutex<BTreeMap<CollaborationId, Log>>,
}

#[derive(Debug, Clone, Default)]
struct Log {
    leaves: Vec<Digest>,
    head: Option<Signed>,
    cosigned: Option<Signed>,
}

impl InMemory {
    /// Appends leaves and sets the checkpoint that `sign` makes of the new size and root.
    pub fn append(
        &self,
        c: CollaborationId,
        leaves: &[Digest],
        sign: impl FnOnce(u64, Digest) -> String,
    ) {
        self.with(c, |log| {
            log.leaves.extend_from_slice(leaves);
            let size = log.leaves.len() as u64;
            log.head = Some(Signed { size, note: sign(size, root(&log.leaves)) });
        });
    }

    fn with<T>(&self, c: CollaborationId, act: impl FnOnce(&mut Log) -> T) -> T {
        let mut logs = self.logs.lock().unwrap_or_else(PoisonError::into_inner);
        act(logs.entry(c).or_default())
    }
}

impl Logs for InMemory {
    async fn heads(
        &self,
        after: Option<CollaborationId>,
    ) -> Result<Vec<(CollaborationId, u64)>, LogsError> {
        let logs = self.logs.lock().unwrap_or_else(PoisonError::into_inner);
        let heads = logs.iter().filter(|(c, _)| after.is_none_or(|after| **c > after));
        Ok(heads.filter_map(|(c, log)| Some((*c, log.head.as_ref()?.size))).collect())
    }

    async fn head(&self, c: CollaborationId) -> Result<Option<Signed>, LogsError> {
        Ok(self.with(c, |log| log.head.clone()))
    }

    async fn tiles(&self, c: CollaborationId, tiles: &[Tile]) -> Result<Tiles, LogsError> {
        let hashes = |leaves: &[Digest], tile: &Tile| -> Option<Vec<Digest>> {
            let each = 256_usize.checked_pow(tile.level.into())?;
            let first = usize::try_from(tile.first()).ok()?.checked_mul(each)?;
            let len = usize::from(tile.width).checked_mul(each)?;
            let spanned = leaves.get(first..first.checked_add(len)?)?;
            Some(spanned.chunks(each).map(root).collect())
        };
        Ok(self.with(c, |log| {
            let found = tiles.iter().filter_map(|tile| Some((*tile, hashes(&log.leaves, tile)?)));
            found.collect()
        }))
    }

    async fn cosigned(&self, c: CollaborationId) -> Result<Option<Signed>, LogsError> {
        Ok(self.with(c, |log| log.cosigned.clone()))
    }

    async fn put_cosigned(&self, c: CollaborationId, signed: Signed) -> Result<bool, LogsError> {
        Ok(self.with(c, |log| {
            let stale = log.cosigned.as_ref().is_some_and(|kept| kept.size > signed.size);
            if !stale {
                log.cosigned = Some(signed);
            }
            !stale
        }))
    }
}
