//! What ends a delivery.

use chancery_ledger::id::CollaborationId;

/// An error of a port's implementation.
pub type Source = Box<dyn std::error::Error + Send + Sync>;

/// Why a subscription delivered or acknowledged nothing.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// The log or the cursors don't answer. Call again: the subscription keeps its place, and
    /// itself waits longer after each failure in a row.
    #[error("the log or the cursors are unavailable")]
    Unavailable(#[source] Source),
    /// The cursor was moved by another: two consumers share a name, or this one was replaced.
    /// Open the subscription anew.
    #[error(
        "the cursor of collaboration {collaboration} is at {actual}: another consumer moved it"
    )]
    Conflict {
        /// Whose log.
        collaboration: CollaborationId,
        /// Where the cursor is.
        actual: u64,
    },
    /// What isn't delivered yet can't be acknowledged.
    #[error("the acknowledged entry has not been delivered")]
    NotDelivered,
    /// The log or the cursors contradict themselves. Stop; nothing is skipped.
    #[error("the feed is corrupt")]
    Corrupt(#[source] Corruption),
}

/// What contradicts what.
#[derive(Debug, thiserror::Error)]
pub enum Corruption {
    /// The log says so itself.
    #[error("the log is corrupt")]
    Log(#[source] Source),
    /// The cursors can't be read as cursors.
    #[error("the cursors are corrupt")]
    Cursors(#[source] Source),
    /// A range of the log isn't contiguous.
    #[error("collaboration {collaboration} gave position {found} in place of {expected}")]
    Gap {
        /// Whose log.
        collaboration: CollaborationId,
        /// The position that comes next.
        expected: u64,
        /// The one the log gave.
        found: u64,
    },
    /// The log ends before what was acknowledged: it was rolled back or replaced.
    #[error(
        "collaboration {collaboration} has {size} entries, but {acknowledged} were acknowledged"
    )]
    Shrunk {
        /// Whose log.
        collaboration: CollaborationId,
        /// Entries in the log.
        size: u64,
        /// Entries acknowledged before.
        acknowledged: u64,
    },
}
