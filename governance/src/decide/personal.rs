//! Erasure: the key that an e-mail was sealed under is destroyed, and the log stays as it is.

use chancery_ledger::id::{InvitationId, MemberId};

use super::Events;
use crate::event::SubjectErased;
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
    let concerned = [state.owner, invitation.invited_by, member_of(id)];
    if !concerned.contains(&caller) {
        return Err(Rejection::new(
            Code::NotTheInvited,
            "an e-mail is erased by the owner, by who invited, or by who accepted",
        ));
    }
    if invitation.erased_at.is_some() {
        return Err(Rejection::new(Code::PersonalErased, "the e-mail was erased already"));
    }
    Ok(vec![(Subject::Invitation(id), SubjectErased {}.into())])
}
