//! What a clean room policy may say beside applications, and which runs it ends.

use chancery_ledger::digest::Digest;

use super::Events;
use crate::clean_room::{CLAIMS_MAX, Demands, Only, Policy, QUERIES_MAX, Shown};
use crate::event::RunCancelled;
use crate::reason::{Code, Reason, Rejection};
use crate::state::Collaboration;
use crate::subject::Subject;

/// Sorts `items`, of which there must be at most `max`, none twice.
fn sorted<T: Ord + Clone>(what: &str, items: &[T], max: usize) -> Result<Vec<T>, Rejection> {
    let mut sorted = items.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    if sorted.len() != items.len() {
        return Err(Rejection::new(
            Code::InvalidCleanRoomPolicy,
            format!("{what}: one stands twice"),
        ));
    }
    if sorted.len() > max {
        return Err(Rejection::new(Code::LimitExceeded, format!("{what}: at most {max}")));
    }
    Ok(sorted)
}

/// The demands as the event holds them.
pub(super) fn demands(demands: &Demands) -> Result<Demands, Rejection> {
    Ok(Demands {
        host_data: sorted("demands.host_data", &demands.host_data, CLAIMS_MAX)?,
        engines: sorted("demands.engines", &demands.engines, CLAIMS_MAX)?,
        minimum_tcb: demands.minimum_tcb,
    })
}

/// The limits as the event holds them: each of an application that the policy names.
pub(super) fn only(only: &[Only], applications: &[Digest]) -> Result<Vec<Only>, Rejection> {
    let limits = only.iter().map(|only| {
        let queries = sorted("only.queries", &only.queries, QUERIES_MAX)?;
        Ok(Only { application: only.application, queries })
    });
    let limits = limits.collect::<Result<Vec<_>, Rejection>>()?;
    let limited: Vec<_> = limits.iter().map(|only| only.application).collect();
    sorted("only", &limited, applications.len())?;
    if let Some(unknown) = limited.iter().find(|limited| !applications.contains(limited)) {
        return Err(Rejection::new(
            Code::InvalidCleanRoomPolicy,
            format!("only: the policy does not name {unknown}"),
        ));
    }
    sorted("only", &limits, applications.len())
}

/// Cancels the admitted runs whose executor the new policy does not let go on.
pub(super) fn disowned(state: &Collaboration, policy: &Policy<'_>) -> Events {
    let about = Subject::Collaboration(state.id);
    let ended = state.ties.admitted().filter_map(|id| {
        let run = state.runs.get(&id)?;
        let admission = run.stage.admission()?;
        let shown = Shown {
            platform: admission.platform,
            measurement: admission.measurement,
            claims: &admission.claims,
        };
        let mut against = policy.reasons(&state.terms, run.query, &shown).into_iter();
        let reason = against.next()?;
        let detail = match reason.code {
            Code::MeasurementNotAllowed => {
                "the clean room policy names the run's application no more".to_owned()
            }
            _ => reason.detail,
        };
        let reason = Reason::about(reason.code, about, detail);
        Some((Subject::Run(id), RunCancelled { reasons: vec![reason] }.into()))
    });
    ended.collect()
}
