//! Who receives results: the owner of the output, if every input's owner lets them.
//!
//! It is computed from the datasets, like the approvers: when a query is proposed, at each request
//! and admission, and when somebody asks for a result.

use chancery_ledger::id::{DatasetId, MemberId, RunId};

use crate::query::Binding;
use crate::reason::{Code, Reason, Rejection};
use crate::run::Attested;
use crate::state::run::{Outcome, Stage};
use crate::state::{Collaboration, PublishedVersion};
use crate::subject::Subject;
use crate::usage::Receiver;

/// Whether results of a dataset version may go to `member`.
pub fn permits(state: &Collaboration, version: &PublishedVersion, member: MemberId) -> bool {
    let receivers = &version.descriptor.usage.receivers;
    let Some(found) = state.members.get(&member) else { return false };
    receivers.is_empty()
        || receivers.iter().any(|receiver| match receiver {
            Receiver::Member(id) => *id == member,
            Receiver::Organisation(name) => *name == found.organisation,
            Receiver::Ability(ability) => found.abilities.contains(ability),
        })
}

/// A reason for each input that does not let the output's owner receive what comes of it.
pub fn reasons(state: &Collaboration, binding: &Binding) -> Vec<Reason> {
    let Some(output) = state.datasets.get(&binding.output.dataset) else { return Vec::new() };
    let owner = output.owner;
    let mut told = std::collections::BTreeSet::new();
    let inputs = binding.inputs.iter().filter(|version| told.insert(version.dataset));
    inputs
        .filter_map(|version| Some((version.dataset, state.dataset_at(version)?)))
        .filter(|(_, version)| !permits(state, version, owner))
        .map(|(dataset, version)| {
            let who = state.members.get(&owner).map_or("its owner", |it| it.organisation.as_str());
            let detail = format!(
                "{} lets no result go to {who}, who owns the output",
                version.descriptor.name
            );
            Reason::about(Code::ReceiverNotAllowed, Subject::Dataset(dataset), detail)
        })
        .collect()
}

/// A result that somebody may receive.
#[derive(Debug, Clone, Copy)]
pub struct Received<'a> {
    /// What is attested of it.
    pub result: &'a Attested,
    /// The output dataset.
    pub output: DatasetId,
    /// Its version when the query was bound.
    pub version: &'a PublishedVersion,
    /// Its owner, who receives.
    pub owner: MemberId,
}

/// The result of a run, for `member`: it must own the output, and each version that was read must
/// let it receive what comes of it.
///
/// # Errors
///
/// [`Code::RunNotFound`], [`Code::RunWrongStep`] where there is no result, [`Code::NotAReceiver`].
pub fn receive(
    state: &Collaboration,
    run: RunId,
    member: MemberId,
) -> Result<Received<'_>, Rejection> {
    let found = state
        .runs
        .get(&run)
        .ok_or_else(|| Rejection::new(Code::RunNotFound, "there is no such run"))?;
    let Stage::Ended(Outcome::Succeeded { result, .. }) = &found.stage else {
        return Err(Rejection::new(
            Code::RunWrongStep,
            format!("the run is {}, and has no result", found.stage.name()),
        ));
    };
    let not = |why: &str| Rejection::new(Code::NotAReceiver, why);
    let (output, dataset, version) = found
        .output
        .as_ref()
        .and_then(|bound| {
            let dataset = state.datasets.get(&bound.dataset)?;
            Some((bound.dataset, dataset, state.dataset_at(bound)?))
        })
        .ok_or_else(|| not("the output that the result was written to is not known"))?;
    if dataset.owner != member {
        return Err(not("a result goes to the owner of the dataset that it was written to"));
    }
    let mut inputs = result.inputs.iter().filter_map(|version| state.dataset_at(version));
    if inputs.any(|version| !permits(state, version, member)) {
        return Err(not("an input's policy lets its results go to others only"));
    }
    Ok(Received { result, output, version, owner: dataset.owner })
}
