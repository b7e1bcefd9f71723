//! Receipts of a mirror, beside the entries that they are for: kept in order, each once, for ever.

use chancery_ledger::digest::Digest;
use chancery_ledger::id::CollaborationId;

use crate::backend::{Backend as _, on};
use crate::group::{Outcome, Work};
use crate::row::signed;
use crate::writer::Failure;
use crate::{Fault, ReadError, Store};

/// Bytes of a receipt, at most.
pub const MIRROR_RECEIPT_BYTES_MAX: usize = 512 << 10;
/// Bytes of a service's certificate, at most.
pub const MIRROR_CERTIFICATE_BYTES_MAX: usize = 16 << 10;
/// Bytes of a kind or of a transaction's id, at most.
pub const MIRROR_NAME_BYTES_MAX: usize = 64;
/// Receipts in one answer of [`Store::mirror_receipts`], at most.
pub const MIRROR_RECEIPTS_MAX: u32 = 256;

/// That a batch of entries is in the ledger of a mirror. The store looks at positions only; who keeps
/// it has verified the receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MirrorReceipt {
    /// Position of the batch's first entry.
    pub first: u64,
    /// Entries in the log after it: its own end.
    pub size: u64,
    /// The root over the log of that size.
    pub root: Digest,
    /// What stands behind the mirror, as in `ccf`.
    pub kind: String,
    /// The transaction's id there.
    pub transaction: String,
    /// The certificate of the service that the receipt was verified under, in DER.
    pub service: Vec<u8>,
    /// The receipt.
    pub receipt: Vec<u8>,
}

impl MirrorReceipt {
    fn is_in_bounds(&self) -> bool {
        let name = |text: &str| (1..=MIRROR_NAME_BYTES_MAX).contains(&text.len());
        self.first < self.size
            && signed(self.size).is_some()
            && name(&self.kind)
            && name(&self.transaction)
            && (1..=MIRROR_CERTIFICATE_BYTES_MAX).contains(&self.service.len())
            && (1..=MIRROR_RECEIPT_BYTES_MAX).contains(&self.receipt.len())
    }

    /// Bytes that it takes, about.
    pub(crate) const fn bytes(&self) -> usize {
        self.receipt.len() + self.service.len()
    }
}

/// Why a receipt wasn't kept.
#[derive(Debug, Clone, thiserror::Error)]
pub enum MirrorError {
    /// Rejected: of no entries, or a part of it is empty or too long.
    #[error("the receipt is of no entries, or a part of it is empty or beyond its bound")]
    Invalid,
    /// Rejected: the log is shorter.
    #[error("the log has {head} entries only")]
    Beyond {
        /// Entries in the log.
        head: u64,
    },
    /// Conflict: it doesn't begin where the newest one ends.
    #[error("there are receipts for {mirrored} entries: the next one begins there")]
    Conflict {
        /// Entries with a receipt.
        mirrored: u64,
    },
    /// It may or may not have been kept. Look, and repeat it.
    #[error("the receipt can't be written now")]
    Unavailable(#[source] Fault),
    /// The database holds what this store never writes.
    #[error("the receipts are corrupt: {0}")]
    Corrupt(&'static str),
}

/// One receipt to keep.
pub(crate) struct Keep {
    pub collaboration: CollaborationId,
    pub receipt: MirrorReceipt,
}

impl Store {
    /// Keeps a receipt that begins where the newest one ends; durable when this returns `Ok`.
    ///
    /// # Errors
    ///
    /// See [`MirrorError`].
    pub async fn keep_mirror_receipt(
        &self,
        c: CollaborationId,
        receipt: MirrorReceipt,
    ) -> Result<(), MirrorError> {
        if !receipt.is_in_bounds() {
            return Err(MirrorError::Invalid);
        }
        match self.write(Work::Keep(Keep { collaboration: c, receipt })).await {
            Ok(Outcome::Keep(result)) => result,
            Ok(_) => Err(MirrorError::Unavailable(Fault::stopped())),
            Err(
                Failure::NotStored(fault) | Failure::Unreachable(fault) | Failure::Unknown(fault),
            ) => Err(MirrorError::Unavailable(fault)),
            Err(Failure::Corrupt(what)) => Err(MirrorError::Corrupt(what)),
        }
    }

    /// Entries with a receipt: those from 0 up to the end of the newest one. At most the log's size.
    ///
    /// # Errors
    ///
    /// See [`ReadError`].
    pub async fn mirrored(&self, c: CollaborationId) -> Result<u64, ReadError> {
        on!(self, database => database.mirrored(c).await)
    }

    /// The receipt of the batch that holds a position; `None` while there is none.
    ///
    /// # Errors
    ///
    /// See [`ReadError`].
    pub async fn mirror_receipt(
        &self,
        c: CollaborationId,
        position: u64,
    ) -> Result<Option<MirrorReceipt>, ReadError> {
        let Some(position) = signed(position) else { return Ok(None) };
        on!(self, database => database.mirror_receipt(c, position).await)
    }

    /// Receipts of batches that begin at `from` or later, in order; at most `limit` and
    /// [`MIRROR_RECEIPTS_MAX`], and fewer where they are long. Only an empty answer is the end.
    ///
    /// # Errors
    ///
    /// See [`ReadError`].
    pub async fn mirror_receipts(
        &self,
        c: CollaborationId,
        from: u64,
        limit: u32,
    ) -> Result<Vec<MirrorReceipt>, ReadError> {
        let Some(from) = signed(from) else { return Ok(Vec::new()) };
        let limit = limit.min(MIRROR_RECEIPTS_MAX);
        on!(self, database => database.mirror_receipts(c, from, limit).await)
    }
}
