//! Drafting, proposing and voting. Approvers are computed from ownership; no caller names them.

use std::collections::{BTreeMap, BTreeSet};

use chancery_ledger::digest::Digest;
use chancery_ledger::id::{MemberId, QueryId};

use super::change::{VOTE_LIFETIME_MS_MAX, check_deadline};
use super::terms::ACCEPTANCE_LIFETIME_MS_MAX;
use super::{Events, in_flight, rule, terms};
use crate::binding;
use crate::command::{ApproveQuery, DraftQuery, ProposeQuery, RejectQuery, ReviseQuery};
use crate::event::{
    QueryAccepted, QueryApproved, QueryDrafted, QueryProposed, QueryRejected, QueryRevised,
    QueryWithdrawn,
};
use crate::query::Binding;
use crate::reason::{Code, Reason, Rejection};
use crate::receivers;
use crate::state::Collaboration;
use crate::state::query::{Proposal, Query, Stage, Vote};
use crate::subject::Subject;

/// Most queries in a collaboration.
pub const QUERIES_MAX: usize = 10_000;
/// Longest comment on a rejection, in characters.
pub const COMMENT_LEN_MAX: usize = 2_000;

pub(super) fn draft(
    state: &Collaboration,
    id: QueryId,
    command: &DraftQuery,
) -> Result<Events, Rejection> {
    if state.queries.contains_key(&id) {
        return Err(Rejection::new(Code::QueryExists, "the query's id is in use"));
    }
    if state.queries.len() >= QUERIES_MAX {
        return Err(Rejection::new(
            Code::LimitExceeded,
            format!("a collaboration has at most {QUERIES_MAX} queries"),
        ));
    }
    bind(state, &command.definition)?;
    let drafted = QueryDrafted { definition: command.definition.clone() };
    Ok(vec![(Subject::Query(id), drafted.into())])
}

pub(super) fn revise(
    state: &Collaboration,
    id: QueryId,
    caller: MemberId,
    command: &ReviseQuery,
) -> Result<Events, Rejection> {
    match own(state, id, caller)?.stage {
        Stage::Draft | Stage::Rejected { .. } | Stage::Withdrawn | Stage::Superseded { .. } => {}
        Stage::Proposed(_) | Stage::Accepted(_) => {
            return Err(Rejection::new(
                Code::QueryNotEditable,
                "the query is up for votes or accepted; withdraw it first",
            ));
        }
    }
    bind(state, &command.definition)?;
    let revised = QueryRevised { definition: command.definition.clone() };
    Ok(vec![(Subject::Query(id), revised.into())])
}

pub(super) fn propose(
    state: &Collaboration,
    id: QueryId,
    caller: MemberId,
    command: &ProposeQuery,
    now_ms: u64,
) -> Result<Events, Rejection> {
    let query = own(state, id, caller)?;
    if query.stage != Stage::Draft {
        return Err(Rejection::new(
            Code::QueryNotEditable,
            format!("the query is {}; only a draft can be proposed", query.stage.name()),
        ));
    }
    if state.applications.is_empty() {
        return Err(Rejection::new(
            Code::CleanRoomPolicyMissing,
            "no clean room policy names an application that may run queries",
        ));
    }
    check_deadline(command.votes_until_ms, now_ms, VOTE_LIFETIME_MS_MAX)?;
    let lifetime_ms = state.terms.acceptance_lifetime_ms;
    let lifetime_ms_max = lifetime_ms.unwrap_or(ACCEPTANCE_LIFETIME_MS_MAX);
    check_deadline(command.runs_until_ms, now_ms, lifetime_ms_max)?;
    let mut binding = bind(state, &query.definition)?;
    binding.votes_until_ms = command.votes_until_ms;
    binding.runs_until_ms =
        command.runs_until_ms.or_else(|| Some(now_ms.saturating_add(lifetime_ms?)));
    if let Some(rejection) = Rejection::of(receivers::reasons(state, &binding)) {
        return Err(rejection);
    }
    let digest = binding::digest(&binding);
    state.rebound.note(digest);
    let approvers = approvers(state, &binding);
    let groups = terms::groups(state, &state.terms);
    let mut proposal = Proposal {
        binding,
        digest,
        approvers: approvers.iter().copied().collect(),
        groups: groups.clone(),
        votes: BTreeMap::new(),
    };
    let by_rule = rule::votes(
        state,
        caller,
        (&proposal.binding, digest),
        |member| proposal.has_vote(member),
        now_ms,
    );
    // Where the votes come to stand: right after the proposal.
    let votes: Vec<_> = (state.size + 1..).take(by_rule.len()).collect();
    for vote in &by_rule {
        // Its hash is not known yet, and asked for by nobody.
        let counted =
            Vote { position: 0, leaf: digest, rule: Some(vote.rule), runner: vote.runner };
        proposal.votes.insert(vote.member, counted);
    }
    let carried = proposal.carried(None);
    let subject = Subject::Query(id);
    let proposed = QueryProposed { binding: proposal.binding, digest, approvers, groups };
    let mut events = vec![(subject, proposed.into())];
    events.extend(by_rule.into_iter().map(|vote| (subject, vote.into())));
    if carried {
        events.push((subject, QueryAccepted { digest, votes }.into()));
    }
    Ok(events)
}

