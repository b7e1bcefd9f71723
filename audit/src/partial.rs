//! Partial bundles: the entries about one query, run or member, and those that they rest on.

pub(crate) mod needs;
mod select;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use chancery_governance::subject::Subject;
use chancery_ledger::digest::Digest;
use chancery_ledger::entry::Actor;
use chancery_ledger::id::{CollaborationId, MemberId, ParseIdError, QueryId, RunId};
use chancery_ledger::note::Checkpoint;

pub use select::Selection;

use crate::bundle::Gap;
use crate::report::{Found, Listed};

/// Most entries that a report lists.
pub const LISTED_MAX: usize = 10_000;
/// Most things that a verdict names as missing.
pub const MISSING_MAX: usize = 10;

/// What a partial bundle is about, written as the subject is: `query/<id>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// A query: its proposals, votes and runs.
    Query(QueryId),
    /// A run.
    Run(RunId),
    /// What a member did, and what was done about it.
    Member(MemberId),
}

impl Scope {
    /// The subject that it is about.
    pub const fn subject(self) -> Subject {
        match self {
            Self::Query(id) => Subject::Query(id),
            Self::Run(id) => Subject::Run(id),
            Self::Member(id) => Subject::Member(id),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.subject().fmt(f)
    }
}

impl FromStr for Scope {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse()? {
            Subject::Query(id) => Ok(Self::Query(id)),
            Subject::Run(id) => Ok(Self::Run(id)),
            Subject::Member(id) => Ok(Self::Member(id)),
            Subject::Collaboration(_)
            | Subject::Invitation(_)
            | Subject::Dataset(_)
            | Subject::Change(_)
            | Subject::Rule(_) => Err(ParseIdError),
        }
    }
}

/// The heights of the largest aligned perfect subtrees that cover `count` entries from `first`, from
/// left to right: at most two of each height. Nothing where their end passes 2^64 - 1.
pub fn subtrees(first: u64, count: u64) -> impl Iterator<Item = u8> {
    let end = first.checked_add(count).unwrap_or(first);
    let mut at = first;
    std::iter::from_fn(move || {
        let left = end - at;
        let fits = left.checked_ilog2()?;
        let height = at.trailing_zeros().min(fits);
        at += 1 << height;
        u8::try_from(height).ok()
    })
}

/// What a verified part of a log says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartialContents {
    /// What it is about.
    pub scope: Scope,
    /// The collaboration.
    pub collaboration: CollaborationId,
    /// Its name.
    pub name: String,
    /// The service's name.
    pub service: String,
    /// The checkpoint: origin, size and root.
    pub checkpoint: Checkpoint,
    /// When the bundle was exported, as its unsigned header says.
    pub exported_at_ms: u64,
    /// False where `insecure-virtual` evidence stands anywhere in the part.
    pub hardware: bool,
    /// The number of entries included.
    pub included: u64,
    /// The number of gaps.
    pub gaps: u64,
    /// The entries, by position: the first [`LISTED_MAX`].
    pub entries: Vec<Line>,
    /// What members, datasets and queries are called, as the listed entries say.
    pub names: BTreeMap<Subject, String>,
    /// Manifest entries with the digests that were looked for.
    pub found: Listed<Found>,
    /// What could not be verified, and why.
    pub not_checked: Vec<String>,
}

/// An entry of a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Where it stands.
    pub position: u64,
    /// When it was sealed, by the service's clock: milliseconds since the Unix epoch.
    pub time_ms: u64,
    /// Its type, as in `QueryApproved`.
    pub kind: String,
    /// What it is about.
    pub subject: Subject,
    /// Who caused it.
    pub actor: Actor,
    /// By what right it stands there, as in `member-signed`.
    pub authority: &'static str,
}

impl PartialContents {
    /// The number of entries left out.
    pub const fn left_out(&self) -> u64 {
        self.checkpoint.size - self.included
    }
}

/// Makes the gaps of a partial bundle from the leaf hashes of the entries left out.
#[derive(Debug, Default)]
pub struct GapMaker {
    first: u64,
    count: u64,
    /// The subtrees that are complete for now, with their heights.
    roots: Vec<(u8, Digest)>,
}

impl GapMaker {
    /// Leaves out the entry at `position`: the one after the last.
    pub fn leave_out(&mut self, position: u64, leaf: Digest) {
        if self.count == 0 {
            self.first = position;
        }
        self.count += 1;
        let (mut height, mut hash, mut index) = (0, leaf, position);
        // The left half of the same subtree, if it is in this gap too, joins.
        while index & 1 == 1
            && let Some((left, root)) = self.roots.last().copied()
            && left == height
        {
            self.roots.pop();
            hash = chancery_ledger::merkle::node_hash(&root, &hash);
            (height, index) = (height + 1, index >> 1);
        }
        self.roots.push((height, hash));
    }

    /// Ends the gap, if one is open: before an included entry, at the cosigned size, at the end.
    pub fn end(&mut self) -> Option<Gap> {
        let made = std::mem::take(self);
        (made.count > 0).then(|| Gap {
            first: made.first,
            count: made.count,
            roots: made.roots.into_iter().map(|(_, root)| root).collect(),
        })
    }
}
