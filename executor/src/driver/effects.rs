//! One run, step by step: what is known of it, what the machine says, and the doing of it.

mod job;
mod outcome;
mod secrets;

use std::io;

use chancery_governance::command::{AdmitRun, Command, FailRun, StartRun, SubmitRun};
use chancery_governance::consent::ConsentKind;
use chancery_governance::state::Collaboration;
use chancery_governance::state::run::{Run, Stage};
use chancery_ledger::digest::Digest;
use chancery_ledger::key::SigningKey;
use chancery_sealing::OpeningKey;

use super::logs::Logs;
use crate::backend::{Backend, BackendError, Job, JobStatus, Phase, Progress};
use crate::client::{Client, ClientError, Report};
use crate::clock::{self, NoRandomness};
use crate::ending::one_line;
use crate::job::Jobs;
use crate::log::SyncError;
use crate::machine::{self, Effect, Sight};
use crate::paths::DataRoot;
use crate::{RunKey, evidence, spec};
use secrets::Obtained;

/// Steps of a run in one turn; it takes fewer than ten from its request to its outcome.
const STEPS_MAX: usize = 32;
/// Refusals that are about the work itself and not about who asks: the run fails for them.
const VERDICTS: [&str; 13] = [
    "application_not_for_query",
    "debug_not_allowed",
    "engine_not_allowed",
    "host_data_not_allowed",
    "tcb_too_old",
    "evidence_invalid",
    "evidence_not_bound",
    "insecure_virtual_not_allowed",
    "invalid_content",
    "limit_exceeded",
    "measurement_not_allowed",
    "payload_too_large",
    "result_mismatch",
];

/// The rules' answer to statistics that came too late for consent: the next look leaves them out.
const TELEMETRY_WITHHELD: &str = "telemetry_withheld";
/// What stands for the detail of a failure over which consent to logging is withdrawn.
pub const WITHHELD: &str = "withheld: consent to logging is withdrawn";

/// What runs are driven with.
pub struct Tools<B> {
    pub client: Client,
    pub key: SigningKey,
    /// What secrets are sealed to.
    pub opening: OpeningKey,
    pub application: Digest,
    pub root: DataRoot,
    pub jobs: Jobs,
    pub backend: B,
}

/// How a turn ended.
#[derive(Debug)]
pub enum Stepped {
    /// The job is under way, so far.
    Waits(Option<Progress>),
    /// Nothing is left to do.
    Done,
    /// The service refuses a report, for a reason that is not the run's.
    Refused {
        /// The report.
        action: &'static str,
        /// The service's code.
        code: String,
    },
}

