//! How events move the rows of queries.

use chancery_governance::event::{
    QueryAccepted, QueryApproved, QueryDrafted, QueryProposed, QueryRejected, QueryRevised,
    QuerySuperseded,
};
use chancery_governance::query::Binding;
use chancery_governance::state::Recorded;
use chancery_governance::subject::Subject;

use super::{Approver, Proposal, QueryStage, QueryView, Rejected, SegmentText, Vote};
use crate::fold::{Illegal, Rows, SUBJECT, actor};
use crate::mirror::document;
use crate::moment::Moment;

/// A query begins.
pub(crate) fn drafted(rows: &mut Rows, at: &Recorded, event: &QueryDrafted) -> Result<(), Illegal> {
    let Subject::Query(id) = at.subject else { return Err(SUBJECT) };
    let (author, moment) = (actor(at)?, Moment::of(at));
    rows.queries.insert(QueryView {
        id: id.to_string(),
        author_organisation: rows.organisation(&author)?,
        author,
        stage: QueryStage::Draft,
        definition: document(&event.definition)?,
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
    query.definition = document(&event.definition)?;
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
        demands: document(&event.binding.demands)?,
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
