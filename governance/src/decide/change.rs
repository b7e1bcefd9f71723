//! Change requests: the terms and the membership, by the vote of the members. The electorate and
//! what it takes are computed by the rules; nobody names them, the service least of all.

use chancery_ledger::codec::{self, Value};
use chancery_ledger::digest::Digest;
use chancery_ledger::id::{ChangeId, CollaborationId, MemberId};

use super::query::COMMENT_LEN_MAX;
use super::{Events, ability, member, removal, terms};
use crate::change::Change;
use crate::command::{ApproveChange, CommitChange, ProposeChange, RejectChange};
use crate::event::{
    AbilityGranted, ChangeApproved, ChangeCommitted, ChangeProposed, ChangeRejected,
    ChangeSuperseded, ChangeWithdrawn,
};
use crate::member::{Ability, Departure, Terms};
use crate::reason::{Code, Rejection};
use crate::state::change::{ChangeRequest, Stage};
use crate::state::{Collaboration, Invitation};
use crate::subject::Subject;
use crate::wire::Wire;

/// Most change requests, settled or not, in a collaboration.
pub const CHANGES_MAX: usize = 10_000;
/// Most open change requests of one member.
pub const OPEN_CHANGES_MAX: usize = 16;
/// Furthest away that the end of a vote can be: 90 days.
pub const VOTE_LIFETIME_MS_MAX: u64 = 90 * 24 * 60 * 60 * 1000;

/// What votes on a change are about: SHA-256 of the canonical CBOR of `["chancery/v1/change",
/// collaboration, change request, change, expires_ms, digest of the terms in force]`.
pub fn digest(
    collaboration: CollaborationId,
    id: ChangeId,
    change: &Change,
    expires_ms: Option<u64>,
    terms: Digest,
) -> Digest {
    Digest::of(&codec::encode(&Value::Array(vec![
        Value::text("chancery/v1/change"),
        Value::bytes(*collaboration.as_bytes()),
        Value::bytes(*id.as_bytes()),
        change.encode(),
        expires_ms.encode(),
        Value::bytes(*terms.as_bytes()),
    ])))
}

pub(super) fn propose(
    state: &Collaboration,
    id: ChangeId,
    caller: MemberId,
    command: &ProposeChange,
    now_ms: u64,
) -> Result<Events, Rejection> {
    if state.changes.contains_key(&id) {
        return Err(Rejection::new(Code::ChangeExists, "the change request's id is in use"));
    }
    let open = |request: &&ChangeRequest| {
        request.proposer == caller && request.stage == Stage::Open && !expired(request, now_ms)
    };
    if state.changes.len() >= CHANGES_MAX
        || state.changes.values().filter(open).count() >= OPEN_CHANGES_MAX
    {
        return Err(Rejection::new(
            Code::LimitExceeded,
            format!(
                "a collaboration has at most {CHANGES_MAX} change requests, \
                 and a member {OPEN_CHANGES_MAX} open ones"
            ),
        ));
    }
    check_deadline(command.expires_ms, now_ms, VOTE_LIFETIME_MS_MAX)?;
    check(state, &command.change)?;
    let terms = terms::digest(&state.terms);
    let proposed = ChangeProposed {
        change: command.change.clone(),
        expires_ms: command.expires_ms,
        terms,
        digest: digest(state.id, id, &command.change, command.expires_ms, terms),
    };
    Ok(vec![(Subject::Change(id), proposed.into())])
}

/// A time that something ends at: after now, and not too far away.
pub(super) fn check_deadline(
    until_ms: Option<u64>,
    now_ms: u64,
    lifetime_ms_max: u64,
) -> Result<(), Rejection> {
    let Some(until_ms) = until_ms else { return Ok(()) };
    if until_ms > now_ms && until_ms - now_ms <= lifetime_ms_max {
        return Ok(());
    }
    Err(Rejection::new(
        Code::InvalidExpiry,
        format!("the end must be after now, and at most {lifetime_ms_max} ms away"),
    ))
}

