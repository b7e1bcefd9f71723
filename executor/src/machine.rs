//! What comes next for a run: pure. The driver polls it and does what it says.
//!
//! The input is what the log says (the stage), what lies on disk (the job spec) and what lives (the
//! job). Every effect can be repeated, and the next poll sees what became of it, so that it makes no
//! difference where the process was killed in between.

#[cfg(test)]
mod kills;
#[cfg(test)]
mod tests;

use chancery_governance::state::run::{Admission, Job, Outcome, Stage};
use chancery_ledger::digest::Digest;
use chancery_ledger::key::PublicKey;

use crate::backend::{JobStatus, Phase};
use crate::ending::Ending;

/// Starts of the engine for a run, the first one included.
pub const ATTEMPTS_MAX: u32 = 3;
/// The failure code of a run whose engine died each time.
pub const ENGINE_DIED: &str = "engine_died";
/// The failure code of a run that outlived its job spec: 12 to 24 hours.
pub const TIMED_OUT: &str = "run_timed_out";

/// The job spec on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpecFacts {
    /// Its digest.
    pub digest: Digest,
    /// When it ends: milliseconds since the Unix epoch.
    pub expires_ms: u64,
    /// The application that it is for.
    pub application: Digest,
}

/// What is known of a run now.
#[derive(Debug, Clone, Copy)]
pub struct Sight<'a> {
    /// What the log says.
    pub stage: &'a Stage,
    /// The key of this executor.
    pub key: &'a PublicKey,
    /// The application that this executor starts.
    pub application: Digest,
    /// Whether the run stood admitted to another key when this executor began: that key is lost.
    pub orphan: bool,
    /// The job spec, where there is one that this executor signed for the run.
    pub spec: Option<SpecFacts>,
    /// Whether anything of the job lies on disk.
    pub remains: bool,
    /// What lives, or how it ended.
    pub job: &'a JobStatus,
    /// Milliseconds since the Unix epoch.
    pub now_ms: u64,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Ask to be admitted, or admitted again.
    Admit,
    /// Make the job spec, put it on disk, and report it.
    Submit,
    /// Start the engine.
    Launch,
    /// Report that the engine started.
    ReportStarted,
    /// Check the result and report it.
    Succeed,
    /// Report the failure.
    Fail {
        /// A stable code.
        code: String,
        /// One line, without data.
        detail: String,
    },
    /// Kill what lives and remove what lies on disk.
    Clear {
        /// Whether the result goes too: one that is not in the log must not stay.
        result: bool,
    },
    /// Nothing, until something moves.
    Wait,
    /// Nothing any more.
    Done,
}

impl Effect {
    /// Whether what it does needs the log's newest state: it makes or starts something.
    pub const fn needs_newest(&self) -> bool {
        matches!(self, Self::Admit | Self::Submit | Self::Launch)
    }
}

/// What comes next.
pub fn next(sight: &Sight<'_>) -> Effect {
    match sight.stage {
        Stage::Requested => Effect::Admit,
        Stage::Ended(Outcome::Succeeded { .. }) => clear(sight, false),
        Stage::Ended(Outcome::Refused(_) | Outcome::Failed { .. } | Outcome::Cancelled(_)) => {
            clear(sight, true)
        }
        Stage::Admitted(admission)
        | Stage::Submitted(admission, _)
        | Stage::Started(admission, _)
            if admission.executor != *sight.key =>
        {
            // The result, if there is one, is the other executor's by now.
            if sight.orphan { Effect::Admit } else { clear(sight, false) }
        }
        Stage::Admitted(admission) => {
            if admission.measurement == sight.application {
                Effect::Submit
            } else {
                Effect::Admit
            }
        }
        Stage::Submitted(admission, job) => submitted(sight, admission, job, false),
        Stage::Started(admission, job) => submitted(sight, admission, job, true),
    }
}

fn clear(sight: &Sight<'_>, result: bool) -> Effect {
    let lives = matches!(sight.job.phase, Phase::Running(_));
    if sight.remains || lives { Effect::Clear { result } } else { Effect::Done }
}

fn submitted(sight: &Sight<'_>, admission: &Admission, job: &Job, started: bool) -> Effect {
    let spec = sight.spec.filter(|spec| spec.digest == job.job_spec);
    match (&sight.job.phase, spec) {
        (Phase::Running(_), Some(spec)) if started && spec.expires_ms <= sight.now_ms => {
            Effect::Fail {
                code: TIMED_OUT.to_owned(),
                detail: "the job spec ended before the engine did".to_owned(),
            }
        }
        (Phase::Running(_), _) if started => Effect::Wait,
        (Phase::Running(_), _) => Effect::ReportStarted,
        (Phase::Ended(Ending::Failed { code, detail }), _) => {
            Effect::Fail { code: code.clone(), detail: detail.clone() }
        }
        (Phase::Ended(Ending::Succeeded(report)), _) if report.job_spec == job.job_spec => {
            if started {
                Effect::Succeed
            } else {
                Effect::ReportStarted
            }
        }
        (Phase::Ended(Ending::Succeeded(_)), _) => Effect::Fail {
            code: "result_invalid".to_owned(),
            detail: "the application tells of another job spec than the one submitted".to_owned(),
        },
        (Phase::Idle, _) if sight.job.attempts >= ATTEMPTS_MAX => Effect::Fail {
            code: ENGINE_DIED.to_owned(),
            detail: format!("the engine was started {ATTEMPTS_MAX} times and told of no end"),
        },
        (Phase::Idle, Some(spec))
            if spec.expires_ms > sight.now_ms
                && spec.application == sight.application
                && admission.measurement == sight.application =>
        {
            Effect::Launch
        }
        // Lost, ended, or of another release: the rules let the run be admitted anew.
        (Phase::Idle, _) => Effect::Admit,
    }
}
