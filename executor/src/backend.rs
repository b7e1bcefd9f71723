//! Where jobs run.
//!
//! A backend keeps a job apart from the process that started it: the job outlives it, and is found
//! again by its folder. One contract (`contract`) holds the local backend and the in-memory fake.

#[cfg(test)]
pub(crate) mod contract;
#[cfg(test)]
pub(crate) mod fake;
pub mod local;
mod process;

use std::future::Future;
use std::io;
use std::path::PathBuf;

use chancery_ledger::key::KeyId;

use crate::RunKey;
use crate::ending::Ending;

/// A run's job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// The run.
    pub run: RunKey,
    /// Its folder, which exists, with the job spec in it.
    pub folder: PathBuf,
    /// The id of the key that signed the job spec.
    pub executor: KeyId,
}

/// What a backend knows of a job.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JobStatus {
    /// How often the engine was started, or was about to be.
    pub attempts: u32,
    /// What lives, or how it ended.
    pub phase: Phase,
}

/// What lives of a job.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Phase {
    /// Nothing, and it told of no end: it was never started, or died.
    #[default]
    Idle,
    /// The engine.
    Running(Option<Progress>),
    /// The application told how it ended.
    Ended(Ending),
}

/// How far a job is.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
pub struct Progress {
    /// What it does: starting, loading, segment, writing.
    pub stage: String,
    /// How many of these are done.
    pub done: u64,
    /// Of how many.
    pub total: u64,
    /// Which one it is at.
    pub label: String,
}

/// The backend could not do it now.
#[derive(Debug, thiserror::Error)]
#[error("the engine's backend failed: {doing}")]
pub struct BackendError {
    /// What it was doing.
    pub doing: &'static str,
    /// Why.
    #[source]
    pub source: io::Error,
}

impl BackendError {
    pub(crate) fn at(doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self { doing, source }
    }
}

/// Where jobs run.
pub trait Backend: Send + Sync + 'static {
    /// Starts the engine, and counts that before it does. A job that lives or ended is left as it
    /// is, so that at most one of a run ever lives.
    fn launch(&self, job: &Job) -> impl Future<Output = Result<(), BackendError>> + Send;

    /// What is known of the job.
    fn status(&self, job: &Job) -> impl Future<Output = Result<JobStatus, BackendError>> + Send;

    /// Kills what lives of the job; nothing does when this returns `Ok`.
    fn cancel(&self, job: &Job) -> impl Future<Output = Result<(), BackendError>> + Send;
}
