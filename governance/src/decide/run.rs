//! Runs: requested, admitted on evidence, reported on, with exactly one outcome.

use chancery_ledger::codec::{self, Value};
use chancery_ledger::digest::Digest;
use chancery_ledger::id::{CollaborationId, MemberId, RunId};
use chancery_ledger::key::{KeyId, PublicKey};

use super::{Events, consent, wrong_subject};
use crate::clean_room::{Policy, Shown};
use crate::command::{AdmitRun, Command, FailRun, RequestRun, SubmitRun, SucceedRun};
use crate::event::{
    RunAdmitted, RunCancelled, RunFailed, RunRefused, RunRequested, RunStarted, RunSubmitted,
    RunSucceeded,
};
use crate::privacy;
use crate::query::Binding;
use crate::readiness::{Asked, accepted_digest, readiness_at};
use crate::reason::{Code, Reason, Rejection};
use crate::run::{Attested, RefusedAt, Verdict};
use crate::state::Collaboration;
use crate::state::run::{Outcome, Run, Stage};
use crate::subject::Subject;
use crate::submission::Facts;
use crate::wire::Wire;

/// Most runs in a collaboration.
pub const RUNS_MAX: usize = 1_000_000;
/// Longest tracking name, failure code and failure detail, in characters.
pub const TRACKING_LEN_MAX: usize = 256;
/// Longest name of a result's file, in bytes.
pub const FILE_NAME_LEN_MAX: usize = 255;
/// See [`TRACKING_LEN_MAX`].
pub const FAILURE_CODE_LEN_MAX: usize = 64;
/// See [`TRACKING_LEN_MAX`].
pub const FAILURE_DETAIL_LEN_MAX: usize = 500;

pub(super) fn request(
    state: &Collaboration,
    id: RunId,
    (caller, now_ms): (MemberId, u64),
    command: &RequestRun,
) -> Result<Events, Rejection> {
    if state.runs.contains_key(&id) {
        return Err(Rejection::new(Code::RunExists, "the run's id is in use"));
    }
    if state.runs.len() >= RUNS_MAX {
        return Err(Rejection::new(
            Code::LimitExceeded,
            format!("a collaboration has at most {RUNS_MAX} runs"),
        ));
    }
    let query = state
        .queries
        .get(&command.query)
        .ok_or_else(|| Rejection::new(Code::QueryNotFound, "there is no such query"))?;
    let asked = Asked { runner: Some(caller), now_ms, run: None };
    let mut reasons = readiness_at(state, command.query, &asked);
    if accepted_digest(query).is_some_and(|digest| digest != command.digest) {
        reasons.push(Reason::about(
            Code::QueryDigestMismatch,
            Subject::Query(command.query),
            "the request names another digest than was accepted",
        ));
    }
    let event = if reasons.is_empty() {
        let privacy = privacy::budget::charges(state, &query.definition);
        RunRequested { query: command.query, digest: command.digest, privacy }.into()
    } else {
        RunRefused { query: command.query, stage: RefusedAt::Request, reasons }.into()
    };
    Ok(vec![(Subject::Run(id), event)])
}

pub(super) fn cancel(
    state: &Collaboration,
    id: RunId,
    caller: MemberId,
) -> Result<Events, Rejection> {
    let run = live(state, id)?;
    let approver = state
        .queries
        .get(&run.query)
        .and_then(|query| query.live_proposal())
        .is_some_and(|proposal| proposal.has_vote(caller));
    if run.runner != caller && !approver {
        return Err(Rejection::new(
            Code::NotAnApprover,
            "only its runner or an approver of the query cancels a run",
        ));
    }
    let reason = Reason::about(
        Code::CancelledByMember,
        Subject::Member(caller),
        "a member asked for the run to stop",
    );
    Ok(vec![(Subject::Run(id), RunCancelled { reasons: vec![reason] }.into())])
}

/// An executor's report on a run.
pub(super) fn report(
    state: &Collaboration,
    id: RunId,
    command: &Command,
    (facts, now_ms): (&Facts, u64),
) -> Result<Events, Rejection> {
    let run = live(state, id)?;
    let event = match command {
        Command::AdmitRun(command) => admit(state, (id, run), command, (facts, now_ms))?,
        Command::SubmitRun(command) => submit(run, command)?,
        Command::StartRun(_) => match run.stage {
            Stage::Submitted(..) => RunStarted {}.into(),
            Stage::Requested | Stage::Admitted(_) | Stage::Started(..) | Stage::Ended(_) => {
                return Err(wrong_step(run));
            }
        },
        Command::SucceedRun(command) => succeed(state, id, run, command, facts)?,
        Command::FailRun(command) => fail(run, command)?,
        _ => return Err(wrong_subject("a run")),
    };
    Ok(vec![(Subject::Run(id), event)])
}

