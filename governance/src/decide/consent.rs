//! Withdrawing and restoring consent: each member moves its own mark only.

use chancery_ledger::id::MemberId;

use super::{Events, in_flight, wrong_subject};
use crate::consent::{ConsentKind, Scope};
use crate::event::{ConsentRestored, ConsentWithdrawn};
use crate::reason::{Code, Reason, Rejection};
use crate::run::Statistics;
use crate::state::Collaboration;
use crate::state::run::Run;
use crate::subject::Subject;

/// The scope that `subject` is, if `caller` has a say there.
fn scope(state: &Collaboration, subject: Subject, caller: MemberId) -> Result<Scope, Rejection> {
    match subject {
        Subject::Collaboration(id) if id == state.id => Ok(Scope::Collaboration(id)),
        Subject::Dataset(id) => match state.datasets.get(&id) {
            None => Err(Rejection::new(Code::DatasetNotFound, "there is no such dataset")),
            Some(dataset) if dataset.owner != caller => Err(Rejection::new(
                Code::NotTheDatasetOwner,
                "consent to a dataset's use is its owner's",
            )),
            Some(_) => Ok(Scope::Dataset(id)),
        },
        Subject::Query(id) => {
            let query = state
                .queries
                .get(&id)
                .ok_or_else(|| Rejection::new(Code::QueryNotFound, "there is no such query"))?;
            let approver = query.live_proposal().is_some_and(|proposal| proposal.has_vote(caller));
            let marked = ConsentKind::ALL
                .into_iter()
                .any(|kind| state.marks_on(Scope::Query(id), kind).any(|member| member == caller));
            if approver || marked || query.author == caller {
                Ok(Scope::Query(id))
            } else {
                Err(Rejection::new(
                    Code::NotAnApprover,
                    "consent to a query is its approvers' and its author's",
                ))
            }
        }
        Subject::Collaboration(_)
        | Subject::Invitation(_)
        | Subject::Member(_)
        | Subject::Run(_)
        | Subject::Change(_)
        | Subject::Rule(_) => Err(wrong_subject("the collaboration, a dataset or a query")),
    }
}

/// Refuses statistics of a run over which consent to telemetry is withdrawn: none but the rows that
/// were written, which the manifest of the result says anyway.
pub(super) fn check_statistics(
    state: &Collaboration,
    run: &Run,
    statistics: &Statistics,
) -> Result<(), Rejection> {
    let tells = !statistics.inputs.is_empty() || !statistics.segments.is_empty();
    if tells && state.is_withheld(run.query, ConsentKind::Telemetry) {
        return Err(Rejection::new(
            Code::TelemetryWithheld,
            "consent to telemetry is withdrawn over the run; leave the rows and times out",
        ));
    }
    Ok(())
}

pub(super) fn withdraw(
    state: &Collaboration,
    subject: Subject,
    caller: MemberId,
    kind: ConsentKind,
) -> Result<Events, Rejection> {
    let scope = scope(state, subject, caller)?;
    if state.marks_on(scope, kind).any(|member| member == caller) {
        return Err(Rejection::new(
            Code::ConsentAlreadyWithdrawn,
            "the caller withdrew this consent already",
        ));
    }
    let mut events = vec![(subject, ConsentWithdrawn { kind }.into())];
    if kind == ConsentKind::Execution {
        let reason = Reason::about(
            Code::ConsentWithdrawn,
            subject,
            format!("member {caller} withdrew consent to execution"),
        );
        events.extend(match scope {
            Scope::Collaboration(_) => in_flight::cancel(state.ties.runs(), &reason),
            Scope::Dataset(id) => in_flight::cancel(in_flight::runs_on(state, id), &reason),
            Scope::Query(id) => in_flight::cancel(state.ties.runs_of(id), &reason),
        });
    }
    Ok(events)
}

pub(super) fn restore(
    state: &Collaboration,
    subject: Subject,
    caller: MemberId,
    kind: ConsentKind,
) -> Result<Events, Rejection> {
    let scope = scope(state, subject, caller)?;
    if !state.marks_on(scope, kind).any(|member| member == caller) {
        return Err(Rejection::new(
            Code::ConsentNotWithdrawn,
            "the caller has no mark against this to take back",
        ));
    }
    Ok(vec![(subject, ConsentRestored { kind }.into())])
}
