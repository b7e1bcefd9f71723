//! What a change of terms does at once to queries and runs that relied on the old ones.

use chancery_ledger::id::{DatasetId, QueryId};

use super::Events;
use crate::event::{QuerySuperseded, RunCancelled};
use crate::reason::Reason;
use crate::state::Collaboration;
use crate::state::query::{Proposal, Query};
use crate::state::run::Run;
use crate::subject::Subject;

/// The queries whose live proposal uses `dataset`.
pub(super) fn queries_on(
    state: &Collaboration,
    dataset: DatasetId,
) -> impl Iterator<Item = (QueryId, &Proposal)> {
    state.queries.iter().filter_map(move |(id, query)| {
        let proposal = query.live_proposal()?;
        uses(query, dataset).then_some((*id, proposal))
    })
}

/// Whether the query as it stands reads or writes `dataset`.
pub(super) fn uses(query: &Query, dataset: DatasetId) -> bool {
    query.definition.output == dataset
        || query.definition.inputs.iter().any(|input| input.dataset == dataset)
}

/// Ends the live proposals on `dataset`, for `reason`.
pub(super) fn supersede(state: &Collaboration, dataset: DatasetId, reason: &Reason) -> Events {
    queries_on(state, dataset)
        .map(|(id, _)| (Subject::Query(id), QuerySuperseded { reason: reason.clone() }.into()))
        .collect()
}

/// Cancels the runs without an outcome whose query `touched` says yes to, for `reason`.
pub(super) fn cancel(
    state: &Collaboration,
    reason: &Reason,
    touched: impl Fn(QueryId, &Query) -> bool,
) -> Events {
    cancel_runs(state, reason, |run| {
        state.queries.get(&run.query).is_some_and(|query| touched(run.query, query))
    })
}

/// Cancels the runs without an outcome that `touched` says yes to, for `reason`.
pub(super) fn cancel_runs(
    state: &Collaboration,
    reason: &Reason,
    touched: impl Fn(&Run) -> bool,
) -> Events {
    state
        .runs
        .iter()
        .filter(|(_, run)| !run.stage.ended() && touched(run))
        .map(|(id, _)| (Subject::Run(*id), RunCancelled { reasons: vec![reason.clone()] }.into()))
        .collect()
}