/// The owners of every input and of the output, sorted.
pub fn approvers(state: &Collaboration, binding: &Binding) -> Vec<MemberId> {
    let owners: BTreeSet<_> = binding
        .inputs
        .iter()
        .chain([&binding.output])
        .filter_map(|version| state.datasets.get(&version.dataset))
        .map(|dataset| dataset.owner)
        .collect();
    owners.into_iter().collect()
}

pub(super) fn approve(
    state: &Collaboration,
    id: QueryId,
    caller: MemberId,
    command: &ApproveQuery,
    now_ms: u64,
) -> Result<Events, Rejection> {
    let proposal = ballot(state, id, caller, command.digest, now_ms)?;
    let subject = Subject::Query(id);
    let mut events = vec![(subject, QueryApproved { digest: command.digest }.into())];
    if proposal.carried(Some(caller)) {
        let mut votes: Vec<_> = proposal.votes.values().map(|vote| vote.position).collect();
        votes.push(state.size);
        votes.sort_unstable();
        events.push((subject, QueryAccepted { digest: command.digest, votes }.into()));
    }
    Ok(events)
}

pub(super) fn reject(
    state: &Collaboration,
    id: QueryId,
    caller: MemberId,
    command: &RejectQuery,
    now_ms: u64,
) -> Result<Events, Rejection> {
    ballot(state, id, caller, command.digest, now_ms)?;
    if command.comment.chars().count() > COMMENT_LEN_MAX {
        return Err(Rejection::new(
            Code::LimitExceeded,
            format!("a comment has at most {COMMENT_LEN_MAX} characters"),
        ));
    }
    let rejected = QueryRejected { digest: command.digest, comment: command.comment.clone() };
    Ok(vec![(Subject::Query(id), rejected.into())])
}

pub(super) fn withdraw(
    state: &Collaboration,
    id: QueryId,
    caller: MemberId,
) -> Result<Events, Rejection> {
    match own(state, id, caller)?.stage {
        Stage::Draft | Stage::Proposed(_) | Stage::Accepted(_) => {}
        Stage::Rejected { .. } | Stage::Withdrawn | Stage::Superseded { .. } => {
            return Err(Rejection::new(Code::QueryNotEditable, "the query has ended already"));
        }
    }
    let subject = Subject::Query(id);
    let reason = Reason::about(Code::QueryNotAccepted, subject, "its author withdrew the query");
    let mut events = vec![(subject, QueryWithdrawn {}.into())];
    events.extend(in_flight::cancel(state.ties.runs_of(id), &reason));
    Ok(events)
}

fn bind(
    state: &Collaboration,
    definition: &crate::query::Definition,
) -> Result<Binding, Rejection> {
    binding::bind(state, definition).map_err(|reasons| {
        Rejection::of(reasons)
            .unwrap_or_else(|| Rejection::new(Code::InvalidQuery, "the query can't be bound"))
    })
}

fn find(state: &Collaboration, id: QueryId) -> Result<&Query, Rejection> {
    state
        .queries
        .get(&id)
        .ok_or_else(|| Rejection::new(Code::QueryNotFound, "there is no such query"))
}

fn own(state: &Collaboration, id: QueryId, caller: MemberId) -> Result<&Query, Rejection> {
    let query = find(state, id)?;
    if query.author == caller {
        Ok(query)
    } else {
        Err(Rejection::new(Code::NotTheAuthor, "only its author changes a query"))
    }
}

/// The proposal that `caller` may vote on now, if `digest` is what it is about.
fn ballot(
    state: &Collaboration,
    id: QueryId,
    caller: MemberId,
    digest: Digest,
    now_ms: u64,
) -> Result<&Proposal, Rejection> {
    let query = find(state, id)?;
    if let Some(proposal) = query.live_proposal() {
        if !proposal.has_vote(caller) {
            return Err(Rejection::new(
                Code::NotAnApprover,
                "only the owners of the query's datasets, and the groups of the terms, vote on it",
            ));
        }
        if proposal.votes.contains_key(&caller) {
            return Err(Rejection::new(Code::AlreadyVoted, "a vote is final"));
        }
    }
    let Stage::Proposed(proposal) = &query.stage else {
        return Err(Rejection::new(
            Code::QueryNotProposed,
            format!("the query is {}, not up for votes", query.stage.name()),
        ));
    };
    if proposal.binding.votes_until_ms.is_some_and(|until_ms| now_ms > until_ms) {
        return Err(Rejection::new(
            Code::ProposalExpired,
            "the time to vote on the query is over; its author may propose it again",
        ));
    }
    if proposal.digest != digest {
        return Err(Rejection::new(
            Code::QueryDigestMismatch,
            "the vote names another digest than the proposal has; read it again",
        ));
    }
    Ok(proposal)
}
