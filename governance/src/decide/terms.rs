//! What terms must be, and what new ones end.

use std::collections::BTreeSet;

use chancery_ledger::codec;
use chancery_ledger::digest::Digest;
use chancery_ledger::id::{ChangeId, MemberId, RunId};

use super::dataset::is_dataset_name;
use super::{Events, in_flight};
use crate::event::ChangeSuperseded;
use crate::member::{ApprovalGroup, Terms};
use crate::reason::{Code, Reason};
use crate::run::Platform;
use crate::state::Collaboration;
use crate::state::change::Stage;
use crate::subject::Subject;
use crate::wire::Wire;

/// Most groups in the terms.
pub const GROUPS_MAX: usize = 16;
/// Most members of a group.
pub const GROUP_MEMBERS_MAX: usize = 64;
/// Least change threshold: nobody alone changes what all agreed on.
pub const CHANGE_THRESHOLD_MIN: u64 = 2;
/// Longest lifetime of an acceptance: five years of 366 days.
pub const ACCEPTANCE_LIFETIME_MS_MAX: u64 = 5 * 366 * 24 * 60 * 60 * 1000;

/// The digest of terms: of their canonical bytes.
pub fn digest(terms: &Terms) -> Digest {
    Digest::of(&codec::encode(&terms.encode()))
}

/// Every fault of terms among these members, at once.
pub(super) fn faults(terms: &Terms, is_member: impl Fn(MemberId) -> bool) -> Vec<Reason> {
    let mut faults = Vec::new();
    let mut fault = |detail: String| faults.push(Reason::new(Code::InvalidTerms, detail));
    if terms.change_threshold.is_some_and(|needed| needed < CHANGE_THRESHOLD_MIN) {
        fault(format!("change_threshold: {CHANGE_THRESHOLD_MIN} or more, or none for everybody"));
    }
    if terms.change_threshold.is_some() && !terms.admission_by_vote {
        // Else an owner could invite as many votes as a change takes.
        fault("change_threshold: takes admission_by_vote too".to_owned());
    }
    if terms
        .acceptance_lifetime_ms
        .is_some_and(|lifetime| lifetime == 0 || lifetime > ACCEPTANCE_LIFETIME_MS_MAX)
    {
        fault(format!("acceptance_lifetime_ms: 1 to {ACCEPTANCE_LIFETIME_MS_MAX}"));
    }
    if terms.groups.len() > GROUPS_MAX {
        fault(format!("groups: at most {GROUPS_MAX}"));
    }
    let mut names = BTreeSet::new();
    for group in &terms.groups {
        let name = &group.name;
        if !is_dataset_name(name) {
            fault(format!("groups: {name:?} is not [a-z][a-z0-9_-]{{0,63}}"));
        }
        if !names.insert(name) {
            fault(format!("groups: {name} stands twice"));
        }
        let count = group.members.len();
        if count == 0 || count > GROUP_MEMBERS_MAX {
            fault(format!("groups: {name} has 1 to {GROUP_MEMBERS_MAX} members"));
        }
        if !group.members.is_sorted_by(|one, next| one < next) {
            fault(format!("groups: the members of {name} are to be sorted, each once"));
        }
        if let Some(stranger) = group.members.iter().find(|member| !is_member(**member)) {
            fault(format!("groups: {stranger} in {name} is no member"));
        }
        if group.needed == 0 || group.needed > count as u64 {
            fault(format!("groups: {name} needs 1 to all of its members"));
        }
    }
    faults
}

/// The groups whose approval a query takes now: as the terms have them, without those who are
/// members no more. A group of whom nobody is left asks for nothing.
pub fn groups(state: &Collaboration, terms: &Terms) -> Vec<ApprovalGroup> {
    present(state, &terms.groups)
}

fn present(state: &Collaboration, groups: &[ApprovalGroup]) -> Vec<ApprovalGroup> {
    let present = groups.iter().map(|group| {
        let members: Vec<_> = group
            .members
            .iter()
            .copied()
            .filter(|member| state.members.contains_key(member))
            .collect();
        let needed = group.needed.min(members.len() as u64);
        ApprovalGroup { name: group.name.clone(), members, needed }
    });
    present.filter(|group| !group.members.is_empty()).collect()
}

/// What new terms end at once: the other change requests, which rest on the old ones; the
/// proposals that other groups approved; the runs on hardware that is not accepted any more.
pub(super) fn consequences(state: &Collaboration, by: ChangeId, terms: &Terms) -> Events {
    let reason = Reason::about(
        Code::TermsChanged,
        Subject::Change(by),
        "the terms were changed since; propose it again",
    );
    let open =
        state.changes.iter().filter(|(id, request)| **id != by && request.stage == Stage::Open);
    let mut events: Events = open
        .map(|(id, _)| (Subject::Change(*id), ChangeSuperseded { reason: reason.clone() }.into()))
        .collect();
    let asked = groups(state, terms);
    let ended: BTreeSet<_> = state
        .queries
        .iter()
        .filter(|(_, query)| {
            query.live_proposal().is_some_and(|proposal| present(state, &proposal.groups) != asked)
        })
        .map(|(id, _)| *id)
        .collect();
    events.extend(in_flight::superseded(ended.iter().copied(), &reason));
    let disowned = |id: &RunId| {
        let admission = state.runs.get(id).and_then(|run| run.stage.admission());
        !terms.insecure_virtual
            && admission.is_some_and(|admission| admission.platform == Platform::InsecureVirtual)
    };
    let of_ended = ended.iter().flat_map(|query| state.ties.runs_of(*query));
    let stopped = state.ties.admitted().filter(disowned).chain(of_ended);
    events.extend(in_flight::cancel(stopped, &reason));
    events
}