/// What keeps a run from going on now.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// The log is not at hand.
    #[error("the log can't be read")]
    Sync(#[from] SyncError),
    /// A report did not get through.
    #[error("a report did not get through")]
    Client(#[source] ClientError),
    /// The engine's backend failed.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// The disk failed.
    #[error("the job's folder or its result can't be used")]
    Disk(#[from] io::Error),
    /// See [`NoRandomness`].
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
    /// It does not come to rest.
    #[error("the run does not come to rest in {STEPS_MAX} steps")]
    Restless,
}

/// What became of a report.
enum Sent {
    /// It stands in the log, or the log moved on without it.
    Moved,
    /// It was refused, and nothing moved.
    Refused(String),
}

/// What is known of a run.
struct Look<'a> {
    state: &'a Collaboration,
    run: &'a Run,
    spec: Option<spec::Stored>,
    job: JobStatus,
    effect: Effect,
}

impl<B: Backend> Tools<B> {
    /// Does for a run what can be done now.
    pub async fn step(&self, logs: &mut Logs, run: RunKey) -> Result<Stepped, StepError> {
        for _ in 0..STEPS_MAX {
            let Some(look) = self.look(logs, run).await? else { return Ok(Stepped::Done) };
            let silent = look.state.is_withheld(look.run.query, ConsentKind::Logging);
            let Look { mut effect, job, .. } = look;
            if effect.needs_newest() {
                logs.newest(run.collaboration).await?;
                let Some(look) = self.look(logs, run).await? else { return Ok(Stepped::Done) };
                effect = look.effect;
            }
            tracing::debug!(%run, ?effect, "next step");
            let sent = match effect {
                Effect::Wait if silent => return Ok(Stepped::Waits(None)),
                Effect::Wait => return Ok(Stepped::Waits(progress(job.phase))),
                Effect::Done => return Ok(Stepped::Done),
                effect => self.perform(logs, run, effect).await?,
            };
            if let Some((action, code)) = sent {
                return Ok(Stepped::Refused { action, code });
            }
        }
        Err(StepError::Restless)
    }

    /// Kills a run's job and leaves all else as it is.
    pub async fn stop(&self, run: RunKey) {
        if let Err(error) = self.backend.cancel(&self.job(run)).await {
            tracing::error!(%run, error = %super::chain(&error), "the job can't be stopped");
        }
    }

    fn job(&self, run: RunKey) -> Job {
        Job { run, folder: self.jobs.folder(run), executor: self.key.public().id() }
    }

    async fn look<'a>(&self, logs: &'a Logs, run: RunKey) -> Result<Option<Look<'a>>, StepError> {
        let Some(state) = logs.state(run.collaboration) else { return Ok(None) };
        let Some(held) = state.runs.get(&run.run) else { return Ok(None) };
        let job = self.backend.status(&self.job(run)).await?;
        let stored = self.jobs.spec(run)?;
        let spec = stored.and_then(|bytes| spec::read(&bytes, run.run, self.key.public()));
        let effect = machine::next(&Sight {
            stage: &held.stage,
            key: self.key.public(),
            application: self.application,
            orphan: logs.is_orphan(run),
            spec: spec.as_ref().map(|spec| spec.facts),
            remains: self.jobs.folder(run).exists(),
            job: &job,
            now_ms: clock::now_ms(),
        });
        Ok(Some(Look { state, run: held, spec, job, effect }))
    }

    /// Does one effect. Returns the report that was refused, if one was, with the code.
    async fn perform(
        &self,
        logs: &mut Logs,
        run: RunKey,
        effect: Effect,
    ) -> Result<Option<(&'static str, String)>, StepError> {
        let mut refusal = None;
        if effect == Effect::Launch {
            match self.obtain(logs, run).await? {
                Obtained::Ready => {}
                Obtained::Refused(refused) => refusal = Some(refused),
                Obtained::Moved => return Ok(None),
            }
        }
        let Some(look) = self.look(logs, run).await? else { return Ok(None) };
        let command: Command = match effect {
            Effect::Wait | Effect::Done => return Ok(None),
            Effect::Clear { result } => {
                self.clear(&look, run, result).await?;
                return Ok(None);
            }
            Effect::Launch => {
                let refusal = match refusal {
                    None => self.launch(&look, run).await?,
                    refused => refused,
                };
                match refusal {
                    None => return Ok(None),
                    Some(refusal) => failure(refusal.code, &refusal.detail),
                }
            }
            Effect::Admit => {
                let (key, application) = (self.key.public(), self.application);
                let held = (run.run, look.run);
                let evidence = evidence::of_admission(look.state, held, key, application);
                AdmitRun { executor: key.clone(), evidence }.into()
            }
            Effect::Submit => match self.prepare(&look, run).await? {
                Ok(job_spec) => SubmitRun { tracking: format!("local/{run}"), job_spec }.into(),
                Err(refusal) => failure(refusal.code, &refusal.detail),
            },
            Effect::ReportStarted => StartRun {}.into(),
            Effect::Succeed => self.result(&look, run).await?,
            Effect::Fail { code, detail } => failure(&code, &detail),
        };
        let command = quieted(&look, command);
        let ours = look.run.stage.admission().is_some_and(|a| a.executor == *self.key.public());
        let action = command.action();
        let code = match self.send(logs, run, command).await? {
            Sent::Moved => return Ok(None),
            Sent::Refused(code) => code,
        };
        if code == TELEMETRY_WITHHELD {
            return Ok(None);
        }
        // A run of ours that can't go on has to end; any other waits for better times.
        let fails = ours && matches!(action, "run.admit" | "run.succeed");
        if !fails || !VERDICTS.contains(&code.as_str()) {
            return Ok(Some((action, code)));
        }
        let detail = format!("the report {action} was refused: {code}");
        let command = failure("report_refused", &detail);
        let action = command.action();
        match self.send(logs, run, command).await? {
            Sent::Moved => Ok(None),
            Sent::Refused(code) => Ok(Some((action, code))),
        }
    }

    /// Reports, and reads what became of it from the log.
    async fn send(
        &self,
        logs: &mut Logs,
        run: RunKey,
        command: Command,
    ) -> Result<Sent, StepError> {
        let before = logs.stage(run).cloned();
        let Some(state) = logs.state(run.collaboration) else { return Ok(Sent::Moved) };
        let action = command.action();
        let id = clock::command_id()?;
        let report = Report { audience: state.service_key.id(), run, id, command };
        let refused = match self.client.report(&report, &self.key).await {
            Ok(()) => None,
            Err(ClientError::Rejected { code, .. } | ClientError::Conflict { code, .. }) => {
                Some(code)
            }
            Err(error) => return Err(StepError::Client(error)),
        };
        logs.newest(run.collaboration).await?;
        if let Some(code) = refused
            && logs.stage(run) == before.as_ref()
        {
            return Ok(Sent::Refused(code));
        }
        if action == "run.admit" {
            logs.adopted(run);
        }
        let stage = logs.stage(run).map_or("gone", Stage::name);
        tracing::info!(%run, action, stage, "reported");
        Ok(Sent::Moved)
    }
}

/// A failure without its detail, where consent to logging is withdrawn over the run: its code is an
/// outcome, its detail is a log.
fn quieted(look: &Look<'_>, command: Command) -> Command {
    match command {
        Command::FailRun(fail) if look.state.is_withheld(look.run.query, ConsentKind::Logging) => {
            FailRun { detail: WITHHELD.to_owned(), ..fail }.into()
        }
        other => other,
    }
}

fn failure(code: &str, detail: &str) -> Command {
    FailRun { code: code.to_owned(), detail: one_line(detail) }.into()
}

fn progress(phase: Phase) -> Option<Progress> {
    if let Phase::Running(progress) = phase { progress } else { None }
}
