//! The newest checkpoint with cosignatures of witnesses, beside the head that the log signed.

use chancery_ledger::id::CollaborationId;

use crate::append::CHECKPOINT_BYTES_MAX;
use crate::backend::{Backend as _, on};
use crate::group::{Outcome, Work};
use crate::writer::Failure;
use crate::{Fault, Head, ReadError, Store};

/// Why a cosigned checkpoint wasn't kept.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CosignError {
    /// Rejected: of no entries, or longer than [`CHECKPOINT_BYTES_MAX`].
    #[error(
        "a cosigned checkpoint is of 1 entry or more, and at most {CHECKPOINT_BYTES_MAX} bytes"
    )]
    Invalid,
    /// Rejected: the log is shorter.
    #[error("the log has {head} entries only")]
    Beyond {
        /// Entries in the log.
        head: u64,
    },
    /// Conflict: there is a newer one.
    #[error("there is a cosigned checkpoint of {newest} entries")]
    Stale {
        /// Its size.
        newest: u64,
    },
    /// It may or may not have been kept. Repeat it.
    #[error("the cosigned checkpoint can't be written now")]
    Unavailable(#[source] Fault),
    /// The database holds what this store never writes.
    #[error("the cosigned checkpoints are corrupt: {0}")]
    Corrupt(&'static str),
}

/// One cosigned checkpoint to keep.
pub(crate) struct Cosign {
    pub collaboration: CollaborationId,
    pub size: u64,
    pub note: String,
}

impl Store {
    /// Keeps `note`, the checkpoint of `size` entries with cosignatures, in place of an older one
    /// or of one of the same size; durable when this returns `Ok`.
    ///
    /// # Errors
    ///
    /// See [`CosignError`].
    pub async fn put_cosigned(
        &self,
        c: CollaborationId,
        size: u64,
        note: &str,
    ) -> Result<(), CosignError> {
        if size == 0 || note.len() > CHECKPOINT_BYTES_MAX {
            return Err(CosignError::Invalid);
        }
        let cosign = Cosign { collaboration: c, size, note: note.to_owned() };
        match self.write(Work::Cosign(cosign)).await {
            Ok(Outcome::Cosign(result)) => result,
            Ok(_) => Err(CosignError::Unavailable(Fault::stopped())),
            Err(
                Failure::NotStored(fault) | Failure::Unreachable(fault) | Failure::Unknown(fault),
            ) => Err(CosignError::Unavailable(fault)),
            Err(Failure::Corrupt(what)) => Err(CosignError::Corrupt(what)),
        }
    }

    /// The newest checkpoint with cosignatures; `None` if there is none. Its size is at most the
    /// head's.
    ///
    /// # Errors
    ///
    /// See [`ReadError`].
    pub async fn cosigned(&self, c: CollaborationId) -> Result<Option<Head>, ReadError> {
        on!(self, database => database.cosigned(c).await)
    }
}
