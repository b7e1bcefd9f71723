//! The query-approval view: what a query says, who must vote, who did, what came of it.

use chancery_governance::event::{
    QueryAccepted, QueryApproved, QueryDrafted, QueryProposed, QueryRejected, QueryRevised,
    QuerySuperseded,
};
use chancery_governance::query::{Binding, Definition as Defined};
use chancery_governance::state::Recorded;
use chancery_governance::subject::Subject;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::document::{DatasetVersion, Definition, Reason, document};
use crate::fold::{Illegal, Row, Rows, SUBJECT, actor};
use crate::marks::Mark;
use crate::moment::Moment;

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
    /// The ids of the approvers who have not voted.
    pub pending: Vec<String>,
    /// What runs, by execution order.
    pub texts: Vec<SegmentText>,
    /// The versions of the input datasets, in the definition's order.
    pub inputs: Vec<DatasetVersion>,
    /// The version of the output dataset.
    pub output: DatasetVersion,
    /// Measurements of the applications that may run it.
    pub applications: Vec<String>,
    /// When it was proposed.
    pub proposed: Moment,
    /// When the last approver's yes accepted it.
    pub accepted: Option<Moment>,
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

/// A query begins.
pub(crate) fn drafted(rows: &mut Rows, at: &Recorded, event: &QueryDrafted) -> Result<(), Illegal> {
    let Subject::Query(id) = at.subject else { return Err(SUBJECT) };
    let (author, moment) = (actor(at)?, Moment::of(at));
    rows.queries.insert(QueryView {
        id: id.to_string(),
        author_organisation: rows.organisation(&author)?,
        author,
        stage: QueryStage::Draft,
        definition: definition(&event.definition)?,
        proposal: None,
        rejected: None,
        superseded: None,
        marks: Vec::new(),
        created: moment,
        updated: moment,
        version: at.position,
    })
}

/// Its author changes it: it is a draft again.
pub(crate) fn revised(rows: &mut Rows, at: &Recorded, event: &QueryRevised) -> Result<(), Illegal> {
    use QueryStage::{Draft, Rejected, Superseded, Withdrawn};
    let query = step(rows, at, &[Draft, Rejected, Withdrawn, Superseded], Draft)?;
    query.definition = definition(&event.definition)?;
    query.proposal = None;
    query.rejected = None;
    query.superseded = None;
    Ok(())
}

/// Its author asks for votes.
pub(crate) fn proposed(
    rows: &mut Rows,
    at: &Recorded,
    event: &QueryProposed,
) -> Result<(), Illegal> {
    let approvers = event.approvers.iter().map(|member| {
        let member = member.to_string();
        Ok(Approver {
            organisation: rows.organisation(&member)?,
            member,
            vote: Vote::Pending,
            voted: None,
            leaf: None,
        })
    });
    let approvers = approvers.collect::<Result<Vec<_>, Illegal>>()?;
    let proposal = Proposal {
        digest: event.digest.to_string(),
        pending: approvers.iter().map(|approver| approver.member.clone()).collect(),
        approvers,
        texts: texts(&event.binding),
        inputs: event.binding.inputs.iter().map(document).collect::<Result<_, _>>()?,
        output: document(&event.binding.output)?,
        applications: event.binding.applications.iter().map(ToString::to_string).collect(),
        proposed: Moment::of(at),
        accepted: None,
    };
    step(rows, at, &[QueryStage::Draft], QueryStage::Proposed)?.proposal = Some(proposal);
    Ok(())
}

/// An approver says yes.
pub(crate) fn approved(
    rows: &mut Rows,
    at: &Recorded,
    event: &QueryApproved,
) -> Result<(), Illegal> {
    let query = step(rows, at, &[QueryStage::Proposed], QueryStage::Proposed)?;
    vote(query, at, &event.digest.to_string(), Vote::Approved)
}

/// An approver says no.
pub(crate) fn rejected(
    rows: &mut Rows,
    at: &Recorded,
    event: &QueryRejected,
) -> Result<(), Illegal> {
    let member = actor(at)?;
    let rejected = Rejected {
        organisation: rows.organisation(&member)?,
        member,
        comment: event.comment.clone(),
        at: Moment::of(at),
    };
    let query = step(rows, at, &[QueryStage::Proposed], QueryStage::Rejected)?;
    query.rejected = Some(rejected);
    vote(query, at, &event.digest.to_string(), Vote::Rejected)
}

/// Its author takes it back.
pub(crate) fn withdrawn(rows: &mut Rows, at: &Recorded) -> Result<(), Illegal> {
    use QueryStage::{Accepted, Draft, Proposed, Withdrawn};
    step(rows, at, &[Draft, Proposed, Accepted], Withdrawn)?.proposal = None;
    Ok(())
}

/// Every approver has said yes.
pub(crate) fn accepted(
    rows: &mut Rows,
    at: &Recorded,
    event: &QueryAccepted,
) -> Result<(), Illegal> {
    let query = step(rows, at, &[QueryStage::Proposed], QueryStage::Accepted)?;
    let proposal = query.proposal.as_mut().ok_or("there is no proposal")?;
    if proposal.digest != event.digest.to_string() || !proposal.pending.is_empty() {
        return Err("not every approver said yes to this digest");
    }
    proposal.accepted = Some(Moment::of(at));
    Ok(())
}

/// What was voted on no longer is what would run.
pub(crate) fn superseded(
    rows: &mut Rows,
    at: &Recorded,
    event: &QuerySuperseded,
) -> Result<(), Illegal> {
    use QueryStage::{Accepted, Proposed, Superseded};
    let reason = document(&event.reason)?;
    step(rows, at, &[Proposed, Accepted], Superseded)?.superseded = Some(reason);
    Ok(())
}

/// Moves the query from one of `from` to `to`.
fn step<'a>(
    rows: &'a mut Rows,
    at: &Recorded,
    from: &[QueryStage],
    to: QueryStage,
) -> Result<&'a mut QueryView, Illegal> {
    let Subject::Query(id) = at.subject else { return Err(SUBJECT) };
    let query = rows.queries.touch(&id.to_string(), at)?;
    if !from.contains(&query.stage) {
        return Err("the query is at another stage");
    }
    query.stage = to;
    Ok(query)
}

fn vote(query: &mut QueryView, at: &Recorded, digest: &str, vote: Vote) -> Result<(), Illegal> {
    let member = actor(at)?;
    let proposal = query.proposal.as_mut().ok_or("there is no proposal")?;
    if proposal.digest != digest {
        return Err("the vote is on another digest");
    }
    let approver = proposal.approvers.iter_mut().find(|approver| approver.member == member);
    let approver = approver.ok_or("the vote is by no approver")?;
    if approver.vote != Vote::Pending {
        return Err("the approver voted already");
    }
    approver.vote = vote;
    approver.voted = Some(Moment::of(at));
    approver.leaf = Some(at.leaf.to_string());
    proposal.pending.retain(|pending| *pending != member);
    Ok(())
}

/// Both texts of each segment. The binding has the rewritten ones by view.
fn texts(binding: &Binding) -> Vec<SegmentText> {
    let originals = &binding.definition.segments;
    let pairs = binding.rewritten.iter().filter_map(|rewritten| {
        let original = originals.iter().find(|segment| segment.view == rewritten.view)?;
        Some(SegmentText {
            order: original.order,
            view: rewritten.view.clone(),
            original: original.sql.clone(),
            rewritten: rewritten.sql.clone(),
        })
    });
    pairs.collect()
}

fn definition(defined: &Defined) -> Result<Definition, Illegal> {
    document(defined)
}
