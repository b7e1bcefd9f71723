//! A run's job on disk: made, started, cleared.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use chancery_governance::consent::ConsentKind;
use chancery_governance::state::run::{Outcome, Stage};
use chancery_ledger::digest::Digest;

use super::{Look, StepError, Tools};
use crate::backend::Backend;
use crate::{RunKey, clock, spec};

impl<B: Backend> Tools<B> {
    /// Makes the job spec and puts it on disk; nothing of an earlier one lives then.
    pub(super) async fn prepare(
        &self,
        look: &Look<'_>,
        run: RunKey,
    ) -> Result<Result<Digest, spec::Refusal>, StepError> {
        self.backend.cancel(&self.job(run)).await?;
        let now = clock::now_ms();
        let fresh = now.saturating_add(spec::LIFE_MS);
        // The same bytes as before, where a reply was lost: the log may have them by now.
        let expires_ms = look
            .spec
            .as_ref()
            .map(|spec| spec.facts.expires_ms)
            .filter(|expires_ms| *expires_ms > now.saturating_add(spec::LIFE_MS / 2))
            .unwrap_or(fresh);
        let request = spec::Request {
            state: look.state,
            id: run.run,
            run: look.run,
            application: self.application,
            root: &self.root,
            expires_ms,
        };
        let bytes = match spec::build(&request, &self.key) {
            Ok(bytes) => bytes,
            Err(refusal) => return Ok(Err(refusal)),
        };
        self.jobs.put_spec(run, &bytes)?;
        Ok(Ok(Digest::of(&bytes)))
    }

    /// Starts the engine, or tells why the run fails instead.
    pub(super) async fn launch(
        &self,
        look: &Look<'_>,
        run: RunKey,
    ) -> Result<Option<spec::Refusal>, StepError> {
        let Some(spec) = &look.spec else { return Ok(None) };
        if look.job.attempts > 0 && is_private(look) {
            // It may have drawn its noise and left the result where its receiver reads. Another one
            // would have other noise, and two of them tell more than one that was paid for.
            let detail = "the engine ended early, and noise is drawn once a run".to_owned();
            return Ok(Some(spec::Refusal { code: "privacy_run_interrupted", detail }));
        }
        if look.job.attempts > 0 {
            // What a dead engine of this very run may have left.
            self.remove_result(run, &spec.output)?;
        } else if spec.output.symlink_metadata().is_ok() {
            let detail = "a result of that run's id lies there already".to_owned();
            return Ok(Some(spec::Refusal { code: "output_exists", detail }));
        }
        self.backend.launch(&self.job(run)).await?;
        tracing::info!(%run, attempt = look.job.attempts + 1, "engine started");
        Ok(None)
    }

    /// Kills what lives and removes what lies on disk.
    pub(super) async fn clear(
        &self,
        look: &Look<'_>,
        run: RunKey,
        result: bool,
    ) -> Result<(), StepError> {
        self.backend.cancel(&self.job(run)).await?;
        // Without a start, nothing there is this run's work.
        if let Some(spec) = &look.spec
            && result
            && look.job.attempts > 0
        {
            self.remove_result(run, &spec.output)?;
        }
        let failed = matches!(look.run.stage, Stage::Ended(Outcome::Failed { .. }));
        let silent = look.state.is_withheld(look.run.query, ConsentKind::Logging);
        self.jobs.remove(run, failed && !silent)?;
        tracing::info!(%run, stage = look.run.stage.name(), "cleared");
        Ok(())
    }

    /// Removes a run's result and the folder in which the application made it.
    fn remove_result(&self, run: RunKey, output: &Path) -> io::Result<()> {
        let name = run.run.to_string();
        if !self.root.is_output(output, &name) {
            tracing::warn!(%run, "the result's folder is not where it was; nothing is removed");
            return Ok(());
        }
        let partial: PathBuf = output.with_file_name(format!(".{name}.{name}.partial"));
        for folder in [output, &partial] {
            match fs::remove_dir_all(folder) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}

/// Whether the run's query states what it costs in privacy.
fn is_private(look: &Look<'_>) -> bool {
    let query = look.state.queries.get(&look.run.query);
    query.is_some_and(|query| query.definition.privacy.is_some())
}
