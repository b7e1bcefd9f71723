//! The runs view: each run from its request to its one outcome.

use chancery_governance::event::{
    RunAdmitted, RunCancelled, RunFailed, RunRefused, RunRequested, RunSubmitted, RunSucceeded,
};
use chancery_governance::reason::Reason as Given;
use chancery_governance::state::Recorded;
use chancery_governance::subject::Subject;
use chancery_ledger::id::QueryId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::charges::Charge;
use crate::document::{Attested, Claims, Reason};
use crate::fold::{Illegal, Row, Rows, SUBJECT, actor};
use crate::mirror::document;
use crate::moment::Moment;
use crate::secrets::HandedOut;

/// A run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RunView {
    /// Its id.
    pub id: String,
    /// The query's id.
    pub query: String,
    /// The query's name when the run was asked for.
    pub query_name: String,
    /// The digest of what was to run; null where the request was refused.
    pub digest: Option<String>,
    /// The id of the member who asked for it.
    pub runner: String,
    /// The runner's organisation.
    pub runner_organisation: String,
    /// Where it stands.
    pub stage: RunStage,
    /// Whether it has its outcome.
    pub ended: bool,
    /// What it took of datasets' budgets of privacy when it was asked for.
    pub charges: Vec<Charge>,
    /// Whether it gave that back: it ended before an executor was admitted to it.
    pub given_back: bool,
    /// Why it was refused or cancelled.
    pub reasons: Vec<Reason>,
    /// Where it was refused: `request` or `admission`.
    pub refused_at: Option<String>,
    /// The executor that it was admitted to.
    pub executor: Option<Executor>,
    /// The engine's name for the job.
    pub tracking: Option<String>,
    /// The digest of the signed job spec.
    pub job_spec: Option<String>,
    /// The attested result: manifest, statistics, measurement.
    pub result: Option<Attested>,
    /// How it failed.
    pub failure: Option<Failure>,
    /// What its executors were given or refused, oldest first.
    pub handed_out: Vec<HandedOut>,
    /// What happened, oldest first.
    pub timeline: Vec<RunStep>,
    /// When it was asked for.
    pub created: Moment,
    /// When it last changed.
    pub updated: Moment,
    /// Its version, for `If-Match`: the position of the last event about it.
    pub version: u64,
}

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunStage {
    /// Asked for; no executor has taken it.
    Requested,
    /// An attested executor took it.
    Admitted,
    /// The job is with the engine.
    Submitted,
    /// The engine started it.
    Started,
    /// Refused, at the request or at the admission.
    Refused,
    /// Ended well.
    Succeeded,
    /// Ended badly.
    Failed,
    /// Stopped.
    Cancelled,
}

impl RunStage {
    /// Whether it is an outcome.
    pub const fn ended(self) -> bool {
        match self {
            Self::Requested | Self::Admitted | Self::Submitted | Self::Started => false,
            Self::Refused | Self::Succeeded | Self::Failed | Self::Cancelled => true,
        }
    }
}

/// The executor that a run was admitted to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Executor {
    /// The id of its key.
    pub key_id: String,
    /// Its key.
    pub key: String,
    /// What stands behind its evidence: `insecure-virtual` (nothing) or `sev-snp`.
    pub platform: String,
    /// The application's measurement.
    pub measurement: String,
    /// What the evidence says beside.
    pub claims: Claims,
}

/// How a run failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Failure {
    /// A stable code.
    pub code: String,
    /// One line for people, without data.
    pub detail: String,
}

/// One step of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RunStep {
    /// The stage that it reached.
    pub stage: RunStage,
    /// The position in the log.
    pub position: u64,
    /// When, milliseconds since the Unix epoch.
    pub time_ms: u64,
    /// The leaf hash of the entry.
    pub leaf: String,
}

impl Row for RunView {
    const TABLE: &'static str = "runs";

    fn id(&self) -> &str {
        &self.id
    }

    fn position(&self) -> u64 {
        self.created.position
    }

    fn touch(&mut self, at: Moment) {
        self.updated = at;
        self.version = at.position;
    }
}

/// A run is asked for.
pub(crate) fn requested(
    rows: &mut Rows,
    at: &Recorded,
    event: &RunRequested,
) -> Result<(), Illegal> {
    let charges = event.privacy.iter().map(|charge| Charge::of(rows, *charge));
    let charges = charges.collect::<Result<_, _>>()?;
    let run = begin(rows, at, event.query, RunStage::Requested)?;
    run.digest = Some(event.digest.to_string());
    run.charges = charges;
    Ok(())
}

