//! Change requests: who votes, how many it takes, where each stands.

use std::collections::{BTreeMap, BTreeSet};

use chancery_ledger::digest::Digest;
use chancery_ledger::id::MemberId;

use super::Collaboration;
use super::query::Vote;
use crate::change::Change;
use crate::reason::Reason;

/// A change request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeRequest {
    /// Who asks for it.
    pub proposer: MemberId,
    /// What for.
    pub change: Change,
    /// Until when votes count, milliseconds since the Unix epoch.
    pub expires_ms: Option<u64>,
    /// The digest of all that the votes are about.
    pub digest: Digest,
    /// The votes in favour. Those of former members don't count.
    pub approvals: BTreeMap<MemberId, Vote>,
    /// Who said no. Those of former members don't count.
    pub rejections: BTreeSet<MemberId>,
    /// Where it stands.
    pub stage: Stage,
}

/// Where a change request stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// It is up for votes.
    Open,
    /// It is made.
    Committed,
    /// So many said no that it can't get its votes.
    Rejected,
    /// Its proposer took it back.
    Withdrawn,
    /// It can't be made any more.
    Superseded(Reason),
}

impl Stage {
    /// The stage's name, as views show it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Committed => "committed",
            Self::Rejected => "rejected",
            Self::Withdrawn => "withdrawn",
            Self::Superseded(_) => "superseded",
        }
    }
}

/// How the votes on a change stand among those who are members now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// Who has a vote: the members, but for the one whom the change takes something from.
    pub electorate: BTreeSet<MemberId>,
    /// How many must say yes.
    pub needed: usize,
    /// How many did.
    pub approvals: usize,
    /// How many said no.
    pub rejections: usize,
}

impl Tally {
    /// Whether it has its votes.
    pub const fn carried(&self) -> bool {
        self.approvals >= self.needed
    }

    /// Whether so many said no that it can't get them.
    pub fn lost(&self) -> bool {
        self.electorate.len().saturating_sub(self.rejections) < self.needed
    }
}

impl Collaboration {
    /// Who has a vote on `change` now.
    pub fn electorate(&self, change: &Change) -> BTreeSet<MemberId> {
        let concerned = change.concerned();
        self.members.keys().copied().filter(|member| Some(*member) != concerned).collect()
    }

    /// How the votes on a change stand now.
    pub fn tally(&self, request: &ChangeRequest) -> Tally {
        let electorate = self.electorate(&request.change);
        let all = electorate.len();
        let threshold = self.terms.change_threshold.and_then(|needed| usize::try_from(needed).ok());
        let counted = |member: &&MemberId| electorate.contains(member);
        Tally {
            // Nobody at all carries nothing.
            needed: threshold.map_or(all, |needed| needed.min(all)).max(1),
            approvals: request.approvals.keys().filter(counted).count(),
            rejections: request.rejections.iter().filter(counted).count(),
            electorate,
        }
    }
}