fn live(state: &Collaboration, id: RunId) -> Result<&Run, Rejection> {
    let run = state
        .runs
        .get(&id)
        .ok_or_else(|| Rejection::new(Code::RunNotFound, "there is no such run"))?;
    if let Stage::Ended(outcome) = &run.stage { Err(ended(outcome)) } else { Ok(run) }
}

fn ended(outcome: &Outcome) -> Rejection {
    let (how, reasons) = match outcome {
        Outcome::Refused(reasons) => ("refused", reasons.clone()),
        Outcome::Succeeded { .. } => ("succeeded", Vec::new()),
        Outcome::Failed { .. } => ("failed", Vec::new()),
        Outcome::Cancelled(reasons) => ("cancelled", reasons.clone()),
    };
    Rejection {
        first: Reason::new(Code::RunAlreadyEnded, format!("the run has its outcome: {how}")),
        others: reasons,
    }
}

/// Why a report on `run` meets no admitted executor.
pub(crate) fn no_admission(state: &Collaboration, run: RunId) -> Rejection {
    match live(state, run) {
        Err(rejection) => rejection,
        Ok(run) => wrong_step(run),
    }
}

fn wrong_step(run: &Run) -> Rejection {
    Rejection::new(
        Code::RunWrongStep,
        format!("the run is {}; this report does not follow that", run.stage.name()),
    )
}

/// What an executor's evidence must bind to be admitted: SHA-256 of the canonical CBOR of
/// `["chancery/v1/executor-admission", service key id, collaboration, run, nonce, key]`, where the
/// nonce is the leaf hash of the run's request and the key is the one that signs, and decrypts for,
/// everything about this run.
pub fn admission_report_data(
    audience: KeyId,
    collaboration: CollaborationId,
    run: RunId,
    nonce: Digest,
    executor: &PublicKey,
) -> Digest {
    Digest::of(&codec::encode(&Value::Array(vec![
        Value::text("chancery/v1/executor-admission"),
        Value::bytes(*audience.as_bytes()),
        Value::bytes(*collaboration.as_bytes()),
        Value::bytes(*run.as_bytes()),
        Value::bytes(*nonce.as_bytes()),
        Value::text(executor.to_string()),
    ])))
}

/// What the evidence of a result must bind: as [`admission_report_data`], under the name
/// `chancery/v1/run-result`, with the result after the key.
pub fn result_report_data(
    audience: KeyId,
    collaboration: CollaborationId,
    run: RunId,
    nonce: Digest,
    executor: &PublicKey,
    result: &Attested,
) -> Digest {
    Digest::of(&codec::encode(&Value::Array(vec![
        Value::text("chancery/v1/run-result"),
        Value::bytes(*audience.as_bytes()),
        Value::bytes(*collaboration.as_bytes()),
        Value::bytes(*run.as_bytes()),
        Value::bytes(*nonce.as_bytes()),
        Value::text(executor.to_string()),
        result.encode(),
    ])))
}

fn verdict(facts: &Facts, bound: Digest) -> Result<&Verdict, Reason> {
    match &facts.verdict {
        Some(Ok(verdict)) if verdict.report_data == bound => Ok(verdict),
        Some(Ok(_)) => Err(Reason::new(
            Code::EvidenceNotBound,
            "the evidence binds something else than this run, its nonce and the executor's key",
        )),
        Some(Err(why)) => Err(Reason::new(Code::EvidenceInvalid, why.clone())),
        None => Err(Reason::new(Code::EvidenceInvalid, "the evidence was not looked at")),
    }
}

fn platform_reasons(state: &Collaboration, run: &Run, verdict: &Verdict) -> Vec<Reason> {
    let Verdict { platform, measurement, ref claims, .. } = *verdict;
    Policy::of(state).reasons(&state.terms, run.query, &Shown { platform, measurement, claims })
}

/// Everything that held at the request is checked again; a refusal is the run's outcome.
///
/// Evidence that does not verify refuses the caller, not the run: anybody can send rubbish.
fn admit(
    state: &Collaboration,
    (id, run): (RunId, &Run),
    command: &AdmitRun,
    (facts, now_ms): (&Facts, u64),
) -> Result<crate::event::Event, Rejection> {
    let bound = admission_report_data(
        state.service_key.id(),
        state.id,
        id,
        run.request_leaf,
        &command.executor,
    );
    let verdict = verdict(facts, bound)?;
    if let Some(rejection) = Rejection::of(platform_reasons(state, run, verdict)) {
        return Err(rejection);
    }
    let asked = Asked { runner: Some(run.runner), now_ms, run: Some(id) };
    let mut reasons = readiness_at(state, run.query, &asked);
    if run.digest != state.queries.get(&run.query).and_then(accepted_digest) {
        reasons.push(Reason::about(
            Code::QueryDigestMismatch,
            Subject::Query(run.query),
            "the query is not the one that the run was requested for",
        ));
    }
    if !reasons.is_empty() {
        let refused = RunRefused { query: run.query, stage: RefusedAt::Admission, reasons };
        return Ok(refused.into());
    }
    Ok(RunAdmitted {
        executor: command.executor.clone(),
        platform: verdict.platform,
        measurement: verdict.measurement,
        claims: verdict.claims.clone(),
        evidence: command.evidence.clone(),
    }
    .into())
}

