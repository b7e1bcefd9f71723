//! What ends with a membership or an ability: nothing that a former member set or owned blocks or
//! goes on.

use std::collections::BTreeSet;

use chancery_ledger::id::{ChangeId, DatasetId, MemberId};

use super::{Events, in_flight};
use crate::change::Change;
use crate::dataset::AccessMode;
use crate::event::{
    AbilityRevoked, AutoApprovalRuleRemoved, ChangeSuperseded, CollaboratorRemoved, ConsentLapsed,
    DatasetRetired, InvitationWithdrawn, QuerySuperseded, QueryWithdrawn,
};
use crate::member::{Ability, Departure};
use crate::reason::{Code, Reason, Rejection};
use crate::state::change::Stage as ChangeStage;
use crate::state::query::{Query, Stage as QueryStage};
use crate::state::run::Run;
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
    let drafts = state
        .queries
        .iter()
        .filter(|(_, query)| query.author == member && query.stage == QueryStage::Draft);
    events.extend(drafts.map(|(id, _)| (Subject::Query(*id), QueryWithdrawn {}.into())));
    events.extend(end(
        state,
        &reason,
        |owner, _| owner == member,
        |query| {
            // A seat that nobody takes must not hold a proposal up; it is counted anew.
            let seat = matches!(&query.stage, QueryStage::Proposed(proposal)
                if proposal.has_vote(member));
            query.author == member || seat
        },
        |run| run.runner == member,
    ));
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
    let mode = match ability {
        Ability::DataProvider => Some(AccessMode::Read),
        Ability::ResultReceiver => Some(AccessMode::Write),
        Ability::Owner | Ability::Analyst | Ability::Runner | Ability::Auditor => None,
    };
    let mut events = vec![(subject, AbilityRevoked { ability }.into())];
    events.extend(end(
        state,
        &reason,
        |owner, is| owner == member && Some(is) == mode,
        |query| ability == Ability::Analyst && query.author == member,
        |run| ability == Ability::Runner && run.runner == member,
    ));
    events
}

/// Retires the datasets that `retires` says yes to by owner and mode, ends the live proposals on
/// them and those that `ends` says yes to, and cancels the runs of those and those that `stops`
/// says yes to.
fn end(
    state: &Collaboration,
    reason: &Reason,
    retires: impl Fn(MemberId, AccessMode) -> bool,
    ends: impl Fn(&Query) -> bool,
    stops: impl Fn(&Run) -> bool,
) -> Events {
    let datasets: BTreeSet<DatasetId> = state
        .datasets
        .iter()
        .filter(|(_, dataset)| {
            let mode = dataset.versions.last().map(|version| version.descriptor.access_mode);
            !dataset.retired && mode.is_some_and(|mode| retires(dataset.owner, mode))
        })
        .map(|(id, _)| *id)
        .collect();
    let queries: BTreeSet<_> = state
        .queries
        .iter()
        .filter(|(_, query)| {
            let uses = datasets.iter().any(|dataset| in_flight::uses(query, *dataset));
            query.live_proposal().is_some() && (uses || ends(query))
        })
        .map(|(id, _)| *id)
        .collect();
    let mut events: Events = datasets
        .iter()
        .map(|id| (Subject::Dataset(*id), DatasetRetired {}.into()))
        .chain(
            queries
                .iter()
                .map(|id| (Subject::Query(*id), QuerySuperseded { reason: reason.clone() }.into())),
        )
        .collect();
    events.extend(in_flight::cancel_runs(state, reason, |run| {
        queries.contains(&run.query) || stops(run)
    }));
    events
}
