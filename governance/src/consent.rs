//! Consent: each member's own mark against a kind of use of a thing.

use chancery_ledger::id::{CollaborationId, DatasetId, QueryId};

/// A kind of use that consent is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConsentKind {
    /// Runs.
    Execution,
    /// Logs that leave the clean room.
    Logging,
    /// Metrics and traces that leave it.
    Telemetry,
}

/// What consent is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Everything in the collaboration.
    Collaboration(CollaborationId),
    /// Every use of a dataset.
    Dataset(DatasetId),
    /// A query.
    Query(QueryId),
}
