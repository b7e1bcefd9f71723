//! Publishing datasets: what a descriptor must be, and what a new version ends.

use std::collections::BTreeSet;

use chancery_ledger::codec;
use chancery_ledger::digest::Digest;
use chancery_ledger::id::{DatasetId, MemberId};

use super::{Events, column_rules, in_flight, privacy_policy};
use crate::command::PublishDataset;
use crate::dataset::{
    AccessMode, COLUMNS_MAX, Descriptor, Encryption, GroupIdentity, NAME_LEN_MAX, Store,
};
use crate::event::{DatasetPublished, DatasetRetired};
use crate::member::Ability;
use crate::reason::{Code, Reason, Rejection};
use crate::secret::AUDIENCE_LEN_MAX;
use crate::state::Collaboration;
use crate::subject::Subject;
use crate::wire::Wire;

/// Most datasets, retired or not, in a collaboration.
pub const DATASETS_MAX: usize = 10_000;
/// Longest path of a local store, in bytes.
pub const PATH_LEN_MAX: usize = 1024;

/// The digest that identifies a version of a dataset: of its descriptor's canonical bytes.
pub fn version_digest(descriptor: &Descriptor) -> Digest {
    Digest::of(&codec::encode(&descriptor.encode()))
}

pub(super) fn publish(
    state: &Collaboration,
    id: DatasetId,
    caller: MemberId,
    command: &PublishDataset,
) -> Result<Events, Rejection> {
    let descriptor = &command.descriptor;
    if let Some(rejection) = Rejection::of(descriptor_faults(descriptor)) {
        return Err(rejection);
    }
    let needed = match descriptor.access_mode {
        AccessMode::Read => Ability::DataProvider,
        AccessMode::Write => Ability::ResultReceiver,
    };
    if !state.members.get(&caller).is_some_and(|member| member.abilities.contains(&needed)) {
        return Err(Rejection::new(
            Code::AbilityMissing,
            format!("publishing this access mode takes the ability {}", needed.as_str()),
        ));
    }
    let name_taken = state.ties.named(&descriptor.name).any(|other| other != id);
    if name_taken {
        return Err(Rejection::new(
            Code::DatasetNameTaken,
            format!("another dataset is named {}", descriptor.name),
        ));
    }
    let digest = version_digest(descriptor);
    let subject = Subject::Dataset(id);
    let mut events =
        vec![(subject, DatasetPublished { descriptor: descriptor.clone(), digest }.into())];
    match state.dataset_version(id) {
        None if state.datasets.len() >= DATASETS_MAX => {
            return Err(Rejection::new(
                Code::LimitExceeded,
                format!("a collaboration has at most {DATASETS_MAX} datasets"),
            ));
        }
        None => {}
        Some((dataset, _)) if dataset.owner != caller => {
            return Err(Rejection::new(
                Code::NotTheDatasetOwner,
                "only its owner publishes versions of a dataset",
            ));
        }
        Some((dataset, _)) if dataset.retired => {
            return Err(Rejection::new(Code::DatasetRetired, "the dataset is retired"));
        }
        Some((_, newest)) if newest.digest == digest => {
            return Err(Rejection::new(
                Code::DatasetUnchanged,
                "the newest version says the same already",
            ));
        }
        Some(_) => {
            let reason = Reason::about(
                Code::DatasetVersionChanged,
                subject,
                "the dataset has a new version, which nobody voted on",
            );
            events.extend(in_flight::supersede(state, id, &reason));
        }
    }
    Ok(events)
}

pub(super) fn retire(
    state: &Collaboration,
    id: DatasetId,
    caller: MemberId,
) -> Result<Events, Rejection> {
    let dataset = state
        .datasets
        .get(&id)
        .ok_or_else(|| Rejection::new(Code::DatasetNotFound, "there is no such dataset"))?;
    if dataset.owner != caller {
        return Err(Rejection::new(Code::NotTheDatasetOwner, "only its owner retires a dataset"));
    }
    if dataset.retired {
        return Err(Rejection::new(Code::DatasetRetired, "the dataset is retired already"));
    }
    let subject = Subject::Dataset(id);
    let reason = Reason::about(Code::DatasetRetired, subject, "the dataset is retired");
    let mut events = vec![(subject, DatasetRetired {}.into())];
    events.extend(in_flight::supersede(state, id, &reason));
    Ok(events)
}

