//! Granting and revoking what members can do. Owners are made and unmade by the members' vote.

use chancery_ledger::id::MemberId;

use super::{Events, removal};
use crate::event::AbilityGranted;
use crate::member::Ability;
use crate::reason::{Code, Rejection};
use crate::state::{Collaboration, Member};
use crate::subject::Subject;

pub(super) fn grant(
    state: &Collaboration,
    id: MemberId,
    ability: Ability,
) -> Result<Events, Rejection> {
    let member = find(state, id)?;
    if ability == Ability::Owner {
        return Err(by_vote());
    }
    if member.abilities.contains(&ability) {
        return Err(Rejection::new(
            Code::AbilityAlreadyGranted,
            format!("the member has the ability {} already", ability.as_str()),
        ));
    }
    Ok(vec![(Subject::Member(id), AbilityGranted { ability }.into())])
}

pub(super) fn revoke(
    state: &Collaboration,
    id: MemberId,
    caller: MemberId,
    ability: Ability,
) -> Result<Events, Rejection> {
    let member = find(state, id)?;
    let by_owner =
        state.members.get(&caller).is_some_and(|caller| caller.abilities.contains(&Ability::Owner));
    if id != caller && !by_owner {
        return Err(Rejection::new(
            Code::AbilityMissing,
            "revoking another member's ability takes the ability owner",
        ));
    }
    if id != caller && ability == Ability::Owner {
        return Err(by_vote());
    }
    if !member.abilities.contains(&ability) {
        return Err(Rejection::new(
            Code::AbilityNotGranted,
            format!("the member does not have the ability {}", ability.as_str()),
        ));
    }
    if ability == Ability::Owner {
        removal::check_owner_left(state, id)?;
    }
    Ok(removal::ability(state, id, ability))
}

pub(super) fn find(state: &Collaboration, id: MemberId) -> Result<&Member, Rejection> {
    state
        .members
        .get(&id)
        .ok_or_else(|| Rejection::new(Code::MemberNotFound, "there is no such member"))
}

fn by_vote() -> Rejection {
    Rejection::new(
        Code::ChangeVoteRequired,
        "owners are made and unmade by the members' vote: propose a change",
    )
}
