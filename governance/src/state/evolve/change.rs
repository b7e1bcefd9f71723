//! How events move change requests and auto-approval rules.

use std::collections::{BTreeMap, BTreeSet};

use super::super::change::{ChangeRequest, Stage};
use super::super::query::Vote;
use super::super::{Collaboration, Recorded, Rule};
use super::{SUBJECT, actor};
use crate::change::Change;
use crate::event::{self, Event};
use crate::subject::Subject;

/// Moves the change request that the event is about.
pub(super) fn apply(
    state: &mut Collaboration,
    at: &Recorded,
    event: Event,
) -> Result<(), &'static str> {
    let Subject::Change(id) = at.subject else { return Err(SUBJECT) };
    let event = match event {
        Event::ChangeProposed(event) => return propose(state, at, event),
        event => event,
    };
    let mut request = state.changes.remove(&id).ok_or("no such change request")?;
    if request.stage != Stage::Open {
        return Err("the change request is settled");
    }
    match event {
        Event::ChangeApproved(event) => {
            let member = actor(at)?;
            let vote = Vote { position: at.position, leaf: at.leaf, rule: None, runner: None };
            if event.digest != request.digest
                || !state.electorate(&request.change).contains(&member)
            {
                return Err("the vote is on another digest, or by nobody who has one");
            }
            if request.rejections.contains(&member)
                || request.approvals.insert(member, vote).is_some()
            {
                return Err("the member voted already");
            }
        }
        Event::ChangeRejected(event) => {
            let member = actor(at)?;
            let concerned = matches!(request.change, Change::ReplaceKey { member: of, .. }
                if of == member);
            let elector = state.electorate(&request.change).contains(&member);
            if event.digest != request.digest || !(concerned || elector) {
                return Err("the vote is on another digest, or by nobody who has one");
            }
            if request.approvals.contains_key(&member) || !request.rejections.insert(member) {
                return Err("the member voted already");
            }
            if event.ends != (concerned || state.tally(&request).lost()) {
                return Err(
                    "it ends the change, and says that it does not, or the other way round",
                );
            }
            if event.ends {
                request.stage = Stage::Rejected;
            }
        }
        Event::ChangeWithdrawn(_) => request.stage = Stage::Withdrawn,
        Event::ChangeSuperseded(event) => request.stage = Stage::Superseded(event.reason),
        Event::ChangeCommitted(event) => {
            if event.digest != request.digest || !state.tally(&request).carried() {
                return Err("the change does not have its votes");
            }
            request.stage = Stage::Committed;
            make(state, &request.change)?;
        }
        _ => return Err(SUBJECT),
    }
    state.changes.insert(id, request);
    Ok(())
}

fn propose(
    state: &mut Collaboration,
    at: &Recorded,
    event: event::ChangeProposed,
) -> Result<(), &'static str> {
    let Subject::Change(id) = at.subject else { return Err(SUBJECT) };
    let request = ChangeRequest {
        proposer: actor(at)?,
        change: event.change,
        expires_ms: event.expires_ms,
        digest: event.digest,
        approvals: BTreeMap::new(),
        rejections: BTreeSet::new(),
        stage: Stage::Open,
    };
    match state.changes.insert(id, request) {
        None => Ok(()),
        Some(_) => Err("the change request exists"),
    }
}

/// What a commitment itself does. A removal and an ability are events of their own after it.
fn make(state: &mut Collaboration, change: &Change) -> Result<(), &'static str> {
    match change {
        Change::SetTerms(terms) => state.terms = terms.clone(),
        Change::ReplaceKey { member, key } => {
            state.members.get_mut(member).ok_or("no such member")?.replacement = Some(*key);
        }
        Change::AdmitMember(invitation) => {
            state.invitations.get_mut(invitation).ok_or("no such invitation")?.admitted = true;
        }
        Change::RemoveMember(_) | Change::GrantOwner(_) | Change::RevokeOwner(_) => {}
    }
    Ok(())
}

pub(super) fn set_rule(
    state: &mut Collaboration,
    at: &Recorded,
    event: event::AutoApprovalRuleSet,
) -> Result<(), &'static str> {
    let Subject::Rule(id) = at.subject else { return Err(SUBJECT) };
    let rule = Rule {
        owner: actor(at)?,
        rule: event.rule,
        member_signed: event.member_signed,
        position: at.position,
    };
    match state.rules.insert(id, rule) {
        None => Ok(()),
        Some(_) => Err("the rule exists"),
    }
}

pub(super) fn remove_rule(state: &mut Collaboration, at: &Recorded) -> Result<(), &'static str> {
    let Subject::Rule(id) = at.subject else { return Err(SUBJECT) };
    state.rules.remove(&id).map(|_| ()).ok_or("no such rule")
}