/// Checks that a change can be made as things are now.
fn check(state: &Collaboration, change: &Change) -> Result<(), Rejection> {
    match change {
        Change::SetTerms(terms) => check_terms(state, terms),
        Change::RemoveMember(id) => {
            ability::find(state, *id)?;
            removal::check_owner_left(state, *id)
        }
        Change::GrantOwner(id) => {
            if ability::find(state, *id)?.abilities.contains(&Ability::Owner) {
                return Err(nothing("the member is an owner already"));
            }
            Ok(())
        }
        Change::RevokeOwner(id) => {
            if !ability::find(state, *id)?.abilities.contains(&Ability::Owner) {
                return Err(nothing("the member is no owner"));
            }
            removal::check_owner_left(state, *id)
        }
        Change::ReplaceKey { member: id, key } => {
            let found = ability::find(state, *id)?;
            member::check_new_key(state, found, *key)?;
            if found.keys.is_empty() {
                return Err(nothing("the member has no key yet, and registers one by itself"));
            }
            Ok(())
        }
        Change::AdmitMember(id) => {
            let invitation = member::pending(state, *id)?;
            if invitation.admitted || !state.terms.admission_by_vote {
                return Err(nothing("the invitation can be accepted already"));
            }
            Ok(())
        }
    }
}

fn check_terms(state: &Collaboration, terms: &Terms) -> Result<(), Rejection> {
    let faults = terms::faults(terms, |member| state.members.contains_key(&member));
    if let Some(rejection) = Rejection::of(faults) {
        return Err(rejection);
    }
    if *terms == state.terms {
        return Err(nothing("those terms are in force"));
    }
    if !terms.insecure_virtual && state.service_evidence == "insecure-virtual" {
        return Err(Rejection::new(
            Code::InsecureVirtualNotAllowed,
            "this service has no hardware evidence, and the terms would not accept that",
        ));
    }
    Ok(())
}

fn nothing(detail: &str) -> Rejection {
    Rejection::new(Code::NothingToChange, detail)
}

pub(super) fn approve(
    state: &Collaboration,
    id: ChangeId,
    caller: MemberId,
    command: &ApproveChange,
    now_ms: u64,
) -> Result<Events, Rejection> {
    let request = ballot(state, id, caller, command.digest, now_ms)?;
    let subject = Subject::Change(id);
    let mut events = vec![(subject, ChangeApproved { digest: command.digest }.into())];
    let tally = state.tally(request);
    if tally.approvals + 1 >= tally.needed {
        events.extend(commit_now(state, id, request, Some(state.size)));
    }
    Ok(events)
}

pub(super) fn reject(
    state: &Collaboration,
    id: ChangeId,
    caller: MemberId,
    command: &RejectChange,
    now_ms: u64,
) -> Result<Events, Rejection> {
    let request = open(state, id, now_ms)?;
    // Whom it takes something from has no vote, but for its keys: who can sign has not lost them.
    let keeps_key = matches!(request.change, Change::ReplaceKey { member, .. } if member == caller);
    if !keeps_key {
        ballot(state, id, caller, command.digest, now_ms)?;
    }
    check_digest(request, command.digest)?;
    if command.comment.chars().count() > COMMENT_LEN_MAX {
        return Err(Rejection::new(
            Code::LimitExceeded,
            format!("a comment has at most {COMMENT_LEN_MAX} characters"),
        ));
    }
    let mut tally = state.tally(request);
    tally.rejections += 1;
    let rejected = ChangeRejected {
        digest: command.digest,
        comment: command.comment.clone(),
        ends: keeps_key || tally.lost(),
    };
    Ok(vec![(Subject::Change(id), rejected.into())])
}

pub(super) fn withdraw(
    state: &Collaboration,
    id: ChangeId,
    caller: MemberId,
) -> Result<Events, Rejection> {
    let request = found(state, id)?;
    if request.proposer != caller {
        return Err(Rejection::new(
            Code::NotTheProposer,
            "only the member who asked for a change takes it back",
        ));
    }
    check_open(request)?;
    Ok(vec![(Subject::Change(id), ChangeWithdrawn {}.into())])
}

/// Carries out a change that came to have its votes without another one: somebody left.
pub(super) fn commit(
    state: &Collaboration,
    id: ChangeId,
    command: &CommitChange,
    now_ms: u64,
) -> Result<Events, Rejection> {
    let request = open(state, id, now_ms)?;
    check_digest(request, command.digest)?;
    let tally = state.tally(request);
    if !tally.carried() {
        return Err(Rejection::new(
            Code::ChangeVotesMissing,
            format!("the change has {} of {} votes", tally.approvals, tally.needed),
        ));
    }
    Ok(commit_now(state, id, request, None))
}

