//! How events move invitations, members and their keys.

use std::collections::BTreeMap;

use chancery_ledger::id::{InvitationId, MemberId};
use chancery_ledger::key::{KeyId, PublicKey};

use super::super::{
    Collaboration, FormerMember, Invitation, InvitationStage, Member, MemberKey, Recorded,
};
use super::{SUBJECT, actor, invitation_id, scope};
use crate::event;
use crate::member::Ability;
use crate::subject::Subject;

pub(super) fn invite(
    state: &mut Collaboration,
    at: &Recorded,
    event: event::CollaboratorInvited,
) -> Result<(), &'static str> {
    let invitation = Invitation {
        organisation: event.organisation,
        invited_by: actor(at)?,
        abilities: event.abilities,
        email: event.email,
        erased_at: None,
        tenant: event.tenant,
        key: event.key,
        admitted: false,
        stage: InvitationStage::Pending,
    };
    match state.invitations.insert(invitation_id(at)?, invitation) {
        None => Ok(()),
        Some(_) => Err("the invitation exists"),
    }
}

pub(super) fn settle_invitation(
    state: &mut Collaboration,
    at: &Recorded,
    stage: InvitationStage,
) -> Result<(), &'static str> {
    let invitation = state.invitations.get_mut(&invitation_id(at)?).ok_or("no such invitation")?;
    if invitation.stage != InvitationStage::Pending {
        return Err("the invitation is not open");
    }
    invitation.stage = stage;
    Ok(())
}

pub(super) fn activate(
    state: &mut Collaboration,
    at: &Recorded,
    event: event::CollaboratorActivated,
) -> Result<(), &'static str> {
    let Subject::Member(id) = at.subject else { return Err(SUBJECT) };
    let invitation = state.invitations.get(&InvitationId::new(id.uuid())).ok_or("not invited")?;
    let InvitationStage::Accepted(identity) = &invitation.stage else {
        return Err("the invitation is not accepted");
    };
    let member = Member {
        organisation: event.organisation,
        identity: identity.clone(),
        abilities: event.abilities.into_iter().collect(),
        invited_key: invitation.key,
        keys: BTreeMap::new(),
        replacement: None,
    };
    if state.former.contains_key(&id) {
        return Err("the member was one before");
    }
    state.roll.enter(member.identity.clone(), id);
    match state.members.insert(id, member) {
        None => Ok(()),
        Some(_) => Err("the member exists"),
    }
}

fn about<'a>(state: &'a mut Collaboration, at: &Recorded) -> Result<&'a mut Member, &'static str> {
    let Subject::Member(id) = at.subject else { return Err(SUBJECT) };
    state.members.get_mut(&id).ok_or("no such member")
}

pub(super) fn register_key(
    state: &mut Collaboration,
    at: &Recorded,
    key: PublicKey,
) -> Result<(), &'static str> {
    let id = key.id();
    if state.knows_key(id) {
        return Err("the key is registered");
    }
    let member = about(state, at)?;
    // Whoever can register a key needs no other put in the place of lost ones.
    if member.replacement.take() == Some(id) {
        member.invited_key = Some(id);
    }
    member.keys.insert(id, MemberKey { key, revoked_at: None });
    if let Subject::Member(member) = at.subject {
        state.roll.register(id, member);
    }
    Ok(())
}

pub(super) fn revoke_key(
    state: &mut Collaboration,
    at: &Recorded,
    key: KeyId,
) -> Result<(), &'static str> {
    let key = about(state, at)?.keys.get_mut(&key).ok_or("no such key")?;
    match key.revoked_at.replace(at.position) {
        None => Ok(()),
        Some(_) => Err("the key is revoked"),
    }
}

pub(super) fn remove(
    state: &mut Collaboration,
    at: &Recorded,
    event: &event::CollaboratorRemoved,
) -> Result<(), &'static str> {
    let Subject::Member(id) = at.subject else { return Err(SUBJECT) };
    let member = state.members.remove(&id).ok_or("no such member")?;
    state.roll.leave(&member.identity, id);
    if state.owners() == 0 {
        return Err("no owner is left");
    }
    let former = FormerMember { member, departure: event.departure, position: at.position };
    state.former.insert(id, former);
    Ok(())
}

pub(super) fn grant(
    state: &mut Collaboration,
    at: &Recorded,
    ability: Ability,
) -> Result<(), &'static str> {
    if about(state, at)?.abilities.insert(ability) {
        Ok(())
    } else {
        Err("the member has the ability")
    }
}

pub(super) fn revoke(
    state: &mut Collaboration,
    at: &Recorded,
    ability: Ability,
) -> Result<(), &'static str> {
    if !about(state, at)?.abilities.remove(&ability) {
        return Err("the member does not have the ability");
    }
    if state.owners() == 0 { Err("no owner is left") } else { Ok(()) }
}

pub(super) fn lapse(
    state: &mut Collaboration,
    at: &Recorded,
    event: &event::ConsentLapsed,
) -> Result<(), &'static str> {
    if !state.former.contains_key(&event.member) {
        return Err("the mark is that of a member");
    }
    unmark(state, at, event.kind, event.member)
}

/// Takes the mark of `member` away.
pub(super) fn unmark(
    state: &mut Collaboration,
    at: &Recorded,
    kind: crate::consent::ConsentKind,
    member: MemberId,
) -> Result<(), &'static str> {
    let key = (scope(at)?, kind);
    let marks = state.marks.get_mut(&key).ok_or("there is no mark")?;
    if !marks.remove(&member) {
        return Err("there is no mark");
    }
    if marks.is_empty() {
        state.marks.remove(&key);
    }
    Ok(())
}
