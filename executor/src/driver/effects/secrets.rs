//! The secrets of a run's encrypted inputs: asked for on evidence, fetched, opened, and left where
//! the application reads them once.

use std::collections::BTreeMap;

use chancery_governance::command::ReleaseSecret;
use chancery_governance::dataset::Encryption;
use chancery_governance::secret::{Given, GivenWhat, given_context};
use chancery_governance::state::Collaboration;
use chancery_governance::state::run::Run;
use chancery_ledger::id::DatasetId;
use zeroize::Zeroizing;

use super::super::logs::Logs;
use super::{Sent, StepError, Tools};
use crate::backend::Backend;
use crate::client::ClientError;
use crate::{RunKey, evidence, spec};

/// The failure code of a run whose secret the service refuses.
pub const SECRET_REFUSED: &str = "secret_refused";

/// What became of it.
pub enum Obtained {
    /// The application finds what it needs.
    Ready,
    /// The run can't go on.
    Refused(spec::Refusal),
    /// The log moved: look again.
    Moved,
}

impl<B: Backend> Tools<B> {
    /// Has the secrets of the run's encrypted inputs in the job's folder.
    ///
    /// A release stands in the log: where a reply was lost, or this process was killed, it is found
    /// there and fetched again. It is never asked for twice.
    pub(super) async fn obtain(&self, logs: &mut Logs, run: RunKey) -> Result<Obtained, StepError> {
        let Some(wanted) = logs.state(run.collaboration).and_then(|state| {
            let held = state.runs.get(&run.run)?;
            Some(encrypted(state, held))
        }) else {
            return Ok(Obtained::Moved);
        };
        let mut secrets = BTreeMap::new();
        for dataset in wanted {
            let given = match self.given(logs, run, dataset) {
                Some(given) => given,
                None => match self.ask(logs, run, dataset).await? {
                    Ok(given) => given,
                    Err(obtained) => return Ok(obtained),
                },
            };
            let sealed = match self.client.given(run, given.position).await {
                Ok(sealed) => sealed,
                Err(ClientError::Rejected { code, .. } | ClientError::Conflict { code, .. }) => {
                    // Something changed since; the log says what, if it is about the run.
                    let before = logs.stage(run).cloned();
                    logs.newest(run.collaboration).await?;
                    let moved = logs.stage(run) != before.as_ref();
                    return Ok(if moved { Obtained::Moved } else { refused(&code) });
                }
                Err(error) => return Err(StepError::Client(error)),
            };
            let context = given_context(run.collaboration, run.run, &given.leaf);
            let Ok(secret) = self.opening.open(&context, &sealed) else {
                return Ok(refused("not_for_this_key"));
            };
            secrets.insert(dataset, secret);
        }
        self.leave(run, &secrets)?;
        Ok(Obtained::Ready)
    }

    /// The release of the dataset's secret to this executor, where one is in the log.
    fn given(&self, logs: &Logs, run: RunKey, dataset: DatasetId) -> Option<Given> {
        let held = logs.state(run.collaboration)?.runs.get(&run.run)?;
        let given = &held.secrets.as_ref()?.given;
        let ours = |given: &&Given| {
            given.executor == self.key.public().id()
                && given.recipient == *self.opening.public()
                && given.version.dataset == dataset
                && matches!(given.what, GivenWhat::Secret(_))
        };
        given.iter().find(ours).cloned()
    }

    async fn ask(
        &self,
        logs: &mut Logs,
        run: RunKey,
        dataset: DatasetId,
    ) -> Result<Result<Given, Obtained>, StepError> {
        let Some((state, held)) = logs.state(run.collaboration).and_then(|state| {
            let held = state.runs.get(&run.run)?;
            Some((state, held))
        }) else {
            return Ok(Err(Obtained::Moved));
        };
        let recipient = *self.opening.public();
        let keys = (self.key.public(), &recipient);
        let evidence =
            evidence::of_secret(state, (run.run, held), keys, (dataset, self.application));
        let command = ReleaseSecret { dataset, recipient, evidence }.into();
        if let Sent::Refused(code) = self.send(logs, run, command).await? {
            return Ok(Err(refused(&code)));
        }
        Ok(self.given(logs, run, dataset).ok_or(Obtained::Moved))
    }

    /// Leaves the secrets for the application; none, where it needs none.
    fn leave(
        &self,
        run: RunKey,
        secrets: &BTreeMap<DatasetId, Zeroizing<Vec<u8>>>,
    ) -> Result<(), StepError> {
        Ok(self.jobs.put_secrets(run, secrets)?)
    }
}

fn refused(code: &str) -> Obtained {
    let detail = format!("the secret of an input was refused: {code}");
    Obtained::Refused(spec::Refusal { code: SECRET_REFUSED, detail })
}

/// The inputs of a run whose files are encrypted.
fn encrypted(state: &Collaboration, run: &Run) -> Vec<DatasetId> {
    let proposal = state.queries.get(&run.query).and_then(|query| query.live_proposal());
    let inputs = proposal.into_iter().flat_map(|proposal| &proposal.binding.inputs);
    let mut wanted: Vec<_> = inputs
        .filter(|version| {
            state
                .dataset_at(version)
                .is_some_and(|version| version.descriptor.encryption != Encryption::None)
        })
        .map(|version| version.dataset)
        .collect();
    wanted.sort_unstable();
    wanted.dedup();
    wanted
}
