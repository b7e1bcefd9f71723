//! How witnessing stands, for operators.

use std::collections::BTreeMap;

use chancery_ledger::id::CollaborationId;

/// How witnessing stands: a copy, of one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Status {
    /// By witness, in the policy's order.
    pub witnesses: Vec<WitnessStatus>,
    /// By log.
    pub logs: BTreeMap<CollaborationId, LogStatus>,
}

/// How a log stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LogStatus {
    /// Entries in the log, as last seen.
    pub head: u64,
    /// Entries in the newest checkpoint that enough witnesses cosigned; 0 for none.
    pub cosigned: u64,
    /// Entries in the checkpoint that witnesses are asked for now.
    pub target: u64,
    /// How many of them have cosigned that.
    pub cosignatures: usize,
}

impl LogStatus {
    /// Entries that no sufficiently cosigned checkpoint covers.
    pub const fn lag(&self) -> u64 {
        self.head.saturating_sub(self.cosigned)
    }
}

/// How a witness does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WitnessStatus {
    /// Its name.
    pub name: String,
    /// Requests sent to it.
    pub asked: u64,
    /// Those that it cosigned.
    pub cosigned: u64,
    /// Outages in a row; 0 when it last answered.
    pub outages: u32,
    /// The last error, of whatever log, until it cosigns again for that log.
    pub last_error: Option<String>,
    /// By log.
    pub logs: BTreeMap<CollaborationId, WitnessLogStatus>,
}

/// How a witness does with one log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WitnessLogStatus {
    /// Entries in the last checkpoint that it is known to have cosigned; 0 for none.
    pub size: u64,
    /// When it last cosigned one, by its own clock, in seconds since the Unix epoch.
    pub time: Option<u64>,
    /// Why it did not cosign the last time, if it did not.
    pub error: Option<String>,
}
