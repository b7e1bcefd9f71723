//! Durable cursors: how far a named consumer has acknowledged each collaboration's log.

use std::collections::BTreeMap;

use chancery_ledger::id::CollaborationId;

use crate::backend::{Backend as _, on};
use crate::group::{Outcome, Work};
use crate::row::signed;
use crate::writer::Failure;
use crate::{Fault, ReadError, Store};

/// Bytes in a consumer's name, at most.
pub const CONSUMER_BYTES_MAX: usize = 64;

/// Why a cursor wasn't moved.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AdvanceError {
    /// Rejected: not forward, too far, or the name is empty or too long.
    #[error("a cursor moves forward, under a name of 1 to {CONSUMER_BYTES_MAX} bytes")]
    Invalid,
    /// Conflict: the cursor isn't where the caller believed. Two consumers share a name.
    #[error("the cursor is at {actual}, not where it was expected")]
    Conflict {
        /// Where it is.
        actual: u64,
    },
    /// It may or may not have moved. Repeat it; if it had moved, that is a `Conflict` at `to`.
    #[error("the cursor can't be written now")]
    Unavailable(#[source] Fault),
    /// The database holds what this store never writes.
    #[error("the cursors are corrupt: {0}")]
    Corrupt(&'static str),
}

/// One move of a cursor.
pub(crate) struct Advance {
    pub consumer: String,
    pub collaboration: CollaborationId,
    pub from: u64,
    pub to: u64,
}

impl Store {
    /// How many entries of the collaboration `consumer` has acknowledged: the position it wants
    /// next. 0 if it has none.
    ///
    /// # Errors
    ///
    /// See [`ReadError`].
    pub async fn cursor(&self, consumer: &str, c: CollaborationId) -> Result<u64, ReadError> {
        on!(self, database => database.cursor(consumer, c).await)
    }

    /// All cursors of `consumer` that are above 0.
    ///
    /// # Errors
    ///
    /// See [`ReadError`].
    pub async fn cursors(
        &self,
        consumer: &str,
    ) -> Result<BTreeMap<CollaborationId, u64>, ReadError> {
        on!(self, database => database.cursors(consumer).await)
    }

    /// Moves a cursor from `from` to `to` if it is at `from` (0: there is none yet); durable when
    /// this returns `Ok`.
    ///
    /// # Errors
    ///
    /// See [`AdvanceError`].
    pub async fn advance_cursor(
        &self,
        consumer: &str,
        c: CollaborationId,
        from: u64,
        to: u64,
    ) -> Result<(), AdvanceError> {
        if to <= from
            || signed(to).is_none()
            || consumer.is_empty()
            || consumer.len() > CONSUMER_BYTES_MAX
        {
            return Err(AdvanceError::Invalid);
        }
        let advance = Advance { consumer: consumer.to_owned(), collaboration: c, from, to };
        match self.write(Work::Advance(advance)).await {
            Ok(Outcome::Advance(result)) => result,
            Ok(_) => Err(AdvanceError::Unavailable(Fault::stopped())),
            Err(
                Failure::NotStored(fault) | Failure::Unreachable(fault) | Failure::Unknown(fault),
            ) => Err(AdvanceError::Unavailable(fault)),
            Err(Failure::Corrupt(what)) => Err(AdvanceError::Corrupt(what)),
        }
    }
}
