//! Whether a collaboration is open, paused or closed.

use chancery_ledger::id::MemberId;

/// Where a collaboration stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Lifecycle {
    /// Queries can run.
    #[default]
    Open,
    /// No query runs until it is resumed.
    Paused(Standing),
    /// For good: nothing is left but reading, export and erasure.
    Closed(Standing),
}

/// Who moved it, where and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The member.
    pub by: MemberId,
    /// The position in the log.
    pub position: u64,
    /// When, milliseconds since the Unix epoch.
    pub time_ms: u64,
    /// Why, in the member's words.
    pub reason: String,
}

impl Lifecycle {
    /// Its name, as views show it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Paused(_) => "paused",
            Self::Closed(_) => "closed",
        }
    }

    pub(super) fn pause(&mut self, standing: Standing) -> Result<(), &'static str> {
        match self {
            Self::Open => *self = Self::Paused(standing),
            Self::Paused(_) | Self::Closed(_) => return Err("the collaboration is not open"),
        }
        Ok(())
    }

    pub(super) fn resume(&mut self) -> Result<(), &'static str> {
        match self {
            Self::Paused(_) => *self = Self::Open,
            Self::Open | Self::Closed(_) => return Err("the collaboration is not paused"),
        }
        Ok(())
    }

    pub(super) fn close(&mut self, standing: Standing) -> Result<(), &'static str> {
        match self {
            Self::Open | Self::Paused(_) => *self = Self::Closed(standing),
            Self::Closed(_) => return Err("the collaboration is closed"),
        }
        Ok(())
    }
}
