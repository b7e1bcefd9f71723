//! The query-approval view: what a query says, who must vote, who did, what came of it.

mod fold;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::charges::Charge;
use crate::document::{DatasetVersion, Definition, Demands, Reason};
use crate::fold::Row;
use crate::marks::Mark;
use crate::moment::Moment;

pub(crate) use fold::{
    accepted, approved, approved_by_rule, drafted, proposed, rejected, revised, superseded,
    withdrawn,
};

/// A query.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct QueryView {
    /// Its id.
    pub id: String,
    /// The id of the member who drafted it.
    pub author: String,
    /// The author's organisation.
    pub author_organisation: String,
    /// Where it stands.
    pub stage: QueryStage,
    /// Its text and bindings, as last drafted or revised.
    pub definition: Definition,
    /// What is or was up for votes; null for a draft and after a withdrawal.
    pub proposal: Option<Proposal>,
    /// Who said no, if somebody did.
    pub rejected: Option<Rejected>,
    /// Why what was voted on no longer is what would run.
    pub superseded: Option<Reason>,
    /// Marks against its use.
    pub marks: Vec<Mark>,
    /// When it was drafted.
    pub created: Moment,
    /// When it last changed.
    pub updated: Moment,
    /// Its version, for `If-Match`: the position of the last event about it.
    pub version: u64,
}

/// Where a query stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum QueryStage {
    /// Its author works on it.
    Draft,
    /// It is up for votes.
    Proposed,
    /// Every approver said yes.
    Accepted,
    /// An approver said no.
    Rejected,
    /// Its author took it back.
    Withdrawn,
    /// What was voted on no longer is what would run.
    Superseded,
}

/// What is up for votes, and the votes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Proposal {
    /// The digest that votes and runs name.
    pub digest: String,
    /// Whose votes it takes, by member id.
    pub approvers: Vec<Approver>,
    /// The groups of which so many must approve beside them.
    pub groups: Vec<GroupVotes>,
    /// Until when votes count, milliseconds since the Unix epoch, or null.
    pub votes_until_ms: Option<u64>,
    /// Until when it may run once accepted, milliseconds since the Unix epoch, or null.
    pub runs_until_ms: Option<u64>,
    /// The ids of the approvers who have not voted.
    pub pending: Vec<String>,
    /// What runs, by execution order.
    pub texts: Vec<SegmentText>,
    /// The versions of the input datasets, in the definition's order.
    pub inputs: Vec<DatasetVersion>,
    /// The version of the output dataset.
    pub output: DatasetVersion,
    /// What each run will take of datasets' budgets of privacy.
    pub charges: Vec<Charge>,
    /// Measurements of the applications that may run it.
    pub applications: Vec<String>,
    /// What is demanded of a platform beside.
    pub demands: Demands,
    /// When it was proposed.
    pub proposed: Moment,
    /// When the last approver's yes accepted it.
    pub accepted: Option<Moment>,
}

/// A group and its votes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GroupVotes {
    /// Its name in the terms.
    pub name: String,
    /// How many of its members must say yes.
    pub needed: u64,
    /// Its members and what each said.
    pub members: Vec<Approver>,
}

/// An approver and its vote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Approver {
    /// The member's id.
    pub member: String,
    /// The member's organisation.
    pub organisation: String,
    /// What the member said.
    pub vote: Vote,
    /// When.
    pub voted: Option<Moment>,
    /// The leaf hash of the vote's entry.
    pub leaf: Option<String>,
    /// The rule that cast the vote, where the member did not do so itself.
    pub by_rule: Option<ByRule>,
}

/// A rule that cast a vote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ByRule {
    /// The rule's id.
    pub rule: String,
    /// The position at which the member set it.
    pub position: u64,
    /// The id of the member who alone may run the query on the vote, or null.
    pub runner: Option<String>,
}

/// What an approver said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Vote {
    /// Nothing yet.
    Pending,
    /// Yes.
    Approved,
    /// No.
    Rejected,
}

/// A segment's text as written and as it runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SegmentText {
    /// Execution order.
    pub order: u64,
    /// The view that the segment makes.
    pub view: String,
    /// The text as its author wrote it.
    pub original: String,
    /// The text that runs: the policies are written into it.
    pub rewritten: String,
}

/// Who said no, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Rejected {
    /// The member's id.
    pub member: String,
    /// The member's organisation.
    pub organisation: String,
    /// What it says to the author.
    pub comment: String,
    /// When.
    pub at: Moment,
}

impl Row for QueryView {
    const TABLE: &'static str = "queries";

    fn id(&self) -> &str {
        &self.id
    }

    fn position(&self) -> u64 {
        self.created.position
    }

    fn touch(&mut self, at: Moment) {
        self.updated = at;
        self.version = at.position;
    }
}
