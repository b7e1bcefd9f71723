//! What they agreed on beside queries: changes of terms and membership, approvals in advance.

use chancery_governance::change::Change as What;
use chancery_governance::member::Departure;
use chancery_governance::reason::Reason;
use chancery_governance::rule::ApprovalRule;
use chancery_ledger::digest::Digest;
use chancery_ledger::id::{ChangeId, MemberId, RuleId};

use super::{By, Places, Stamp};

/// A change request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its id.
    pub id: ChangeId,
    /// Who asked for it.
    pub proposer: MemberId,
    /// What for.
    pub what: What,
    /// When.
    pub proposed: Stamp,
    /// The digest that votes name.
    pub digest: Digest,
    /// Where it stands, as in `committed`.
    pub state: &'static str,
    /// Every vote cast on it, by position.
    pub votes: Vec<ChangeVote>,
    /// When it was made.
    pub committed: Option<Stamp>,
    /// Why it can't be made any more.
    pub superseded: Option<Reason>,
}

/// A vote on a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeVote {
    /// Where it stands.
    pub position: u64,
    /// Who cast it.
    pub member: MemberId,
    /// Yes or no.
    pub approves: bool,
    /// By what right it stands there.
    pub by: By,
}

/// An auto-approval rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Its id.
    pub id: RuleId,
    /// Whose votes it casts.
    pub owner: MemberId,
    /// What it approves.
    pub rule: ApprovalRule,
    /// Where it was set.
    pub set_at: u64,
    /// By what right.
    pub by: By,
    /// Where it was taken back, or ended with its member.
    pub removed_at: Option<u64>,
    /// The votes that it cast.
    pub votes: Places,
}

/// That a rule cast a vote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByRule {
    /// The rule.
    pub rule: RuleId,
    /// Where the member set it.
    pub set_at: u64,
    /// Who alone may run the query on the vote, where the rule says so.
    pub runner: Option<MemberId>,
}

/// That somebody is a member no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Departed {
    /// Where.
    pub position: u64,
    /// Why.
    pub how: Departure,
}
