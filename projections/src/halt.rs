//! Why views don't move: for now, or for good.

use chancery_governance::log::FoldError;
use chancery_ledger::entry;
use chancery_ledger::id::CollaborationId;
use chancery_store::ReadError;

use crate::views::ViewsError;

/// Views of a collaboration that have stopped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{collaboration} at position {position}")]
pub struct Halt {
    /// Whose views.
    pub collaboration: CollaborationId,
    /// The first entry that they do not show.
    pub position: u64,
    /// What is wrong with it.
    #[source]
    pub cause: Corrupt,
}

/// What is wrong with an entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Corrupt {
    /// The store can't give it.
    #[error("the store is corrupt: {0}")]
    Store(&'static str),
    /// Its bytes are no entry.
    #[error("its bytes are no entry")]
    Entry(#[source] entry::OpenError),
    /// Its bytes don't have the leaf hash that was stored beside them.
    #[error("its bytes do not have the stored leaf hash")]
    Leaf,
    /// It says that it stands somewhere else.
    #[error("it is of another log or position")]
    Place,
    /// It does not name the leaf hash of the entry before.
    #[error("it does not continue the chain")]
    Chain,
    /// Its subject or payload can't be read.
    #[error("what it records can't be read")]
    Read(#[source] FoldError),
    /// Its event does not fit the rows.
    #[error("{kind} is illegal here: {why}")]
    Illegal {
        /// The event's type.
        kind: &'static str,
        /// What does not fit.
        why: &'static str,
    },
    /// The log ends before what the views show: it is not the log that they were made from.
    #[error("the log has {size} entries only, fewer than its views show")]
    Shorter {
        /// The log's entries.
        size: u64,
    },
}

/// Why the views of a collaboration were not moved.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ProjectError {
    /// The log can't be read, now or at all.
    #[error("the log can't be read")]
    Log(#[source] ReadError),
    /// The views can't be written now, or hold a row that this release does not write.
    #[error("the views can't be written")]
    Views(#[source] ViewsError),
    /// Corrupt: they have stopped.
    #[error("the views have stopped")]
    Halted(#[source] Halt),
}

impl From<sqlx::Error> for ProjectError {
    fn from(error: sqlx::Error) -> Self {
        Self::Views(error.into())
    }
}

impl From<ViewsError> for ProjectError {
    fn from(error: ViewsError) -> Self {
        Self::Views(error)
    }
}
