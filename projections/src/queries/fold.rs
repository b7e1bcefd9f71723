//! How events move the rows of queries.

use chancery_governance::event::{
    QueryAccepted, QueryApproved, QueryApprovedByRule, QueryDrafted, QueryProposed, QueryRejected,
    QueryRevised, QuerySuperseded,
};
use chancery_governance::query::Binding;
use chancery_governance::state::Recorded;
use chancery_governance::subject::Subject;
use chancery_ledger::id::MemberId;

use super::{
    Approver, ByRule, GroupVotes, Proposal, QueryStage, QueryView, Rejected, SegmentText, Vote,
};
use crate::charges::Charge;
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
    let seat = |member: &MemberId| {
        let member = member.to_string();
        Ok(Approver {
            organisation: rows.organisation(&member)?,
            member,
            vote: Vote::Pending,
            voted: None,
            leaf: None,
            by_rule: None,
        })
    };
    let approvers = event.approvers.iter().map(seat).collect::<Result<Vec<_>, Illegal>>()?;
    let groups = event.groups.iter().map(|group| {
        Ok(GroupVotes {
            name: group.name.clone(),
            needed: group.needed,
            members: group.members.iter().map(seat).collect::<Result<_, Illegal>>()?,
        })
    });
    let groups = groups.collect::<Result<Vec<_>, Illegal>>()?;
    let proposal = Proposal {
        digest: event.digest.to_string(),
        pending: approvers.iter().map(|approver| approver.member.clone()).collect(),
        approvers,
        groups,
        votes_until_ms: event.binding.votes_until_ms,
        runs_until_ms: event.binding.runs_until_ms,
        texts: texts(&event.binding),
        inputs: event.binding.inputs.iter().map(document).collect::<Result<_, _>>()?,
        output: document(&event.binding.output)?,
        charges: Charge::of_runs(rows, &event.binding.definition)?,
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
    vote(query, at, (&actor(at)?, &event.digest.to_string()), Vote::Approved, None)
}

/// A rule says yes for the member who set it.
pub(crate) fn approved_by_rule(
    rows: &mut Rows,
    at: &Recorded,
    event: &QueryApprovedByRule,
) -> Result<(), Illegal> {
    let query = step(rows, at, &[QueryStage::Proposed], QueryStage::Proposed)?;
    let rule = ByRule {
        rule: event.rule.to_string(),
        position: event.rule_position,
        runner: event.runner.map(|runner| runner.to_string()),
    };
    let (member, digest) = (event.member.to_string(), event.digest.to_string());
    vote(query, at, (&member, &digest), Vote::Approved, Some(&rule))
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
    vote(query, at, (&actor(at)?, &event.digest.to_string()), Vote::Rejected, None)
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
    if proposal.digest != event.digest.to_string() || !carried(proposal) {
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

fn vote(
    query: &mut QueryView,
    at: &Recorded,
    (member, digest): (&str, &str),
    vote: Vote,
    by_rule: Option<&ByRule>,
) -> Result<(), Illegal> {
    let proposal = query.proposal.as_mut().ok_or("there is no proposal")?;
    if proposal.digest != digest {
        return Err("the vote is on another digest");
    }
    let groups = proposal.groups.iter_mut().flat_map(|group| &mut group.members);
    let mut seats: Vec<_> =
        proposal.approvers.iter_mut().chain(groups).filter(|seat| seat.member == member).collect();
    if seats.is_empty() {
        return Err("the vote is by no approver");
    }
    // One vote counts in every seat that the member has.
    for seat in &mut seats {
        if seat.vote != Vote::Pending {
            return Err("the approver voted already");
        }
        seat.vote = vote;
        seat.voted = Some(Moment::of(at));
        seat.leaf = Some(at.leaf.to_string());
        seat.by_rule = by_rule.cloned();
    }
    proposal.pending.retain(|pending| pending != member);
    Ok(())
}

/// Whether every owner and enough of each group have said yes.
fn carried(proposal: &Proposal) -> bool {
    let groups = proposal.groups.iter().all(|group| {
        let votes = group.members.iter().filter(|seat| seat.vote == Vote::Approved).count();
        votes as u64 >= group.needed
    });
    groups && proposal.pending.is_empty()
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
