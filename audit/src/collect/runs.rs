//! Each run's way through the log.

use std::collections::BTreeMap;

use chancery_governance::event::Event;
use chancery_governance::run::RefusedAt;
use chancery_governance::state::Collaboration;
use chancery_governance::state::run::{Outcome, Run as RunState, Stage};
use chancery_governance::subject::Subject;
use chancery_ledger::digest::Digest;
use chancery_ledger::id::RunId;

use super::Seen;
use crate::report::{By, Executor, Listed, RUNS_MAX, Run, Stamp};

#[derive(Debug, Default)]
pub struct Runs {
    kept: BTreeMap<RunId, Trace>,
    left_out: u64,
}

#[derive(Debug)]
struct Trace {
    requested: Stamp,
    by: By,
    votes: Vec<u64>,
    executor: Option<Executor>,
    submitted: Option<Stamp>,
    started: Option<Stamp>,
    ended: Option<Stamp>,
    job_spec: Option<Digest>,
}

impl Runs {
    pub fn record(&mut self, seen: &Seen<'_>) {
        let (Subject::Run(id), stamp) = (seen.subject, seen.stamp) else { return };
        if begins(seen.event) && !self.begin(id, seen) {
            return;
        }
        let Some(trace) = self.kept.get_mut(&id) else { return };
        match seen.event {
            Event::RunAdmitted(event) => {
                (trace.submitted, trace.started, trace.job_spec) = (None, None, None);
                trace.votes = standing_votes(id, seen.state);
                trace.executor = Some(Executor {
                    admitted: stamp,
                    key: event.executor.id(),
                    platform: event.platform,
                    measurement: event.measurement,
                });
            }
            Event::RunSubmitted(event) => {
                (trace.submitted, trace.job_spec) = (Some(stamp), Some(event.job_spec));
            }
            Event::RunStarted(_) => trace.started = Some(stamp),
            Event::RunRefused(_)
            | Event::RunSucceeded(_)
            | Event::RunFailed(_)
            | Event::RunCancelled(_) => trace.ended = Some(stamp),
            _ => {}
        }
    }

    /// Begins a trace, where there is room for one; says whether.
    fn begin(&mut self, id: RunId, seen: &Seen<'_>) -> bool {
        let room = seen.listed && self.kept.len() < RUNS_MAX;
        if room {
            let trace = Trace {
                requested: seen.stamp,
                by: seen.by(),
                votes: standing_votes(id, seen.state),
                executor: None,
                submitted: None,
                started: None,
                ended: None,
                job_spec: None,
            };
            self.kept.insert(id, trace);
        } else {
            self.left_out = self.left_out.saturating_add(1);
        }
        room
    }

    pub fn told(self, state: &Collaboration) -> Listed<Run> {
        let traces = self.kept.into_iter();
        let mut runs: Vec<_> =
            traces.filter_map(|(id, trace)| Some(run(id, trace, state.runs.get(&id)?))).collect();
        runs.sort_by_key(|run| run.requested.position);
        let mut listed = Listed::of(runs, RUNS_MAX);
        listed.leave_out_more(self.left_out);
        listed
    }
}

/// Whether an event is the first of its run.
fn begins(event: &Event) -> bool {
    match event {
        Event::RunRequested(_) => true,
        Event::RunRefused(event) => event.stage == RefusedAt::Request,
        _ => false,
    }
}

/// The positions of the votes that stand for what a run runs.
fn standing_votes(id: RunId, state: &Collaboration) -> Vec<u64> {
    let run = state.runs.get(&id);
    let proposal = run.and_then(|run| super::live(state, run.query, run.digest?));
    let votes = proposal.into_iter().flat_map(|proposal| proposal.votes.values());
    let mut votes: Vec<_> = votes.map(|vote| vote.position).collect();
    votes.sort_unstable();
    votes
}

fn run(id: RunId, trace: Trace, run: &RunState) -> Run {
    let (result, reasons, failure) = match &run.stage {
        Stage::Ended(Outcome::Succeeded { result, .. }) => (Some(result.clone()), Vec::new(), None),
        Stage::Ended(Outcome::Refused(reasons) | Outcome::Cancelled(reasons)) => {
            (None, reasons.clone(), None)
        }
        Stage::Ended(Outcome::Failed { code, detail }) => {
            (None, Vec::new(), Some((code.clone(), detail.clone())))
        }
        Stage::Requested | Stage::Admitted(_) | Stage::Submitted(..) | Stage::Started(..) => {
            (None, Vec::new(), None)
        }
    };
    Run {
        id,
        query: run.query,
        query_digest: run.digest,
        runner: run.runner,
        by: trace.by,
        state: run.stage.name(),
        requested: trace.requested,
        executor: trace.executor,
        submitted: trace.submitted,
        started: trace.started,
        ended: trace.ended,
        job_spec: trace.job_spec,
        votes: trace.votes,
        result,
        reasons,
        failure,
    }
}
