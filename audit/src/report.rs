//! What a verified log says. There are no contents without the verdict `Verified`.

mod agreed;
mod listed;
mod moment;
mod people;
mod work;

use std::collections::BTreeMap;

use chancery_governance::member::Terms;
use chancery_governance::state::lifecycle::Lifecycle;
use chancery_ledger::digest::Digest;
use chancery_ledger::id::CollaborationId;
use chancery_ledger::note::Checkpoint;

use crate::check::Verdict;
use crate::partial::PartialContents;
use crate::standing::Standing;

pub use agreed::*;
pub use listed::*;
pub use moment::*;
pub use people::*;
pub use work::*;

/// The outcome of an audit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The verdict.
    pub verdict: Verdict,
    /// What the log says, where it was verified.
    pub contents: Option<Box<Contents>>,
    /// What a part of a log says, where that was verified.
    pub partial: Option<Box<PartialContents>>,
    /// Who stands behind the log, where it, or the part of it, was verified.
    pub standing: Option<Standing>,
}

/// A verified log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// False where `insecure-virtual` evidence stands anywhere in the log: no hardware behind it.
    pub hardware: bool,
    /// The collaboration.
    pub collaboration: CollaborationId,
    /// Its name.
    pub name: String,
    /// Its terms.
    pub terms: Terms,
    /// Whether it is open, paused or closed at the end, by whom and why.
    pub lifecycle: Lifecycle,
    /// The service that sealed the log.
    pub service: Service,
    /// The checkpoint: origin, size and root.
    pub checkpoint: Checkpoint,
    /// The signed note that it was read from.
    pub note: String,
    /// When the first entry was sealed, by the service's clock: milliseconds since the Unix epoch.
    pub first_time_ms: u64,
    /// When the last one was.
    pub last_time_ms: u64,
    /// When the bundle was exported, as its unsigned header says.
    pub exported_at_ms: u64,
    /// The members, by id.
    pub members: Listed<Member>,
    /// The datasets, by id.
    pub datasets: Listed<Dataset>,
    /// The queries, by id.
    pub queries: Listed<Query>,
    /// The change requests, by id.
    pub changes: Listed<Change>,
    /// The auto-approval rules, by id.
    pub rules: Listed<Rule>,
    /// What was proposed or run, by digest.
    pub bound: BTreeMap<Digest, Bound>,
    /// How many proposals `bound` has no room for.
    pub bound_left_out: u64,
    /// The runs, in the order of their requests.
    pub runs: Listed<Run>,
    /// Which code ran what, in the order of the first admissions. What is left out are admissions.
    pub code: Listed<Code>,
    /// Who got what, in order.
    pub releases: Listed<Release>,
    /// How many of them, listed or not, are secrets that the service itself gave out.
    pub secrets: u64,
    /// The marks against use that stand at the end.
    pub marks: Listed<Mark>,
    /// What rests on the service's word only.
    pub service_word: ServiceWord,
    /// The entries.
    pub timeline: Timeline,
    /// What stood at the moment that was asked for.
    pub at: Option<At>,
    /// Manifest entries with the digests that were looked for.
    pub found: Listed<Found>,
    /// What could not be verified, and why.
    pub not_checked: Vec<NotChecked>,
}

/// Something that could not be verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotChecked {
    /// What.
    pub what: String,
    /// Why.
    pub why: String,
}

impl NotChecked {
    /// Something and the reason.
    pub fn new(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self { what: what.into(), why: why.into() }
    }
}