/// A run is refused: at its request, which is then all there is of it, or at its admission.
pub(crate) fn refused(rows: &mut Rows, at: &Recorded, event: &RunRefused) -> Result<(), Illegal> {
    let reasons = documents(&event.reasons)?;
    let run = if rows.runs.has(&id(at)?) {
        step(rows, at, is_live, RunStage::Refused)?
    } else {
        begin(rows, at, event.query, RunStage::Refused)?
    };
    run.reasons = reasons;
    run.refused_at = Some(event.stage.as_str().to_owned());
    Ok(())
}

/// An executor takes it. Another may take it again, until it has its outcome.
pub(crate) fn admitted(rows: &mut Rows, at: &Recorded, event: &RunAdmitted) -> Result<(), Illegal> {
    let claims = document(&event.claims)?;
    let run = step(rows, at, is_live, RunStage::Admitted)?;
    run.executor = Some(Executor {
        key_id: event.executor.id().to_string(),
        key: event.executor.to_string(),
        platform: event.platform.as_str().to_owned(),
        measurement: event.measurement.to_string(),
        claims,
    });
    run.tracking = None;
    run.job_spec = None;
    Ok(())
}

/// The job is with the engine.
pub(crate) fn submitted(
    rows: &mut Rows,
    at: &Recorded,
    event: &RunSubmitted,
) -> Result<(), Illegal> {
    let run = step(rows, at, |stage| stage == RunStage::Admitted, RunStage::Submitted)?;
    run.tracking = Some(event.tracking.clone());
    run.job_spec = Some(event.job_spec.to_string());
    Ok(())
}

/// The engine has started it.
pub(crate) fn started(rows: &mut Rows, at: &Recorded) -> Result<(), Illegal> {
    step(rows, at, |stage| stage == RunStage::Submitted, RunStage::Started).map(|_| ())
}

/// It ended well.
pub(crate) fn succeeded(
    rows: &mut Rows,
    at: &Recorded,
    event: &RunSucceeded,
) -> Result<(), Illegal> {
    let result = document(&event.result)?;
    let run = step(rows, at, |stage| stage == RunStage::Started, RunStage::Succeeded)?;
    run.result = Some(result);
    Ok(())
}

/// It ended badly.
pub(crate) fn failed(rows: &mut Rows, at: &Recorded, event: &RunFailed) -> Result<(), Illegal> {
    let taken = |stage| is_live(stage) && stage != RunStage::Requested;
    step(rows, at, taken, RunStage::Failed)?.failure =
        Some(Failure { code: event.code.clone(), detail: event.detail.clone() });
    Ok(())
}

/// It was stopped.
pub(crate) fn cancelled(
    rows: &mut Rows,
    at: &Recorded,
    event: &RunCancelled,
) -> Result<(), Illegal> {
    let reasons = documents(&event.reasons)?;
    step(rows, at, is_live, RunStage::Cancelled)?.reasons = reasons;
    Ok(())
}

fn id(at: &Recorded) -> Result<String, Illegal> {
    if let Subject::Run(id) = at.subject { Ok(id.to_string()) } else { Err(SUBJECT) }
}

const fn is_live(stage: RunStage) -> bool {
    !stage.ended()
}

fn documents(reasons: &[Given]) -> Result<Vec<Reason>, Illegal> {
    reasons.iter().map(document).collect()
}

fn begin<'a>(
    rows: &'a mut Rows,
    at: &Recorded,
    query: QueryId,
    stage: RunStage,
) -> Result<&'a mut RunView, Illegal> {
    let (id, runner, moment) = (id(at)?, actor(at)?, Moment::of(at));
    let query = query.to_string();
    rows.runs.insert(RunView {
        id: id.clone(),
        query_name: rows.queries.row(&query)?.definition.name.clone(),
        query,
        digest: None,
        runner_organisation: rows.organisation(&runner)?,
        runner,
        stage,
        ended: stage.ended(),
        charges: Vec::new(),
        given_back: false,
        reasons: Vec::new(),
        refused_at: None,
        executor: None,
        tracking: None,
        job_spec: None,
        result: None,
        failure: None,
        handed_out: Vec::new(),
        timeline: vec![reached(stage, at)],
        created: moment,
        updated: moment,
        version: at.position,
    })?;
    rows.runs.change(&id)
}

/// Moves the run to `to` if `from` says yes to its stage.
fn step<'a>(
    rows: &'a mut Rows,
    at: &Recorded,
    from: impl Fn(RunStage) -> bool,
    to: RunStage,
) -> Result<&'a mut RunView, Illegal> {
    let run = rows.runs.touch(&id(at)?, at)?;
    if !from(run.stage) {
        return Err("the run is at another step");
    }
    run.stage = to;
    run.ended = to.ended();
    run.given_back = run.ended && run.executor.is_none() && !run.charges.is_empty();
    run.timeline.push(reached(to, at));
    Ok(run)
}

fn reached(stage: RunStage, at: &Recorded) -> RunStep {
    RunStep { stage, position: at.position, time_ms: at.time_ms, leaf: at.leaf.to_string() }
}