/// Every fault of a descriptor at once.
fn descriptor_faults(descriptor: &Descriptor) -> Vec<Reason> {
    let mut faults = Vec::new();
    let mut fault = |code, detail: String| faults.push(Reason::new(code, detail));
    if !is_dataset_name(&descriptor.name) {
        fault(Code::InvalidName, "name: a dataset's name is [a-z][a-z0-9_-]{0,63}".to_owned());
    }
    let count = descriptor.columns.len();
    if count == 0 || count > COLUMNS_MAX {
        fault(Code::LimitExceeded, format!("columns: a dataset has 1 to {COLUMNS_MAX}"));
    }
    let mut names = BTreeSet::new();
    for column in &descriptor.columns {
        if !is_column_name(&column.name) {
            fault(
                Code::InvalidName,
                format!("columns: {:?} is not [A-Za-z_][A-Za-z0-9_]{{0,63}}", column.name),
            );
        }
        if column.name.to_ascii_lowercase().starts_with(crate::sql::RESERVED_PREFIX) {
            fault(Code::InvalidName, "columns: the prefix __chancery_ is reserved".to_owned());
        }
        if !names.insert(column.name.to_lowercase()) {
            fault(Code::InvalidDescriptor, format!("columns: {} stands twice", column.name));
        }
    }
    let policy = &descriptor.policy;
    if policy.allowed_columns.is_empty() {
        fault(
            Code::InvalidDescriptor,
            "policy.allowed_columns: name one at least; what is not named can't be read".to_owned(),
        );
    }
    let mut allowed = BTreeSet::new();
    for name in &policy.allowed_columns {
        if !descriptor.columns.iter().any(|column| column.name == *name) {
            fault(
                Code::InvalidDescriptor,
                format!("policy.allowed_columns: there is no column {name}"),
            );
        }
        if !allowed.insert(name) {
            fault(Code::InvalidDescriptor, format!("policy.allowed_columns: {name} stands twice"));
        }
    }
    if let Some(group) = &policy.minimum_group {
        if group.count == 0 {
            fault(Code::InvalidDescriptor, "policy.minimum_group.count: 1 or more".to_owned());
        }
        if let GroupIdentity::Column(column) = &group.identity
            && !descriptor.columns.iter().any(|declared| declared.name == *column)
        {
            fault(
                Code::InvalidDescriptor,
                format!("policy.minimum_group.identity: there is no column {column}"),
            );
        }
        if descriptor.access_mode == AccessMode::Write {
            fault(
                Code::InvalidDescriptor,
                "policy.minimum_group: an output has no groups to protect".to_owned(),
            );
        }
    }
    if descriptor.access_mode == AccessMode::Write && descriptor.encryption != Encryption::None {
        fault(Code::InvalidDescriptor, "encryption: an output is written as it is".to_owned());
    }
    if let Some(audience) = &descriptor.token_audience
        && (audience.is_empty()
            || audience.len() > AUDIENCE_LEN_MAX
            || !audience.chars().all(|char| char.is_ascii_graphic()))
    {
        fault(
            Code::InvalidDescriptor,
            format!("token_audience: 1 to {AUDIENCE_LEN_MAX} visible ASCII characters"),
        );
    }
    faults.extend(super::usage::faults(descriptor));
    faults.extend(column_rules::faults(descriptor));
    faults.extend(privacy_policy::faults(descriptor));
    let mut fault = |code, detail: String| faults.push(Reason::new(code, detail));
    let Store::Local { path } = &descriptor.store;
    if !is_safe_path(path) {
        fault(
            Code::InvalidDescriptor,
            "store.path: a relative folder; parts of [A-Za-z0-9._-], none `.` or `..`".to_owned(),
        );
    }
    faults
}

pub(super) fn is_dataset_name(name: &str) -> bool {
    name.len() <= NAME_LEN_MAX
        && name.starts_with(|char: char| char.is_ascii_lowercase())
        && name
            .chars()
            .all(|char| char.is_ascii_lowercase() || char.is_ascii_digit() || "_-".contains(char))
}

fn is_column_name(name: &str) -> bool {
    name.len() <= NAME_LEN_MAX
        && name.starts_with(|char: char| char.is_ascii_alphabetic() || char == '_')
        && name.chars().all(|char| char.is_ascii_alphanumeric() || char == '_')
}

/// A path that stays below the folder it is joined to.
fn is_safe_path(path: &str) -> bool {
    path.len() <= PATH_LEN_MAX
        && path.split('/').all(|part| {
            !part.is_empty()
                && part != "."
                && part != ".."
                && part.chars().all(|char| char.is_ascii_alphanumeric() || "._-".contains(char))
        })
}
