//! The evidence that goes with an admission and a result. On a laptop: `insecure-virtual`.

use chancery_attestation::insecure_virtual;
use chancery_governance::decide::run::{admission_report_data, result_report_data};
use chancery_governance::decide::secret::Requested;
use chancery_governance::run::{Attested, Evidence};
use chancery_governance::secret::SealingKey;
use chancery_governance::state::Collaboration;
use chancery_governance::state::run::Run;
use chancery_ledger::digest::Digest;
use chancery_ledger::id::{DatasetId, RunId};
use chancery_ledger::key::PublicKey;

/// Evidence that binds the executor's key to a run, for the application that will run.
pub fn of_admission(
    state: &Collaboration,
    (id, run): (RunId, &Run),
    key: &PublicKey,
    application: Digest,
) -> Evidence {
    let bound = admission_report_data(state.service_key.id(), state.id, id, run.request_leaf, key);
    insecure_virtual::evidence(application, bound)
}

/// Evidence that binds the executor's key and the one that it opens with to a request of a dataset's
/// secret, for the application that will run.
pub fn of_secret(
    state: &Collaboration,
    (id, run): (RunId, &Run),
    (key, recipient): (&PublicKey, &SealingKey),
    (dataset, application): (DatasetId, Digest),
) -> Evidence {
    let request = Requested::of(state, (id, run), (key, recipient), dataset);
    insecure_virtual::evidence(application, request.secret_report_data())
}

/// Evidence that binds a result to the run and the executor's key, for the application that ran.
pub fn of_result(
    state: &Collaboration,
    (id, run): (RunId, &Run),
    key: &PublicKey,
    result: &Attested,
) -> Evidence {
    let service = state.service_key.id();
    let bound = result_report_data(service, state.id, id, run.request_leaf, key, result);
    insecure_virtual::evidence(result.application, bound)
}
