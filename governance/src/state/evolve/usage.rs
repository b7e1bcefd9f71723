//! How events move what use is held against: the lifecycle and the counts of runs.

use chancery_ledger::id::{QueryId, RunId};

use super::super::lifecycle::Standing;
use super::super::loss::Losses;
use super::super::run::Stage;
use super::super::spent::Spent;
use super::super::{Collaboration, Recorded};
use super::{SUBJECT, actor};
use crate::budget;
use crate::event;
use crate::privacy::Charge;
use crate::query::DatasetVersion;
use crate::subject::Subject;

fn standing(
    state: &Collaboration,
    at: &Recorded,
    reason: String,
) -> Result<Standing, &'static str> {
    if at.subject != Subject::Collaboration(state.id) {
        return Err(SUBJECT);
    }
    Ok(Standing { by: actor(at)?, position: at.position, time_ms: at.time_ms, reason })
}

pub(super) fn pause(
    state: &mut Collaboration,
    at: &Recorded,
    event: event::CollaborationPaused,
) -> Result<(), &'static str> {
    let standing = standing(state, at, event.reason)?;
    state.lifecycle.pause(standing)
}

pub(super) fn resume(state: &mut Collaboration, at: &Recorded) -> Result<(), &'static str> {
    standing(state, at, String::new())?;
    state.lifecycle.resume()
}

pub(super) fn close(
    state: &mut Collaboration,
    at: &Recorded,
    event: event::CollaborationClosed,
) -> Result<(), &'static str> {
    let standing = standing(state, at, event.reason)?;
    state.lifecycle.close(standing)
}

/// The dataset version that a run of the query writes.
pub(super) fn output(state: &Collaboration, query: QueryId) -> Option<DatasetVersion> {
    let proposal = state.queries.get(&query)?.live_proposal()?;
    Some(proposal.binding.output.clone())
}

/// A run that is requested counts on what its query uses.
pub(super) fn request(
    state: &mut Collaboration,
    at: &Recorded,
    query: QueryId,
    privacy: Vec<Charge>,
) -> Result<(), &'static str> {
    let Subject::Run(run) = at.subject else { return Err(SUBJECT) };
    state.loss.request(run, at.time_ms, privacy);
    let query = state.queries.get(&query);
    let datasets = query.map(|query| budget::counted(&query.definition)).unwrap_or_default();
    state.spent.request(run, at.time_ms, actor(at)?, datasets);
    Ok(())
}

pub(super) fn end(state: &mut Collaboration, at: &Recorded) -> Result<(), &'static str> {
    let Subject::Run(run) = at.subject else { return Err(SUBJECT) };
    state.spent.end(run);
    state.loss.end(run);
    Ok(())
}

/// A run has come to `stage`.
pub(super) fn moved((spent, loss): (&mut Spent, &mut Losses), run: RunId, stage: &Stage) {
    match stage {
        Stage::Requested => {}
        Stage::Admitted(_) | Stage::Submitted(..) | Stage::Started(..) => {
            spent.admit(run);
            loss.admit(run);
        }
        Stage::Ended(_) => {
            spent.end(run);
            loss.end(run);
        }
    }
}