/// Makes the change, or says why it can't be made any more.
fn commit_now(
    state: &Collaboration,
    id: ChangeId,
    request: &ChangeRequest,
    last_vote: Option<u64>,
) -> Events {
    let subject = Subject::Change(id);
    if let Err(Rejection { first, .. }) = check(state, &request.change) {
        return vec![(subject, ChangeSuperseded { reason: first }.into())];
    }
    let electorate = state.electorate(&request.change);
    let counted = request.approvals.iter().filter(|(member, _)| electorate.contains(member));
    let mut votes: Vec<_> = counted.map(|(_, vote)| vote.position).chain(last_vote).collect();
    votes.sort_unstable();
    let mut events = vec![(subject, ChangeCommitted { digest: request.digest, votes }.into())];
    match &request.change {
        Change::SetTerms(terms) => events.extend(terms::consequences(state, id, terms)),
        Change::RemoveMember(member) => {
            events.extend(removal::departure(state, *member, Departure::Removed, Some(id)));
        }
        Change::GrantOwner(member) => events
            .push((Subject::Member(*member), AbilityGranted { ability: Ability::Owner }.into())),
        Change::RevokeOwner(member) => {
            events.extend(removal::ability(state, *member, Ability::Owner));
        }
        Change::ReplaceKey { .. } | Change::AdmitMember(_) => {}
    }
    events
}

fn found(state: &Collaboration, id: ChangeId) -> Result<&ChangeRequest, Rejection> {
    state
        .changes
        .get(&id)
        .ok_or_else(|| Rejection::new(Code::ChangeNotFound, "there is no such change request"))
}

fn check_open(request: &ChangeRequest) -> Result<(), Rejection> {
    if request.stage == Stage::Open {
        return Ok(());
    }
    Err(Rejection::new(
        Code::ChangeNotOpen,
        format!("the change request is {}, not up for votes", request.stage.name()),
    ))
}

/// Whether the time to vote is over.
pub fn expired(request: &ChangeRequest, now_ms: u64) -> bool {
    request.expires_ms.is_some_and(|until_ms| now_ms > until_ms)
}

fn open(state: &Collaboration, id: ChangeId, now_ms: u64) -> Result<&ChangeRequest, Rejection> {
    let request = found(state, id)?;
    check_open(request)?;
    if expired(request, now_ms) {
        return Err(Rejection::new(Code::ChangeExpired, "the time to vote on it is over"));
    }
    Ok(request)
}

fn check_digest(request: &ChangeRequest, digest: Digest) -> Result<(), Rejection> {
    if request.digest == digest {
        return Ok(());
    }
    Err(Rejection::new(
        Code::ChangeDigestMismatch,
        "the vote names another digest than the change has; read it again",
    ))
}

/// The change that `caller` may vote on now, if `digest` is what it is about.
fn ballot(
    state: &Collaboration,
    id: ChangeId,
    caller: MemberId,
    digest: Digest,
    now_ms: u64,
) -> Result<&ChangeRequest, Rejection> {
    let request = found(state, id)?;
    if !state.electorate(&request.change).contains(&caller) {
        return Err(Rejection::new(
            Code::NotAnElector,
            "a member has no vote on what the change would take from it",
        ));
    }
    if request.approvals.contains_key(&caller) || request.rejections.contains(&caller) {
        return Err(Rejection::new(Code::AlreadyVoted, "a vote is final"));
    }
    let request = open(state, id, now_ms)?;
    check_digest(request, digest)?;
    Ok(request)
}

/// Checks that an invitation may be accepted: where the terms ask for a vote, after it only.
pub(super) fn check_admission(
    state: &Collaboration,
    invitation: &Invitation,
) -> Result<(), Rejection> {
    if invitation.admitted || !state.terms.admission_by_vote {
        return Ok(());
    }
    Err(Rejection::new(
        Code::ChangeVoteRequired,
        "the terms ask for the members' vote before an invitation can be accepted",
    ))
}