fn submit(run: &Run, command: &SubmitRun) -> Result<crate::event::Event, Rejection> {
    let Stage::Admitted(_) = run.stage else { return Err(wrong_step(run)) };
    super::check_text("the tracking name", &command.tracking, TRACKING_LEN_MAX)?;
    Ok(RunSubmitted { tracking: command.tracking.clone(), job_spec: command.job_spec }.into())
}

fn succeed(
    state: &Collaboration,
    id: RunId,
    run: &Run,
    command: &SucceedRun,
    facts: &Facts,
) -> Result<crate::event::Event, Rejection> {
    let Stage::Started(admission, job) = &run.stage else { return Err(wrong_step(run)) };
    let bound = result_report_data(
        state.service_key.id(),
        state.id,
        id,
        run.request_leaf,
        &admission.executor,
        &command.result,
    );
    let verdict = verdict(facts, bound)?;
    if let Some(rejection) = Rejection::of(platform_reasons(state, run, verdict)) {
        return Err(rejection);
    }
    consent::check_statistics(state, run, &command.result.statistics)?;
    let result = &command.result;
    let proposal = state.queries.get(&run.query).and_then(|query| query.live_proposal());
    let agrees = proposal.is_some_and(|proposal| {
        result.votes == proposal.vote_leaves() && result.inputs == proposal.binding.inputs
    }) && Some(result.query_digest) == run.digest
        && result.application == admission.measurement
        && verdict.measurement == admission.measurement
        && verdict.platform == admission.platform
        && verdict.claims == admission.claims
        && result.job_spec == job.job_spec;
    if !proposal.is_some_and(|proposal| noised(state, &proposal.binding, result)) {
        return Err(Rejection::new(
            Code::ResultMismatch,
            "the record of the noise is not that of the query, or the statistics tell more than it",
        ));
    }
    let output = proposal.and_then(|proposal| state.dataset_at(&proposal.binding.output));
    let manifest = &result.manifest;
    let fits = output.is_some_and(|output| manifest.columns == output.descriptor.columns)
        && manifest.rows == result.statistics.rows_written
        && manifest.files.iter().all(|file| is_file_name(&file.path))
        && manifest.files.is_sorted_by(|one, next| one.path < next.path);
    if !fits {
        return Err(Rejection::new(
            Code::ResultMismatch,
            "the manifest is not of the output's columns, of plain file names in order, or of the \
             rows that were written",
        ));
    }
    if !agrees {
        return Err(Rejection::new(
            Code::ResultMismatch,
            "the result is not of the query, votes, versions, application and job that were admitted",
        ));
    }
    Ok(RunSucceeded {
        result: result.clone(),
        platform: verdict.platform,
        evidence: command.evidence.clone(),
    }
    .into())
}

/// Whether the result tells of the noise that its query takes, and of no rows where it takes any.
fn noised(state: &Collaboration, bound: &Binding, result: &Attested) -> bool {
    let silent = result.statistics.inputs.is_empty() && result.statistics.segments.is_empty();
    privacy::plan::told(state, bound, result.privacy.as_ref())
        && (silent || result.privacy.is_none())
}

/// A name in the run's own folder: no path, nothing hidden.
fn is_file_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= FILE_NAME_LEN_MAX
        && !name.starts_with('.')
        && name.chars().all(|char| char.is_ascii_alphanumeric() || "._-".contains(char))
}

fn fail(run: &Run, command: &FailRun) -> Result<crate::event::Event, Rejection> {
    if run.stage.admission().is_none() {
        return Err(wrong_step(run));
    }
    let code = &command.code;
    let fine = !code.is_empty()
        && code.len() <= FAILURE_CODE_LEN_MAX
        && code
            .chars()
            .all(|char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '_');
    if !fine {
        return Err(Rejection::new(
            Code::InvalidContent,
            format!("code: [a-z0-9_]{{1,{FAILURE_CODE_LEN_MAX}}}"),
        ));
    }
    super::check_text("the detail", &command.detail, FAILURE_DETAIL_LEN_MAX)?;
    Ok(RunFailed { code: code.clone(), detail: command.detail.clone() }.into())
}
