//! A query's stages.

use std::collections::{BTreeMap, BTreeSet};

use chancery_ledger::digest::Digest;
use chancery_ledger::id::MemberId;

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

    /// The leaf hashes of the votes, by position.
    pub fn vote_leaves(&self) -> Vec<Digest> {
        let by_position: BTreeMap<u64, Digest> =
            self.votes.values().map(|vote| (vote.position, vote.leaf)).collect();
        by_position.into_values().collect()
    }
}
