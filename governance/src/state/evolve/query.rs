//! How events move queries.

use std::collections::{BTreeMap, BTreeSet};

use chancery_ledger::digest::Digest;
use chancery_ledger::id::MemberId;

use super::super::query::{Proposal, Query, Stage as QueryStage, Vote};
use super::super::{Collaboration, Recorded};
use super::{SUBJECT, actor};
use crate::event::{Event, QueryApprovedByRule, QueryDrafted, QueryRevised};
use crate::subject::Subject;

pub(super) fn draft(
    state: &mut Collaboration,
    at: &Recorded,
    event: QueryDrafted,
) -> Result<(), &'static str> {
    let Subject::Query(id) = at.subject else { return Err(SUBJECT) };
    let query =
        Query { author: actor(at)?, definition: event.definition, stage: QueryStage::Draft };
    state.ties.draft(id, &query);
    match state.queries.insert(id, query) {
        None => Ok(()),
        Some(_) => Err("the query exists"),
    }
}

pub(super) fn revise(
    state: &mut Collaboration,
    at: &Recorded,
    event: QueryRevised,
) -> Result<(), &'static str> {
    let Subject::Query(id) = at.subject else { return Err(SUBJECT) };
    let query = state.queries.get_mut(&id).ok_or(NO_QUERY)?;
    match query.stage {
        QueryStage::Draft
        | QueryStage::Rejected { .. }
        | QueryStage::Withdrawn
        | QueryStage::Superseded { .. } => {}
        QueryStage::Proposed(_) | QueryStage::Accepted(_) => return Err(OTHER_STAGE),
    }
    state.ties.revise(id, &query.definition, &event.definition);
    query.definition = event.definition;
    query.stage = QueryStage::Draft;
    Ok(())
}

/// Moves the query that the event is about from one stage to another.
pub(super) fn apply(
    state: &mut Collaboration,
    at: &Recorded,
    event: Event,
) -> Result<(), &'static str> {
    let Subject::Query(id) = at.subject else { return Err(SUBJECT) };
    if let Event::QueryApprovedByRule(event) = &event {
        check_rule(state, event)?;
    }
    let query = state.queries.get_mut(&id).ok_or(NO_QUERY)?;
    // A vote leaves who has one as it is.
    let votes = matches!(event, Event::QueryApproved(_) | Event::QueryApprovedByRule(_));
    // What stands there meanwhile is seen by nobody: a refusal takes the state with it.
    let before = std::mem::replace(&mut query.stage, QueryStage::Draft);
    if let (QueryStage::Proposed(proposal), false) = (&before, votes) {
        state.ties.unseat(id, proposal);
    }
    query.stage = move_stage(before, at, event)?;
    if let (QueryStage::Proposed(proposal), false) = (&query.stage, votes) {
        state.ties.seat(id, proposal);
    }
    Ok(())
}

const NO_QUERY: &str = "no such query";
const OTHER_STAGE: &str = "the query is at another stage";

fn move_stage(stage: QueryStage, at: &Recorded, event: Event) -> Result<QueryStage, &'static str> {
    Ok(match (stage, event) {
        (QueryStage::Draft, Event::QueryProposed(event)) => QueryStage::Proposed(Proposal {
            binding: event.binding,
            digest: event.digest,
            approvers: event.approvers.into_iter().collect::<BTreeSet<_>>(),
            groups: event.groups,
            votes: BTreeMap::new(),
        }),
        (QueryStage::Proposed(mut proposal), Event::QueryApproved(event)) => {
            let vote = Vote { position: at.position, leaf: at.leaf, rule: None, runner: None };
            count(&mut proposal, actor(at)?, event.digest, vote)?;
            QueryStage::Proposed(proposal)
        }
        (QueryStage::Proposed(mut proposal), Event::QueryApprovedByRule(event)) => {
            let vote = Vote {
                position: at.position,
                leaf: at.leaf,
                rule: Some(event.rule),
                runner: event.runner,
            };
            count(&mut proposal, event.member, event.digest, vote)?;
            QueryStage::Proposed(proposal)
        }
        (QueryStage::Proposed(proposal), Event::QueryRejected(event)) => {
            let by = actor(at)?;
            if event.digest != proposal.digest || !proposal.has_vote(by) {
                return Err("the vote is on another digest, or by no approver");
            }
            QueryStage::Rejected { proposal, by }
        }
        (QueryStage::Proposed(proposal), Event::QueryAccepted(event)) => {
            if event.digest != proposal.digest || !proposal.carried(None) {
                return Err("not every approver said yes to this digest");
            }
            QueryStage::Accepted(proposal)
        }
        (
            QueryStage::Draft | QueryStage::Proposed(_) | QueryStage::Accepted(_),
            Event::QueryWithdrawn(_),
        ) => QueryStage::Withdrawn,
        (
            QueryStage::Proposed(proposal) | QueryStage::Accepted(proposal),
            Event::QuerySuperseded(event),
        ) => QueryStage::Superseded { proposal, reason: event.reason },
        _ => return Err(OTHER_STAGE),
    })
}

/// A vote in favour, of a member who has one left.
fn count(
    proposal: &mut Proposal,
    member: MemberId,
    digest: Digest,
    vote: Vote,
) -> Result<(), &'static str> {
    if digest != proposal.digest || !proposal.has_vote(member) {
        return Err("the vote is on another digest, or by no approver");
    }
    match proposal.votes.insert(member, vote) {
        None => Ok(()),
        Some(_) => Err("the approver voted already"),
    }
}

/// Whether the rule that a vote names stands, and is that member's.
fn check_rule(state: &Collaboration, event: &QueryApprovedByRule) -> Result<(), &'static str> {
    let rule = state.rules.get(&event.rule).ok_or("no such rule")?;
    let same = rule.owner == event.member
        && rule.position == event.rule_position
        && rule.rule.runner == event.runner;
    if same { Ok(()) } else { Err("the rule is another's, or another") }
}
