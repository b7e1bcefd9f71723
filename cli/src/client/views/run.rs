//! Runs.

use serde::Deserialize;

use super::{Moment, Reason};

views! {
    /// A run.
    Run {
        /// Its id.
        id: String,
        /// The query's id.
        query: String,
        /// The query's name.
        query_name: String,
        /// The digest of what runs.
        digest: Option<String>,
        /// Who asked for it.
        runner_organisation: String,
        /// Where it stands.
        stage: String,
        /// Whether it has its outcome.
        ended: bool,
        /// What it took of budgets of privacy.
        #[serde(default)]
        charges: Vec<Charge>,
        /// Whether it gave that back.
        #[serde(default)]
        given_back: bool,
        /// Why it was refused or cancelled.
        reasons: Vec<Reason>,
        /// Who runs it.
        executor: Option<Executor>,
        /// The attested result.
        result: Option<chancery_commands::api::Attested>,
        /// How it failed.
        failure: Option<RunFailure>,
        /// What its executors were given or refused.
        #[serde(default)]
        handed_out: Vec<HandedOut>,
        /// What happened.
        timeline: Vec<RunStep>,
        /// Its beginning.
        created: Moment,
        /// Its version.
        version: u64,
    }
    /// What a run takes of a dataset's budget of privacy.
    Charge {
        /// The dataset's name.
        dataset_name: String,
        /// Epsilon in millionths.
        epsilon_micro: u64,
        /// Delta in 10⁻¹².
        delta_pico: u64,
    }
    /// The executor of a run.
    Executor {
        /// What stands behind its evidence.
        platform: String,
        /// The application's measurement.
        measurement: String,
    }
    /// What an executor was given, or asked for in vain.
    HandedOut {
        /// `secret` or `token`.
        kind: String,
        /// Whether it was given.
        given: bool,
        /// The dataset's id.
        dataset: String,
        /// When.
        at: Moment,
    }
    /// How a run failed.
    RunFailure {
        /// The code.
        code: String,
        /// In words.
        detail: String,
    }
    /// A step of a run.
    RunStep {
        /// The stage.
        stage: String,
        /// The position.
        position: u64,
        /// The time.
        time_ms: u64,
    }
}
