//! The log in time: its entries in order, and what stood at a moment.

use std::collections::BTreeMap;

use chancery_governance::member::Ability;
use chancery_governance::state::lifecycle::Lifecycle;
use chancery_governance::subject::Subject;
use chancery_ledger::digest::Digest;
use chancery_ledger::entry::Actor;
use chancery_ledger::id::{DatasetId, MemberId, QueryId, RunId};
use chancery_ledger::key::KeyId;

use super::{By, Listed, Mark, Published, Stamp};
use crate::view::Moment;

/// The entries from a position on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timeline {
    /// The position of the first.
    pub from: u64,
    /// The Merkle root over the entries before `from`; none where the log is shorter.
    pub root_before: Option<Digest>,
    /// The entries.
    pub entries: Listed<Line>,
    /// How many of each type there are from `from` on, listed or not.
    pub kinds: BTreeMap<&'static str, u64>,
}

impl Timeline {
    /// The position of the first entry that is left out after those listed.
    pub fn next(&self) -> Option<u64> {
        let last = self.entries.last().filter(|_| self.entries.left_out() > 0)?;
        Some(last.stamp.position.saturating_add(1))
    }
}

/// An entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Where and when.
    pub stamp: Stamp,
    /// Its type, as in `QueryApproved`.
    pub kind: &'static str,
    /// What it is about.
    pub subject: Subject,
    /// Who caused it.
    pub actor: Actor,
    /// By what right it stands there.
    pub by: By,
    /// Its Merkle leaf hash.
    pub leaf: Digest,
}

/// What came of asking for a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum At {
    /// What stood then.
    State(Box<StateAt>),
    /// The log had not begun.
    BeforeFirst,
    /// The log ends before that position; whether it went on is not known here.
    BeyondEnd,
}

/// The state as of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateAt {
    /// What was asked for.
    pub asked: Moment,
    /// The last entry that counts.
    pub stamp: Stamp,
    /// Whether that is the log's last entry.
    pub is_last: bool,
    /// Whether it was open, paused or closed.
    pub lifecycle: Lifecycle,
    /// The applications that may run queries.
    pub applications: Vec<Digest>,
    /// The members, by id.
    pub members: Listed<MemberAt>,
    /// The datasets in use, by id.
    pub datasets: Listed<DatasetAt>,
    /// The queries, by id.
    pub queries: Listed<QueryAt>,
    /// The marks against use.
    pub marks: Listed<Mark>,
    /// The runs without an outcome.
    pub runs: Listed<RunAt>,
}

/// A member, at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberAt {
    /// Its id.
    pub id: MemberId,
    /// The organisation that it speaks for.
    pub organisation: String,
    /// What it can do.
    pub abilities: Vec<Ability>,
    /// The keys that sign for it.
    pub keys: Listed<KeyId>,
}

/// A dataset in use, at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatasetAt {
    /// Its id.
    pub id: DatasetId,
    /// Its name.
    pub name: String,
    /// Who published it.
    pub owner: MemberId,
    /// Its version then.
    pub version: Published,
}

/// A query, at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryAt {
    /// Its id.
    pub id: QueryId,
    /// Its name.
    pub name: String,
    /// Where it stood, as in `accepted`.
    pub state: &'static str,
    /// The digest of what was up for votes or accepted.
    pub digest: Option<Digest>,
    /// The votes in favour that stood, by position.
    pub votes: Vec<VoteAt>,
    /// The approvers whose votes were missing.
    pub pending: Vec<MemberId>,
}

/// A vote in favour, at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VoteAt {
    /// Where it stands.
    pub position: u64,
    /// Who cast it.
    pub member: MemberId,
    /// When and by what right; none where the report does not list the vote itself.
    pub cast: Option<(u64, By)>,
}

/// A run without an outcome, at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunAt {
    /// Its id.
    pub id: RunId,
    /// The query.
    pub query: QueryId,
    /// Where it stood, as in `started`.
    pub state: &'static str,
}
