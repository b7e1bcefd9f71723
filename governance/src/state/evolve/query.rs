//! How events move queries.

use std::collections::{BTreeMap, BTreeSet};

use chancery_ledger::digest::Digest;
use chancery_ledger::id::MemberId;

use super::super::query::{Proposal, Query, Stage as QueryStage, Vote};
use super::super::{Collaboration, Recorded};
use super::actor;
use crate::event::{Event, QueryApprovedByRule};

pub(super) fn move_query(query: Query, at: &Recorded, event: Event) -> Result<Query, &'static str> {
    let Query { author, definition, stage } = query;
    let keep = |stage| Query { author, definition: definition.clone(), stage };
    Ok(match (stage, event) {
        (
            QueryStage::Draft
            | QueryStage::Rejected { .. }
            | QueryStage::Withdrawn
            | QueryStage::Superseded { .. },
            Event::QueryRevised(event),
        ) => Query { author, definition: event.definition, stage: QueryStage::Draft },
        (QueryStage::Draft, Event::QueryProposed(event)) => keep(QueryStage::Proposed(Proposal {
            binding: event.binding,
            digest: event.digest,
            approvers: event.approvers.into_iter().collect::<BTreeSet<_>>(),
            groups: event.groups,
            votes: BTreeMap::new(),
        })),
        (QueryStage::Proposed(mut proposal), Event::QueryApproved(event)) => {
            let vote = Vote { position: at.position, leaf: at.leaf, rule: None, runner: None };
            count(&mut proposal, actor(at)?, event.digest, vote)?;
            keep(QueryStage::Proposed(proposal))
        }
        (QueryStage::Proposed(mut proposal), Event::QueryApprovedByRule(event)) => {
            let vote = Vote {
                position: at.position,
                leaf: at.leaf,
                rule: Some(event.rule),
                runner: event.runner,
            };
            count(&mut proposal, event.member, event.digest, vote)?;
            keep(QueryStage::Proposed(proposal))
        }
        (QueryStage::Proposed(proposal), Event::QueryRejected(event)) => {
            let by = actor(at)?;
            if event.digest != proposal.digest || !proposal.has_vote(by) {
                return Err("the vote is on another digest, or by no approver");
            }
            keep(QueryStage::Rejected { proposal, by })
        }
        (QueryStage::Proposed(proposal), Event::QueryAccepted(event)) => {
            if event.digest != proposal.digest || !proposal.carried(None) {
                return Err("not every approver said yes to this digest");
            }
            keep(QueryStage::Accepted(proposal))
        }
        (
            QueryStage::Draft | QueryStage::Proposed(_) | QueryStage::Accepted(_),
            Event::QueryWithdrawn(_),
        ) => keep(QueryStage::Withdrawn),
        (
            QueryStage::Proposed(proposal) | QueryStage::Accepted(proposal),
            Event::QuerySuperseded(event),
        ) => keep(QueryStage::Superseded { proposal, reason: event.reason }),
        _ => return Err("the query is at another stage"),
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
pub(super) fn check_rule(
    state: &Collaboration,
    event: &QueryApprovedByRule,
) -> Result<(), &'static str> {
    let rule = state.rules.get(&event.rule).ok_or("no such rule")?;
    let same = rule.owner == event.member
        && rule.position == event.rule_position
        && rule.rule.runner == event.runner;
    if same { Ok(()) } else { Err("the rule is another's, or another") }
}
