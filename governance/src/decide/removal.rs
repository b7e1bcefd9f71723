//! What ends with a membership or an ability: nothing that a former member set or owned blocks or
//! goes on.

use std::collections::BTreeSet;

use chancery_ledger::id::{ChangeId, DatasetId, MemberId, QueryId};

use super::{Events, in_flight};
use crate::change::Change;
use crate::dataset::AccessMode;
use crate::event::{
    AbilityRevoked, AutoApprovalRuleRemoved, ChangeSuperseded, CollaboratorRemoved, ConsentLapsed,
    DatasetRetired, InvitationWithdrawn, QueryWithdrawn,
};
use crate::member::{Ability, Departure};
use crate::reason::{Code, Reason, Rejection};
use crate::state::change::Stage as ChangeStage;
use crate::state::query::Stage as QueryStage;
use crate::state::{Collaboration, InvitationStage};
use crate::subject::Subject;

/// The caller leaves.
pub(super) fn leave(state: &Collaboration, caller: MemberId) -> Result<Events, Rejection> {
    check_owner_left(state, caller)?;
    Ok(departure(state, caller, Departure::Left, None))
}

/// Checks that an owner is left without `member`.
pub(super) fn check_owner_left(state: &Collaboration, member: MemberId) -> Result<(), Rejection> {
    let is_owner =
        state.members.get(&member).is_some_and(|member| member.abilities.contains(&Ability::Owner));
    if is_owner && state.owners() == 1 {
        return Err(Rejection::new(
            Code::LastOwner,
            "it is the last owner; the members have to make another one first",
        ));
    }
    Ok(())
}

/// A membership ends, and with it what rested on it; `by` is the change request that ends it.
pub(super) fn departure(
    state: &Collaboration,
    member: MemberId,
    how: Departure,
    by: Option<ChangeId>,
) -> Events {
    let subject = Subject::Member(member);
    let name = state.organisation(member).unwrap_or("the member");
    let detail = match how {
        Departure::Left => format!("{name} left"),
        Departure::Removed => format!("the members removed {name}"),
    };
    let reason = Reason::about(Code::MemberRemoved, subject, detail);
    let mut events = vec![(subject, CollaboratorRemoved { departure: how }.into())];
    let marks = state.marks.iter().filter(|(_, members)| members.contains(&member));
    events.extend(marks.map(|((scope, kind), _)| {
        (Subject::from(*scope), ConsentLapsed { kind: *kind, member }.into())
    }));
    let withdrawn: BTreeSet<_> = state
        .invitations
        .iter()
        .filter(|(_, it)| it.invited_by == member && it.stage == InvitationStage::Pending)
        .map(|(id, _)| *id)
        .collect();
    events.extend(
        withdrawn.iter().map(|id| (Subject::Invitation(*id), InvitationWithdrawn {}.into())),
    );
    let rules = state.rules.iter().filter(|(_, rule)| rule.owner == member);
    events.extend(rules.map(|(id, _)| (Subject::Rule(*id), AutoApprovalRuleRemoved {}.into())));
    let changes = state.changes.iter().filter(|(id, request)| {
        let rests = request.proposer == member
            || request.change.member() == Some(member)
            || matches!(&request.change, Change::AdmitMember(id) if withdrawn.contains(id));
        rests && request.stage == ChangeStage::Open && Some(**id) != by
    });
    events.extend(
        changes.map(|(id, _)| {
            (Subject::Change(*id), ChangeSuperseded { reason: reason.clone() }.into())
        }),
    );
    let is_draft =
        |id: &QueryId| state.queries.get(id).is_some_and(|query| query.stage == QueryStage::Draft);
    let drafts = state.ties.queries_by(member).filter(is_draft);
    events.extend(drafts.map(|id| (Subject::Query(id), QueryWithdrawn {}.into())));
    // A seat that nobody takes must not hold a proposal up; it is counted anew.
    let ends = Ends {
        retires: &[AccessMode::Read, AccessMode::Write],
        authored: true,
        seats: true,
        runs: true,
    };
    events.extend(end(state, member, &reason, &ends));
    events
}

/// An ability ends, and with it what takes it.
pub(super) fn ability(state: &Collaboration, member: MemberId, ability: Ability) -> Events {
    let subject = Subject::Member(member);
    let name = state.organisation(member).unwrap_or("the member");
    let reason = Reason::about(
        Code::AbilityMissing,
        subject,
        format!("{name} has the ability {} no more", ability.as_str()),
    );
    let mut events = vec![(subject, AbilityRevoked { ability }.into())];
    let retires: &[AccessMode] = match ability {
        Ability::DataProvider => &[AccessMode::Read],
        Ability::ResultReceiver => &[AccessMode::Write],
        Ability::Owner | Ability::Analyst | Ability::Runner | Ability::Auditor => &[],
    };
    let ends = Ends {
        retires,
        authored: ability == Ability::Analyst,
        seats: false,
        runs: ability == Ability::Runner,
    };
    events.extend(end(state, member, &reason, &ends));
    events
}

/// Which things of a member end.
struct Ends {
    /// Its datasets of these modes.
    retires: &'static [AccessMode],
    /// Its queries.
    authored: bool,
    /// The proposals on which it has a vote.
    seats: bool,
    /// Its runs.
    runs: bool,
}

/// Retires datasets of `member`, ends the live proposals on them and those that `ends` names, and
/// cancels the runs of all these and those that it names.
fn end(state: &Collaboration, member: MemberId, reason: &Reason, ends: &Ends) -> Events {
    let in_mode = |id: &DatasetId| {
        let newest = state.dataset_version(*id);
        newest.is_some_and(|(_, newest)| ends.retires.contains(&newest.descriptor.access_mode))
    };
    let datasets: Vec<_> = state.ties.owned_by(member).filter(in_mode).collect();
    let ties = &state.ties;
    let on = datasets.iter().flat_map(|dataset| ties.queries_on(*dataset));
    let authored = ends.authored.then(|| ties.queries_by(member)).into_iter().flatten();
    let seats = ends.seats.then(|| ties.votes_of(member)).into_iter().flatten();
    let queries: BTreeSet<_> = in_flight::live(state, on.chain(authored).chain(seats)).collect();
    let own = ends.runs.then(|| ties.runs_by(member)).into_iter().flatten();
    let runs = queries.iter().flat_map(|query| ties.runs_of(*query)).chain(own);
    let retired = datasets.iter().map(|id| (Subject::Dataset(*id), DatasetRetired {}.into()));
    let mut events: Events = retired.collect();
    events.extend(in_flight::superseded(queries.iter().copied(), reason));
    events.extend(in_flight::cancel(runs, reason));
    events
}
