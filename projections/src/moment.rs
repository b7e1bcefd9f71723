//! When something happened: the position in the log and the time of its entry.

use chancery_governance::state::Recorded;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A place in the log and its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Moment {
    /// The position in the collaboration's log.
    pub position: u64,
    /// When its entry was sealed, milliseconds since the Unix epoch.
    pub time_ms: u64,
}

impl Moment {
    pub(crate) const fn of(at: &Recorded) -> Self {
        Self { position: at.position, time_ms: at.time_ms }
    }
}
