//! A backend in memory, under the same contract as the local one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use super::{Backend, BackendError, Job, JobStatus, Phase};
use crate::RunKey;
use crate::ending::Ending;

/// Jobs that end when the test says so. Clones share them, as processes share a folder.
#[derive(Debug, Clone, Default)]
pub struct Fake(Arc<Mutex<BTreeMap<RunKey, JobStatus>>>);

impl Fake {
    fn jobs(&self) -> MutexGuard<'_, BTreeMap<RunKey, JobStatus>> {
        self.0.lock().unwrap()
    }

    /// The job's engine dies.
    pub fn die(&self, run: RunKey) {
        self.jobs().get_mut(&run).unwrap().phase = Phase::Idle;
    }

    /// The job's application tells how it ended.
    pub fn end(&self, run: RunKey, ending: Ending) {
        self.jobs().get_mut(&run).unwrap().phase = Phase::Ended(ending);
    }

    /// A new job spec was put: what was told is forgotten.
    pub fn forget(&self, run: RunKey) {
        if let Some(job) = self.jobs().get_mut(&run) {
            job.phase = Phase::Idle;
        }
    }

    /// How many jobs live.
    pub fn living(&self) -> usize {
        self.jobs().values().filter(|job| matches!(job.phase, Phase::Running(_))).count()
    }
}

impl Backend for Fake {
    async fn launch(&self, job: &Job) -> Result<(), BackendError> {
        let mut jobs = self.jobs();
        let status = jobs.entry(job.run).or_default();
        if status.phase == Phase::Idle {
            status.attempts += 1;
            status.phase = Phase::Running(None);
        }
        Ok(())
    }

    async fn status(&self, job: &Job) -> Result<JobStatus, BackendError> {
        Ok(self.jobs().get(&job.run).cloned().unwrap_or_default())
    }

    async fn cancel(&self, job: &Job) -> Result<(), BackendError> {
        if let Some(status) = self.jobs().get_mut(&job.run)
            && matches!(status.phase, Phase::Running(_))
        {
            status.phase = Phase::Idle;
        }
        Ok(())
    }
}
