//! A query's stages.

use std::collections::{BTreeMap, BTreeSet};

use chancery_ledger::digest::Digest;
use chancery_ledger::id::{MemberId, RuleId};

use crate::member::ApprovalGroup;
use crate::query::{Binding, Definition};
use crate::reason::Reason;

/// A query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// Who drafted it.
    pub author: MemberId,
    /// Its text and bindings, as last drafted or revised.
    pub definition: Definition,
    /// Where it stands.
    pub stage: Stage,
}

/// Where a query stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// Its author works on it.
    Draft,
    /// It is up for votes.
    Proposed(Proposal),
    /// Every approver said yes.
    Accepted(Proposal),
    /// An approver said no.
    Rejected {
        /// The proposal as it stood.
        proposal: Proposal,
        /// Who said no.
        by: MemberId,
    },
    /// Its author took it back.
    Withdrawn,
    /// What was voted on no longer is what would run.
    Superseded {
        /// The proposal as it stood.
        proposal: Proposal,
        /// Why.
        reason: Reason,
    },
}

/// What is up for votes, and the votes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// What the votes are about.
    pub binding: Binding,
    /// Its digest.
    pub digest: Digest,
    /// Whose votes it takes.
    pub approvers: BTreeSet<MemberId>,
    /// The groups of which so many must approve beside them.
    pub groups: Vec<ApprovalGroup>,
    /// The votes in favour.
    pub votes: BTreeMap<MemberId, Vote>,
}

/// A vote in favour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vote {
    /// Where it stands.
    pub position: u64,
    /// The leaf hash of its entry.
    pub leaf: Digest,
    /// The rule that cast it, where its member did not do so itself.
    pub rule: Option<RuleId>,
    /// Who alone may run the query on it, where it was cast by a rule that says so.
    pub runner: Option<MemberId>,
}

impl Query {
    /// The proposal, while votes or runs can refer to it.
    pub const fn live_proposal(&self) -> Option<&Proposal> {
        match &self.stage {
            Stage::Proposed(proposal) | Stage::Accepted(proposal) => Some(proposal),
            Stage::Draft | Stage::Rejected { .. } | Stage::Withdrawn | Stage::Superseded { .. } => {
                None
            }
        }
    }
}

impl Stage {
    /// The stage's name, as views show it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Proposed(_) => "proposed",
            Self::Accepted(_) => "accepted",
            Self::Rejected { .. } => "rejected",
            Self::Withdrawn => "withdrawn",
            Self::Superseded { .. } => "superseded",
        }
    }
}

impl Proposal {
    /// The approvers who have not voted yet.
    pub fn pending(&self) -> impl Iterator<Item = MemberId> + '_ {
        self.approvers.iter().copied().filter(|member| !self.votes.contains_key(member))
    }

    /// Whether a member has a vote: as an owner of a dataset, or in a group.
    pub fn has_vote(&self, member: MemberId) -> bool {
        self.approvers.contains(&member)
            || self.groups.iter().any(|group| group.members.contains(&member))
    }

    /// Who has a vote, some more than once.
    pub fn voters(&self) -> impl Iterator<Item = MemberId> + '_ {
        let groups = self.groups.iter().flat_map(|group| group.members.iter());
        self.approvers.iter().chain(groups).copied()
    }

    /// The groups of which too few have approved, were `with` to approve too, and how many more it
    /// takes.
    pub fn short_groups(
        &self,
        with: Option<MemberId>,
    ) -> impl Iterator<Item = (&ApprovalGroup, u64)> {
        self.groups.iter().filter_map(move |group| {
            let voted =
                |member: &&MemberId| self.votes.contains_key(member) || with == Some(**member);
            let votes = group.members.iter().filter(voted).count() as u64;
            (votes < group.needed).then(|| (group, group.needed - votes))
        })
    }

    /// Whether it has every vote that it takes, were `with` to approve too.
    pub fn carried(&self, with: Option<MemberId>) -> bool {
        self.pending().all(|member| Some(member) == with)
            && self.short_groups(with).next().is_none()
    }

    /// The leaf hashes of the votes, by position.
    pub fn vote_leaves(&self) -> Vec<Digest> {
        let by_position: BTreeMap<u64, Digest> =
            self.votes.values().map(|vote| (vote.position, vote.leaf)).collect();
        by_position.into_values().collect()
    }
}
