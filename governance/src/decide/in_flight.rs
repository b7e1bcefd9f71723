//! What a change of terms does at once to queries and runs that relied on the old ones.

use std::collections::BTreeSet;

use chancery_ledger::id::{DatasetId, QueryId, RunId};

use super::Events;
use crate::event::{QuerySuperseded, RunCancelled};
use crate::reason::Reason;
use crate::state::Collaboration;
use crate::subject::Subject;

/// Those of `queries` that have a live proposal.
pub(super) fn live(
    state: &Collaboration,
    queries: impl Iterator<Item = QueryId>,
) -> impl Iterator<Item = QueryId> {
    queries.filter(|id| state.queries.get(id).is_some_and(|query| query.live_proposal().is_some()))
}

/// Ends the live proposals on `dataset` and cancels the runs on it, for `reason`.
pub(super) fn supersede(state: &Collaboration, dataset: DatasetId, reason: &Reason) -> Events {
    let mut events = superseded(live(state, state.ties.queries_on(dataset)), reason);
    events.extend(cancel(runs_on(state, dataset), reason));
    events
}

/// The end of proposals, for `reason`.
pub(super) fn superseded(queries: impl Iterator<Item = QueryId>, reason: &Reason) -> Events {
    queries
        .map(|id| (Subject::Query(id), QuerySuperseded { reason: reason.clone() }.into()))
        .collect()
}

/// The runs without an outcome that read or write `dataset`.
pub(super) fn runs_on(state: &Collaboration, dataset: DatasetId) -> impl Iterator<Item = RunId> {
    state.ties.queries_on(dataset).flat_map(|query| state.ties.runs_of(query))
}

/// Cancels runs that have no outcome, in the order of their ids, for `reason`.
pub(super) fn cancel(runs: impl IntoIterator<Item = RunId>, reason: &Reason) -> Events {
    let runs: BTreeSet<_> = runs.into_iter().collect();
    runs.into_iter()
        .map(|id| (Subject::Run(id), RunCancelled { reasons: vec![reason.clone()] }.into()))
        .collect()
}
