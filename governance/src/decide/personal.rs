//! Erasure: the key that an e-mail was sealed under is destroyed, and the log stays as it is.

use chancery_ledger::id::{InvitationId, MemberId};

use super::Events;
use crate::event::SubjectErased;
use crate::member::Ability;
use crate::reason::{Code, Rejection};
use crate::state::Collaboration;
use crate::subject::{Subject, member_of};

pub(super) fn erase(
    state: &Collaboration,
    id: InvitationId,
    caller: MemberId,
) -> Result<Events, Rejection> {
    let invitation = state
        .invitations
        .get(&id)
        .ok_or_else(|| Rejection::new(Code::InvitationNotFound, "there is no such invitation"))?;
    let is_owner =
        state.members.get(&caller).is_some_and(|member| member.abilities.contains(&Ability::Owner));
    if !is_owner && ![invitation.invited_by, member_of(id)].contains(&caller) {
        return Err(Rejection::new(
            Code::NotTheInvited,
            "an e-mail is erased by an owner, by who invited, or by who accepted",
        ));
    }
    if invitation.erased_at.is_some() {
        return Err(Rejection::new(Code::PersonalErased, "the e-mail was erased already"));
    }
    Ok(vec![(Subject::Invitation(id), SubjectErased {}.into())])
}
