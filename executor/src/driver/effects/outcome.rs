//! From what the application tells to what the executor attests to.

use chancery_governance::command::{Command, SucceedRun};
use chancery_governance::consent::ConsentKind;
use chancery_governance::privacy::plan;
use chancery_governance::run::Attested;
use chancery_governance::state::run::Stage;

use super::{Look, StepError, Tools, failure};
use crate::backend::{Backend, Phase};
use crate::ending::Ending;
use crate::manifest::{self, ManifestError};
use crate::{RunKey, evidence};

/// A result that is not what it should be fails the run.
const INVALID: &str = "result_invalid";

impl<B: Backend> Tools<B> {
    /// Checks the result on disk and makes the report of it: a success, or why it is none.
    pub(super) async fn result(&self, look: &Look<'_>, run: RunKey) -> Result<Command, StepError> {
        let invalid = |detail: &str| Ok(failure(INVALID, detail));
        let Phase::Ended(Ending::Succeeded(told)) = &look.job.phase else {
            return invalid("the application's success is gone from disk");
        };
        let proposal =
            look.state.queries.get(&look.run.query).and_then(|query| query.live_proposal());
        let (Some(proposal), Stage::Started(admission, job), Some(spec)) =
            (proposal, &look.run.stage, &look.spec)
        else {
            return invalid("the query or the job spec is not the one that ran");
        };
        if told.run != run.run.to_string()
            || told.query_digest != proposal.digest
            || told.job_spec != job.job_spec
        {
            return invalid("the application tells of another run, query or job spec");
        }
        if !plan::told(look.state, &proposal.binding, told.privacy.as_ref()) {
            return invalid("the application tells of other noise than the query takes");
        }
        let Some(output) = look.state.dataset_at(&proposal.binding.output) else {
            return invalid("the output dataset's version is not in the log");
        };
        let (folder, manifest) = (spec.output.clone(), told.manifest.clone());
        let declared = output.descriptor.columns.clone();
        let check = move || manifest::check(&folder, &manifest, &declared);
        match tokio::task::spawn_blocking(check).await.map_err(std::io::Error::other)? {
            Ok(()) => {}
            Err(ManifestError::Unreadable(error)) => return Err(error.into()),
            Err(error @ (ManifestError::Files | ManifestError::Columns)) => {
                return invalid(&error.to_string());
            }
        }
        let mut statistics = told.statistics.clone();
        let private = proposal.binding.definition.privacy.is_some();
        if private || look.state.is_withheld(look.run.query, ConsentKind::Telemetry) {
            // What the manifest says anyway stays.
            statistics.inputs.clear();
            statistics.segments.clear();
        }
        let result = Attested {
            query_digest: proposal.digest,
            votes: proposal.vote_leaves(),
            inputs: proposal.binding.inputs.clone(),
            application: admission.measurement,
            engine: told.engine.clone(),
            job_spec: job.job_spec,
            manifest: told.manifest.clone(),
            statistics,
            privacy: told.privacy.clone(),
        };
        let held = (run.run, look.run);
        let evidence = evidence::of_result(look.state, held, self.key.public(), &result);
        Ok(SucceedRun { result, evidence }.into())
    }
}
