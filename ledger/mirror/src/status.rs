//! How mirroring stands, for metrics, the API and the log.

/// How a log's mirror stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It follows.
    Following,
    /// The other side can't be reached, or fails: tried again.
    Unavailable(String),
    /// The consortium refuses, with this code: tried again, at length.
    Blocked(String),
    /// The two sides hold different histories: stopped, for people to look at.
    Diverged(String),
}

/// How far a log's mirror is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogStatus {
    /// Entries in the log.
    pub size: u64,
    /// Entries that the other side took.
    pub sent: u64,
    /// Entries with a verified receipt.
    pub mirrored: u64,
    /// Whether it goes on.
    pub state: State,
}

impl LogStatus {
    /// Entries without a verified receipt.
    pub const fn lag(&self) -> u64 {
        self.size.saturating_sub(self.mirrored)
    }
}
