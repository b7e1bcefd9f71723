//! What of a log a report tells at length, beside what it always tells.

use std::collections::BTreeSet;

use chancery_ledger::digest::Digest;
use chancery_ledger::id::RunId;

/// What an auditor asks for. The default: the lists from the first entry on, and nothing more.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct View {
    /// Timeline, votes, runs and releases are listed from the entry at this position on.
    pub from: u64,
    /// The moment whose state is told: what stood then.
    pub at: Option<Moment>,
    /// The digests of result files to look for in the manifests.
    pub files: BTreeSet<Digest>,
    /// The only run whose manifest counts, where one is named.
    pub files_of: Option<RunId>,
}

/// A moment of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// After the entry at this position.
    Position(u64),
    /// After the last entry that was sealed at or before this time, by the service's clock:
    /// milliseconds since the Unix epoch.
    Time(u64),
}

impl Moment {
    /// Whether an entry comes after it.
    pub const fn is_before(self, position: u64, time_ms: u64) -> bool {
        match self {
            Self::Position(at) => position > at,
            Self::Time(at) => time_ms > at,
        }
    }
}
